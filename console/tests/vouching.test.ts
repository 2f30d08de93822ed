import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { test } from "node:test";
import { newProofKey } from "../src/channel/possession.ts";
import { OtherCertificate, readBeside, vouch, type Beside, type Verdict } from "../src/channel/vouching.ts";

const WAY = { channelId: "c", from: "ana", to: "ben" };
const ONE = Array(32).fill("AB").join(":");
const OTHER = Array(32).fill("0F").join(":");
const sdp = (fingerprint: string) => `v=0\r\na=fingerprint:sha-256 ${fingerprint}\r\n`;
const SIGNED = `countersign verto v1 fingerprint\0c\0ana\0ben\0sha-256 ${ONE}\0`;

/** A client of another make: its key and signatures are Node's. */
function stranger() {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const key = publicKey.export({ format: "jwk" }).x ?? "";
  return { key, signs: (text: string) => ({ signature: sign(null, Buffer.from(text), privateKey).toString("base64url"), key }) };
}

function beside(vouched: Beside["vouched"], fingerprints: string[] | null = [`sha-256 ${ONE}`]): Beside {
  return { fingerprints, vouched };
}

test("what one page signs, another verifies", async () => {
  const key = await newProofKey();
  assert.ok(key);
  const certificate = new OtherCertificate(WAY);
  const vouched = { signature: await vouch(key, WAY, ONE), key: key.public };
  assert.equal(await certificate.judge(sdp(ONE), beside(vouched)), "good");
  assert.deepEqual([certificate.isVouched, certificate.fingerprint], [true, ONE]);
});

test("a signature is of this key, over this certificate, in this channel, from this client to that one", async () => {
  const { key, signs } = stranger();
  const rows: [string, Beside["vouched"], Verdict][] = [
    ["as it should be", signs(SIGNED), "good"],
    ["another certificate", signs(SIGNED.replace(ONE, OTHER)), "forged"],
    ["another channel", signs(SIGNED.replace("\0c\0", "\0d\0")), "forged"],
    ["another sender", signs(SIGNED.replace("ana", "eve")), "forged"],
    ["another recipient", signs(SIGNED.replace("ben", "eve")), "forged"],
    ["another purpose", signs(SIGNED.replace("fingerprint", "login")), "forged"],
    ["another key", { ...signs(SIGNED), key: stranger().key }, "forged"],
    ["no signature", { signature: "", key }, "forged"],
    ["not base64url", { signature: "%", key }, "forged"],
    ["a byte more", { signature: `${signs(SIGNED).signature}AA`, key }, "forged"],
    ["no key", { ...signs(SIGNED), key: "AAAA" }, "forged"],
  ];
  for (const [what, vouched, expected] of rows) {
    const certificate = new OtherCertificate(WAY);
    assert.equal(await certificate.judge(sdp(ONE), beside(vouched)), expected, what);
    assert.equal(certificate.isVouched, expected === "good", what);
  }
});

test("the description is the one that the server has read", async () => {
  const rows: [string[] | null, Verdict][] = [
    [[`sha-256 ${ONE}`], "good"],
    [null, "good"],
    [[`sha-256 ${OTHER}`], "forged"],
    [[`sha-256 ${ONE}`, `sha-256 ${OTHER}`], "forged"],
    [[], "forged"],
  ];
  for (const [fingerprints, expected] of rows) {
    assert.equal(await new OtherCertificate(WAY).judge(sdp(ONE), beside(null, fingerprints)), expected, String(fingerprints));
  }
  assert.equal(await new OtherCertificate(WAY).judge("v=0\r\n", beside(null, null)), "unusable");
});

test("who signs nothing is not verified, and who has signed once goes on to", async () => {
  const { signs } = stranger();
  const certificate = new OtherCertificate(WAY);
  const told = async (vouched: Beside["vouched"]) => [await certificate.judge(sdp(ONE), beside(vouched)), certificate.isVouched];
  assert.deepEqual(await told(null), ["good", false]);
  assert.deepEqual(await told(signs(SIGNED)), ["good", true]);
  assert.deepEqual(await told(signs(SIGNED)), ["good", true]);
  assert.deepEqual(await told(null), ["forged", true], "it has lost its signature on the way");
  assert.deepEqual(await told(stranger().signs(SIGNED)), ["forged", true], "one key a dialog");
  assert.equal(await certificate.judge(sdp(OTHER), beside(null, null)), "forged", "one certificate a dialog");
});

test("what stands beside a message is read strictly", () => {
  const nothing = { fingerprints: null, vouched: null };
  assert.deepEqual(readBeside({}), nothing);
  assert.deepEqual(readBeside({ fingerprints: [1], signature: 1, key: "k" }), nothing);
  assert.deepEqual(readBeside({ fingerprints: "x", signature: "s" }), nothing);
  assert.deepEqual(readBeside({ fingerprints: ["f"], signature: "s", key: "k" }), { fingerprints: ["f"], vouched: { signature: "s", key: "k" } });
});
