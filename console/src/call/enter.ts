import { api } from "../api.ts";
import { base64url, sha256 } from "./bytes.ts";
import { newIdentity } from "./identity.ts";
import { keep, sessionsOf, type StoredSession } from "./sessions.ts";
import { hold, recall, type Hold, type InCall } from "./tab.ts";

/** A reloaded page waits this long for the page before it to let the session go. */
const RELOAD_PATIENCE_MS = 2_000;

/** A session that this tab holds. */
export interface Entered {
  session: StoredSession;
  lock: Hold;
}

/** Comes back after a reload of this tab; null when the tab was in no call, or its session is in use elsewhere. */
export async function reenter(roomId: string): Promise<(Entered & { before: InCall }) | null> {
  const before = recall(roomId);
  if (!before) return null;
  const session = (await sessionsOf(roomId, Date.now())).find((one) => one.participantId === before.participantId);
  const lock = session && (await hold(session.participantId, RELOAD_PATIENCE_MS));
  return session && lock ? { session, lock, before } : null;
}

/**
 * Enters a room: with a stored session when the link and the name are those it was made with and no other tab holds it,
 * else by redeeming the invite with new keys. Null when there is neither.
 * @throws Problem as `api.redeem`
 */
export async function enter(roomId: string, invite: string | null, name: string): Promise<Entered | null> {
  const inviteHash = invite ? base64url(await sha256(invite)) : null;
  for (const session of await sessionsOf(roomId, Date.now())) {
    if (inviteHash && (session.inviteHash !== inviteHash || session.name !== name)) continue;
    const lock = await hold(session.participantId, 0);
    if (lock) return { session, lock };
  }
  return invite && inviteHash ? redeem(invite, inviteHash, name) : null;
}

async function redeem(invite: string, inviteHash: string, name: string): Promise<Entered | null> {
  const { certificate, signingKey, fingerprint, publicKey } = await newIdentity();
  const redeemed = await api.redeem({ invite, name, fingerprint, public_key: publicKey });
  const session: StoredSession = {
    participantId: redeemed.participant_id,
    roomId: redeemed.room_id,
    roomName: redeemed.room_name,
    name: redeemed.name,
    token: redeemed.session_token,
    permissions: redeemed.permissions,
    expiresAt: redeemed.expires_at,
    inviteHash,
    certificate,
    signingKey,
  };
  await keep(session);
  const lock = await hold(session.participantId, 0);
  return lock && { session, lock };
}
