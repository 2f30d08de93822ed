import assert from "node:assert/strict";
import { test } from "node:test";
import { openPage, seat, startChromium, startFirefox } from "./stage/pages.mjs";
import { refusal, row } from "./stage/results.mjs";
import { startScene } from "./stage/scene.mjs";
import { hears, over, seesAndHears } from "./stage/watching.mjs";

const SOURCES = { voice: { from: "device" }, camera: { from: "drawn", width: 320, height: 180, fps: 15 } };
/** As Firefox counts: TLS 1.3. */
const DTLS_1_3 = 772;
const CLIENTS = ["Chromium", "Firefox"];

test("changes of the network during a call", { timeout: 180_000 }, async (t) => {
  const { server, relay, link } = await startScene(t, { relayed: true });
  const seats = await seatBoth(t, server, link);
  const [chromium, firefox] = seats;
  await row(t, "Chromium", "new port behind a NAT", async () => {
    relay.rebind(await chromium.ufrag());
    await bothGoOn(seats);
  });
  const because = "it nominates a way only once, so until an ICE restart the server sends to the port that is gone";
  await refusal(t, "Firefox", "new port behind a NAT", because, async () => {
    relay.rebind(await firefox.ufrag());
    await hears(chromium, firefox.id);
    const { packetsReceived } = await over(firefox, chromium.id, "voice", 2_000);
    assert.equal(packetsReceived, 0);
    await firefox.restart();
    await bothGoOn(seats);
  });
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
  const { server, link } = await startScene(t);
  const firefox = await startFirefox(t, { "media.peerconnection.dtls.version.min": DTLS_1_3 });
  const page = await openPage(firefox, server);
  await refusal(t, "Firefox", "DTLS 1.3", "the server answers with DTLS 1.2, by which it is the one to choose AES-GCM", async () => {
    await assert.rejects(seat(page, link, "Firefox without DTLS 1.2", { sources: SOURCES }), /is connected/);
  });
});

async function seatBoth(test, server, link) {
  const browsers = await Promise.all([startChromium(test), startFirefox(test)]);
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
