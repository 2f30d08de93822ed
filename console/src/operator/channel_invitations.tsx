import { useId, useState } from "preact/hooks";
import { api, type ChannelDetail } from "../api.ts";
import { LIFETIMES } from "./invites.tsx";
import { MadeLink } from "./made_link.tsx";
import type { Perform } from "./room.tsx";

/** How people come into a channel: by its address, or by an invitation. */
export function ChannelInvitations({ channel, perform }: { channel: ChannelDetail; perform: Perform }) {
  const [link, setLink] = useState<string | null>(null);
  const open = channel.admission === "open";
  return (
    <section class="section" aria-labelledby="invitations">
      <h2 id="invitations">Invitations</h2>
      <div class="card">
        {open && <p class="hint">This channel is open: whoever knows its address may come. That is an invitation link without its part behind the #.</p>}
        <InvitationForm channelId={channel.channelId} perform={perform} onMade={setLink} />
        {link && <MadeLink key={link} url={link} />}
      </div>
    </section>
  );
}

function InvitationForm(props: { channelId: string; perform: Perform; onMade: (link: string) => void }) {
  const { channelId, perform, onMade } = props;
  const [uses, setUses] = useState(1);
  const [ttl, setTtl] = useState(86_400);
  const usesId = useId();
  const ttlId = useId();
  const create = (event: Event) => {
    event.preventDefault();
    void perform(async () => onMade((await api.inviteToChannel(channelId, { uses, ttl })).link));
  };
  return (
    <form class="invite-form" onSubmit={create}>
      <div class="field">
        <label for={usesId}>How many people</label>
        <input
          id={usesId}
          type="number"
          min={1}
          max={10_000}
          required
          value={uses}
          onInput={(event) => setUses(event.currentTarget.valueAsNumber)}
        />
      </div>
      <div class="field">
        <label for={ttlId}>Good for</label>
        <select id={ttlId} value={ttl} onChange={(event) => setTtl(Number(event.currentTarget.value))}>
          {LIFETIMES.map(([seconds, text]) => (
            <option key={seconds} value={seconds}>
              {text}
            </option>
          ))}
        </select>
      </div>
      <button type="submit" class="button button-primary">
        Create invitation
      </button>
    </form>
  );
}
