import type { PeerStatus } from "./payload.ts";

/** Another client of the channel, as it was heard last. */
export interface Peer {
  id: string;
  name: string | null;
  /** In a call, as far as is known. */
  busy: boolean;
  /** When it was heard last, in milliseconds of any clock. */
  heardAt: number;
}

/** Who has not been heard for this long is not listed (reference of the channels, "Timers"). */
export const SILENCE_MS = 60_000;

/** Returns who is there after one has told its status, in the order in which they came. */
export function withStatus(peers: readonly Peer[], id: string, status: PeerStatus, name: string | null, now: number): Peer[] {
  if (status === "gone") return peers.filter((peer) => peer.id !== id);
  const heard: Peer = { id, name, busy: status === "unavailable", heardAt: now };
  return peers.some((peer) => peer.id === id) ? peers.map((peer) => (peer.id === id ? heard : peer)) : [...peers, heard];
}

/** Returns those who are not silent for too long; whom `kept` names stays listed all the same. */
export function withoutSilent(peers: readonly Peer[], now: number, kept: (id: string) => boolean): Peer[] {
  return peers.filter((peer) => now - peer.heardAt < SILENCE_MS || kept(peer.id));
}
