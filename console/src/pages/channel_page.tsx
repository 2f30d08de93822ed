import { useRef, useState } from "preact/hooks";
import { Problem, problemSentence } from "../api.ts";
import { Meeting, type MeetingView } from "../channel/meeting.ts";
import { newProofKey } from "../channel/possession.ts";
import { visit } from "../channel/visit.ts";
import { ChannelDoor } from "./channel_door.tsx";
import { MeetingStage } from "./meeting_stage.tsx";
import { Notice } from "./notice.tsx";

type Step = "door" | "uninvited" | "removed" | "unknown" | "meeting";

/** What the door leads to when the server refuses: other refusals are said at the door. */
const REFUSED: Record<string, Step> = { "invitation-required": "uninvited", barred: "removed", "not-found": "unknown" };

/** A channel as its visitors see it: the door, whoever is there, the call, and what is said afterwards. */
export function ChannelPage({ channelId, invitation }: { channelId: string; invitation: string | null }) {
  const [step, setStep] = useState<Step>("door");
  const [view, setView] = useState<MeetingView | null>(null);
  const meeting = useRef<Meeting | null>(null);

  /** Answers what went wrong, in one sentence; null when the page has gone on. */
  const join = async (name: string): Promise<string | null> => {
    try {
      const visited = await visit(channelId, invitation, await newProofKey());
      // The invitation has done its work: the visitor's cookie opens the channel from here on.
      history.replaceState(null, "", `/peers/${channelId}`);
      const wishes = { voice: { deviceId: null, on: true }, camera: { deviceId: null, on: true } };
      meeting.current = new Meeting(visited, await newCertificate(), name, wishes, setView);
      setView(meeting.current.current());
      setStep("meeting");
      return null;
    } catch (problem) {
      const refused = problem instanceof Problem ? REFUSED[problem.code] : undefined;
      if (!refused) return problemSentence(problem);
      setStep(refused);
      return null;
    }
  };

  if (!isSupported()) {
    return (
      <Notice title="This browser cannot join">
        <p>Calls need a browser with WebRTC, on a page opened over https or on this computer itself.</p>
      </Notice>
    );
  }
  switch (step) {
    case "door":
      return <ChannelDoor onJoin={join} />;
    case "uninvited":
      return <Uninvited invited={invitation !== null} />;
    case "removed":
      return (
        <Notice title={ENDINGS["not-admitted"].title}>
          <p>{ENDINGS["not-admitted"].detail}</p>
        </Notice>
      );
    case "unknown":
      return (
        <Notice title="There is no channel at this address">
          <p>It was removed, or the link was not copied as a whole.</p>
        </Notice>
      );
    case "meeting":
      if (!meeting.current || !view) return null;
      if (view.phase === "over") return <Over view={view} />;
      return <MeetingStage meeting={meeting.current} view={view} />;
  }
}

function isSupported(): boolean {
  return "RTCPeerConnection" in window && window.isSecureContext;
}

/** One certificate for all calls of this page, so that its fingerprint is the same to everybody. */
function newCertificate(): Promise<RTCCertificate> {
  return RTCPeerConnection.generateCertificate({ name: "ECDSA", namedCurve: "P-256" } as EcKeyGenParams);
}

function Uninvited({ invited }: { invited: boolean }) {
  return (
    <Notice title={invited ? "This invitation does not open the channel" : "You need an invitation"}>
      {invited ? (
        <p>It may have run out, been used up, or you were removed from this channel. Ask for another.</p>
      ) : (
        <p>This channel is open to whoever has an invitation link. Ask for the whole link, with the part behind the #.</p>
      )}
    </Notice>
  );
}

const ENDINGS: Record<NonNullable<MeetingView["ending"]>, { title: string; detail: string; again: boolean }> = {
  left: { title: "You left the channel.", detail: "Nobody there sees or hears you any more.", again: true },
  punted: {
    title: "You are offline here.",
    detail: "This channel was opened in another tab or window of this browser.",
    again: true,
  },
  full: { title: "The channel is full.", detail: "Try again when somebody has left.", again: true },
  refused: { title: "The server did not let you in.", detail: "Your place in this channel has run out. Join again for another.", again: true },
  revoked: { title: "You were removed.", detail: "Whoever runs this channel has removed you from it, or the channel itself.", again: false },
  "not-admitted": { title: "You were removed.", detail: "Whoever runs this channel does not let you in any more.", again: false },
  unknown: { title: "This channel is gone.", detail: "It was removed by whoever runs it.", again: false },
};

function Over({ view }: { view: MeetingView }) {
  if (!view.ending) return null;
  const { title, detail, again } = ENDINGS[view.ending];
  return (
    <Notice title={title}>
      {view.topic && (
        <p>
          Channel: <strong>{view.topic}</strong>
        </p>
      )}
      <p>{detail}</p>
      {again && (
        <p>
          <button type="button" class="button button-primary" onClick={() => location.reload()}>
            Join again
          </button>
        </p>
      )}
    </Notice>
  );
}
