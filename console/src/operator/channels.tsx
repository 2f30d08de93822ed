import { useEffect } from "preact/hooks";
import { api, type ChannelSummary } from "../api.ts";
import { fromNow } from "../time.ts";
import { CreateForm } from "./create_form.tsx";
import { usePolled } from "./polled.ts";

/** All channels, and a form for another. */
export function ChannelsPage({ onSignedOut }: { onSignedOut: () => void }) {
  const { answer: channels, problem, gone } = usePolled(api.channels, onSignedOut);
  useEffect(() => {
    document.title = "Channels · countersign";
  }, []);
  if (gone) return <Off />;
  return (
    <main class="page">
      <div class="page-head">
        <h1>Channels</h1>
        <CreateChannel />
      </div>
      <p class="problem" role="alert">
        {problem}
      </p>
      {channels === null ? <p class="hint">{problem ? "" : "Loading…"}</p> : <ChannelList channels={channels} />}
    </main>
  );
}

/** A server without the verto face has no channels. */
function Off() {
  return (
    <main class="page">
      <div class="empty">
        <h1>Channels are off</h1>
        <p>
          They are served by a listener of its own. Turn it on with <code>[faces.verto]</code> in the configuration, and start the server
          again.
        </p>
      </div>
    </main>
  );
}

function ChannelList({ channels }: { channels: ChannelSummary[] }) {
  if (channels.length === 0) {
    return (
      <div class="empty">
        <h2>No channels yet</h2>
        <p>In a channel the visitors of a site find each other and call each other directly. Create one above, then link to it.</p>
      </div>
    );
  }
  return (
    <ul class="rows" aria-label="Channels">
      {channels.map(({ channelId, topic, created, live, admission }) => (
        <li key={channelId}>
          <a class="row" href={`#channel=${channelId}`}>
            <span class="row-name">{topic || channelId.slice(0, 8)}</span>
            <span class="row-note">
              {admission === "open" ? "open" : "by invitation"} · created {fromNow(created * 1_000, Date.now())}
            </span>
            <span class="live" data-live={live > 0}>
              {live === 0 ? "Empty" : `${live} here`}
            </span>
          </a>
        </li>
      ))}
    </ul>
  );
}

function CreateChannel() {
  const create = async (topic: string) => `#channel=${(await api.createChannel({ topic })).channelId}`;
  return <CreateForm label="Topic" placeholder="What it is about" maxLength={128} button="Create channel" create={create} />;
}
