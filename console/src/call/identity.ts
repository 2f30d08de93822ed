import { base64url } from "./bytes.ts";
import { canonicalFingerprint, fingerprintOf } from "./sdp.ts";

/** The two keys that a session is bound to. Neither can be read by a script, this one included. */
export interface Identity {
  certificate: RTCCertificate;
  signingKey: CryptoKey;
  /** `sha-256 AB:CD:…` of the certificate. */
  fingerprint: string;
  /** base64url of the uncompressed P-256 point. */
  publicKey: string;
}

const P256 = { name: "ECDSA", namedCurve: "P-256" };

/** Makes new keys. */
export async function newIdentity(): Promise<Identity> {
  const certificate = await RTCPeerConnection.generateCertificate(P256);
  const keys = await crypto.subtle.generateKey(P256, false, ["sign", "verify"]);
  const point = await crypto.subtle.exportKey("raw", keys.publicKey);
  return {
    certificate,
    signingKey: keys.privateKey,
    fingerprint: await fingerprintOfCertificate(certificate),
    publicKey: base64url(new Uint8Array(point)),
  };
}

async function fingerprintOfCertificate(certificate: RTCCertificate): Promise<string> {
  // Firefox has no getFingerprints: there the certificate shows its fingerprint in an offer.
  for (const { algorithm, value } of certificate.getFingerprints?.() ?? []) {
    if (algorithm?.toLowerCase() === "sha-256" && value) return canonicalFingerprint(algorithm, value);
  }
  const connection = new RTCPeerConnection({ certificates: [certificate] });
  try {
    connection.createDataChannel("fingerprint");
    const offer = await connection.createOffer();
    const found = fingerprintOf(offer.sdp ?? "");
    if (!found) throw new Error("this browser names no SHA-256 fingerprint of its certificate");
    return found;
  } finally {
    connection.close();
  }
}
