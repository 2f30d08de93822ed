import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { test } from "node:test";
import { until } from "../browser/stage/media.mjs";
import { Client } from "./stage/clients.mjs";
import { startFace } from "./stage/face.mjs";

/** Where clients without a browser may come. */
const HEADLESS = { admission: "open", cookie_binding: "optional", content: "opaque" };
/** What nobody is to hear would have come by then. */
const SILENCE_MS = 1_000;

test("v68: two @signalwire/js meet, a third in another channel hears nothing, and a punt is seen", { timeout: 60_000 }, async (t) => {
  const face = await startFace(t);
  const [garden, cellar] = [await face.channel(HEADLESS), await face.channel(HEADLESS)];
  const enter = async (channel) => {
    const credential = await face.issue(channel);
    const client = new Client(t, "signalwire", face, credential);
    assert.equal((await client.tells("ready")).sessid, credential.clientId, "without a session ID it is the client ID");
    assert.deepEqual((await client.tells("notification")).type, "vertoClientReady");
    return Object.assign(client, { credential });
  };
  const [ana, ben, cho] = [await enter(garden), await enter(garden), await enter(cellar)];

  await t.test("one subscribes to its own channel, and to no other", async () => {
    const subscribed = await ana.does("subscribe", { channels: [garden, cellar] });
    assert.deepEqual(subscribed.result.subscribedChannels, [garden]);
    assert.deepEqual(subscribed.result.unauthorizedChannels, [cellar]);
    await ben.does("subscribe", { channels: [garden] });
    await cho.does("subscribe", { channels: [cellar] });
    const denied = await cho.does("subscribe", { channels: [garden] });
    assert.deepEqual([denied.error.code, denied.error.unauthorizedChannels], [-32002, [garden]]);
  });

  await t.test("a broadcast is heard by both, under the name that the server knows", async () => {
    await ana.does("broadcast", { channel: garden, data: { n: 1, userid: "somebody" } });
    for (const client of [ana, ben]) {
      const { eventChannel, data, userid, eventSerno } = await client.tells("event");
      assert.deepEqual({ eventChannel, n: data.n, eventSerno }, { eventChannel: garden, n: 1, eventSerno: 0 });
      assert.equal(userid.split("@")[0], ana.id);
    }
    assert.equal((await ben.tells("event")).sessid, ana.id, "a session ID stays with its owner");
  });

  await t.test("a message goes to one", async () => {
    const sent = await ben.does("info", { to: ana.id, body: "Z29vZCBtb3JuaW5n", from: cho.id });
    assert.equal(sent.result.message, "SENT");
    const { msg } = await ana.tells("notification", ({ type }) => type === "event");
    assert.deepEqual(msg, { from: ben.id, to: msg.to, body: "Z29vZCBtb3JuaW5n" });
    assert.equal(msg.to.split("@")[0], ana.id);
  });

  await t.test("nobody speaks, or is spoken to, across channels", async () => {
    const denied = await cho.does("info", { to: ana.id, body: "aGk=" });
    const unknown = await cho.does("info", { to: "01234567-89ab-4def-8123-456789abcdef", body: "aGk=" });
    assert.deepEqual([denied.error.code, denied.error.message], [-32002, "Permission Denied."]);
    assert.deepEqual(denied.error, unknown.error);
    await cho.does("broadcast", { channel: garden, data: { n: 2 } });
    await pause(SILENCE_MS);
    assert.equal(ana.all("event").length, 1);
    assert.equal(ana.all("notification").filter(({ type }) => type === "event").length, 1);
    assert.deepEqual(cho.all("event"), []);
    assert.deepEqual(cho.all("notification").filter(({ type }) => type === "event"), []);
  });

  await t.test("who logs in with the same credential takes over, and the first does not come back", async () => {
    const second = new Client(t, "signalwire", face, ana.credential);
    await second.tells("ready");
    await until("the first is cut off", async () => (await ana.does("connected")).result === false);
    await second.does("subscribe", { channels: [garden] });
    await ben.does("broadcast", { channel: garden, data: { n: 3 } });
    assert.equal((await second.tells("event")).data.n, 3);
    assert.equal(ana.all("event").length, 1, "nothing reaches who was punted");
  });

  await t.test("a wrong password is refused", async () => {
    const stranger = new Client(t, "signalwire", face, { clientId: ben.id, password: "0".repeat(64) });
    const error = await stranger.tells("error");
    assert.deepEqual([error.code, error.message], [-32001, "Authentication Failure"]);
  });

  await t.test("who is revoked is cut off, and its password is dead", async () => {
    await face.revoke(garden, ben.id);
    await until("cut off", async () => (await ben.does("connected")).result === false);
    const again = new Client(t, "signalwire", face, ben.credential);
    assert.equal((await again.tells("error")).code, -32001);
  });
});

test("v69: vertojs logs in, subscribes, is heard and hears", { timeout: 60_000 }, async (t) => {
  const face = await startFace(t);
  const channel = await face.channel(HEADLESS);
  const credentials = [await face.issue(channel), await face.issue(channel)];
  const [ana, ben] = credentials.map((credential) => new Client(t, "vertojs", face, credential));
  for (const client of [ana, ben]) {
    assert.deepEqual(await client.tells("ready"), { message: "logged in", sessid: client.id });
    assert.deepEqual((await client.does("verto.subscribe", { eventChannel: channel })).result.subscribedChannels, [channel]);
  }
  await ana.does("verto.broadcast", { eventChannel: channel, data: { n: 1 } });
  const { params } = await ben.tells("push", ({ method }) => method === "verto.event");
  assert.deepEqual([params.data, params.userid.split("@")[0]], [{ n: 1 }, ana.id]);
  await ben.does("verto.info", { msg: { to: ana.id, body: "aGk=" } });
  const told = await ana.tells("push", ({ method }) => method === "verto.info");
  assert.deepEqual([told.params.msg.from, told.params.msg.body], [ben.id, "aGk="]);
  assert.deepEqual((await ana.does("verto.invite", { sdp: "v=0" })).error, {}, "calls by the server are none of its business");
});
