import type { MeetingView, Other } from "../channel/meeting.ts";
import { Icon } from "../icons.tsx";
import { Video } from "./media.tsx";
import { initialOf } from "./tile.tsx";

/** Somebody in the call: the picture or an initial, the name, and how it stands. */
export function OtherTile({ other, onCompare }: { other: Other; onCompare: () => void }) {
  const { id, called, about, comparison } = other;
  const picture = other.connected && about?.camera !== false ? other.picture : null;
  const muted = about?.voice === false;
  const away = awayOf(other);
  const label = [called, away, muted ? "muted" : "", picture ? "" : "no picture"].filter(Boolean).join(", ");
  return (
    <li class="tile" data-peer={id} data-away={away !== ""} aria-label={label}>
      <Face picture={picture} name={called} mirrored={false} />
      <p class="tile-name">
        {muted && <Icon name="voice-off" />}
        <span dir="auto">{called}</span>
      </p>
      {away && <p class="tile-away">{away}</p>}
      {comparison && (
        <button type="button" class="tile-button tile-inspect" aria-label={`Check the connection to ${called}`} title={`Check the connection to ${called}`} onClick={onCompare}>
          <Icon name="compare" />
        </button>
      )}
    </li>
  );
}

/** Oneself, as in a mirror. */
export function SelfTile({ view }: { view: MeetingView }) {
  const { voice, camera } = view.own;
  const muted = !voice?.enabled;
  return (
    <li class="tile" aria-label={[`${view.name}, you`, muted ? "muted" : "", camera ? "" : "camera off"].filter(Boolean).join(", ")}>
      <Face picture={camera} name={view.name} mirrored />
      <p class="tile-name">
        {muted && <Icon name="voice-off" />}
        <span dir="auto">{view.name} (you)</span>
      </p>
    </li>
  );
}

function Face({ picture, name, mirrored }: { picture: MediaStreamTrack | null; name: string; mirrored: boolean }) {
  if (picture) return <Video key={picture.id} track={picture} mirrored={mirrored} />;
  return (
    <span class="initial" aria-hidden="true">
      {initialOf(name)}
    </span>
  );
}

function awayOf({ standing, connected, comparison }: Other): string {
  if (standing === "calling") return "Calling…";
  if (connected) return "";
  return comparison ? "Connection lost" : "Connecting…";
}
