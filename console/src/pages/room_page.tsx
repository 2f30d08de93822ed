import { useEffect, useRef, useState } from "preact/hooks";
import { problemSentence } from "../api.ts";
import { Call, type CallView } from "../call/call.ts";
import { openDevices, type Opened } from "../call/devices.ts";
import { enter, reenter, type Entered } from "../call/enter.ts";
import { goodbyeSentence } from "../call/sentences.ts";
import { sessionsOf } from "../call/sessions.ts";
import { forgetInCall, type DeviceWish } from "../call/tab.ts";
import { Doorstep, type Ready } from "./doorstep.tsx";
import { Notice } from "./notice.tsx";
import { Stage } from "./stage.tsx";

type Step = "looking" | "doorstep" | "no-invite" | "unsupported" | "call";

/** A room as its guests see it: the door, the call, and what is said afterwards. */
export function RoomPage({ roomId, invite }: { roomId: string; invite: string | null }) {
  const [step, setStep] = useState<Step>("looking");
  const [knownName, setKnownName] = useState<string | null>(null);
  const [message, setMessage] = useState("");
  const [view, setView] = useState<CallView | null>(null);
  const call = useRef<Call | null>(null);
  // An invite opens its own room, whatever the rest of its link says.
  const room = useRef(roomId);

  const begin = (entered: Entered, opened: Opened, wishes: { voice: DeviceWish; camera: DeviceWish }) => {
    room.current = entered.session.roomId;
    history.replaceState(null, "", `/r/${room.current}`);
    const started = new Call(entered.session, entered.lock, opened, wishes, (next) => {
      setView(next);
      // A stored session that the server refuses is gone; the invite at hand makes another.
      if (next.phase === "over" && next.reason === "denied" && invite) {
        history.replaceState(null, "", `/r/${room.current}#${invite}`);
        setMessage("Your earlier place in this room is gone. Press Join to use the invite again.");
        setStep("doorstep");
      }
    });
    call.current = started;
    setView(started.current());
    setStep("call");
  };

  useEffect(() => {
    void look(roomId, invite).then(async (found) => {
      if (typeof found === "string") {
        setStep(found);
      } else if ("lock" in found) {
        const { voice, camera } = found.before;
        begin(found, await openDevices(voice, camera), { voice, camera });
      } else {
        setKnownName(found.knownName);
        setStep("doorstep");
      }
    });
  }, []);

  const join = async (ready: Ready): Promise<string | null> => {
    try {
      const entered = await enter(roomId, invite, ready.name);
      if (!entered) return "Open the invite link again: this tab has none, and the call is open in another tab.";
      begin(entered, ready.opened, ready.wishes);
      return null;
    } catch (problem) {
      return problemSentence(problem);
    }
  };

  switch (step) {
    case "looking":
      return <main class="notice" aria-busy="true" aria-label="One moment" />;
    case "unsupported":
      return (
        <Notice title="This browser cannot join">
          <p>Calls need a browser with WebRTC, on a page opened over https or on this computer itself.</p>
        </Notice>
      );
    case "no-invite":
      return (
        <Notice title="You need an invite link">
          <p>This address is a room, but the part behind the # is missing or was used in another browser.</p>
          <p>Ask whoever invited you for the whole link.</p>
        </Notice>
      );
    case "doorstep":
      return <Doorstep knownName={knownName} fixedName={invite === null} message={message} onJoin={join} />;
    case "call":
      if (!call.current || !view) return null;
      if (view.phase === "over") return <Over view={view} again={again(view.reason, room.current, invite)} />;
      return <Stage call={call.current} view={view} />;
  }
}

/** What a freshly loaded page finds: a call to go on with, a door to stand at, or why there is none. */
async function look(roomId: string, invite: string | null) {
  if (!isSupported()) return "unsupported" as const;
  const back = await reenter(roomId);
  if (back) return back;
  forgetInCall(roomId);
  const [latest] = await sessionsOf(roomId, Date.now());
  if (!invite && !latest) return "no-invite" as const;
  return { knownName: latest?.name ?? null };
}

function isSupported(): boolean {
  return "RTCPeerConnection" in window && window.isSecureContext && "locks" in navigator;
}

/** Returns where "Join again" leads, or null when the link is known to be of no more use. */
function again(reason: string, roomId: string, invite: string | null): string | null {
  if (["replaced", "shutdown", "slow"].includes(reason)) return `/r/${roomId}`;
  if (["left", "expired"].includes(reason) && invite) return `/r/${roomId}#${invite}`;
  return null;
}

function Over({ view, again }: { view: CallView; again: string | null }) {
  const open = () => {
    history.replaceState(null, "", again);
    location.reload();
  };
  return (
    <Notice title={goodbyeSentence(view.reason)}>
      <p>
        Room: <strong>{view.roomName}</strong>
      </p>
      {again && (
        <p>
          <button type="button" class="button button-primary" onClick={open}>
            Join again
          </button>
        </p>
      )}
    </Notice>
  );
}
