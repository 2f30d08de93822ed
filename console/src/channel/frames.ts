/** The JSON-RPC of verto, as a client reads and writes it (docs/faces/verto.md). */

export type Frame =
  | { kind: "result"; id: number; result: Record<string, unknown> }
  | { kind: "error"; id: number; error: Refusal }
  | { kind: "push"; method: string; params: Record<string, unknown> };

/** What the server answers instead of a result. */
export interface Refusal {
  code: number;
  message: string;
  /** What a login has to sign, where the server asks for one. */
  nonce: string | null;
}

export const AUTHENTICATION_REQUIRED = -32000;
export const AUTHENTICATION_FAILED = -32001;
export const RATE_LIMITED = -32003;

export function request(id: number, method: string, params: object): string {
  return JSON.stringify({ jsonrpc: "2.0", id, method, params });
}

/** Reads a frame of the server; null when it is none that a client must know. */
export function readFrame(text: string): Frame | null {
  const frame = object(parse(text));
  if (frame?.jsonrpc !== "2.0") return null;
  if (typeof frame.method === "string") {
    const params = object(frame.params);
    return params && { kind: "push", method: frame.method, params };
  }
  if (typeof frame.id !== "number") return null;
  const result = object(frame.result);
  if (result) return { kind: "result", id: frame.id, result };
  const error = object(frame.error);
  return error && { kind: "error", id: frame.id, error: refusal(error) };
}

/** Returns why a result says that it was not done, or null: a broadcast that is refused is told so in its result. */
export function refusedWithin(result: Record<string, unknown>): Refusal | null {
  return "code" in result ? refusal(result) : null;
}

/** Returns the client of a `userid`, which has the server's domain behind it. */
export function clientOf(userid: unknown): string | null {
  return typeof userid === "string" ? (userid.split("@", 1)[0] ?? null) : null;
}

function refusal({ code, message, data }: Record<string, unknown>): Refusal {
  const nonce = object(data)?.nonce;
  return {
    code: typeof code === "number" ? code : 0,
    message: typeof message === "string" ? message : "",
    nonce: typeof nonce === "string" ? nonce : null,
  };
}

function object(value: unknown): Record<string, unknown> | null {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
