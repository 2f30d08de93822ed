import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { test } from "node:test";
import { startBrowser } from "../browser/stage/browser.mjs";
import { until } from "../browser/stage/media.mjs";
import { startFace } from "./stage/face.mjs";
import { goesDirectly, isIdle, join, lists, loadVariantB, openProfile, openVariantB, receivesAll, says } from "./stage/pages.mjs";

const isFree = (page) => until("it is idle", () => page.evaluate(() => window.peer.connection === null));
/** The first try of a browser that has no session yet, or another's, is refused; cut sockets are errors in the console. */
const EXPECTED = { expected: /status of 404|WebSocket connection/ };

test("v65, v67: two pages of variant B list each other, call, and come back to the list", { timeout: 120_000 }, async (t) => {
  const face = await startFace(t);
  const channel = await face.channel({ admission: "open", sessid_policy: "strict-registered" });
  const browser = await startBrowser(t);
  const open = async () => openVariantB(await openProfile(t, browser, face, EXPECTED), face, channel);
  const one = await open();
  const other = await open();

  await t.test("v65: they list each other, and complete a call", async () => {
    await Promise.all([lists(one, other.id), lists(other, one.id)]);
    await one.evaluate((id) => window.peer.offer(id), other.id);
    await until("the offer is shown", () => other.evaluate((id) => window.peer.offers.has(id), one.id));
    await lists(other);
    await other.evaluate((id) => window.peer.accept(id), one.id);
    await Promise.all([receivesAll(one), receivesAll(other)]);
    await goesDirectly(one, other);
    const kinds = await one.evaluate(() => document.getElementById("media-player").srcObject.getTracks().map(({ kind }) => kind).sort());
    assert.deepEqual(kinds, ["audio", "video"]);
  });

  await t.test("v67: the server cuts the sockets: both log in by the same password, and the call goes on", async () => {
    await face.server.kill();
    await Promise.all([says(one, "offline"), says(other, "offline")]);
    await receivesAll(one);
    await face.server.start();
    await Promise.all([says(one, "online"), says(other, "online")]);
    assert.equal(await one.evaluate(() => window.peer.logins), 2);
    await Promise.all([receivesAll(one), receivesAll(other)]);
  });

  await t.test("v65: who hangs up returns both to the list", async () => {
    await one.evaluate(() => window.peer.close());
    await isFree(other);
    await Promise.all([lists(one, other.id), lists(other, one.id)]);
  });
});

test("a server that said it otherwise would not do: the page of variant B can tell", { timeout: 120_000 }, async (t) => {
  const face = await startFace(t);
  const browser = await startBrowser(t);
  const bent = async (bend) => {
    const channel = await face.channel({ admission: "open" });
    const context = await openProfile(t, browser, face, { expected: /status of 404|uncaught/ });
    return { page: await loadVariantB(context, face, channel, bend), channel };
  };

  await t.test("the sender of a message with the domain behind it", async () => {
    const bend = (message) => {
      if (message.method === "verto.info") message.params.msg.from += `@${message.params.msg.to.split("@")[1]}`;
      return message;
    };
    const { page, channel } = await bent(bend);
    await says(page, "online");
    const id = await page.evaluate(() => window.peer.session.clientId);
    const other = await openVariantB(await openProfile(t, browser, face, EXPECTED), face, channel);
    await page.evaluate((to) => window.peer.offer(to), other.id);
    await until("the offer is shown", () => other.evaluate((from) => window.peer.offers.has(from), id));
    await other.evaluate((from) => window.peer.accept(from), id);
    await pause(3_000);
    assert.ok(await page.evaluate(() => window.peer.connection.waiting), "the acceptance of a stranger");
  });

  await t.test("another's session ID in one's own event", async () => {
    const bend = (message) => {
      if (message.method === "verto.event") message.params.sessid = message.params.userid.split("@")[0];
      return message;
    };
    const { page } = await bent(bend);
    await says(page, "online");
    await until("it lists itself", () => page.evaluate(() => window.peer.session.clientId in window.peer.peers));
  });

  await t.test("a push under the number of a request in flight", async () => {
    const bend = (message) => {
      const [inFlight] = window.peer.pending.keys();
      if (message.method && inFlight) message.id = inFlight;
      return message;
    };
    const { page } = await bent(bend);
    await until("the event is taken for the reply", () => page.evaluate(() => window.peer.logins === 1 && window.peer.pending.size === 0));
    await pause(1_000);
    assert.notEqual(await page.textContent("#nav-status"), "online");
  });
});

test("v66: the same page of variant B twice in one browser", { timeout: 60_000 }, async (t) => {
  const face = await startFace(t);
  const channel = await face.channel({ admission: "open" });
  const context = await openProfile(t, await startBrowser(t), face, EXPECTED);
  const first = await openVariantB(context, face, channel);
  const second = await openVariantB(context, face, channel);
  assert.equal(second.id, first.id);
  await says(first, "offline");
  assert.ok(await first.evaluate(() => window.peer.halted));
  await second.evaluate(() => window.peer.echo());
  await pause(1_000);
  assert.equal(await first.evaluate(() => window.peer.logins), 1, "it stays offline");
  await says(second, "online");
});

test("a page of variant B and ours call each other", { timeout: 120_000 }, async (t) => {
  const face = await startFace(t);
  const channel = await face.channel({ admission: "open" });
  const browser = await startBrowser(t);
  const old = await openVariantB(await openProfile(t, browser, face, EXPECTED), face, channel);
  const ours = await join(await openProfile(t, browser, face), `${face.origin}/peers/${channel}`, "Ana");
  const called = old.id.slice(0, 5);
  await lists(old, ours.id);

  await t.test("ours calls", async () => {
    await ours.getByRole("button", { name: `Call ${called}` }).click();
    await until("the offer is shown", () => old.evaluate((id) => window.peer.offers.has(id), ours.id));
    await old.evaluate((id) => window.peer.accept(id), ours.id);
    await Promise.all([receivesAll(ours), receivesAll(old)]);
    await goesDirectly(ours, old);
    await ours.getByRole("button", { name: `Check the connection to ${called}` }).click();
    await ours.locator(".verdict").getByText("Not verified", { exact: true }).waitFor();
    await old.evaluate(() => window.peer.close());
    await isIdle(ours, called);
  });

  await t.test("ours is called", async () => {
    await old.evaluate((id) => window.peer.offer(id), ours.id);
    await ours.getByRole("button", { name: "Accept" }).click();
    await Promise.all([receivesAll(ours), receivesAll(old)]);
    await ours.getByRole("button", { name: "Hang up" }).click();
    await isFree(old);
    await lists(old, ours.id);
  });
});

test("a certificate that changes within a call ends it", { timeout: 60_000 }, async (t) => {
  const face = await startFace(t);
  // Where the server does not read descriptions, the page does.
  const channel = await face.channel({ admission: "open", content: "opaque" });
  const browser = await startBrowser(t);
  const old = await openVariantB(await openProfile(t, browser, face, EXPECTED), face, channel);
  const ours = await join(await openProfile(t, browser, face), `${face.origin}/peers/${channel}`, "Ana");
  const called = old.id.slice(0, 5);
  await ours.getByRole("button", { name: `Call ${called}` }).click();
  await until("the offer is shown", () => old.evaluate((id) => window.peer.offers.has(id), ours.id));
  await old.evaluate((id) => window.peer.accept(id), ours.id);
  await receivesAll(ours);
  await old.evaluate((id) => {
    const { sdp } = window.peer.connection.pc.localDescription;
    const other = Array(32).fill("AB").join(":");
    return window.peer.tell(id, { type: "offer", sdp: sdp.replace(/^(a=fingerprint:sha-256 ).*$/gm, `$1${other}`) });
  }, ours.id);
  await ours.getByText(`The call was refused: the certificate that came is not ${called}’s.`).waitFor();
  await isFree(old);
});

test("v70: a page that begins as jQuery's client does: two empty logins, then one with credentials", { timeout: 60_000 }, async (t) => {
  const face = await startFace(t);
  const channel = await face.channel({ admission: "open", content: "opaque", sessid_policy: "strict-login-id" });
  const page = await (await openProfile(t, await startBrowser(t), face, EXPECTED)).newPage();
  await page.goto(`${face.origin}/peers/${channel}`);
  const seen = await page.evaluate(async (channelId) => {
    const response = await fetch(`/v1/channels/${channelId}/clients`, { method: "POST", headers: { "content-type": "application/json" }, body: "{}" });
    const { clientId: login, password: passwd } = await response.json();
    const sessid = login;
    const socket = new WebSocket(`${location.origin.replace("http", "ws")}/verto`);
    const seen = { login, frames: [] };
    const waiting = [];
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      seen.frames.push(message);
      for (const one of waiting.splice(0)) one.fits(message) ? one.done(message) : waiting.push(one);
    };
    const next = (fits) => new Promise((done) => waiting.push({ fits, done }));
    const ask = (id, method, params) => {
      const answer = next((message) => message.id === id && !message.method);
      socket.send(JSON.stringify({ jsonrpc: "2.0", method, params: { ...params, sessid }, id }));
      return answer;
    };
    await new Promise((open) => (socket.onopen = open));
    const primed = [ask(2, "login", {}), ask(1, "login", {})];
    seen.primed = (await Promise.all(primed)).map(({ error }) => error.code);
    const ready = next(({ method }) => method === "verto.clientReady");
    seen.loggedIn = (await ask(3, "login", { login, passwd, loginParams: {}, userVariables: {} })).result;
    seen.ready = (await ready).params;
    // It acknowledges what it is pushed.
    socket.send(JSON.stringify({ jsonrpc: "2.0", id: 1_000_000_000, result: { method: "verto.clientReady" } }));
    seen.subscribed = (await ask(4, "verto.subscribe", { eventChannel: channelId, subParams: {} })).result;
    const event = next(({ method }) => method === "verto.event");
    await ask(5, "verto.broadcast", { eventChannel: channelId, data: { hi: 1 } });
    seen.event = (await event).params;
    const message = next(({ method }) => method === "verto.info");
    seen.sent = (await ask(6, "verto.info", { msg: { to: login, body: "hello" } })).result;
    seen.message = (await message).params.msg;
    return seen;
  }, channel);
  assert.deepEqual(seen.primed, [-32000, -32000]);
  assert.deepEqual(seen.loggedIn, { message: "logged in", sessid: seen.login });
  assert.deepEqual(seen.ready, { reattached_sessions: [] });
  assert.deepEqual(seen.subscribed.subscribedChannels, [channel]);
  assert.deepEqual([seen.event.data, seen.event.userid.split("@")[0]], [{ hi: 1 }, seen.login]);
  assert.equal(seen.sent.message, "SENT");
  assert.deepEqual([seen.message.from, seen.message.body], [seen.login, "hello"]);
});
