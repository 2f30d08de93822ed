import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeAbout } from "../src/channel/about.ts";
import { comparisonOf, fingerprintOf } from "../src/channel/comparison.ts";
import { clientOf, readFrame, refusedWithin, request } from "../src/channel/frames.ts";
import { Negotiation } from "../src/channel/negotiation.ts";
import { actionPayload, candidatePayload, descriptionPayload, fitName, readPayload, statusPayload } from "../src/channel/payload.ts";
import { newProofKey, proofOf } from "../src/channel/possession.ts";
import { withoutSilent, withStatus, type Peer } from "../src/channel/presence.ts";

const base64 = (value: unknown) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64");

test("payloads are base64 of the JSON that clients of the variant B read", () => {
  assert.equal(statusPayload("ready", ""), base64('{"peerStatus":"ready","peerName":""}'));
  assert.equal(actionPayload("offer", "Ana"), base64('{"peerAction":"offer","peerName":"Ana"}'));
  assert.equal(descriptionPayload({ type: "answer", sdp: "v=0\r\n" }), base64('{"type":"answer","sdp":"v=0\\r\\n"}'));
  const candidate = { candidate: "candidate:1 1 udp 1 ::1 9 typ host", sdpMid: "0", sdpMLineIndex: 0, usernameFragment: "uf" };
  assert.equal(candidatePayload(candidate), base64(candidate));
});

test("payloads are read strictly, and what else stands in them is passed over", () => {
  const rows: [unknown, ReturnType<typeof readPayload>][] = [
    [base64({ peerStatus: "gone" }), { kind: "status", status: "gone", name: null }],
    [base64({ peerStatus: "ready", peerName: "Ana B 2", seq: 4 }), { kind: "status", status: "ready", name: "Ana B 2" }],
    [base64({ peerStatus: "ready", peerName: "Ana  B" }), { kind: "status", status: "ready", name: null }],
    [base64({ peerStatus: "ready", peerName: "a".repeat(33) }), { kind: "status", status: "ready", name: null }],
    [base64({ peerAction: "close", peerName: "<b>" }), { kind: "action", action: "close", name: null }],
    [base64({ type: "offer", sdp: "v=0" }), { kind: "description", description: { type: "offer", sdp: "v=0" } }],
    [base64({ candidate: "", sdpMLineIndex: 0 }), { kind: "candidate", candidate: { candidate: "", sdpMLineIndex: 0 } }],
    [base64({ candidate: "x" }), null],
    [base64({ peerStatus: "here" }), null],
    [base64({ peerAction: "toString" }), null],
    [base64({ type: "rollback", sdp: "" }), null],
    [base64("[]"), null],
    [base64("null"), null],
    ["eyJwZWVyU3RhdHVzIjoicmVhZHkiLCJ4Ijoi/yJ9", null], // not UTF-8
    ["%", null],
    [7, null],
  ];
  for (const [payload, message] of rows) assert.deepEqual(readPayload(payload), message, String(payload));
});

test("a name is fitted to what others show", () => {
  const rows = [
    ["  Zoë  Müller ", "Zoe Muller"],
    ["Ana-Maria_7", "Ana Maria 7"],
    ["日本", ""],
    [`${"a".repeat(31)} b`, "a".repeat(31)],
  ] as const;
  for (const [given, fitted] of rows) assert.equal(fitName(given), fitted);
});

test("whoever is heard is listed, busy or not, until it is gone or silent for a minute", () => {
  let peers: Peer[] = [];
  peers = withStatus(peers, "a", "ready", null, 0);
  peers = withStatus(peers, "b", "available", "Ben", 1_000);
  peers = withStatus(peers, "a", "unavailable", "Ana", 2_000);
  assert.deepEqual(peers, [
    { id: "a", name: "Ana", busy: true, heardAt: 2_000 },
    { id: "b", name: "Ben", busy: false, heardAt: 1_000 },
  ]);
  const ids = (list: Peer[]) => list.map(({ id }) => id);
  assert.deepEqual(ids(withoutSilent(peers, 60_999, () => false)), ["a", "b"]);
  assert.deepEqual(ids(withoutSilent(peers, 61_000, () => false)), ["a"]);
  assert.deepEqual(ids(withoutSilent(peers, 61_000, (id) => id === "b")), ["a", "b"], "with whom one talks is not silent");
  assert.deepEqual(ids(withStatus(peers, "a", "gone", null, 3_000)), ["b"]);
});

test("frames of the server are told apart by method and id", () => {
  const rows: [string, ReturnType<typeof readFrame>][] = [
    ['{"jsonrpc":"2.0","id":1,"result":{"a":1}}', { kind: "result", id: 1, result: { a: 1 } }],
    ['{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"no","data":{}}}', { kind: "error", id: 1, error: { code: -32000, message: "no", nonce: null } }],
    ['{"jsonrpc":"2.0","id":1,"error":{}}', { kind: "error", id: 1, error: { code: 0, message: "", nonce: null } }],
    ['{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"data":{"nonce":"AA"}}}', { kind: "error", id: 1, error: { code: -32000, message: "", nonce: "AA" } }],
    ['{"jsonrpc":"2.0","id":1,"method":"verto.punt","params":{}}', { kind: "push", method: "verto.punt", params: {} }],
    ['{"jsonrpc":"2.0","id":1,"method":"verto.punt"}', null],
    ['{"jsonrpc":"2.0","id":1,"result":true}', null],
    ['{"jsonrpc":"2.0","id":"1","result":{}}', null],
    ['{"id":1,"result":{}}', null],
    ["[]", null],
    ["{", null],
  ];
  for (const [text, frame] of rows) assert.deepEqual(readFrame(text), frame, text);
  assert.equal(request(3, "echo", {}), '{"jsonrpc":"2.0","id":3,"method":"echo","params":{}}');
  assert.deepEqual(refusedWithin({ code: -32002, message: "Permission Denied." }), { code: -32002, message: "Permission Denied.", nonce: null });
  assert.equal(refusedWithin({ message: "SENT" }), null);
  assert.equal(clientOf("1-2@example.org"), "1-2");
  assert.equal(clientOf(undefined), null);
});

test("where two offers meet, the polite end takes its own back", () => {
  for (const polite of [true, false]) {
    const one = new Negotiation(polite);
    assert.equal(one.takes("offer", "stable"), true);
    assert.equal(one.takes("offer", "have-local-offer"), polite);
    assert.equal(one.forgives(), !polite, "the candidates of an ignored offer fit nothing");
    assert.equal(one.takes("answer", "have-local-offer"), true);
    assert.equal(one.takes("answer", "stable"), false, "it was sent twice");
    assert.equal(one.takes("offer", "stable"), true);
    assert.equal(one.forgives(), false);
  }
});

test("a comparison is the same at both ends, and another for every pair of certificates", async () => {
  const one = Array(32).fill("AB").join(":");
  const other = Array(32).fill("0F").join(":");
  const sdp = (value: string) => `v=0\r\nm=audio 9\r\na=fingerprint:SHA-256 ${value.toLowerCase()}\r\nm=video 9\r\na=fingerprint:sha-256 ${value}\r\n`;
  assert.equal(fingerprintOf(sdp(one)), one);
  assert.equal(fingerprintOf(sdp(one) + sdp(other)), null, "which of them is meant?");
  assert.equal(fingerprintOf("a=fingerprint:sha-1 AB:AB\r\n"), null);
  assert.equal(fingerprintOf("v=0\r\n"), null);
  const said = await comparisonOf(one, other);
  assert.match(said, /^\d{5}( \d{5}){5}$/);
  assert.equal(await comparisonOf(other, one), said);
  assert.notEqual(await comparisonOf(one, one), said);
});

test("a login signs the server's challenge, and for which channel, client and page it is", async () => {
  const key = await newProofKey();
  assert.ok(key);
  assert.match(key.public, /^[A-Za-z0-9_-]{43}$/);
  const login = { channelId: "c", clientId: "i", origin: "https://o" };
  const nonce = Buffer.alloc(32, 7);
  const signature = await proofOf(key, nonce.toString("base64url"), login);
  assert.ok(signature);
  const signed = Buffer.concat([Buffer.from("countersign verto v1 login\0"), nonce, Buffer.from("c\0i\0https://o\0")]);
  const verifier = await crypto.subtle.importKey("raw", Buffer.from(key.public, "base64url"), "Ed25519", true, ["verify"]);
  assert.ok(await crypto.subtle.verify("Ed25519", verifier, Buffer.from(signature, "base64url"), signed));
  for (const bad of ["", "AA", "%"]) assert.equal(await proofOf(key, bad, login), null);
});

test("what another page says of itself is read strictly", () => {
  const id = "01234567-89ab-4def-8123-456789abcdef";
  const about = { voice: true, camera: false, others: [id] };
  assert.deepEqual(decodeAbout(JSON.stringify({ ...about, more: 1 })), about);
  const bad = [
    "{",
    "null",
    "[]",
    JSON.stringify({ ...about, voice: 1 }),
    JSON.stringify({ ...about, others: [id.toUpperCase()] }),
    JSON.stringify({ ...about, others: Array(17).fill(id) }),
    JSON.stringify({ ...about, more: "x".repeat(4_096) }),
    new ArrayBuffer(2),
  ];
  for (const data of bad) assert.equal(decodeAbout(data), null, String(data));
});
