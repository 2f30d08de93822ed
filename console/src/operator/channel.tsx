import { useEffect, useState } from "preact/hooks";
import { api, type ChannelClient, type ChannelDetail } from "../api.ts";
import { Confirm } from "../confirm.tsx";
import { clockTime, fromNow } from "../time.ts";
import { AuditAbout } from "./audit.tsx";
import { ChannelInvitations } from "./channel_invitations.tsx";
import { ChannelRules } from "./channel_rules.tsx";
import { usePerform, type Perform } from "./perform.ts";
import { usePolled } from "./polled.ts";

/** One channel: who is in it, who may come, what holds in it, what happened. */
export function ChannelDetailPage({ channelId, onSignedOut }: { channelId: string; onSignedOut: () => void }) {
  const { answer: channel, problem, gone, refresh } = usePolled(() => api.channel(channelId), onSignedOut);
  const { perform, failed } = usePerform(refresh);
  const called = channel ? calledOf(channel) : null;
  useEffect(() => {
    if (called) document.title = `${called} · countersign`;
  }, [called]);

  if (gone) return <Gone />;
  if (!channel) return <main class="page">{problem ? <p class="problem">{problem}</p> : <p class="hint">Loading…</p>}</main>;
  return (
    <main class="page">
      <p class="crumb">
        <a href="#channels">Channels</a>
      </p>
      <ChannelHead channel={channel} perform={perform} />
      <p class="problem" role="alert">
        {failed || problem}
      </p>
      <Clients channel={channel} perform={perform} />
      <ChannelInvitations channel={channel} perform={perform} />
      <ChannelRules key={channel.channelId} channel={channel} perform={perform} />
      <section class="section" aria-labelledby="channel-audit">
        <h2 id="channel-audit">What happened here</h2>
        <AuditAbout about={aboutOf(channel)} onSignedOut={onSignedOut} />
      </section>
    </main>
  );
}

function ChannelHead({ channel, perform }: { channel: ChannelDetail; perform: Perform }) {
  const [removing, setRemoving] = useState(false);
  const { channelId, created } = channel;
  return (
    <div class="page-head">
      <div>
        <h1>{calledOf(channel)}</h1>
        <p class="hint">
          <code class="channel-id">{channelId}</code> · created {clockTime(created * 1_000)}
        </p>
      </div>
      <div class="actions">
        <button type="button" class="button button-danger-quiet" onClick={() => setRemoving(true)}>
          Remove channel
        </button>
      </div>
      {removing && (
        <Confirm
          question={`Remove “${calledOf(channel)}”?`}
          detail="Everybody in it is sent away, and its address leads nowhere from then on. Calls between two people go on until one hangs up."
          verb="Remove channel"
          onYes={() =>
            void perform(async () => {
              await api.removeChannel(channelId);
              location.hash = "#channels";
            })
          }
          onNo={() => setRemoving(false)}
        />
      )}
    </div>
  );
}

function Clients({ channel, perform }: { channel: ChannelDetail; perform: Perform }) {
  const [revoking, setRevoking] = useState<ChannelClient | null>(null);
  const { channelId, clients, live, capacity } = channel;
  return (
    <section class="section" aria-labelledby="clients">
      <h2 id="clients">
        Here now{" "}
        <span class="count">
          {live} of {capacity}
        </span>
      </h2>
      {clients.length === 0 ? (
        <p class="empty empty-small">Nobody has come yet.</p>
      ) : (
        <ul class="rows" aria-label="Clients">
          {connectedFirst(clients).map((client) => (
            <li key={client.clientId} class="row">
              <code class="row-name" title={client.clientId}>
                {client.clientId.slice(0, 8)}
              </code>
              <span class="row-note">
                {client.connected ? "connected" : "away"} · first came {fromNow(client.created * 1_000, Date.now())}
              </span>
              <button
                type="button"
                class="button button-danger-quiet"
                aria-label={`Revoke ${client.clientId.slice(0, 8)}`}
                onClick={() => setRevoking(client)}
              >
                Revoke
              </button>
            </li>
          ))}
        </ul>
      )}
      {revoking && (
        <Confirm
          question={`Revoke ${revoking.clientId.slice(0, 8)}?`}
          detail="It is sent away at once, and its browser may not come back to this channel. In an open channel another browser may: to keep somebody out, admit by invitation."
          verb="Revoke"
          onYes={() => {
            setRevoking(null);
            void perform(() => api.revokeClient(channelId, revoking.clientId));
          }}
          onNo={() => setRevoking(null)}
        />
      )}
    </section>
  );
}

function connectedFirst(clients: ChannelClient[]): ChannelClient[] {
  return [...clients].sort((one, other) => Number(other.connected) - Number(one.connected) || other.created - one.created);
}

/** Returns what a channel is called: its topic, or the beginning of its ID. */
function calledOf({ topic, channelId }: ChannelDetail): string {
  return topic || channelId.slice(0, 8);
}

/** Returns the ids that records about this channel name, as they stand in there. */
function aboutOf({ channelId, clients }: ChannelDetail): string[] {
  return [channelId, ...clients.map(({ clientId }) => clientId)].map((id) => `${id.slice(0, 8)}..`);
}

function Gone() {
  return (
    <main class="page">
      <div class="empty">
        <h1>This channel was removed</h1>
        <p>
          <a href="#channels">Back to the channels</a>
        </p>
      </div>
    </main>
  );
}
