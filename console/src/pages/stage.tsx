import { useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Call, CallView } from "../call/call.ts";
import type { Arriving } from "../call/link.ts";
import type { Participant } from "../call/messages.ts";
import { Icon } from "../icons.tsx";
import { Comings, Signs, Written } from "./announce.tsx";
import { Bar } from "./bar.tsx";
import { Chat } from "./chat.tsx";
import { columnsFor, largeOf, layoutFor, type Layout } from "./layout.ts";
import { playAll, Sound, Video } from "./media.tsx";
import { Quality } from "./quality.tsx";
import { Showing, ShowingContext } from "./showing.ts";
import { Tile } from "./tile.tsx";

/** The call: tiles, what one can do, and how it goes. */
export function Stage({ call, view }: { call: Call; view: CallView }) {
  const [blocked, setBlocked] = useState(false);
  const [chosen, setChosen] = useState<Layout | null>(null);
  const [inspected, setInspected] = useState<string | null>(null);
  const chat = useChat(view);
  const showing = useMemo(() => new Showing((tiles) => call.show(tiles)), [call]);
  useEffect(() => () => showing.close(), [showing]);
  useEffect(() => {
    document.title = `${view.roomName} · countersign`;
  }, [view.roomName]);
  // Whoever pressed Join by keyboard goes on from here: the button that had the focus is gone.
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  const onBlocked = () => setBlocked(true);
  const voices = view.arriving.filter(({ source }) => source === "voice");
  const screens = view.arriving.filter(({ source, participant_id }) => source === "screen" && isIn(view, participant_id));
  const shares = screens.length > 0 || view.screen !== null;
  const layout = chosen ?? layoutFor(view.participants.length, shares);

  return (
    <ShowingContext.Provider value={showing}>
      <main class="stage" data-layout={layout} data-shares={shares} data-chat={chat.open}>
        <header class="stage-head">
          <h1 ref={heading} tabIndex={-1}>
            {view.roomName}
          </h1>
          <p class="stage-count">{countOf(view.participants.length)}</p>
          <p class="status" role="status" data-phase={view.phase}>
            {statusOf(view)}
          </p>
          <LayoutButton layout={layout} onChoose={setChosen} />
        </header>
        <div class="stage-main">
          {shares && <Screens screens={screens} view={view} onBlocked={onBlocked} />}
          <Tiles call={call} view={view} layout={layout} shares={shares} onInspect={setInspected} />
          <Signs signs={view.signs} />
          {inspected && <Quality key={inspected} call={call} view={view} participantId={inspected} onClose={() => setInspected(null)} />}
        </div>
        {chat.open && <Chat call={call} view={view} {...chat.panel} />}
        {voices.map(({ track }) => (
          <Sound key={track.id} track={track} onBlocked={onBlocked} />
        ))}
        <Comings participants={view.participants} />
        <Written lines={view.lines} silent={chat.open} />
        <Bar call={call} view={view} blocked={blocked} onUnblock={() => (playAll(), setBlocked(false))} chat={chat} />
      </main>
    </ShowingContext.Provider>
  );
}

/** Whether the chat is open, what one is writing there, and what one has not read. */
function useChat(view: CallView) {
  const id = useId();
  const [open, setOpen] = useState(false);
  const [draft, setDraft] = useState("");
  const latest = view.lines.at(-1)?.key ?? 0;
  const read = useRef(0);
  if (open) read.current = latest;
  const toggle = () => setOpen(!open);
  const wasOpen = useRef(false);
  useLayoutEffect(() => {
    if (wasOpen.current && !open) document.querySelector<HTMLElement>("[data-chat-button]")?.focus();
    wasOpen.current = open;
  }, [open]);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      // By its place: Alt makes another letter of it on some keyboards.
      if (!event.altKey || event.ctrlKey || event.metaKey || event.code !== "KeyC") return;
      event.preventDefault();
      toggle();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  });
  const unread = view.lines.filter(({ key, by }) => key > read.current && by !== view.me && by !== "").length;
  return { id, open, unread, toggle, panel: { id, draft, onDraft: setDraft, onClose: toggle } };
}

function LayoutButton({ layout, onChoose }: { layout: Layout; onChoose: (layout: Layout) => void }) {
  const other = layout === "grid" ? "speaker" : "grid";
  const label = other === "grid" ? "Show everybody alike" : "Show who speaks large";
  return (
    <button type="button" class="round" aria-label={label} title={label} onClick={() => onChoose(other)}>
      <Icon name={other} />
    </button>
  );
}

function Tiles(props: { call: Call; view: CallView; layout: Layout; shares: boolean; onInspect: (id: string) => void }) {
  const { call, view, layout, shares, onInspect } = props;
  const before = useRef<string | null>(null);
  before.current = largeOf(view, before.current);
  const large = layout === "speaker" ? before.current : null;
  const count = view.participants.length;
  const columns = columnsFor(count, shares);
  return (
    <div class="tiles-frame">
      <ul
        class="tiles"
        aria-label="Participants"
        // What is scrolled must be reachable by keyboard.
        tabIndex={layout === "speaker" || count > 5 * columns ? 0 : -1}
        data-large={large !== null && !shares}
        style={{ "--columns": columns, "--others": Math.max(1, count - 1) }}
      >
        {inOrder(view).map((participant) => (
          <Tile
            key={participant.participant_id}
            call={call}
            view={view}
            participant={participant}
            large={participant.participant_id === large}
            onInspect={onInspect}
          />
        ))}
      </ul>
    </div>
  );
}

function Screens({ screens, view, onBlocked }: { screens: Arriving[]; view: CallView; onBlocked: () => void }) {
  return (
    <section class="screens" aria-label="Shared screens">
      {screens.map((screen) => (
        <Screen key={`${screen.participant_id} ${screen.track.id}`} screen={screen} view={view} onBlocked={onBlocked} />
      ))}
      {view.screen && screens.length === 0 && (
        <figure class="screen">
          <Video track={view.screen} whole />
          <figcaption>Your screen, as the others see it</figcaption>
        </figure>
      )}
    </section>
  );
}

function Screen({ screen, view, onBlocked }: { screen: Arriving; view: CallView; onBlocked: () => void }) {
  const sound = view.arriving.find(
    ({ source, participant_id }) => source === "screen-audio" && participant_id === screen.participant_id,
  );
  const owner = view.participants.find(({ participant_id }) => participant_id === screen.participant_id);
  return (
    <figure class="screen">
      <Video track={screen.track} sound={sound?.track} what={screen} whole onBlocked={onBlocked} />
      <figcaption>{owner?.name ?? "Somebody"} shares a screen</figcaption>
    </figure>
  );
}

/** Oneself last: the others are what one came for. */
function inOrder(view: CallView): Participant[] {
  const others = view.participants.filter(({ participant_id }) => participant_id !== view.me);
  const self = view.participants.filter(({ participant_id }) => participant_id === view.me);
  return [...others, ...self];
}

function isIn(view: CallView, participantId: string): boolean {
  return view.participants.some(({ participant_id }) => participant_id === participantId);
}

function countOf(count: number): string {
  if (count === 0) return "";
  return count === 1 ? "Only you" : `${count} people`;
}

function statusOf(view: CallView): string {
  switch (view.phase) {
    case "connecting":
      return "Connecting…";
    case "reconnecting":
      return "Connection lost. Reconnecting…";
    case "in-call":
      return "Connected";
    case "refused":
      return "Not connected";
    case "over":
      return "";
  }
}
