import { useState } from "preact/hooks";
import { api, type ChannelDetail } from "../api.ts";
import { MadeLink } from "./made_link.tsx";
import type { Perform } from "./perform.ts";
import { ONE_FOR_A_DAY, UsesAndLifetime } from "./uses_and_lifetime.tsx";

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
  const [{ uses, lifetime }, setReach] = useState(ONE_FOR_A_DAY);
  const create = (event: Event) => {
    event.preventDefault();
    void perform(async () => onMade((await api.inviteToChannel(channelId, { uses, ttl: lifetime })).link));
  };
  return (
    <form class="invite-form" onSubmit={create}>
      <UsesAndLifetime reach={{ uses, lifetime }} onReach={setReach} />
      <button type="submit" class="button button-primary">
        Create invitation
      </button>
    </form>
  );
}
