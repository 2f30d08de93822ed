/** Returns the SHA-256 fingerprint of an SDP as `sha-256 AB:CD:…` (RFC 8122), or null when there is none. */
export function fingerprintOf(sdp: string): string | null {
  const line = /^a=fingerprint:sha-256 ([0-9A-Fa-f:]{95})\s*$/m.exec(sdp);
  return line?.[1] ? canonicalFingerprint("sha-256", line[1]) : null;
}

/** Writes a fingerprint the way the server compares it: lower-case hash name, upper-case pairs. */
export function canonicalFingerprint(algorithm: string, value: string): string {
  return `${algorithm.toLowerCase()} ${value.toUpperCase()}`;
}
