import { fromBase64url, base64url, sha256 } from "./bytes.ts";

const DOMAIN = "countersign rooms v1 authenticate";

/**
 * Returns the bytes that the first message signs: the domain, a zero byte, the nonce of this socket and the
 * SHA-256 of the session token (docs/faces/rooms.md, "Authentication"). Null when the nonce is not 32 bytes.
 */
export async function signedBytes(nonce: string, token: string): Promise<Uint8Array<ArrayBuffer> | null> {
  const challenge = fromBase64url(nonce);
  if (challenge?.length !== 32) return null;
  const domain = new TextEncoder().encode(DOMAIN);
  const bytes = new Uint8Array(domain.length + 1 + 64);
  bytes.set(domain);
  bytes.set(challenge, domain.length + 1);
  bytes.set(await sha256(token), domain.length + 33);
  return bytes;
}

/** Signs the nonce for a session: base64url of r ‖ s. Null when the nonce is malformed. */
export async function prove(key: CryptoKey, nonce: string, token: string): Promise<string | null> {
  const bytes = await signedBytes(nonce, token);
  if (!bytes) return null;
  const signature = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, key, bytes);
  return base64url(new Uint8Array(signature));
}
