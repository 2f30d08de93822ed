import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "../browser/stage/media.mjs";
import { openPage, seat, startChromium, startFirefox } from "./stage/pages.mjs";
import { row } from "./stage/results.mjs";
import { startScene } from "./stage/scene.mjs";
import { seesAndHears } from "./stage/watching.mjs";

const SOURCES = { voice: { from: "device" }, camera: { from: "drawn", width: 320, height: 180, fps: 15 } };
/** As Firefox counts: TLS 1.3. */
const DTLS_1_3 = 772;
/** A check comes every 5 s or so, and counts when nothing has come from the old port for 6 s; the rest is for busy machines. */
const AGAIN_MS = 15_000;
/** As many packets of sound come in half a second; what was on its way when the port went is less. */
const PACKETS = 25;
const CLIENTS = ["Chromium", "Firefox"];

test("changes of the network during a call", { timeout: 180_000 }, async (t) => {
  const { server, relay, link } = await startScene(t, { relayed: true });
  const seats = await seatBoth(t, server, link);
  const [chromium, firefox] = seats;
  for (const [at, client] of CLIENTS.entries()) {
    await row(t, client, "new port behind a NAT", async (inner) => {
      const begun = Date.now();
      relay.rebind(await seats[at].ufrag());
      const [heard, sent] = await Promise.all([comesAgain(seats[at], seats[1 - at]), comesAgain(seats[1 - at], seats[at])]);
      inner.diagnostic(`${client} receives after ${heard - begun} ms, and is received after ${sent - begun} ms`);
      await bothGoOn(seats);
    });
  }
  for (const [at, client] of CLIENTS.entries()) {
    await row(t, client, "ICE restart", async () => {
      const before = await seats[at].ufrag();
      await seats[at].restart();
      await bothGoOn(seats);
      assert.notEqual(await seats[at].ufrag(), before);
    });
  }
  for (const one of seats) assert.deepEqual(await one.faults(), []);
});

test("IPv6", { timeout: 120_000 }, async (t) => {
  const { server, link } = await startScene(t, { address: "fd77::1" });
  const seats = await seatBoth(t, server, link);
  for (const [at, client] of CLIENTS.entries()) {
    await row(t, client, "IPv6", () => seesAndHears(seats[at], seats[1 - at].id));
  }
});

test("DTLS 1.3", { timeout: 120_000 }, async (t) => {
  const { server, link } = await startScene(t, { settings: ["dtls_1_3 = true"] });
  const seats = await seatBoth(t, server, link, { "media.peerconnection.dtls.version.min": DTLS_1_3 });
  for (const [at, client] of CLIENTS.entries()) {
    await row(t, client, "DTLS 1.3", async () => {
      await seesAndHears(seats[at], seats[1 - at].id);
      const { tlsVersion, srtpCipher } = await seats[at].transport();
      assert.equal(tlsVersion, "FEFC");
      return srtpCipher;
    });
  }
});

test("DTLS 1.3 is not spoken unless the settings say so", { timeout: 120_000 }, async (t) => {
  const { server, link } = await startScene(t);
  const firefox = await startFirefox(t, { "media.peerconnection.dtls.version.min": DTLS_1_3 });
  await assert.rejects(seat(await openPage(firefox, server), link, "Firefox without DTLS 1.2", { sources: SOURCES }), /is connected/);
});

async function seatBoth(test, server, link, preferences = {}) {
  const browsers = await Promise.all([startChromium(test), startFirefox(test, preferences)]);
  const seats = [];
  for (const [at, browser] of browsers.entries()) {
    seats.push(await seat(await openPage(browser, server), link, CLIENTS[at], { sources: SOURCES }));
  }
  await bothGoOn(seats);
  return seats;
}

function bothGoOn([one, other]) {
  return Promise.all([seesAndHears(one, other.id), seesAndHears(other, one.id)]);
}

/** Waits until a seat receives the sound of another again, all of it new; returns when. */
async function comesAgain(viewer, sender) {
  const received = async () => (await viewer.stream(sender.id, "voice")).packetsReceived;
  const from = await received();
  await until(`${viewer.name} receives ${sender.name} again`, async () => (await received()) - from >= PACKETS, AGAIN_MS);
  return Date.now();
}
