/** What travels over the WebSocket of a room (docs/faces/rooms.md, "WebSocket messages"). */

export type Permission = "speak" | "camera" | "share" | "moderate";
export type Source = "voice" | "camera" | "screen" | "screen-audio";

export interface Participant {
  participant_id: string;
  name: string;
  permissions: Permission[];
  connected: boolean;
  muted: Source[];
}

export interface Incoming {
  participant_id: string;
  source: Source;
}

/** A picture on the page. */
export interface Shown extends Incoming {
  /** In device pixels. */
  height: number;
}

export interface Welcome {
  type: "welcome";
  participant_id: string;
  room_id: string;
  room_name: string;
  name: string;
  permissions: Permission[];
  media: string | null;
}

export interface ServerOffer {
  type: "offer";
  media: string;
  id: number;
  sdp: string;
  tracks: Record<string, Incoming>;
}

export interface ServerAnswer {
  type: "answer";
  media: string;
  id: number;
  sdp: string;
}

export interface Refused {
  type: "error";
  code: string;
  message: string;
  /** Type of the message that it answers. */
  about?: string;
  /** Label of the media connection that it is about. */
  media?: string;
}

export type ServerMessage =
  | { type: "hello"; nonce: string }
  | Welcome
  | { type: "roster"; participants: Participant[] }
  | ServerOffer
  | ServerAnswer
  | { type: "speaking"; active: string | null; speaking: string[] }
  | { type: "pong" }
  | { type: "goodbye"; reason: string }
  | Refused;

export type ClientMessage =
  | { type: "authenticate"; session_token: string; signature: string }
  | { type: "offer"; media: string; id: number; sdp: string; tracks: Record<string, Source> }
  | { type: "answer"; media: string; id: number; sdp: string }
  | { type: "candidate"; media: string; candidate: string }
  | { type: "mute"; source: Source; muted: boolean }
  | { type: "view"; tiles: Shown[] | null }
  | { type: "remove"; participant_id: string }
  | { type: "end" }
  | { type: "leave" }
  | { type: "ping" };

type Kind = "string" | "number" | "array" | "object";

/** Fields that a message of each type must have to be used at all. */
const REQUIRED: Record<ServerMessage["type"], Record<string, Kind>> = {
  hello: { nonce: "string" },
  welcome: { participant_id: "string", room_id: "string", room_name: "string", name: "string", permissions: "array" },
  roster: { participants: "array" },
  offer: { media: "string", id: "number", sdp: "string", tracks: "object" },
  answer: { media: "string", id: "number", sdp: "string" },
  speaking: { speaking: "array" },
  pong: {},
  goodbye: { reason: "string" },
  error: { code: "string" },
};

/** Reads the fields of a JSON object; null when the text is none. */
export function fieldsOf(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

/** Decodes one message of the server; null when it is not one that we know, which a client passes over. */
export function decode(text: string): ServerMessage | null {
  const fields = fieldsOf(text);
  if (fields === null) return null;
  if (typeof fields.type !== "string" || !Object.hasOwn(REQUIRED, fields.type)) return null;
  const required = REQUIRED[fields.type as ServerMessage["type"]];
  for (const [name, kind] of Object.entries(required)) if (!is(kind, fields[name])) return null;
  return fields as unknown as ServerMessage;
}

function is(kind: Kind, value: unknown): boolean {
  switch (kind) {
    case "string":
      return typeof value === "string";
    case "array":
      return Array.isArray(value);
    case "object":
      return typeof value === "object" && value !== null && !Array.isArray(value);
    case "number":
      return typeof value === "number";
  }
}
