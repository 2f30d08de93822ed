import assert from "node:assert/strict";
import { test } from "node:test";
import { Dialogs, MAX_OTHERS, type Act } from "../src/channel/dialogs.ts";
import type { PeerAction, PeerMessage } from "../src/channel/payload.ts";

const action = (said: PeerAction, name: string | null = null): PeerMessage => ({ kind: "action", action: said, name });
const candidate: PeerMessage = { kind: "candidate", candidate: { candidate: "c", sdpMid: "0" } };
const tell = (to: string, said: PeerAction): Act => ({ act: "tell", to, action: said });
const standings = (dialogs: Dialogs) => Object.fromEntries(dialogs.all().map(({ peer, standing }) => [peer, standing]));

test("a call is offered, accepted and closed; whoever called is polite", () => {
  const ana = new Dialogs("a");
  const ben = new Dialogs("b");
  assert.deepEqual(ana.call("b", null, 0), [tell("b", "offer")]);
  assert.deepEqual(ben.hear("a", action("offer", "Ana"), 0), []);
  assert.deepEqual(ben.all(), [{ peer: "a", name: "Ana", standing: "asked", since: 0 }]);
  assert.equal(ben.busy(), false, "who is asked is not busy yet");
  assert.deepEqual(ben.accept("a", 1), [tell("a", "accept"), { act: "open", peer: "a", polite: false }]);
  assert.deepEqual(ana.hear("b", action("accept"), 1), [{ act: "open", peer: "b", polite: true }]);
  assert.deepEqual(ana.hear("b", candidate, 2), [{ act: "signal", peer: "b", signal: { candidate: { candidate: "c", sdpMid: "0" } } }]);
  assert.deepEqual(ana.close("b", 3), [tell("b", "close"), { act: "shut", peer: "b", why: "ours" }]);
  assert.deepEqual(ben.hear("a", action("close"), 3), [{ act: "shut", peer: "a", why: "closed" }]);
  assert.deepEqual([ana.busy(), ben.busy()], [false, false]);
});

test("a description goes on with what stands beside it", () => {
  const ana = new Dialogs("a");
  ana.call("b", null, 0);
  ana.hear("b", action("accept"), 1);
  const description = { type: "offer" as const, sdp: "v=0" };
  const beside = { fingerprints: ["sha-256 AB"], vouched: { signature: "s", key: "k" } };
  assert.deepEqual(ana.hear("b", { kind: "description", description }, 2, beside), [{ act: "signal", peer: "b", signal: { description, beside } }]);
});

test("only the peer of an open dialog is listened to", () => {
  const ana = new Dialogs("a");
  for (const message of [action("accept"), action("close"), action("error"), candidate]) {
    assert.deepEqual(ana.hear("b", message, 0), []);
  }
  ana.call("b", null, 0);
  assert.deepEqual(ana.hear("b", candidate, 0), [], "it has not accepted");
  assert.deepEqual(ana.hear("c", action("accept"), 0), [], "it was not called");
  assert.deepEqual(standings(ana), { b: "calling" });
});

test("a call may be refused, cancelled, or fail", () => {
  const rows = [
    ["close", "refused"],
    ["error", "failed"],
  ] as const;
  for (const [said, why] of rows) {
    const ana = new Dialogs("a");
    ana.call("b", null, 0);
    assert.deepEqual(ana.hear("b", action(said), 1), [{ act: "shut", peer: "b", why }]);
    assert.deepEqual(standings(ana), {});
  }
  const ben = new Dialogs("b");
  ben.hear("a", action("offer"), 0);
  assert.deepEqual(ben.hear("a", action("close"), 1), [{ act: "shut", peer: "a", why: "closed" }]);
  ben.hear("a", action("offer"), 2);
  assert.deepEqual(ben.close("a", 3), [tell("a", "close"), { act: "shut", peer: "a", why: "ours" }]);
  ben.call("a", null, 4);
  assert.deepEqual(ben.fail("a", "failed", 5), [tell("a", "error"), { act: "shut", peer: "a", why: "failed" }]);
  ben.call("a", null, 6);
  assert.deepEqual(ben.fail("a", "forged", 7), [tell("a", "error"), { act: "shut", peer: "a", why: "forged" }]);
});

test("two who call each other are in one call", () => {
  const ana = new Dialogs("a");
  const ben = new Dialogs("b");
  ana.call("b", null, 0);
  ben.call("a", null, 0);
  assert.deepEqual(ana.hear("b", action("offer"), 1), [], "the lower ID stays the caller");
  assert.deepEqual(ben.hear("a", action("offer"), 1), [tell("a", "accept"), { act: "open", peer: "a", polite: false }]);
  assert.deepEqual(ana.hear("b", action("accept"), 2), [{ act: "open", peer: "b", polite: true }]);
});

test("an offer without an answer is said again, and one that is not said again is dropped", () => {
  const ana = new Dialogs("a");
  ana.call("b", null, 0);
  ana.hear("c", action("offer"), 0);
  assert.deepEqual(ana.remind(45_000), [tell("b", "offer")]);
  ana.hear("c", action("offer"), 45_000);
  assert.deepEqual(ana.remind(90_000), [tell("b", "offer")]);
  assert.deepEqual(ana.remind(105_000), [{ act: "shut", peer: "c", why: "silent" }, tell("b", "offer")]);
  ana.hear("c", action("offer"), 106_000);
  ana.came("c");
  ana.came("b");
  assert.deepEqual(standings(ana), { b: "calling" }, "who comes anew has forgotten what it asked");
});

test("an offer that crossed its acceptance changes nothing, a later one begins anew", () => {
  const ben = new Dialogs("b");
  ben.hear("a", action("offer"), 0);
  ben.accept("a", 0);
  assert.deepEqual(ben.hear("a", action("offer"), 9_000), []);
  assert.deepEqual(ben.hear("a", action("offer"), 11_000), [{ act: "shut", peer: "a", why: "gone" }]);
  assert.deepEqual(standings(ben), { a: "asked" });
});

test("who is gone is not in a call any more; who came anew may be", () => {
  const ana = new Dialogs("a");
  ana.call("b", null, 0);
  ana.hear("b", action("accept"), 0);
  ana.came("b");
  assert.deepEqual(standings(ana), { b: "open" });
  assert.deepEqual(ana.gone("b", 1), [{ act: "shut", peer: "b", why: "gone" }]);
  assert.deepEqual(ana.gone("b", 1), []);
});

test("a third who is let in by one is in a call with all", () => {
  const all = Object.fromEntries(["a", "b", "c"].map((id) => [id, new Dialogs(id)])) as Record<"a" | "b" | "c", Dialogs>;
  const { a, b, c } = all;
  a.call("b", null, 0);
  b.hear("a", action("offer"), 0);
  b.accept("a", 0);
  a.hear("b", action("accept"), 0);
  c.call("a", null, 1);
  a.hear("c", action("offer"), 1);
  a.accept("c", 1);
  c.hear("a", action("accept"), 1);

  assert.deepEqual(b.introduce("x", ["c"], 2), [], "only those in the call have a say");
  assert.deepEqual(b.introduce("a", ["b", "c"], 2), [tell("c", "offer")], "the lower ID calls");
  assert.deepEqual(c.hear("b", action("offer"), 2), [], "it has not been told yet who that is");
  assert.deepEqual(c.introduce("a", ["b", "c"], 2), [tell("b", "accept"), { act: "open", peer: "b", polite: false }]);
  assert.deepEqual(b.hear("c", action("accept"), 3), [{ act: "open", peer: "c", polite: true }]);
  assert.deepEqual(c.introduce("a", ["b", "c"], 4), [], "all is done");

  assert.deepEqual(a.leave(5), [tell("b", "close"), { act: "shut", peer: "b", why: "ours" }, tell("c", "close"), { act: "shut", peer: "c", why: "ours" }]);
  c.hear("a", action("close"), 5);
  assert.deepEqual(c.introduce("b", ["a"], 6), [], "a late word does not bring them back");
  b.hear("a", action("close"), 6);
  b.call("a", null, 7);
  assert.deepEqual(c.introduce("b", ["a"], 16_000), [], "it is for the lower ID to call");
  assert.deepEqual(c.hear("a", action("offer"), 16_000), [tell("a", "accept"), { act: "open", peer: "a", polite: false }], "whoever was named may come in");
});

test("a mesh is a handful", () => {
  const me = new Dialogs("a");
  const others = Array.from({ length: MAX_OTHERS + 1 }, (_, index) => `b${index}`);
  for (const peer of others) me.call(peer, null, 0);
  assert.equal(me.all().length, MAX_OTHERS);
  assert.deepEqual(me.hear("c", action("offer"), 0), [tell("c", "close")]);
  assert.deepEqual(me.call("a", null, 0), [], "nobody calls itself");
});
