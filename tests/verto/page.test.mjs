import assert from "node:assert/strict";
import { test } from "node:test";
import { startBrowser } from "../browser/stage/browser.mjs";
import { until } from "../browser/stage/media.mjs";
import { startFace } from "./stage/face.mjs";
import { call, goesDirectly, isIdle, isOnline, join, openProfile, receivesAll } from "./stage/pages.mjs";

const tiles = (page) => page.getByRole("list", { name: "In the call" }).getByRole("listitem");

/** What the element that has the focus is called. */
const focused = (page) => page.evaluate(() => document.activeElement.getAttribute("aria-label") ?? document.activeElement.title);

test("two pages call each other, and the media go directly between them", { timeout: 180_000 }, async (t) => {
  const face = await startFace(t);
  const channel = await face.channel({ topic: "Garden" });
  const [first, second] = [await startBrowser(t), await startBrowser(t)];
  // While the server is away no socket opens.
  const away = { expected: /ERR_CONNECTION_REFUSED/ };
  const anas = await openProfile(t, first, face, away);
  const bens = await openProfile(t, second, face, away);
  const ana = await join(anas, await face.invite(channel), "Ana");
  const ben = await join(bens, await face.invite(channel), "Ben Ägir");

  await t.test("the page names the channel, keeps no invitation in its address, and no password in itself", async () => {
    await ana.getByRole("heading", { name: "Garden", level: 1 }).waitFor();
    assert.equal(ana.url(), `${face.origin}/peers/${channel}`);
    const password = await ana.evaluate(() => window.recorded.sent.map((text) => JSON.parse(text).params.passwd).find(Boolean));
    assert.ok(!(await ana.content()).includes(password));
    assert.ok(!(await (await anas.request.get(ana.url())).text()).includes(password));
  });

  await t.test("one calls, the other accepts: sound and pictures both ways, by no relay", async () => {
    await call(ana, ben, { caller: "Ana", called: "Ben Agir" });
    await Promise.all([receivesAll(ana), receivesAll(ben)]);
    await goesDirectly(ana, ben);
  });

  await t.test("both read the same digits, and have verified each other's signature", async () => {
    const digits = async (page, name) => {
      await page.getByRole("button", { name: `Check the connection to ${name}` }).click();
      await page.getByText("go directly").waitFor();
      await page.locator(".verdict").getByText("Verified", { exact: true }).waitFor();
      const text = await page.locator(".comparison").textContent();
      await page.keyboard.press("Escape");
      await page.locator(".comparison").waitFor({ state: "detached" });
      assert.match(await focused(page), /^Check the connection to /);
      return text;
    };
    const [anas, bens] = [await digits(ana, "Ben Agir"), await digits(ben, "Ana")];
    assert.match(anas, /^\d{5}( \d{5}){5}$/);
    assert.equal(anas, bens);
  });

  await t.test("who mutes, or turns the camera off and on, is seen so", async () => {
    await ana.getByRole("button", { name: "Mute", exact: true }).click();
    await ben.getByRole("listitem", { name: /^Ana, muted/ }).waitFor();
    await ana.getByRole("button", { name: "Unmute" }).click();
    await ana.getByRole("button", { name: "Turn camera off" }).click();
    await ben.getByRole("listitem", { name: "Ana, no picture" }).waitFor();
    await ana.getByRole("button", { name: "Turn camera on" }).click();
    await ben.getByRole("listitem", { name: "Ana", exact: true }).waitFor();
    await receivesAll(ben);
  });

  await t.test("the server may be away meanwhile: the call goes on, and both are in the channel again", async () => {
    await face.server.kill();
    await ana.getByRole("status").filter({ hasText: "Reconnecting" }).waitFor();
    await receivesAll(ana);
    await face.server.start();
    await Promise.all([isOnline(ana), isOnline(ben)]);
    await Promise.all([receivesAll(ana), receivesAll(ben)]);
    const passwords = await ana.evaluate(() => window.recorded.sent.map((text) => JSON.parse(text).params.passwd).filter(Boolean));
    assert.ok(passwords.length >= 2);
    assert.equal(new Set(passwords).size, 1, "by the lease of the first password");
  });

  await t.test("who hangs up brings both back to the list", async () => {
    await ben.getByRole("button", { name: "Hang up" }).click();
    await Promise.all([isIdle(ana, "Ben Agir"), isIdle(ben, "Ana")]);
    await ana.getByText("Ben Agir hung up.").waitFor();
  });

  await t.test("a call may be refused, and cancelled", async () => {
    await ana.getByRole("button", { name: "Call Ben Agir" }).click();
    await ben.getByRole("button", { name: "Refuse" }).click();
    await ana.getByText("Ben Agir does not take the call.").waitFor();
    await isIdle(ana, "Ben Agir");
    await ana.getByRole("button", { name: "Call Ben Agir" }).click();
    await ben.getByRole("button", { name: "Refuse" }).waitFor();
    await ana.getByRole("button", { name: "Cancel the call to Ben Agir" }).click();
    await ben.getByRole("button", { name: "Refuse" }).waitFor({ state: "detached" });
  });

  await t.test("all of it by keyboard", async () => {
    const press = async (page, role, name) => {
      const control = page.getByRole(role, { name, exact: true });
      await control.waitFor();
      for (let tabs = 0; tabs < 40; tabs += 1) {
        if (await control.evaluate((element) => element === document.activeElement)) return page.keyboard.press("Enter");
        await page.keyboard.press("Tab");
      }
      throw new Error(`no way to ${name} by Tab`);
    };
    await press(ana, "button", "Call Ben Agir");
    await press(ben, "button", "Accept");
    await receivesAll(ana);
    await press(ana, "button", "Hang up");
    await isIdle(ben, "Ana");
  });

  await t.test("who leaves is gone from the list at once", async () => {
    await ben.getByRole("button", { name: "Leave the channel" }).click();
    await ben.getByRole("heading", { name: "You left the channel." }).waitFor();
    await ana.getByText("Nobody else is here yet.").waitFor();
  });
});

for (const [what, bend] of [
  ["the signature is another's", ({ signature }) => ({ signature: `${signature[0] === "A" ? "B" : "A"}${signature.slice(1)}` })],
  ["the key is another's", () => ({ key: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" })],
  ["the server read another certificate in it", () => ({ fingerprints: [`sha-256 ${Array(32).fill("AB").join(":")}`] })],
]) {
  test(`a call is refused when ${what}`, { timeout: 60_000 }, async (t) => {
    const face = await startFace(t);
    const channel = await face.channel({ admission: "open" });
    const browser = await startBrowser(t);
    const link = `${face.origin}/peers/${channel}`;
    const anas = await openProfile(t, browser, face);
    await anas.addInitScript(`window.bend = ${bend}`);
    await anas.addInitScript(bendDescriptions);
    const ana = await join(anas, link, "Ana");
    const ben = await join(await openProfile(t, browser, face), link, "Ben");
    await call(ana, ben, { caller: "Ana", called: "Ben" });
    await ana.getByText("The call was refused: the certificate that came is not Ben’s. Somebody may stand between you.").waitFor();
    await isIdle(ana, "Ben");
    await ben.getByText("There is no connection to Ana.").waitFor();
    await isIdle(ben, "Ana");
  });
}

/** In the page: what comes beside a description is bent on its way in. */
function bendDescriptions() {
  window.WebSocket = class extends window.WebSocket {
    set onmessage(listener) {
      super.onmessage = (event) => {
        const message = JSON.parse(event.data);
        if (message.params?.signature) Object.assign(message.params, window.bend(message.params));
        listener.call(this, new MessageEvent("message", { data: JSON.stringify(message) }));
      };
    }
  };
}

test("a third asks to join, and the three are one call until one leaves it", { timeout: 120_000 }, async (t) => {
  const face = await startFace(t);
  const channel = await face.channel({ admission: "open" });
  const browser = await startBrowser(t);
  const link = `${face.origin}/peers/${channel}`;
  const pages = {};
  for (const name of ["Ana", "Ben", "Cho"]) pages[name] = await join(await openProfile(t, browser, face), link, name);
  await call(pages.Ana, pages.Ben, { caller: "Ana", called: "Ben" });
  await receivesAll(pages.Ana);
  await pages.Cho.getByRole("button", { name: "Ask to join the call of Ben" }).click();
  await pages.Ben.getByRole("button", { name: "Accept" }).click();
  await Promise.all(Object.values(pages).map((page) => receivesAll(page, 2)));
  for (const page of Object.values(pages)) assert.equal(await tiles(page).count(), 3);

  await pages.Ben.getByRole("button", { name: "Hang up" }).click();
  await until("the others go on", async () => (await tiles(pages.Ana).count()) === 2 && (await tiles(pages.Cho).count()) === 2);
  await Promise.all([receivesAll(pages.Ana), receivesAll(pages.Cho)]);
  await pages.Ben.getByRole("button", { name: "Ask to join the call of Ana" }).waitFor();
});

for (const [what, kinds] of [
  ["no camera", ["audio"]],
  ["neither camera nor microphone", []],
]) {
  test(`who has ${what} calls and is called by who has both`, { timeout: 120_000 }, async (t) => {
    const face = await startFace(t);
    const link = `${face.origin}/peers/${await face.channel({ admission: "open" })}`;
    const browser = await startBrowser(t);
    const anas = await openProfile(t, browser, face);
    await anas.addInitScript(`window.devices = ${JSON.stringify(kinds)}`);
    await anas.addInitScript(hasOnlySome);
    const ana = await join(anas, link, "Ana");
    const ben = await join(await openProfile(t, browser, face), link, "Ben");
    for (const [caller, called] of [["Ana", "Ben"], ["Ben", "Ana"]]) {
      const pages = { Ana: ana, Ben: ben };
      await call(pages[caller], pages[called], { caller, called });
      await receivesAll(ana);
      // Told by the data channel between them.
      await ben.getByRole("listitem", { name: kinds.length ? "Ana, no picture" : "Ana, muted, no picture", exact: true }).waitFor();
      if (kinds.length) await until("Ben hears Ana", () => hears(ben));
      await goesDirectly(ana, ben);
      if (called === "Ben") {
        await ben.getByRole("button", { name: "Hang up" }).click();
        await isIdle(ana, "Ben");
      }
    }
    await ana.reload();
    await ben.getByText("Ana hung up.").waitFor();
  });
}

/** In the page: it has only the devices in `window.devices`. */
function hasOnlySome() {
  const { mediaDevices } = navigator;
  if (!mediaDevices) return;
  const all = mediaDevices.getUserMedia.bind(mediaDevices);
  mediaDevices.getUserMedia = async (wanted) => {
    if (Object.keys(wanted).some((kind) => wanted[kind] && !window.devices.includes(kind))) throw new DOMException("none", "NotFoundError");
    return all(wanted);
  };
}

/** Whether a sound comes that is more than silence. */
function hears(page) {
  return page.evaluate(async () => {
    const live = window.recorded.connections.find(({ connectionState }) => connectionState === "connected");
    return [...(await live.getStats()).values()].some(({ type, kind, totalAudioEnergy }) => type === "inbound-rtp" && kind === "audio" && totalAudioEnergy > 0);
  });
}

test("on a phone: the list covers the call, and nothing covers the list", { timeout: 120_000 }, async (t) => {
  const face = await startFace(t);
  const channel = await face.channel({ admission: "open" });
  const browser = await startBrowser(t);
  const enter = async (name) => join(await openProfile(t, browser, face), `${face.origin}/peers/${channel}`, name);
  const long = "Benjamin Longname The Third";
  const [ana, ben, cho] = [await enter("Ana"), await enter(long), await enter("Cho")];
  await call(ben, ana, { caller: long, called: "Ana" });
  await receivesAll(ana);
  const list = ana.locator("#people");
  await list.waitFor();
  await ana.setViewportSize({ width: 320, height: 568 });
  await list.waitFor({ state: "hidden" });
  await ana.getByRole("button", { name: "People" }).click();
  await list.getByText("in your call").waitFor();
  assert.equal(await list.evaluate(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth, null), 0, "a long name makes room");
  await cho.getByRole("button", { name: "Ask to join the call of Ana" }).click();
  // A click waits until nothing lies over what it is to hit.
  await ana.getByRole("button", { name: "Refuse" }).click({ trial: true });
  await list.getByRole("heading").click({ trial: true });
  await list.getByRole("button", { name: "Close" }).click();
  assert.equal(await focused(ana), "People");
  await ana.getByRole("button", { name: "Accept" }).click();
  await receivesAll(ana, 2);
  await ana.getByRole("button", { name: "Check the connection to Cho" }).click();
  await ana.locator(".verdict").waitFor();
  const page = await ana.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(page <= 320, `${page} pixels`);
});

test("v66: the same page twice in one browser: the first is sent away and stays so", { timeout: 60_000 }, async (t) => {
  const face = await startFace(t);
  const channel = await face.channel({ admission: "open" });
  const context = await openProfile(t, await startBrowser(t), face);
  const link = `${face.origin}/peers/${channel}`;
  const first = await join(context, link, "Ana");
  const second = await join(context, link, "Ana");
  assert.equal(first.id, second.id);
  await first.getByRole("heading", { name: "You are offline here." }).waitFor();
  assert.equal((await face.read(channel)).live, 1);
  const sockets = await first.evaluate(() => window.recorded.sockets.length);
  await second.reload();
  assert.equal(await first.evaluate(() => window.recorded.sockets.length), sockets, "it does not come back by itself");
});

test("the password of a page is of no use without its key", { timeout: 60_000 }, async (t) => {
  const face = await startFace(t);
  const channel = await face.channel({ admission: "open" });
  const ana = await join(await openProfile(t, await startBrowser(t), face), `${face.origin}/peers/${channel}`, "Ana");
  const refusal = await ana.evaluate(() => {
    const login = window.recorded.sent.map((text) => JSON.parse(text)).findLast(({ params }) => params.passwd);
    if (!login.params.loginParams.signature) throw new Error("the page has signed nothing");
    const socket = new WebSocket(window.recorded.sockets[0].url);
    return new Promise((done) => {
      // Signed as it was, but for another connection's challenge.
      socket.onopen = () => socket.send(JSON.stringify(login));
      socket.onmessage = ({ data }) => done(JSON.parse(data).error);
    });
  });
  assert.deepEqual([refusal.code, refusal.message], [-32001, "Authentication Failure"]);
  await isOnline(ana);
  assert.equal((await face.read(channel)).live, 1);
});

test("who has no invitation, a used one, or none of this server's, stays outside", { timeout: 60_000 }, async (t) => {
  const face = await startFace(t);
  const channel = await face.channel();
  const browser = await startBrowser(t);
  const refusals = { expected: /status of 40[34]/ };
  const knock = async (link) => {
    const page = await (await openProfile(t, browser, face, refusals)).newPage();
    await page.goto(link);
    await page.getByLabel("Your name").fill("Ana");
    await page.getByRole("button", { name: "Join", exact: true }).click();
    return page;
  };
  const link = await face.invite(channel);
  const uninvited = await knock(`${face.origin}/peers/${channel}`);
  await uninvited.getByRole("heading", { name: "You need an invitation" }).waitFor();
  await isOnline(await knock(link));
  for (const useless of [link, `${link.split("#")[0]}#${"x".repeat(43)}`]) {
    const page = await knock(useless);
    await page.getByRole("heading", { name: "This invitation does not open the channel" }).waitFor();
  }
  const nowhere = await fetch(`${face.origin}/peers/01234567-89ab-4def-8123-456789abcdef`);
  assert.equal(nowhere.status, 404);
});

test("who is revoked is sent away at once, and may not come back", { timeout: 60_000 }, async (t) => {
  const face = await startFace(t);
  const channel = await face.channel();
  const browser = await startBrowser(t);
  const refusals = { expected: /status of 40[34]/ };
  const context = await openProfile(t, browser, face, refusals);
  const ana = await join(context, await face.invite(channel), "Ana");
  const ben = await join(await openProfile(t, browser, face, refusals), await face.invite(channel), "Ben");
  const removed = (page, timeout) => page.getByRole("heading", { name: "You were removed." }).waitFor({ timeout });
  await face.revoke(channel, ana.id);
  await removed(ana, 1_000);
  await ana.reload();
  await ana.getByRole("button", { name: "Join", exact: true }).click();
  await removed(ana);
  await isOnline(ben);
  await face.remove(channel);
  await removed(ben, 1_000);
});

test("calls are told of the servers for ICE that are configured, and of their password", { timeout: 60_000 }, async (t) => {
  // Nobody listens there: who finds a way without is none the worse for it.
  const urls = ["turn:127.0.0.1:9?transport=udp"];
  const face = await startFace(t, [`ice_servers = ${JSON.stringify(urls)}`, 'turn_username = "visitors"', 'turn_password = "of the garden"']);
  const channel = await face.channel({ admission: "open" });
  const browser = await startBrowser(t);
  const enter = async (name) => join(await openProfile(t, browser, face), `${face.origin}/peers/${channel}`, name);
  const [ana, ben] = [await enter("Ana"), await enter("Ben")];
  await call(ana, ben, { caller: "Ana", called: "Ben" });
  await Promise.all([receivesAll(ana), receivesAll(ben)]);
  for (const page of [ana, ben]) {
    const [server] = await page.evaluate(() => window.recorded.connections.at(-1).getConfiguration().iceServers);
    assert.deepEqual(
      { urls: [server.urls].flat(), username: server.username, credential: server.credential },
      { urls, username: "visitors", credential: "of the garden" },
    );
  }
});

test("where a channel's pages carry passwords, a script that reads the inputs gets in by them", { timeout: 60_000 }, async (t) => {
  const face = await startFace(t);
  const channel = await face.channel({ admission: "open", delivery: "page" });
  const context = await openProfile(t, await startBrowser(t), face);
  const link = `${face.origin}/peers/${channel}`;
  const page = await context.newPage();
  const inputs = () => page.evaluate(() => ["channelId", "clientId", "password"].map((id) => document.getElementById(id)?.value ?? null));
  await page.goto(link);
  if ((await inputs())[0] === null) {
    // A stranger has no cookie yet; whoever is issued something has.
    await page.evaluate((id) => fetch(`/v1/channels/${id}/clients`, { method: "POST" }), channel);
    await page.goto(link);
  }
  const [channelId, clientId, password] = await inputs();
  assert.equal(channelId, channel);
  const answer = await page.evaluate(
    ({ login, passwd }) =>
      new Promise((done) => {
        const socket = new WebSocket(`${location.href.replace("http", "ws")}/clients`);
        socket.onopen = () => socket.send(JSON.stringify({ jsonrpc: "2.0", id: 1, method: "login", params: { sessid: login, login, passwd } }));
        socket.onmessage = ({ data }) => done(JSON.parse(data));
      }),
    { login: clientId, passwd: password },
  );
  assert.deepEqual(answer.result, { message: "logged in", sessid: clientId });
  const strangers = await (await fetch(link)).text();
  assert.ok(!strangers.includes('id="password"'), "without a cookie there is nothing to read");
});
