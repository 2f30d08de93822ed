import { useEffect, useState } from "preact/hooks";
import { api, type RoomDetail } from "../api.ts";
import type { Participant, Permission } from "../call/messages.ts";
import { Confirm } from "../confirm.tsx";
import { Icon } from "../icons.tsx";
import { clockTime } from "../time.ts";
import { RoomAudit } from "./audit.tsx";
import { Invites } from "./invites.tsx";
import { usePerform, type Perform } from "./perform.ts";
import { usePolled } from "./polled.ts";

const ALL: Permission[] = ["speak", "camera", "share", "moderate"];
/** Long enough for a slow device check. */
const OWN_INVITE_S = 3_600;

/** One room: who is in it, who may come, what happened. */
export function RoomDetailPage({ roomId, onSignedOut }: { roomId: string; onSignedOut: () => void }) {
  const { answer: room, problem, gone, refresh } = usePolled(() => api.room(roomId), onSignedOut);
  const { perform, failed } = usePerform(refresh);
  useEffect(() => {
    if (room) document.title = `${room.name} · countersign`;
  }, [room?.name]);

  if (gone) return <Gone />;
  if (!room) return <main class="page">{problem ? <p class="problem">{problem}</p> : <p class="hint">Loading…</p>}</main>;
  return (
    <main class="page">
      <p class="crumb">
        <a href="#rooms">Rooms</a>
      </p>
      <RoomHead room={room} perform={perform} />
      <p class="problem" role="alert">
        {failed || problem}
      </p>
      <InTheCall room={room} perform={perform} />
      <Invites room={room} perform={perform} />
      <section class="section" aria-labelledby="room-audit">
        <h2 id="room-audit">What happened here</h2>
        <RoomAudit roomId={roomId} onSignedOut={onSignedOut} />
      </section>
    </main>
  );
}

function RoomHead({ room, perform }: { room: RoomDetail; perform: Perform }) {
  const [ending, setEnding] = useState(false);
  const join = () =>
    perform(async () => {
      const invite = await api.createInvite(room.room_id, { uses: 1, expires_in: OWN_INVITE_S, permissions: ALL });
      location.assign(invite.url);
    });
  return (
    <div class="page-head">
      <div>
        <h1>{room.name}</h1>
        <p class="hint">Created {clockTime(room.created_at)}</p>
      </div>
      <div class="actions">
        <button type="button" class="button button-danger-quiet" onClick={() => setEnding(true)}>
          End room
        </button>
        <button type="button" class="button button-primary" onClick={() => void join()}>
          <Icon name="camera" />
          Join this room
        </button>
      </div>
      {ending && (
        <Confirm
          question={`End “${room.name}”?`}
          detail="Everybody leaves the call, and no invite of this room opens it any more."
          verb="End room"
          onYes={() =>
            void perform(async () => {
              await api.endRoom(room.room_id);
              location.hash = "#rooms";
            })
          }
          onNo={() => setEnding(false)}
        />
      )}
    </div>
  );
}

function InTheCall({ room, perform }: { room: RoomDetail; perform: Perform }) {
  return (
    <section class="section" aria-labelledby="in-the-call">
      <h2 id="in-the-call">
        In the call <span class="count">{room.participants.length}</span>
      </h2>
      {room.participants.length === 0 ? (
        <p class="empty empty-small">Nobody is here at the moment.</p>
      ) : (
        <ul class="rows" aria-label="In the call">
          {room.participants.map((participant) => (
            <li key={participant.participant_id} class="row">
              <span class="row-name">{participant.name}</span>
              <span class="row-note">{stateOf(participant)}</span>
              <button
                type="button"
                class="button button-danger-quiet"
                aria-label={`Remove ${participant.name}`}
                onClick={() => void perform(() => api.removeParticipant(room.room_id, participant.participant_id))}
              >
                Remove
              </button>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function stateOf({ connected, muted, permissions }: Participant): string {
  const said = [
    connected ? "" : "connection lost",
    muted.includes("voice") ? "muted" : "",
    muted.includes("camera") ? "camera off" : "",
    permissions.includes("moderate") ? "moderator" : "",
  ];
  return said.filter(Boolean).join(" · ");
}

function Gone() {
  return (
    <main class="page">
      <div class="empty">
        <h1>This room was ended</h1>
        <p>
          <a href="#rooms">Back to the rooms</a>
        </p>
      </div>
    </main>
  );
}
