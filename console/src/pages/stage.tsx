import { useEffect, useRef, useState } from "preact/hooks";
import type { Call, CallView } from "../call/call.ts";
import type { Arriving } from "../call/link.ts";
import type { Participant } from "../call/messages.ts";
import { Confirm } from "../confirm.tsx";
import { Icon } from "../icons.tsx";
import { playAll, Sound, Video } from "./media.tsx";
import { Tile } from "./tile.tsx";

/** The call: tiles, what one can do, and how it goes. */
export function Stage({ call, view }: { call: Call; view: CallView }) {
  const [blocked, setBlocked] = useState(false);
  useEffect(() => {
    document.title = `${view.roomName} · countersign`;
  }, [view.roomName]);
  // Whoever pressed Join by keyboard goes on from here: the button that had the focus is gone.
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  const onBlocked = () => setBlocked(true);
  const screens = view.arriving.filter(({ source, participant_id }) => source === "screen" && isIn(view, participant_id));
  const voices = view.arriving.filter(({ source }) => source === "voice");
  const shares = screens.length > 0 || view.screen !== null;

  return (
    <main class={shares ? "stage stage-shared" : "stage"}>
      <header class="stage-head">
        <h1 ref={heading} tabIndex={-1}>
          {view.roomName}
        </h1>
        <p class="stage-count">{countOf(view.participants.length)}</p>
        <p class="status" role="status" data-phase={view.phase}>
          {statusOf(view)}
        </p>
      </header>
      {shares && (
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
      )}
      <ul class="tiles" aria-label="Participants" style={{ "--columns": columnsFor(view.participants.length) }}>
        {inOrder(view).map((participant) => (
          <Tile key={participant.participant_id} call={call} view={view} participant={participant} />
        ))}
      </ul>
      {voices.map(({ track }) => (
        <Sound key={track.id} track={track} onBlocked={onBlocked} />
      ))}
      <Comings participants={view.participants} />
      <Bar call={call} view={view} blocked={blocked} onUnblock={() => (playAll(), setBlocked(false))} />
    </main>
  );
}

/** Tells screen readers who came and who went. */
function Comings({ participants }: { participants: Participant[] }) {
  const before = useRef<Participant[] | null>(null);
  const [said, setSaid] = useState("");
  useEffect(() => {
    const known = before.current;
    before.current = participants;
    if (!known || known.length === 0) return;
    const came = missingFrom(known, participants).map(({ name }) => `${name} joined.`);
    const went = missingFrom(participants, known).map(({ name }) => `${name} left.`);
    if (came.length + went.length > 0) setSaid([...came, ...went].join(" "));
  }, [participants]);
  return (
    <p class="for-readers" aria-live="polite">
      {said}
    </p>
  );
}

/** Returns those of `all` that are not in `some`. */
function missingFrom(some: Participant[], all: Participant[]): Participant[] {
  return all.filter(({ participant_id }) => !some.some((one) => one.participant_id === participant_id));
}

function Screen({ screen, view, onBlocked }: { screen: Arriving; view: CallView; onBlocked: () => void }) {
  const sound = view.arriving.find(
    ({ source, participant_id }) => source === "screen-audio" && participant_id === screen.participant_id,
  );
  const owner = view.participants.find(({ participant_id }) => participant_id === screen.participant_id);
  return (
    <figure class="screen">
      <Video track={screen.track} sound={sound?.track} whole onBlocked={onBlocked} />
      <figcaption>{owner?.name ?? "Somebody"} shares a screen</figcaption>
    </figure>
  );
}

function Bar(props: { call: Call; view: CallView; blocked: boolean; onUnblock: () => void }) {
  const { call, view, blocked, onUnblock } = props;
  const [ending, setEnding] = useState(false);
  return (
    <footer class="bar">
      <p class="bar-notice" role="alert">
        {view.notice}
      </p>
      <div class="bar-buttons" role="toolbar" aria-label="Call">
        {blocked && (
          <button type="button" class="bar-button bar-button-strong" onClick={onUnblock}>
            <Icon name="sound" />
            <span>Turn on sound</span>
          </button>
        )}
        {call.may("speak") && (
          <button type="button" class="bar-button" data-off={!view.voiceOn} onClick={() => void call.setVoice(!view.voiceOn)}>
            <Icon name={view.voiceOn ? "voice" : "voice-off"} />
            <span>{view.voiceOn ? "Mute" : "Unmute"}</span>
          </button>
        )}
        {call.may("camera") && (
          <button type="button" class="bar-button" data-off={!view.camera} onClick={() => void call.setCamera(!view.camera)}>
            <Icon name={view.camera ? "camera" : "camera-off"} />
            <span>{view.camera ? "Turn camera off" : "Turn camera on"}</span>
          </button>
        )}
        {call.may("share") && "getDisplayMedia" in (navigator.mediaDevices ?? {}) && (
          <button type="button" class="bar-button" onClick={() => (view.screen ? call.stopScreen() : void call.startScreen())}>
            <Icon name="screen" />
            <span>{view.screen ? "Stop sharing" : "Share screen"}</span>
          </button>
        )}
        {call.may("moderate") && (
          <button type="button" class="bar-button" onClick={() => setEnding(true)}>
            <Icon name="end" />
            <span>End for everybody</span>
          </button>
        )}
        <button type="button" class="bar-button bar-button-leave" onClick={() => call.leave()}>
          <Icon name="leave" />
          <span>Leave</span>
        </button>
      </div>
      {ending && (
        <Confirm
          question="End the call for everybody?"
          detail="Everybody leaves, the room closes and its invites stop working."
          verb="End the call"
          onYes={() => call.end()}
          onNo={() => setEnding(false)}
        />
      )}
    </footer>
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

function columnsFor(count: number): number {
  return Math.max(1, Math.ceil(Math.sqrt(count)));
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
    case "over":
      return "";
  }
}
