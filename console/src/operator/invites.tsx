import { useState } from "preact/hooks";
import { api, type Invite, type NewInvite, type RoomDetail } from "../api.ts";
import type { Permission } from "../call/messages.ts";
import { fromNow } from "../time.ts";
import { MadeLink } from "./made_link.tsx";
import type { Perform } from "./perform.ts";
import { ONE_FOR_A_DAY, UsesAndLifetime } from "./uses_and_lifetime.tsx";

const PERMISSIONS: [Permission, string][] = [
  ["speak", "Speak"],
  ["camera", "Use a camera"],
  ["share", "Share a screen"],
  ["moderate", "Moderate: remove people, end the call"],
];

/** The invites of a room, and a form for another. */
export function Invites({ room, perform }: { room: RoomDetail; perform: Perform }) {
  const [made, setMade] = useState<NewInvite | null>(null);
  return (
    <section class="section" aria-labelledby="invites">
      <h2 id="invites">Invites</h2>
      <div class="card">
        <InviteForm room={room} perform={perform} onMade={setMade} />
        {made && <MadeLink url={made.url} />}
      </div>
      {room.invites.length > 0 && <InviteTable room={room} perform={perform} />}
    </section>
  );
}

function InviteForm(props: { room: RoomDetail; perform: Perform; onMade: (invite: NewInvite) => void }) {
  const { room, perform, onMade } = props;
  const [reach, setReach] = useState(ONE_FOR_A_DAY);
  const [permissions, setPermissions] = useState<Permission[]>(["speak", "camera", "share"]);
  const create = (event: Event) => {
    event.preventDefault();
    void perform(async () => {
      onMade(await api.createInvite(room.room_id, { uses: reach.uses, expires_in: reach.lifetime, permissions }));
    });
  };
  return (
    <form class="invite-form" onSubmit={create}>
      <UsesAndLifetime reach={reach} onReach={setReach} />
      <fieldset class="checks">
        <legend>They may</legend>
        {PERMISSIONS.map(([permission, text]) => (
          <label key={permission} class="check">
            <input
              type="checkbox"
              checked={permissions.includes(permission)}
              onChange={(event) => setPermissions(toggled(permissions, permission, event.currentTarget.checked))}
            />
            {text}
          </label>
        ))}
      </fieldset>
      <button type="submit" class="button button-primary">
        Create invite
      </button>
    </form>
  );
}

function InviteTable({ room, perform }: { room: RoomDetail; perform: Perform }) {
  const revoke = (invite: Invite) => void perform(() => api.revokeInvite(room.room_id, invite.invite_id));
  return (
    <div class="table-frame">
      <table>
        <thead>
          <tr>
            <th scope="col">Created</th>
            <th scope="col">Used</th>
            <th scope="col">They may</th>
            <th scope="col">State</th>
            <th scope="col">
              <span class="for-readers">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {room.invites.map((invite) => (
            <tr key={invite.invite_id}>
              <td data-label="Created">{fromNow(invite.created_at, Date.now())}</td>
              <td data-label="Used">
                {invite.used} of {invite.uses}
              </td>
              <td data-label="They may">{invite.permissions.join(", ") || "listen and watch"}</td>
              <td data-label="State">{stateOf(invite, Date.now())}</td>
              <td class="cell-actions">
                {!invite.revoked && (
                  <button type="button" class="button button-danger-quiet" onClick={() => revoke(invite)}>
                    Revoke
                  </button>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function stateOf(invite: Invite, now: number): string {
  if (invite.revoked) return "revoked";
  if (invite.expires_at <= now) return "expired";
  if (invite.used >= invite.uses) return "used up";
  return `expires ${fromNow(invite.expires_at, now)}`;
}

function toggled(permissions: Permission[], one: Permission, on: boolean): Permission[] {
  return PERMISSIONS.map(([permission]) => permission).filter((permission) =>
    permission === one ? on : permissions.includes(permission),
  );
}
