import { base64url, fromBase64url } from "../call/bytes.ts";
import { fingerprintOf } from "./comparison.ts";
import type { ProofKey } from "./possession.ts";

/** What a client signs of its certificate begins with this, so that the signature is good for nothing else (docs/faces/verto.md, "Signed fingerprints"). */
const FINGERPRINT = "countersign verto v1 fingerprint";

/** What stands beside a message of another client, written by the server. */
export interface Beside {
  /** The certificates that it has read in a description, `sha-256 AB:…` each; null where it reads none. */
  fingerprints: string[] | null;
  /** What the sender has signed, and the key with which it has proven at its login that it is the client; null where it has none. */
  vouched: { signature: string; key: string } | null;
}

export const NOTHING: Beside = { fingerprints: null, vouched: null };

/** A dialog from one of its ends. */
export interface Way {
  channelId: string;
  from: string;
  to: string;
}

/** Reads what stands beside `msg`. */
export function readBeside({ fingerprints, signature, key }: Record<string, unknown>): Beside {
  const isTexts = Array.isArray(fingerprints) && fingerprints.every((one) => typeof one === "string");
  return {
    fingerprints: isTexts ? fingerprints : null,
    vouched: typeof signature === "string" && typeof key === "string" ? { signature, key } : null,
  };
}

/** Signs the fingerprint (`AB:…`) of our certificate for one dialog: unpadded base64url. */
export async function vouch(key: ProofKey, way: Way, fingerprint: string): Promise<string> {
  return base64url(new Uint8Array(await crypto.subtle.sign("Ed25519", key.private, signed(way, fingerprint))));
}

/** Whether a description may be applied; if not, whether it is of no use, or names another certificate than it should. */
export type Verdict = "good" | "unusable" | "forged";

/** The certificate of the other end of one dialog: it is one, and if one key has signed it, then that key signs it ever after. */
export class OtherCertificate {
  /** SHA-256 of it, once a description came. */
  fingerprint: string | null = null;
  private key: string | null = null;

  constructor(private readonly way: Way) {}

  /** Whether the other end has signed it. */
  get isVouched(): boolean {
    return this.key !== null;
  }

  /** Judges a description of the other end, and keeps what a good one says. */
  async judge(sdp: string, { fingerprints, vouched }: Beside): Promise<Verdict> {
    const fingerprint = fingerprintOf(sdp);
    if (!fingerprint) return "unusable";
    const isAnother = this.fingerprint !== null && this.fingerprint !== fingerprint;
    // What the server read on its way is what came, and nothing else.
    const isChanged = fingerprints !== null && (fingerprints.length !== 1 || fingerprints[0] !== `sha-256 ${fingerprint}`);
    if (isAnother || isChanged) return "forged";
    const key = vouched && (await signerOf(vouched, this.way, fingerprint));
    if (key === "nobody" || (this.key !== null && this.key !== key)) return "forged";
    this.fingerprint = fingerprint;
    this.key = key;
    return "good";
  }
}

/** Returns the key if the signature is of it; null in a browser that cannot tell. */
async function signerOf({ signature, key }: NonNullable<Beside["vouched"]>, way: Way, fingerprint: string): Promise<string | "nobody" | null> {
  const [given, point] = [fromBase64url(signature), fromBase64url(key)];
  if (given?.length !== 64 || point?.length !== 32) return "nobody";
  try {
    const verifier = await crypto.subtle.importKey("raw", point, "Ed25519", false, ["verify"]);
    return (await crypto.subtle.verify("Ed25519", verifier, given, signed(way, fingerprint))) ? key : "nobody";
  } catch (fault) {
    if (!(fault instanceof DOMException)) throw fault;
    return fault.name === "NotSupportedError" ? null : "nobody";
  }
}

function signed({ channelId, from, to }: Way, fingerprint: string): Uint8Array<ArrayBuffer> {
  const parts = [FINGERPRINT, channelId, from, to, `sha-256 ${fingerprint}`];
  return new TextEncoder().encode(parts.map((part) => `${part}\0`).join(""));
}
