/** What one is told for ICE, at the issue and in answer to `countersign.iceServers`. */
export interface Ice {
  servers: RTCIceServer[];
  /** When another answer is asked for, in ms since 1970: half of the time that this one is good. Null if it does not end. */
  renewAt: number | null;
}

/** Reads what the server says. */
export function readIce({ iceServers, iceExpiresIn }: Record<string, unknown>, now: number): Ice {
  const servers = Array.isArray(iceServers) ? (iceServers as RTCIceServer[]) : [];
  const renewAt = typeof iceExpiresIn === "number" ? now + iceExpiresIn * 500 : null;
  return { servers, renewAt };
}

/** Tells whether it is time to ask again. */
export function isStale({ renewAt }: Ice, now: number): boolean {
  return renewAt !== null && now >= renewAt;
}
