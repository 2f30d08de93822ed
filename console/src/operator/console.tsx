import { useEffect, useState } from "preact/hooks";
import { api, Problem, problemSentence } from "../api.ts";
import { openChannel, openRoom, signInSecret } from "../link.ts";
import { Notice, Wordmark } from "../pages/notice.tsx";
import { AuditPage } from "./audit.tsx";
import { ChannelDetailPage } from "./channel.tsx";
import { ChannelsPage } from "./channels.tsx";
import { RoomDetailPage } from "./room.tsx";
import { RoomsPage } from "./rooms.tsx";

type SignedIn = "asking" | "yes" | "no";

/** The operator's side: sign-in, rooms, channels, audit record. The fragment says which page is open. */
export function Console() {
  const [signedIn, setSignedIn] = useState<SignedIn>("asking");
  const [problem, setProblem] = useState("");
  const fragment = useFragment();

  useEffect(() => {
    void signIn().then((refusal) => {
      setProblem(refusal ?? "");
      setSignedIn(refusal === null ? "yes" : "no");
    });
  }, []);

  const signedOut = () => setSignedIn("no");
  if (signedIn === "asking") return <main class="notice" aria-busy="true" aria-label="One moment" />;
  if (signedIn === "no") return <SignedOut problem={problem} />;

  return (
    <div class="console">
      <div>
        <Head page={tabOf(fragment)} onSignedOut={signedOut} />
        <Warnings />
      </div>
      <Open fragment={fragment} onSignedOut={signedOut} />
    </div>
  );
}

function Open({ fragment, onSignedOut }: { fragment: string; onSignedOut: () => void }) {
  const room = openRoom(fragment);
  if (room) return <RoomDetailPage key={room} roomId={room} onSignedOut={onSignedOut} />;
  const channel = openChannel(fragment);
  if (channel) return <ChannelDetailPage key={channel} channelId={channel} onSignedOut={onSignedOut} />;
  switch (tabOf(fragment)) {
    case "rooms":
      return <RoomsPage onSignedOut={onSignedOut} />;
    case "channels":
      return <ChannelsPage onSignedOut={onSignedOut} />;
    case "audit":
      return <AuditPage onSignedOut={onSignedOut} />;
  }
}

const TABS = [
  ["rooms", "Rooms"],
  ["channels", "Channels"],
  ["audit", "Audit record"],
] as const;
type Tab = (typeof TABS)[number][0];

function tabOf(fragment: string): Tab {
  if (fragment === "#audit") return "audit";
  return fragment === "#channels" || openChannel(fragment) ? "channels" : "rooms";
}

/** Uses the sign-in link in the address bar, if any. Null when signed in, else what to tell ("" for nothing). */
async function signIn(): Promise<string | null> {
  const link = signInSecret(location.hash);
  if (location.hash.startsWith("#sign-in")) history.replaceState(null, "", "/");
  try {
    if (link) await api.signIn(link);
    else await api.me();
    return null;
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    const refused = problem.status === 401 || problem.status === 403;
    if (refused) return link ? "This sign-in link was used already or has run out." : "";
    return problemSentence(problem);
  }
}

function SignedOut({ problem }: { problem: string }) {
  return (
    <Notice title="Sign in to the console">
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      <p>
        The console opens with a one-time link. The server printed one when it started; for another, run this on its
        machine:
      </p>
      <pre class="command">
        <code>countersign sign-in</code>
      </pre>
      <p class="hint">Guests need no sign-in: an invite link opens its room at once.</p>
    </Notice>
  );
}

/** What the server says of its configuration; it changes with a restart only. */
function Warnings() {
  const [warnings, setWarnings] = useState<string[]>([]);
  useEffect(() => {
    // Whatever keeps us from them keeps the page from its own, which says so.
    api.status().then(
      (status) => setWarnings(status.warnings),
      () => undefined,
    );
  }, []);
  if (warnings.length === 0) return null;
  return (
    <details class="warnings">
      <summary>
        {warnings.length === 1 ? "The configuration has a warning" : `The configuration has ${warnings.length} warnings`}
      </summary>
      <ul>
        {warnings.map((warning) => (
          <li key={warning}>{warning}</li>
        ))}
      </ul>
    </details>
  );
}

function Head({ page, onSignedOut }: { page: Tab; onSignedOut: () => void }) {
  const signOut = () => void api.signOut().finally(onSignedOut);
  return (
    <header class="head">
      <Wordmark />
      <nav aria-label="Console">
        {TABS.map(([tab, text]) => (
          <a key={tab} href={`#${tab}`} aria-current={page === tab ? "page" : undefined}>
            {text}
          </a>
        ))}
      </nav>
      <button type="button" class="button button-quiet" onClick={signOut}>
        Sign out
      </button>
    </header>
  );
}

function useFragment(): string {
  const [fragment, setFragment] = useState(location.hash);
  useEffect(() => {
    const changed = () => setFragment(location.hash);
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return fragment;
}
