import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { test } from "node:test";
import { base64url, fromBase64url } from "../src/call/bytes.ts";
import { prove, signedBytes } from "../src/call/proof.ts";
import { canonicalFingerprint, fingerprintOf } from "../src/call/sdp.ts";

const NONCE = base64url(new Uint8Array(32).fill(7));
const TOKEN = "css_" + "A".repeat(43);

test("base64url goes there and back, and refuses what it is not", () => {
  for (let length = 0; length < 40; length += 1) {
    const bytes = Uint8Array.from({ length }, (_, index) => (index * 37 + 251) % 256);
    const text = base64url(bytes);
    assert.match(text, /^[A-Za-z0-9_-]*$/);
    assert.deepEqual(fromBase64url(text), bytes);
  }
  for (const text of ["a", "ab=", "a+b/", "a b c", "é"]) assert.equal(fromBase64url(text), null, text);
});

test("the signed bytes are domain, zero, nonce and hash of the token", async () => {
  const bytes = await signedBytes(NONCE, TOKEN);
  assert.ok(bytes);
  const domain = "countersign rooms v1 authenticate";
  assert.equal(new TextDecoder().decode(bytes.subarray(0, domain.length)), domain);
  assert.equal(bytes[domain.length], 0);
  assert.deepEqual([...bytes.subarray(domain.length + 1, domain.length + 33)], Array(32).fill(7));
  const hash = new Uint8Array(await webcrypto.subtle.digest("SHA-256", new TextEncoder().encode(TOKEN)));
  assert.deepEqual(bytes.subarray(domain.length + 33), hash);
});

test("a nonce that is not 32 bytes is not signed", async () => {
  for (const nonce of ["", "abcd", NONCE + "AA", "not base64url!"]) assert.equal(await signedBytes(nonce, TOKEN), null, nonce);
});

test("the signature is 64 bytes and verifies with the public key only over these bytes", async () => {
  const p256 = { name: "ECDSA", namedCurve: "P-256" };
  const keys = await webcrypto.subtle.generateKey(p256, false, ["sign", "verify"]);
  const signature = fromBase64url((await prove(keys.privateKey as CryptoKey, NONCE, TOKEN)) ?? "");
  assert.equal(signature?.length, 64);
  const verify = async (nonce: string, token: string) => {
    const bytes = await signedBytes(nonce, token);
    return webcrypto.subtle.verify({ name: "ECDSA", hash: "SHA-256" }, keys.publicKey, signature!, bytes!);
  };
  assert.equal(await verify(NONCE, TOKEN), true);
  assert.equal(await verify(base64url(new Uint8Array(32).fill(8)), TOKEN), false);
  assert.equal(await verify(NONCE, "css_" + "B".repeat(43)), false);
});

test("the fingerprint of an SDP is found and written one way", () => {
  const pairs = Array.from({ length: 32 }, (_, index) => index.toString(16).padStart(2, "0")).join(":");
  const expected = `sha-256 ${pairs.toUpperCase()}`;
  assert.equal(fingerprintOf(`v=0\r\na=fingerprint:sha-256 ${pairs}\r\na=setup:actpass\r\n`), expected);
  assert.equal(canonicalFingerprint("SHA-256", pairs), expected);
  assert.equal(fingerprintOf("v=0\r\na=fingerprint:sha-1 00:11\r\n"), null);
});
