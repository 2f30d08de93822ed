/** Returns the SHA-256 fingerprint that a description names, in upper case; null when it names none, or several. */
export function fingerprintOf(sdp: string): string | null {
  const named = new Set(Array.from(sdp.matchAll(/^a=fingerprint:(\S+) (\S+)\r?$/gm), ([, hash, value]) => `${hash?.toLowerCase()} ${value?.toUpperCase()}`));
  const [only] = named;
  return named.size === 1 && only ? (/^sha-256 ((?:[0-9A-F]{2}:){31}[0-9A-F]{2})$/.exec(only)?.[1] ?? null) : null;
}

/** So many that nobody can look for two certificates that agree: 10^30 is about 2^100, of which a birthday takes the root. */
const DIGITS = 30;
const GROUP = 5;

/**
 * Returns what two people read to each other: six groups of five digits, the same at both ends only if both name the same two certificates.
 * Whoever stands between them has a certificate of its own on either side.
 */
export async function comparisonOf(one: string, other: string): Promise<string> {
  const text = ["countersign comparison 1", ...[one, other].sort()].join("\n");
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  const number = hash.subarray(0, 16).reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
  const digits = String(number % 10n ** BigInt(DIGITS)).padStart(DIGITS, "0");
  return Array.from({ length: DIGITS / GROUP }, (_, group) => digits.slice(group * GROUP, (group + 1) * GROUP)).join(" ");
}
