import assert from "node:assert/strict";
import { test } from "node:test";
import { compare, inWords, looks, type Look } from "../src/call/measure.ts";
import { decode } from "../src/call/messages.ts";
import { decodeSaid, fit, nameOf, Talk, type Talking } from "../src/call/talk.ts";
import { columnsFor, largeOf, layoutFor } from "../src/pages/layout.ts";
import { shownOf, type Seen } from "../src/pages/showing.ts";

test("what is seen is told once each, the largest first, in device pixels", () => {
  const seen = (participant_id: string, source: Seen["source"], width: number, height: number): Seen => ({ participant_id, source, width, height });
  const rows: [Seen[], number, string][] = [
    [[], 2, ""],
    [[seen("a", "camera", 100, 50), seen("a", "screen", 400, 300), seen("b", "camera", 200, 100.4)], 2, "a screen 600, b camera 201, a camera 100"],
    [[seen("a", "camera", 10, 10), seen("a", "camera", 20, 20)], 1, "a camera 20"],
    [[seen("a", "camera", 0, 0)], 1, ""],
    [[seen("a", "camera", 1, 9e9)], 1, "a camera 65535"],
  ];
  for (const [all, ratio, expected] of rows) {
    const told = shownOf(all, ratio).map(({ participant_id, source, height }) => `${participant_id} ${source} ${height}`);
    assert.equal(told.join(", "), expected);
  }
  const crowd = Array.from({ length: 100 }, (_, index) => seen(`p${index}`, "camera", 100, 100 + index));
  const told = shownOf(crowd, 1);
  assert.deepEqual([told.length, told[0]?.height], [64, 199]);
});

test("who is large: whom the room listens to, and never oneself", () => {
  const participants = ["me", "a", "b"].map((participant_id) => ({ participant_id, name: "", permissions: [], connected: true, muted: [] }));
  const rows: [string | null, string | null, string | null][] = [
    [null, null, "a"],
    ["b", null, "b"],
    ["me", "b", "b"],
    ["me", "gone", "a"],
    ["gone", "b", "b"],
  ];
  for (const [active, before, large] of rows) assert.equal(largeOf({ active, me: "me", participants }, before), large, `${active} ${before}`);
  assert.equal(largeOf({ active: "me", me: "me", participants: participants.slice(0, 1) }, null), null);
});

test("a grid for few, a speaker for many or beside a screen", () => {
  assert.deepEqual([1, 6, 7].map((people) => layoutFor(people, false)), ["grid", "grid", "speaker"]);
  assert.equal(layoutFor(2, true), "speaker");
  assert.deepEqual([0, 1, 2, 5, 9, 10, 25, 26, 100].map((people) => columnsFor(people, false)), [1, 1, 2, 3, 3, 4, 5, 5, 5]);
  assert.deepEqual([1, 3, 6, 9, 100].map((people) => columnsFor(people, true)), [1, 1, 2, 2, 5]);
});

test("the channel's messages are decoded strictly", () => {
  const good = [
    `{"type":"chat","participant_id":"p","at":1,"text":"x"}`,
    `{"type":"react","participant_id":"p","at":1,"emoji":"👍"}`,
    `{"type":"error","code":"busy","message":"m"}`,
  ];
  for (const text of good) assert.ok(decodeSaid(text), text);
  const bad = [
    "",
    "null",
    "[]",
    `{"type":"chat","at":1,"text":"x"}`,
    `{"type":"chat","participant_id":"p","at":"1","text":"x"}`,
    `{"type":"chat","participant_id":"p","at":1}`,
    `{"type":"react","participant_id":"p","at":1,"emoji":"<img>"}`,
    `{"type":"error"}`,
    new ArrayBuffer(2),
  ];
  for (const text of bad) assert.equal(decodeSaid(text), null, String(text));
  assert.equal(nameOf("🎉"), "celebrating");
  assert.ok(decode(`{"type":"speaking","active":null,"speaking":[]}`));
  assert.equal(decode(`{"type":"speaking","active":null}`), null);
});

test("a text is made one that the server takes", () => {
  const rows = [
    ["  hello \n", "hello"],
    ["a\r\nb\tc\u0000\u0007d", "a\nb cd"],
    [" \n ", ""],
    ["😀".repeat(2_001), "😀".repeat(2_000)],
  ] as const;
  for (const [text, fitting] of rows) assert.equal(fit(text), fitting);
});

test("what is said becomes lines; who has left keeps the name", () => {
  const names = new Map([["a", "Ana"]]);
  let talking: Talking = { lines: [], signs: [] };
  const talk = new Talk((id) => names.get(id) ?? "Somebody", (changed) => (talking = changed));
  talk.hear({ type: "chat", participant_id: "a", at: 1, text: "one" });
  names.clear();
  talk.hear({ type: "chat", participant_id: "a", at: 2, text: "two" });
  talk.hear({ type: "error", code: "busy" });
  assert.deepEqual(talking.lines.map(({ by, name }) => [by, name]), [["a", "Ana"], ["a", "Somebody"], ["", ""]]);
  assert.match(talking.lines[2]?.text ?? "", /too much at once/);
  for (let turn = 0; turn < 600; turn += 1) talk.hear({ type: "chat", participant_id: "a", at: turn, text: `${turn}` });
  assert.deepEqual([talking.lines.length, talking.lines.at(-1)?.text], [500, "599"]);
});

test("two looks make a measure", () => {
  const look = (at: number, bytes: number, packets: number, lost: number): Look =>
    ({ what: "camera", id: "1", at, bytes, packets, lost, width: 1280, height: 720, framesPerSecond: 23.7 });
  const words = (before: Look[], after: Look) => compare(before, [after]).map((measure) => inWords(measure).replaceAll("\u00a0", " ")).join();
  assert.equal(words([], look(0, 0, 0, 0)), "1280 × 720, 24 fps");
  assert.equal(words([look(0, 0, 0, 0)], look(2_000, 425_000, 995, 5)), "1280 × 720, 24 fps, 1.7 Mbit/s, 0.5 % lost");
  assert.equal(words([look(0, 0, 0, 9)], look(1_000, 4_000, 100, 7)), "1280 × 720, 24 fps, 32 kbit/s, 0 % lost");
  const silent = { ...look(0, 5, 0, 0), width: null, height: null, framesPerSecond: null };
  assert.equal(words([silent], { ...silent, at: 1_000 }), "off at this moment");
  assert.equal(words([], silent), "measuring…");
});

test("of what is sent every layer is looked at, the best first, with the loss that the other side counts", () => {
  const entries = [
    { type: "outbound-rtp", id: "l", rid: "l", timestamp: 1, bytesSent: 1, packetsSent: 1, remoteId: "r" },
    { type: "outbound-rtp", id: "h", rid: "h", timestamp: 1, bytesSent: 9, packetsSent: 3, frameWidth: 1280, frameHeight: 720 },
    { type: "remote-inbound-rtp", id: "r", packetsLost: 4 },
    { type: "codec", id: "c" },
  ];
  const report = new Map(entries.map((entry) => [entry.id, entry])) as unknown as RTCStatsReport;
  const looked = looks(report, "outbound-rtp", "camera").map(({ what, bytes, lost, width }) => [what, bytes, lost, width]);
  assert.deepEqual(looked, [["camera h", 9, 0, 1280], ["camera l", 1, 4, null]]);
});
