import { useEffect } from "preact/hooks";
import { api, type RoomSummary } from "../api.ts";
import { fromNow } from "../time.ts";
import { CreateForm } from "./create_form.tsx";
import { usePolled } from "./polled.ts";

/** All rooms, and a form for another. */
export function RoomsPage({ onSignedOut }: { onSignedOut: () => void }) {
  const { answer: rooms, problem } = usePolled(api.rooms, onSignedOut);
  useEffect(() => {
    document.title = "Rooms · countersign";
  }, []);
  return (
    <main class="page">
      <div class="page-head">
        <h1>Rooms</h1>
        <CreateRoom />
      </div>
      <p class="problem" role="alert">
        {problem}
      </p>
      {rooms === null ? <p class="hint">{problem ? "" : "Loading…"}</p> : <RoomList rooms={rooms} />}
    </main>
  );
}

function RoomList({ rooms }: { rooms: RoomSummary[] }) {
  if (rooms.length === 0) {
    return (
      <div class="empty">
        <h2>No rooms yet</h2>
        <p>Create one above, then send its invite link to whomever you want to meet there.</p>
      </div>
    );
  }
  return (
    <ul class="rows" aria-label="Rooms">
      {rooms.map((room) => (
        <li key={room.room_id}>
          <a class="row" href={`#room=${room.room_id}`}>
            <span class="row-name">{room.name}</span>
            <span class="row-note">created {fromNow(room.created_at, Date.now())}</span>
            <span class="live" data-live={room.participants > 0}>
              {room.participants === 0 ? "Empty" : `${room.participants} in the call`}
            </span>
          </a>
        </li>
      ))}
    </ul>
  );
}

function CreateRoom() {
  const create = async (name: string) => `#room=${(await api.createRoom(name)).room_id}`;
  return <CreateForm label="Room name" placeholder="Room name" maxLength={64} button="Create room" create={create} />;
}
