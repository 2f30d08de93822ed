import { api, Problem } from "../api.ts";
import { readIce, type Ice } from "./ice.ts";
import type { Credentials, LineEnding } from "./line.ts";
import type { ProofKey } from "./possession.ts";

const KEY = "countersign.channel-session.";

/** A visitor as the server knows it in one channel. */
export interface Visit {
  credentials: Credentials;
  ice: Ice;
  topic: string;
}

/**
 * Is issued credentials. The session ID in this browser's storage, together with the visitor's cookie, makes two visits of one browser the
 * same client; where the cookie is gone, the session ID is of no more use, and another is taken. The password is bound to `proofKey`.
 * @throws Problem as `api.enterChannel`
 */
export async function visit(channelId: string, invitation: string | null, proofKey: ProofKey | null): Promise<Visit> {
  const known = localStorage.getItem(KEY + channelId);
  if (known) {
    try {
      return await issue(channelId, known, invitation, proofKey);
    } catch (problem) {
      if (!(problem instanceof Problem) || problem.status !== 404) throw problem;
    }
  }
  const fresh = crypto.randomUUID();
  const entered = await issue(channelId, fresh, invitation, proofKey);
  localStorage.setItem(KEY + channelId, fresh);
  return entered;
}

/** Asks again when a lease has run out, with the same key, by which others know this page; what cannot be known at the moment is null. */
export async function visitAgain(channelId: string, proofKey: ProofKey | null): Promise<Visit | LineEnding | null> {
  try {
    return await visit(channelId, null, proofKey);
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    switch (problem.code) {
      case "barred":
      case "invitation-required":
        return "not-admitted";
      case "channel-full":
        return "full";
      case "not-found":
        return "unknown";
      default:
        return null;
    }
  }
}

/** Tells whether there is no such channel any more; a server that cannot be reached does not say so. */
export async function isGone(channelId: string): Promise<boolean> {
  try {
    // Not /peers/…: where pages carry passwords, asking for one ends the password before.
    return (await fetch(`/join/${channelId}`, { method: "HEAD", cache: "no-store" })).status === 404;
  } catch {
    return false;
  }
}

async function issue(channelId: string, sessionId: string, invitation: string | null, proofKey: ProofKey | null): Promise<Visit> {
  const issued = await api.enterChannel(channelId, {
    sessionId,
    ...(invitation && { invitation }),
    ...(proofKey && { proofKey: proofKey.public }),
  });
  const { clientId, password, socket, topic } = issued;
  const ice = readIce({ ...issued }, Date.now());
  return { credentials: { channelId, clientId, password, sessionId, proofKey, socket }, ice, topic: topic ?? "" };
}
