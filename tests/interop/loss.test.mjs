import assert from "node:assert/strict";
import { test } from "node:test";
import { openPage, seat, startChromium, startFirefox } from "./stage/pages.mjs";
import { row } from "./stage/results.mjs";
import { startScene } from "./stage/scene.mjs";
import { over, seesAndHears } from "./stage/watching.mjs";

const SOURCES = { voice: { from: "device" }, camera: { from: "drawn", width: 640, height: 360, fps: 15 } };
const MEASURED_MS = 10_000;
/**
 * Share of datagrams lost in each direction, the least frames a second of 15 sent, the longest standing still, and the least share of the
 * packets of sound: nobody asks for them again, so that about (1 - loss)² of them arrive.
 */
const ROWS = [
  { loss: 0.03, frames: 7, stillS: 4, sound: 0.85 },
  { loss: 0.1, frames: 4, stillS: 7, sound: 0.7 },
];

test("browsers behind a link that loses", { timeout: 180_000 }, async (t) => {
  const { server, relay, link } = await startScene(t, { relayed: true });
  const seats = [];
  for (const browser of await Promise.all([startChromium(t), startFirefox(t)])) {
    seats.push(await seat(await openPage(browser, server), link, browser.name, { sources: SOURCES }));
  }
  const [chromium, firefox] = seats;
  await Promise.all([seesAndHears(chromium, firefox.id), seesAndHears(firefox, chromium.id)]);

  for (const { loss, frames, stillS, sound } of ROWS) {
    await t.test(`${loss * 100} % are lost`, async (inner) => {
      relay.shape({ up: { loss, delay: 20, jitter: 10 }, down: { loss, delay: 20, jitter: 10 } });
      const measured = await Promise.all([measure(chromium, firefox), measure(firefox, chromium)]);
      for (const [at, { name }] of seats.entries()) {
        const { camera, voice, spoken } = measured[at];
        inner.diagnostic(`${name}: ${JSON.stringify(pick(camera))} ${JSON.stringify(pick(voice))} of ${spoken}`);
        await row(inner, name, `${loss * 100} % loss`, () => {
          assert.ok(camera.framesDecoded >= (frames * MEASURED_MS) / 1_000, `${camera.framesDecoded} frames`);
          assert.ok((camera.totalFreezesDuration ?? 0) <= stillS, `${camera.totalFreezesDuration} s still`);
          assert.ok(camera.nackCount + camera.pliCount > 0, "nothing was asked for again");
          assert.ok(voice.totalAudioEnergy > 0, "no sound");
          assert.ok(voice.packetsReceived >= sound * spoken, `${voice.packetsReceived} packets of sound of ${spoken}`);
        });
      }
    });
  }
});

/** What a seat receives of another during the time, and how many packets of sound that one sends. */
async function measure(viewer, sender) {
  const said = async () => (await sender.leaving()).find(({ kind }) => kind === "audio").packetsSent;
  const before = await said();
  const [camera, voice] = await Promise.all([over(viewer, sender.id, "camera", MEASURED_MS), over(viewer, sender.id, "voice", MEASURED_MS)]);
  return { camera, voice, spoken: (await said()) - before };
}

function pick(grown) {
  const of = ["framesDecoded", "freezeCount", "totalFreezesDuration", "nackCount", "pliCount", "retransmittedPacketsReceived", "packetsLost", "packetsReceived", "concealedSamples", "totalSamplesReceived", "keyFramesDecoded"];
  return Object.fromEntries(of.filter((name) => name in grown).map((name) => [name, Math.round(grown[name] * 100) / 100]));
}
