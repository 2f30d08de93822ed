import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { aiortcSeesAndHears, joinByAiortc } from "../browser/stage/aiortc.mjs";
import { until } from "../browser/stage/media.mjs";
import { openPage, seat, startChromium } from "./stage/pages.mjs";
import { row, version } from "./stage/results.mjs";
import { startScene } from "./stage/scene.mjs";
import { seesAndHears } from "./stage/watching.mjs";
import { joinByWerift } from "./stage/werift.mjs";

const SOURCES = { voice: { from: "device" }, camera: { from: "drawn", width: 320, height: 180, fps: 15 } };
const LOSSES = [0.03, 0.1];

test("clients that are no browsers, first on a good link, then on bad ones", { timeout: 180_000 }, async (t) => {
  const { server, relay, link } = await startScene(t, { relayed: true });
  const chromium = await seat(await openPage(await startChromium(t), server), link, "Chromium", { sources: SOURCES });
  const aiortc = await joinByAiortc(t, link, "aiortc");
  const werift = await joinByWerift(t, link, "werift");
  werift.echoes = chromium.id;
  await version("aiortc", await pinned("../browser/requirements.txt", /^aiortc==(\S+)/m));
  await version("werift", await pinned("package.json", /"werift": "(\S+)"/));

  await row(t, "aiortc", "voice and camera", () =>
    Promise.all([seesAndHears(chromium, aiortc.participantId), aiortcSeesAndHears(aiortc, chromium.id)]).then(() => {}),
  );
  await row(t, "werift", "voice and camera", async () => {
    await Promise.all([weriftReceives(werift, chromium.id), seesAndHears(chromium, werift.id)]);
    return "it sends back what it receives, and Chromium decodes that";
  });
  for (const loss of LOSSES) {
    relay.shape({ up: { loss, delay: 20 }, down: { loss, delay: 20 } });
    await row(t, "aiortc", `${loss * 100} % loss`, () =>
      Promise.all([seesAndHears(chromium, aiortc.participantId), aiortcSeesAndHears(aiortc, chromium.id)]).then(() => {}),
    );
    await row(t, "werift", `${loss * 100} % loss`, async () => {
      const { repaired } = werift.received[chromium.id].camera;
      await weriftReceives(werift, chromium.id);
      await until("what was lost comes again", async () => werift.received[chromium.id].camera.repaired > repaired);
      return "it asks for a lost packet during 50 ms only, so some stay lost";
    });
  }
  assert.deepEqual(werift.client.faults, []);
});

/** Waits for new packets of both sources, and a picture to begin with. */
async function weriftReceives(werift, participant) {
  const of = (source) => werift.received[participant]?.[source]?.packets ?? 0;
  const from = { voice: of("voice"), camera: of("camera") };
  await until(`werift receives ${participant}`, async () => {
    const whole = (werift.received[participant]?.camera?.keyFrames ?? 0) > 0;
    return whole && of("voice") - from.voice >= 50 && of("camera") - from.camera >= 50;
  });
}

async function pinned(file, pattern) {
  return pattern.exec(await readFile(new URL(file, import.meta.url), "utf8"))[1];
}
