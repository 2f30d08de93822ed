import assert from "node:assert/strict";
import { test } from "node:test";
import { Problem, problemSentence } from "../src/api.ts";
import { backoff } from "../src/call/backoff.ts";
import { decode } from "../src/call/messages.ts";
import { goodbyeSentence, isFinal, voidsSession } from "../src/call/sentences.ts";
import { openChannel, openRoom, placeOf, signInSecret } from "../src/link.ts";
import { fromNow } from "../src/time.ts";

const ROOM = "0123456789abcdef0123456789abcdef";
const SECRET = "x".repeat(43);
const CHANNEL = "01234567-89ab-4def-8123-456789abcdef";

test("the address bar is read strictly", () => {
  const rows: [string, string, ReturnType<typeof placeOf>][] = [
    ["/", "", { page: "console" }],
    ["/index.html", "#audit", { page: "console" }],
    [`/r/${ROOM}`, `#csi_${SECRET}`, { page: "room", roomId: ROOM, invite: `csi_${SECRET}` }],
    [`/r/${ROOM}/`, "", { page: "room", roomId: ROOM, invite: null }],
    [`/r/${ROOM}`, `#csi_${SECRET}x`, { page: "room", roomId: ROOM, invite: null }],
    [`/r/${ROOM}`, `#css_${SECRET}`, { page: "room", roomId: ROOM, invite: null }],
    [`/r/${ROOM.toUpperCase()}`, "", { page: "unknown" }],
    ["/r/", "", { page: "unknown" }],
    [`/peers/${CHANNEL}`, `#${SECRET}`, { page: "channel", channelId: CHANNEL, invitation: null }],
    [`/join/${CHANNEL}`, `#${SECRET}`, { page: "channel", channelId: CHANNEL, invitation: SECRET }],
    [`/join/${CHANNEL}`, "#<b>", { page: "channel", channelId: CHANNEL, invitation: null }],
    [`/join/${CHANNEL.toUpperCase()}`, "", { page: "unknown" }],
    [`/peers/${CHANNEL}/`, "", { page: "unknown" }],
    ["/elsewhere", "", { page: "unknown" }],
  ];
  for (const [path, fragment, place] of rows) assert.deepEqual(placeOf(path, fragment), place, path + fragment);
  assert.equal(signInSecret(`#sign-in=csl_${SECRET}`), `csl_${SECRET}`);
  assert.equal(signInSecret(`#sign-in=csi_${SECRET}`), null);
  assert.equal(openRoom(`#room=${ROOM}`), ROOM);
  assert.equal(openRoom(`#room=${ROOM}0`), null);
  assert.equal(openChannel(`#channel=${CHANNEL}`), CHANNEL);
  assert.equal(openChannel(`#channel=${ROOM}`), null);
});

test("the wait between tries doubles from a quarter of a second to five seconds, with jitter", () => {
  const rows = [[0, 250], [1, 500], [2, 1000], [4, 4000], [5, 5000], [60, 5000], [5000, 5000]] as const;
  for (const [attempt, full] of rows) {
    assert.equal(backoff(attempt, 0), full / 2, `attempt ${attempt}`);
    assert.ok(backoff(attempt, 0.999) <= full, `attempt ${attempt}`);
  }
});

test("messages that lack what they need are passed over", () => {
  const good = [
    `{"type":"hello","nonce":"abc"}`,
    `{"type":"pong","extra":1}`,
    `{"type":"offer","media":"m","id":1,"sdp":"v=0","tracks":{}}`,
    `{"type":"answer","media":"m","id":0,"sdp":"v=0"}`,
    `{"type":"welcome","participant_id":"p","room_id":"r","room_name":"n","name":"a","permissions":[],"media":null}`,
    `{"type":"error","code":"denied","message":"no"}`,
  ];
  for (const text of good) assert.ok(decode(text), text);
  const bad = [
    "",
    "null",
    "[]",
    "{",
    `{"type":1}`,
    `{"type":"toString"}`,
    `{"type":"hello"}`,
    `{"type":"roster","participants":{}}`,
    `{"type":"offer","media":"m","id":{},"sdp":"v=0","tracks":{}}`,
    `{"type":"offer","media":"m","id":"1","sdp":"v=0","tracks":[]}`,
  ];
  for (const text of bad) assert.equal(decode(text), null, text);
});

test("goodbyes: which end the call, which void the session, and what they say", () => {
  const rows: [string, boolean, boolean][] = [
    ["left", true, true],
    ["removed", true, true],
    ["revoked", true, true],
    ["replaced", true, false],
    ["ended", true, true],
    ["expired", true, true],
    ["slow", false, false],
    ["shutdown", false, false],
  ];
  for (const [reason, final, voids] of rows) {
    assert.equal(isFinal(reason), final, reason);
    assert.equal(voidsSession(reason), voids, reason);
    assert.match(goodbyeSentence(reason), /^[A-Z].*\.$/, reason);
  }
});

test("problems are said in plain sentences", () => {
  const rows: [unknown, RegExp][] = [
    [new Problem(403, "invite-refused", "", null), /invite link/],
    [new Problem(429, "busy", "", 12), /Wait 12 s/],
    [new Problem(503, "busy", "", null), /busy/],
    [new Problem(0, "unreachable", "", null), /cannot be reached/],
    [new Problem(400, "malformed", "name is empty", null), /name is empty/],
    [new Problem(400, "malformed", "name must be 1 to 64 characters.", null), /^The server refused this: name must be 1 to 64 characters\.$/],
    [new TypeError("x"), /went wrong/],
  ];
  for (const [problem, sentence] of rows) assert.match(problemSentence(problem), sentence);
});

test("times are said relative to now", () => {
  const now = 1_800_000_000_000;
  assert.equal(fromNow(now + 3 * 3_600_000 + 5, now), "in 3 hours");
  assert.equal(fromNow(now - 2 * 86_400_000, now), "2 days ago");
  assert.equal(fromNow(now - 1_000, now), "just now");
  assert.equal(fromNow(now + 1_000, now), "in less than a minute");
});
