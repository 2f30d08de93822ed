import { base64url, fromBase64url } from "../call/bytes.ts";

/** What a login signs begins with this, so that its signature is good for nothing else (docs/faces/verto.md, "Proof of possession"). */
const LOGIN = "countersign verto v1 login";

/** A key of this page, which nobody can take out of the browser: a password that is bound to it is of no use to whoever else learns it. */
export interface ProofKey {
  /** Unpadded base64url of the Ed25519 public key. */
  public: string;
  private: CryptoKey;
}

/** Makes a key; null in a browser that has no Ed25519, whose password is bound to its cookie only. */
export async function newProofKey(): Promise<ProofKey | null> {
  try {
    const pair = (await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"])) as CryptoKeyPair;
    return { public: base64url(new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey))), private: pair.privateKey };
  } catch (fault) {
    if (fault instanceof DOMException && fault.name === "NotSupportedError") return null;
    throw fault;
  }
}

/** Signs a login to a connection that gave `nonce` (unpadded base64url); null when that is none. */
export async function proofOf(key: ProofKey, nonce: string, login: { channelId: string; clientId: string; origin: string }): Promise<string | null> {
  const given = fromBase64url(nonce);
  if (given?.length !== 32) return null;
  const text = (value: string) => new TextEncoder().encode(`${value}\0`);
  const parts = [text(LOGIN), given, text(login.channelId), text(login.clientId), text(login.origin)];
  const signed = new Uint8Array(await new Blob(parts).arrayBuffer());
  return base64url(new Uint8Array(await crypto.subtle.sign("Ed25519", key.private, signed)));
}
