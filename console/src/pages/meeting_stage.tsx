import { useEffect, useRef, useState } from "preact/hooks";
import type { Meeting, MeetingView, Other } from "../channel/meeting.ts";
import { Icon } from "../icons.tsx";
import { columnsFor } from "./layout.ts";
import { playAll, Sound } from "./media.tsx";
import { MeetingBar } from "./meeting_bar.tsx";
import { OtherTile, SelfTile } from "./meeting_tile.tsx";
import { Comparison } from "./comparison.tsx";
import { PeopleHere } from "./people_here.tsx";

/** Wide enough for the call and the list of people beside it. */
const WIDE = "(min-width: 45.01rem)";

/** A channel: who is here, who calls, and the call. */
export function MeetingStage({ meeting, view }: { meeting: Meeting; view: MeetingView }) {
  const [blocked, setBlocked] = useState(false);
  const [people, setPeople] = useState(() => matchMedia(WIDE).matches);
  const [compared, setCompared] = useState<string | null>(null);
  const called = view.others.filter(({ standing }) => standing !== "asked");
  const asking = view.others.filter(({ standing }) => standing === "asked");
  const inCall = called.length > 0;
  const other = called.find(({ id }) => id === compared);
  const heading = useRef<HTMLHeadingElement>(null);
  // Whoever pressed Join by keyboard goes on from here: the button that had the focus is gone.
  useEffect(() => heading.current?.focus(), []);
  // So for a button that went with what it answered, and for a panel that went with whom it is about.
  useEffect(() => {
    if (document.activeElement === document.body) heading.current?.focus();
  }, [inCall, asking.length, other?.id]);
  // On a screen that became narrow the list would cover the call.
  useEffect(() => {
    const wide = matchMedia(WIDE);
    const changed = () => !wide.matches && setPeople(false);
    wide.addEventListener("change", changed);
    return () => wide.removeEventListener("change", changed);
  }, []);
  const closeComparison = (id: string) => {
    setCompared(null);
    document.querySelector<HTMLElement>(`[data-peer="${CSS.escape(id)}"] .tile-inspect`)?.focus();
  };
  const closePeople = () => {
    setPeople(false);
    document.querySelector<HTMLElement>("[data-people-button]")?.focus();
  };
  const caller = asking[0]?.called;
  useEffect(() => {
    document.title = caller ? `${caller} calls` : `${titleOf(view)} · countersign`;
  }, [caller, view.topic]);

  return (
    <main class="stage channel" data-in-call={inCall} data-people={people}>
      <header class="stage-head">
        <h1 ref={heading} tabIndex={-1}>
          {titleOf(view)}
        </h1>
        <p class="status" role="status" data-phase={view.phase === "present" ? "in-call" : view.phase}>
          {statusOf(view)}
        </p>
      </header>
      <Callers meeting={meeting} callers={asking} full={view.full} />
      {inCall && (
        <div class="stage-main">
          <div class="tiles-frame">
            <ul class="tiles" aria-label="In the call" tabIndex={-1} style={{ "--columns": columnsFor(called.length + 1, false) }}>
              {called.map((one) => (
                <OtherTile key={one.id} other={one} onCompare={() => setCompared(one.id)} />
              ))}
              <SelfTile view={view} />
            </ul>
          </div>
          {other && <Comparison key={other.id} meeting={meeting} other={other} onClose={() => closeComparison(other.id)} />}
        </div>
      )}
      <PeopleHere meeting={meeting} view={view} inCall={inCall} onClose={closePeople} />
      {called.map(({ id, voice }) => voice && <Sound key={id} track={voice} onBlocked={() => setBlocked(true)} />)}
      <MeetingBar
        meeting={meeting}
        view={view}
        inCall={inCall}
        blocked={blocked}
        onUnblock={() => (playAll(), setBlocked(false))}
        people={{ open: people, toggle: () => setPeople(!people) }}
      />
    </main>
  );
}

/** Who calls, and what to answer. */
function Callers({ meeting, callers, full }: { meeting: Meeting; callers: Other[]; full: boolean }) {
  return (
    <div class="callers" role="alert">
      {callers.map(({ id, called }) => (
        <section key={id} class="caller" aria-label={`${called} calls you`}>
          <p>
            <strong>{called}</strong> calls you
          </p>
          <button type="button" class="button" onClick={() => meeting.close(id)}>
            Refuse
          </button>
          <button type="button" class="button button-primary" disabled={full} onClick={() => void meeting.call(id)}>
            <Icon name="call" />
            Accept
          </button>
        </section>
      ))}
    </div>
  );
}

function titleOf({ topic }: MeetingView): string {
  return topic || "Channel";
}

function statusOf({ phase }: MeetingView): string {
  switch (phase) {
    case "connecting":
      return "Connecting…";
    case "reconnecting":
      return "Connection lost. Reconnecting…";
    case "present":
      return "Connected";
    case "over":
      return "";
  }
}
