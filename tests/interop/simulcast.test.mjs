import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { test } from "node:test";
import { until } from "../browser/stage/media.mjs";
import { openPage, seat, startChromium, startFirefox } from "./stage/pages.mjs";
import { row } from "./stage/results.mjs";
import { startScene } from "./stage/scene.mjs";
import { sees, seesHeight } from "./stage/watching.mjs";

/** 540, 270 and 135 lines: Chromium sends no third layer of less. Few frames and bits, for the sake of busy machines. */
const CAMERA = {
  from: "drawn",
  width: 960,
  height: 540,
  fps: 7,
  layers: [
    { rid: "l", scaleResolutionDownBy: 4, maxBitrate: 50_000 },
    { rid: "m", scaleResolutionDownBy: 2, maxBitrate: 120_000 },
    { rid: "h", scaleResolutionDownBy: 1, maxBitrate: 350_000 },
  ],
};
const HIGH = (height) => height > 400;
const LOW = (height) => height < 200;
const MIDDLE = (height) => !HIGH(height) && !LOW(height);
/** What a page shows, and what it is then sent. */
const VIEWS = [
  [540, HIGH],
  [120, LOW],
  [270, MIDDLE],
];

test("layers, sent and chosen", { timeout: 180_000 }, async (t) => {
  const { server, link } = await startScene(t);
  const pages = [];
  for (const browser of await Promise.all([startChromium(t), startFirefox(t)])) pages.push(await openPage(browser, server));
  const clients = ["Chromium", "Firefox"];
  const viewers = [];
  for (const [at, client] of clients.entries()) viewers.push(await seat(pages[at], link, `${client}'s viewer`));

  for (const [at, client] of clients.entries()) {
    const sender = await seat(pages[at], link, client, { sources: { camera: CAMERA } });
    const shows = (viewer, height) => viewer.view([{ participant_id: sender.id, source: "camera", height }]);
    await row(t, client, "simulcast", async () => {
      await until("three layers are sent", async () => {
        const flowing = (await sender.leaving()).filter(({ kind, framesEncoded = 0 }) => kind === "video" && framesEncoded > 0);
        return flowing.length === 3;
      });
      for (const viewer of viewers) {
        for (const [height, fits] of VIEWS) {
          await shows(viewer, height);
          await seesHeight(viewer, sender.id, fits);
          await sees(viewer, sender.id);
        }
      }
    });
    for (const viewer of viewers) await viewer.view(null);
    await sender.leave();
  }

  const sender = await seat(pages[0], link, "The sender", { sources: { camera: CAMERA } });
  for (const [at, client] of clients.entries()) {
    await row(t, client, "layers by view", async (inner) => {
      const viewer = viewers[at];
      const shows = (height) => viewer.view([{ participant_id: sender.id, source: "camera", height }]);
      await shows(540);
      await seesHeight(viewer, sender.id, HIGH);
      const { freezeCount: before } = await viewer.stream(sender.id, "camera");
      await shows(120);
      const down = await seesHeight(viewer, sender.id, LOW);
      await shows(540);
      const up = await seesHeight(viewer, sender.id, HIGH);
      const { freezeCount: after, ssrc } = await sees(viewer, sender.id);
      inner.diagnostic(`${client}: down after ${down} ms, up after ${up} ms, ${after - before} freezes`);
      await viewer.view([]);
      await until("what is not shown is not sent", async () => {
        const from = (await viewer.stream(sender.id, "camera")).packetsReceived;
        await pause(500);
        return (await viewer.stream(sender.id, "camera")).packetsReceived === from;
      });
      await shows(540);
      assert.equal((await sees(viewer, sender.id)).ssrc, ssrc, "one stream all along");
    });
  }
  for (const viewer of viewers) assert.deepEqual(await viewer.faults(), []);
});
