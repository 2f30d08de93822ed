import { useState } from "preact/hooks";
import type { Call, CallView } from "../call/call.ts";
import type { Participant } from "../call/messages.ts";
import { Confirm } from "../confirm.tsx";
import { Icon } from "../icons.tsx";
import { Video } from "./media.tsx";

interface Props {
  call: Call;
  view: CallView;
  participant: Participant;
  /** Whether it is the one that is shown large. */
  large: boolean;
  onInspect: (participantId: string) => void;
}

/** One participant: the picture or an initial, the name, and what is switched off. */
export function Tile({ call, view, participant, large, onInspect }: Props) {
  const [removing, setRemoving] = useState(false);
  const { participant_id: id, name } = participant;
  const self = id === view.me;
  const voiceOff = self ? !view.voiceOn : participant.muted.includes("voice") || !participant.permissions.includes("speak");
  const picture = self ? view.camera : pictureOf(view, participant);
  const speaking = view.speaking.includes(id) && !voiceOff;
  const state = [
    self ? "you" : "",
    voiceOff ? "muted" : "",
    picture ? "" : "camera off",
    participant.connected || self ? "" : "connection lost",
  ].filter(Boolean);

  return (
    <li
      class="tile"
      data-participant={id}
      data-speaking={speaking}
      data-active={view.active === id}
      data-large={large}
      data-away={!participant.connected && !self}
      aria-label={[name, ...state].join(", ")}
    >
      {picture ? (
        <Video key={picture.id} track={picture} mirrored={self} {...(self ? {} : { what: { participant_id: id, source: "camera" } })} />
      ) : (
        <span class="initial" aria-hidden="true">
          {initialOf(name)}
        </span>
      )}
      <p class="tile-name">
        {voiceOff && <Icon name="voice-off" />}
        <span dir="auto">{self ? `${name} (you)` : name}</span>
        {speaking && <span class="for-readers">speaking</span>}
      </p>
      {!participant.connected && !self && <p class="tile-away">Connection lost</p>}
      <button
        type="button"
        class="tile-button tile-inspect"
        aria-label={`Connection of ${name}`}
        title={`Connection of ${name}`}
        onClick={() => onInspect(id)}
      >
        <Icon name="quality" />
      </button>
      {!self && call.may("moderate") && (
        <button type="button" class="tile-button tile-remove" aria-label={`Remove ${name}`} title={`Remove ${name}`} onClick={() => setRemoving(true)}>
          <Icon name="remove" />
        </button>
      )}
      {removing && (
        <Confirm
          question={`Remove ${name}?`}
          detail="They leave the call at once. Their invite may still have uses left: withdraw it in the console."
          verb="Remove"
          onYes={() => {
            call.remove(id);
            setRemoving(false);
          }}
          onNo={() => setRemoving(false)}
        />
      )}
    </li>
  );
}

function pictureOf(view: CallView, { participant_id: id, muted }: Participant): MediaStreamTrack | null {
  if (muted.includes("camera")) return null;
  return view.arriving.find(({ participant_id, source }) => participant_id === id && source === "camera")?.track ?? null;
}

/** Returns what stands for a picture. */
export function initialOf(name: string): string {
  const [first] = new Intl.Segmenter().segment(name.trim());
  return first?.segment.toUpperCase() ?? "?";
}
