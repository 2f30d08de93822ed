/**
 * What clients of a channel say to each other through the server, which passes it on unread or checks its shape (docs/faces/verto.md,
 * "Content"): base64 of the UTF-8 text of a JSON object.
 */

/** Told to everybody in the channel (`available` to one who has just come, too). */
export type PeerStatus = "ready" | "available" | "unavailable" | "gone";
/** Told to one. */
export type PeerAction = "offer" | "accept" | "close" | "error";

export type PeerMessage =
  | { kind: "status"; status: PeerStatus; name: string | null }
  | { kind: "action"; action: PeerAction; name: string | null }
  | { kind: "description"; description: Description }
  | { kind: "candidate"; candidate: RTCIceCandidateInit };

export interface Description {
  type: "offer" | "answer";
  sdp: string;
}

const STATUSES: readonly unknown[] = ["ready", "available", "unavailable", "gone"] satisfies PeerStatus[];
const ACTIONS: readonly unknown[] = ["offer", "accept", "close", "error"] satisfies PeerAction[];
const NAME = /^[a-zA-Z0-9]+( [a-zA-Z0-9]+)*$/;
/** The longest name that others show. */
export const MAX_NAME = 32;

export function statusPayload(status: PeerStatus, name: string): string {
  return encode({ peerStatus: status, peerName: name });
}

export function actionPayload(action: PeerAction, name: string): string {
  return encode({ peerAction: action, peerName: name });
}

export function descriptionPayload({ type, sdp }: Description): string {
  return encode({ type, sdp });
}

export function candidatePayload(candidate: RTCIceCandidateInit): string {
  return encode(candidate);
}

/** Reads a payload; null when it is none of the known ones. What else stands in it is passed over. */
export function readPayload(payload: unknown): PeerMessage | null {
  const said = typeof payload === "string" ? decode(payload) : null;
  if (!said) return null;
  if (STATUSES.includes(said.peerStatus)) {
    return { kind: "status", status: said.peerStatus as PeerStatus, name: readName(said.peerName) };
  }
  if (ACTIONS.includes(said.peerAction)) {
    return { kind: "action", action: said.peerAction as PeerAction, name: readName(said.peerName) };
  }
  const { type, sdp } = said;
  if ((type === "offer" || type === "answer") && typeof sdp === "string") return { kind: "description", description: { type, sdp } };
  return readCandidate(said);
}

/** Returns a name as others will take it: letters of a to z, digits and single spaces, at most 32; "" when nothing of it is left. */
export function fitName(name: string): string {
  const plain = name.normalize("NFKD").replace(/\p{Mark}/gu, "");
  return plain.replace(/[^a-zA-Z0-9]+/g, " ").trim().slice(0, MAX_NAME).trim();
}

/** Returns what a client is called: the name that it gives itself, or the beginning of its ID. */
export function calledOf(id: string, name: string | null): string {
  return name ?? id.slice(0, 5);
}

function readName(name: unknown): string | null {
  return typeof name === "string" && name.length <= MAX_NAME && NAME.test(name) ? name : null;
}

function readCandidate(said: Record<string, unknown>): PeerMessage | null {
  const { candidate, sdpMid, sdpMLineIndex, usernameFragment } = said;
  if (typeof candidate !== "string") return null;
  const read: RTCIceCandidateInit = { candidate };
  if (typeof sdpMid === "string") read.sdpMid = sdpMid;
  if (typeof sdpMLineIndex === "number") read.sdpMLineIndex = sdpMLineIndex;
  if (typeof usernameFragment === "string") read.usernameFragment = usernameFragment;
  // A candidate belongs to an m-line; one that names none cannot be used.
  return read.sdpMid === undefined && read.sdpMLineIndex === undefined ? null : { kind: "candidate", candidate: read };
}

function encode(value: object): string {
  let binary = "";
  for (const byte of new TextEncoder().encode(JSON.stringify(value))) binary += String.fromCharCode(byte);
  return btoa(binary);
}

function decode(payload: string): Record<string, unknown> | null {
  try {
    const bytes = Uint8Array.from(atob(payload), (character) => character.charCodeAt(0));
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
