// Pages in Chromium: our own, and the one that speaks variant B. Both are of the server's own origin, so its cookies are theirs.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { openProfile as openProfileOf } from "../../browser/stage/browser.mjs";
import { until } from "../../browser/stage/media.mjs";

/** More than a few key frames and some silence. */
const PICTURES = 10;

/** A profile of its own: other cookies, other storage. */
export function openProfile(test, browser, face, options) {
  return openProfileOf(test, browser, face, options);
}

/** Opens a channel by our page and joins, as a person would. */
export async function join(context, link, name) {
  const page = await context.newPage();
  await page.goto(link);
  await page.getByLabel("Your name").fill(name);
  await page.getByRole("button", { name: "Join", exact: true }).click();
  await isOnline(page);
  page.id = await clientId(page);
  return page;
}

export function isOnline(page) {
  return page.getByRole("status").filter({ hasText: /^Connected$/ }).waitFor({ timeout: 30_000 });
}

/** Has one page call another, which accepts. */
export async function call(caller, called, names) {
  await caller.getByRole("button", { name: `Call ${names.called}`, exact: true }).click();
  await called.getByRole("alert").getByText(`${names.caller} calls you`).waitFor();
  await called.getByRole("button", { name: "Accept" }).click();
}

/** Waits until a page is in no call, and sees these in its list with nothing else said of them. */
export async function isIdle(page, ...names) {
  await page.getByRole("list", { name: "In the call" }).waitFor({ state: "detached" });
  for (const name of names) await page.getByRole("button", { name: `Call ${name}`, exact: true }).waitFor();
  const tracks = () => page.evaluate(() => window.recorded.connections.filter(({ connectionState }) => connectionState !== "closed").length);
  await until("no connection is left", async () => (await tracks()) === 0);
}

/**
 * Opens the page that speaks variant B and waits until it is in the channel. It takes the place of ours once that is loaded, and so has its
 * origin, its address and its Content-Security-Policy.
 */
export async function openVariantB(context, face, channel) {
  const page = await loadVariantB(context, face, channel);
  await says(page, "online");
  page.id = await page.evaluate(() => window.peer.session.clientId);
  return page;
}

/** The same, without waiting; `bend` changes what the server says to it. */
export async function loadVariantB(context, face, channel, bend = null) {
  const page = await context.newPage();
  if (bend) await page.addInitScript(`window.bend = ${bend}`);
  await page.goto(`${face.origin}/peers/${channel}`);
  await page.evaluate(() => {
    document.body.innerHTML = '<p id="nav-status"></p><video id="media-player" autoplay playsinline muted></video>';
  });
  await page.evaluate(await readFile(new URL("variant_b.js", import.meta.url), "utf8"));
  return page;
}

/** Waits until the page that speaks variant B shows this text. */
export function says(page, text) {
  return until(`it says ${text}`, async () => (await page.textContent("#nav-status")) === text);
}

/** Waits until it lists exactly these. */
export function lists(page, ...ids) {
  return until(`it lists ${ids}`, () =>
    page.evaluate((wanted) => JSON.stringify(Object.keys(window.peer.peers).sort()) === JSON.stringify(wanted), [...ids].sort()),
  );
}

/** Waits until sound and pictures come to a page by each of its `count` connections, counted from this moment on. */
export async function receivesAll(page, count = 1) {
  const before = await inbound(page);
  await until(`sound and pictures of ${count}`, async () => {
    const now = await inbound(page);
    const grown = now.filter(({ key, audio, pictures }) => {
      const then = before.find((one) => one.key === key) ?? { audio: 0, pictures: 0 };
      return audio > then.audio && pictures - then.pictures >= PICTURES;
    });
    return grown.length === count;
  });
}

/** What came by each live connection: bytes of sound, and decoded pictures. */
function inbound(page) {
  return page.evaluate(async () => {
    const live = window.recorded.connections.filter(({ connectionState }) => connectionState === "connected");
    return Promise.all(
      live.map(async (connection) => {
        const streams = [...(await connection.getStats()).values()].filter(({ type }) => type === "inbound-rtp");
        const sum = (kind, member) => streams.filter((one) => one.kind === kind).reduce((total, one) => total + (one[member] ?? 0), 0);
        return { key: window.recorded.connections.indexOf(connection), audio: sum("audio", "bytesReceived"), pictures: sum("video", "framesDecoded") };
      }),
    );
  });
}

/** Checks that the media between two pages go straight from one to the other: each sends to an address that is the other's own. */
export async function goesDirectly(one, other) {
  let mine, theirs;
  // The end that does not choose the pair learns of a better one a moment later.
  await until("each sends to the port of the other page", async () => {
    [mine, theirs] = [await pair(one), await pair(other)];
    return mine.remote.port === theirs.local.port && theirs.remote.port === mine.local.port;
  });
  for (const { local, remote } of [mine, theirs]) {
    for (const { candidateType } of [local, remote]) assert.ok(["host", "prflx"].includes(candidateType), candidateType);
  }
  assert.equal(mine.remote.address ?? mine.local.address, theirs.local.address ?? theirs.remote.address);
}

/** Checks that the media between two pages go by this relay, from the one's address there to the other's. */
export async function goesByRelay(one, other, relay, transport) {
  let mine, theirs;
  const meet = (here, there) => here.remote.port === there.local.port && here.remote.candidateType === "relay";
  await until("each sends by its relay to that of the other", async () => {
    [mine, theirs] = [await pair(one), await pair(other)];
    return meet(mine, theirs) && meet(theirs, mine);
  });
  for (const { local, remote } of [mine, theirs]) {
    assert.deepEqual([local.candidateType, remote.candidateType], ["relay", "relay"]);
    assert.deepEqual([local.address, remote.address], [relay.address, relay.address]);
    assert.equal(local.relayProtocol, transport);
  }
}

/** Waits until a page has heard more than silence since this moment. */
export async function hears(page) {
  const energy = () =>
    page.evaluate(async () => {
      const stats = await window.recorded.connections.at(-1).getStats();
      return [...stats.values()].find(({ type, kind }) => type === "inbound-rtp" && kind === "audio")?.totalAudioEnergy ?? 0;
    });
  const before = await energy();
  await until("sound that can be heard", async () => (await energy()) > before);
}

/** In a page, before its scripts: whatever connection it makes goes by a relay or not at all. */
export function onlyByRelay() {
  window.RTCPeerConnection = class extends window.RTCPeerConnection {
    constructor(settings, ...rest) {
      super({ ...settings, iceTransportPolicy: "relay" }, ...rest);
    }
    setConfiguration(settings) {
      super.setConfiguration({ ...settings, iceTransportPolicy: "relay" });
    }
  };
}

/** The pair of candidates by which the only live connection of a page sends. */
export function pair(page) {
  return page.evaluate(async () => {
    const live = window.recorded.connections.filter(({ connectionState }) => connectionState === "connected");
    if (live.length !== 1) throw new Error(`${live.length} live connections`);
    const stats = await live[0].getStats();
    const transport = [...stats.values()].find(({ type }) => type === "transport");
    const { localCandidateId, remoteCandidateId } = stats.get(transport.selectedCandidatePairId);
    const of = (id) => {
      const { candidateType, address, port, protocol, relayProtocol } = stats.get(id);
      return { candidateType, address, port, protocol, relayProtocol };
    };
    return { local: of(localCandidateId), remote: of(remoteCandidateId) };
  });
}

/** Returns which client a page of ours is, from its login. */
function clientId(page) {
  return page.evaluate(() => {
    const logins = window.recorded.sent.map((text) => JSON.parse(text)).filter(({ method, params }) => method === "login" && params.login);
    return logins.at(-1).params.login;
  });
}
