import type { Meeting, MeetingView, Other } from "../channel/meeting.ts";
import { calledOf } from "../channel/payload.ts";
import { Icon } from "../icons.tsx";

interface Props {
  meeting: Meeting;
  view: MeetingView;
  inCall: boolean;
  onClose: () => void;
}

/** Who is in the channel, and how to reach them. */
export function PeopleHere({ meeting, view, inCall, onClose }: Props) {
  const { peers } = view;
  return (
    <aside class="people" id="people" aria-labelledby="people-title" onKeyDown={({ key }) => key === "Escape" && inCall && onClose()}>
      <div class="chat-head">
        <h2 id="people-title">
          In this channel <span class="count">{peers.length + 1}</span>
        </h2>
        {inCall && (
          <button type="button" class="round people-close" aria-label="Close" title="Close" onClick={onClose}>
            <Icon name="remove" />
          </button>
        )}
      </div>
      <ul class="people-list" aria-label="In this channel">
        <li class="person">
          <span class="person-name">{view.name} (you)</span>
        </li>
        {peers.map(({ id, name, busy }) => (
          <Person
            key={id}
            meeting={meeting}
            view={view}
            id={id}
            called={calledOf(id, name)}
            busy={busy}
            other={view.others.find((one) => one.id === id)}
          />
        ))}
      </ul>
      {peers.length === 0 && <p class="hint">Nobody else is here yet. Whoever opens the link of this channel appears in this list.</p>}
      {view.full && <p class="hint">The call is full: everybody sends to everybody in it.</p>}
      <p class="for-readers" aria-live="polite">
        {peers.length === 0 ? "Nobody else is here" : `${peers.length} ${peers.length === 1 ? "other is" : "others are"} here`}
      </p>
    </aside>
  );
}

function Person(props: { meeting: Meeting; view: MeetingView; id: string; called: string; busy: boolean; other: Other | undefined }) {
  const { meeting, view, id, called, busy, other } = props;
  return (
    <li class="person" data-peer={id}>
      <span class="person-name" dir="auto">
        {called}
      </span>
      <span class="person-note">{noteOf(busy, other)}</span>
      {!other && <CallButton meeting={meeting} view={view} id={id} called={called} busy={busy} />}
      {other?.standing === "calling" && (
        <button type="button" class="button" aria-label={`Cancel the call to ${called}`} onClick={() => meeting.close(id)}>
          Cancel
        </button>
      )}
    </li>
  );
}

function CallButton({ meeting, view, id, called, busy }: { meeting: Meeting; view: MeetingView; id: string; called: string; busy: boolean }) {
  const inCall = view.others.some(({ standing }) => standing !== "asked");
  const [text, label] = inCall ? ["Add", `Add ${called} to the call`] : busy ? ["Ask to join", `Ask to join the call of ${called}`] : ["Call", `Call ${called}`];
  return (
    <button
      type="button"
      class={inCall || busy ? "button" : "button button-primary"}
      aria-label={label}
      disabled={view.full || view.own.opening || view.phase !== "present"}
      onClick={() => void meeting.call(id)}
    >
      <Icon name="call" />
      {text}
    </button>
  );
}

function noteOf(busy: boolean, other: Other | undefined): string {
  switch (other?.standing) {
    case "asked":
      return "calls you";
    case "calling":
      return "calling…";
    case "open":
      return "in your call";
    case undefined:
      return busy ? "in a call" : "";
  }
}
