import { useState } from "preact/hooks";
import type { Call, CallView } from "../call/call.ts";
import type { Participant } from "../call/messages.ts";
import { Confirm } from "../confirm.tsx";
import { Icon } from "../icons.tsx";
import { Video } from "./media.tsx";

/** One participant: the picture or an initial, the name, and what is switched off. */
export function Tile({ call, view, participant }: { call: Call; view: CallView; participant: Participant }) {
  const [removing, setRemoving] = useState(false);
  const { participant_id: id, name } = participant;
  const self = id === view.me;
  const voiceOff = self ? !view.voiceOn : participant.muted.includes("voice") || !participant.permissions.includes("speak");
  const picture = self ? view.camera : pictureOf(view, participant);
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
      data-speaking={view.speaking.includes(id)}
      data-away={!participant.connected && !self}
      aria-label={[name, ...state].join(", ")}
    >
      {picture ? (
        <Video key={picture.id} track={picture} mirrored={self} />
      ) : (
        <span class="initial" aria-hidden="true">
          {initialOf(name)}
        </span>
      )}
      <p class="tile-name">
        {voiceOff && <Icon name="voice-off" />}
        <span>{self ? `${name} (you)` : name}</span>
      </p>
      {!participant.connected && !self && <p class="tile-away">Connection lost</p>}
      {!self && call.may("moderate") && (
        <button type="button" class="tile-remove" aria-label={`Remove ${name}`} title={`Remove ${name}`} onClick={() => setRemoving(true)}>
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

function initialOf(name: string): string {
  const [first] = new Intl.Segmenter().segment(name.trim());
  return first?.segment.toUpperCase() ?? "?";
}
