import type { Participant, Permission } from "./call/messages.ts";

export interface RoomSummary {
  room_id: string;
  name: string;
  created_at: number;
  participants: number;
}

export interface Invite {
  invite_id: string;
  uses: number;
  used: number;
  expires_at: number;
  revoked: boolean;
  permissions: Permission[];
  created_at: number;
}

export interface RoomDetail {
  room_id: string;
  name: string;
  created_at: number;
  participants: Participant[];
  invites: Invite[];
}

export interface NewInvite {
  invite_id: string;
  url: string;
  uses: number;
  expires_at: number;
  permissions: Permission[];
}

export interface AuditRecord {
  seq: number;
  at: number;
  actor: string;
  action: string;
  subject: string;
  outcome: string;
  address: string;
  count: number;
  detail: string;
}

export interface RedeemRequest {
  invite: string;
  name: string;
  fingerprint: string;
  public_key: string;
}

export interface Redeemed {
  participant_id: string;
  session_token: string;
  room_id: string;
  room_name: string;
  name: string;
  permissions: Permission[];
  expires_at: number;
}

export type Admission = "open" | "invitation";
export type Content = "strict" | "opaque";
export type Delivery = "off" | "page";

/** What an operator sets of a channel (docs/faces/verto.md, "Settings"). */
export interface ChannelSettings {
  topic: string;
  admission: Admission;
  capacity: number;
  cookie_binding: "required" | "optional";
  sessid_policy: "optional" | "strict-registered" | "strict-login-id";
  content: Content;
  /** Absent in an answer: off. */
  delivery?: Delivery;
  origins: string[];
}

export interface ChannelSummary extends ChannelSettings {
  channelId: string;
  /** Seconds since the Unix epoch, as everywhere on this face. */
  created: number;
  live: number;
}

export interface ChannelClient {
  clientId: string;
  created: number;
  connected: boolean;
}

export interface ChannelDetail extends ChannelSummary {
  clients: ChannelClient[];
}

export interface Invitation {
  invitation: string;
  link: string;
  expiresIn: number;
}

/** What a visitor is issued for a channel. */
export interface IssuedClient {
  clientId: string;
  password: string;
  channelId: string;
  socket: string;
  iceServers?: RTCIceServer[];
  /** How long what is shown to them is good, in seconds; absent if it does not end. */
  iceExpiresIn?: number;
  topic?: string;
}

/** A refusal of the server (RFC 9457), or status 0 when it could not be reached. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    title: string,
    readonly retryAfterS: number | null,
  ) {
    super(title);
  }
}

/** Says a failed request in one sentence for the person at the screen. */
export function problemSentence(problem: unknown): string {
  if (!(problem instanceof Problem)) return "Something went wrong in this page. Reload it and try again.";
  if (problem.status === 0) return "The server cannot be reached. Check your network and try again.";
  switch (problem.code) {
    case "invite-refused":
      return "This invite link does not open the room. It may have run out, been used up or been withdrawn: ask for another.";
    case "busy":
      return problem.retryAfterS
        ? `Too many tries. Wait ${problem.retryAfterS} s and try again.`
        : "The server is busy. Try again in a moment.";
    case "channel-full":
      return "There is no room for more people in this channel. Try again later.";
    case "not-found":
      return "This is gone: it was ended or removed.";
    case "denied":
      return "You are not signed in any more.";
    case "unavailable":
      return "The server cannot do this at the moment. Try again soon.";
    default:
      return problem.message ? `The server refused this: ${problem.message.replace(/\.$/, "")}.` : "The server refused this.";
  }
}

export const api = {
  signIn: (link: string) => call<void>("POST", "/v1/console/sign-in", { link }),
  signOut: () => call<void>("POST", "/v1/console/sign-out"),
  me: () => call<{ operator: string; expires_at: number }>("GET", "/v1/console/me"),
  status: () => call<{ version: string; warnings: string[] }>("GET", "/v1/admin/status"),
  rooms: async () => (await call<{ rooms: RoomSummary[] }>("GET", "/v1/admin/rooms")).rooms,
  createRoom: (name: string) => call<{ room_id: string; name: string }>("POST", "/v1/admin/rooms", { name }),
  room: (room: string) => call<RoomDetail>("GET", `/v1/admin/rooms/${room}`),
  endRoom: (room: string) => call<void>("DELETE", `/v1/admin/rooms/${room}`),
  createInvite: (room: string, invite: { uses: number; expires_in: number; permissions: Permission[] }) =>
    call<NewInvite>("POST", `/v1/admin/rooms/${room}/invites`, invite),
  revokeInvite: (room: string, invite: string) => call<void>("DELETE", `/v1/admin/rooms/${room}/invites/${invite}`),
  removeParticipant: (room: string, participant: string) =>
    call<void>("DELETE", `/v1/admin/rooms/${room}/participants/${participant}`),
  audit: async (limit: number) =>
    (await call<{ records: AuditRecord[] }>("GET", `/v1/admin/audit?limit=${limit}`)).records,
  auditOfRoom: async (room: string, limit: number) =>
    (await call<{ records: AuditRecord[] }>("GET", `/v1/admin/audit?room_id=${room}&limit=${limit}`)).records,
  channels: async () => (await call<{ channels: ChannelSummary[] }>("GET", "/v1/admin/channels")).channels,
  createChannel: (settings: Partial<ChannelSettings> & { channelId?: string }) =>
    call<ChannelSummary>("POST", "/v1/admin/channels", settings),
  channel: (channel: string) => call<ChannelDetail>("GET", `/v1/admin/channels/${channel}`),
  changeChannel: (channel: string, settings: Partial<ChannelSettings>) =>
    call<ChannelSummary>("PATCH", `/v1/admin/channels/${channel}`, settings),
  removeChannel: (channel: string) => call<void>("DELETE", `/v1/admin/channels/${channel}`),
  revokeClient: (channel: string, client: string) => call<void>("DELETE", `/v1/admin/channels/${channel}/clients/${client}`),
  inviteToChannel: (channel: string, invitation: { uses: number; ttl: number }) =>
    call<Invitation>("POST", `/v1/admin/channels/${channel}/invitations`, invitation),
  enterChannel: (channel: string, visitor: { sessionId: string; invitation?: string; proofKey?: string }) =>
    call<IssuedClient>("POST", `/v1/channels/${channel}/clients`, visitor),
  redeem: (request: RedeemRequest) => call<Redeemed>("POST", "/v1/rooms/redeem", request),
};

async function call<Answer>(method: string, path: string, body?: unknown): Promise<Answer> {
  const init: RequestInit = { method, cache: "no-store" };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { "content-type": "application/json" };
  }
  let response: Response;
  try {
    response = await fetch(path, init);
  } catch {
    throw new Problem(0, "unreachable", "", null);
  }
  if (!response.ok) throw await problemOf(response);
  return (response.status === 204 ? undefined : await response.json()) as Answer;
}

async function problemOf(response: Response): Promise<Problem> {
  let fields: { type?: unknown; title?: unknown; detail?: unknown } = {};
  try {
    fields = (await response.json()) as typeof fields;
  } catch {
    // A proxy in between answers with a page of its own; the status says enough.
  }
  const code = String(fields.type ?? "").replace(/^urn:countersign:(problem:)?/, "");
  const wait = Number(response.headers.get("retry-after"));
  return new Problem(response.status, code, String(fields.detail ?? fields.title ?? ""), wait > 0 ? wait : null);
}
