import assert from "node:assert/strict";
import { test } from "node:test";
import { openPage, seat, startChromium, startFirefox } from "./stage/pages.mjs";
import { refusal, row, version } from "./stage/results.mjs";
import { startScene } from "./stage/scene.mjs";
import { hears, sees, seesAndHears } from "./stage/watching.mjs";

const BOTH = { voice: { from: "device" }, camera: { from: "device" } };
/** Chromium's own screen and sound; headless Firefox has neither, so there a canvas stands for them. */
const SCREENS = [
  { screen: { from: "display" }, "screen-audio": { from: "display" } },
  { screen: { from: "drawn", width: 800, height: 600, fps: 5 }, "screen-audio": { from: "drawn" } },
];
const CODECS = ["VP8", "VP9", "H264", "AV1"];

test("browsers on a good network", { timeout: 240_000 }, async (t) => {
  const { server, link } = await startScene(t);
  const browsers = await Promise.all([startChromium(t), startFirefox(t)]);
  const pages = [];
  for (const browser of browsers) {
    await version(browser.name, browser.version);
    pages.push(await openPage(browser, server));
  }
  const [chromium, firefox] = pages;
  const viewers = [await seat(chromium, link, "Chromium's viewer"), await seat(firefox, link, "Firefox's viewer")];

  await t.test("voice and camera", async (inner) => {
    const seats = [await seat(chromium, link, "Chromium", { sources: BOTH }), await seat(firefox, link, "Firefox", { sources: BOTH })];
    await row(inner, "Chromium", "voice and camera", () => seesAndHears(seats[0], seats[1].id));
    await row(inner, "Firefox", "voice and camera", () => seesAndHears(seats[1], seats[0].id));
    for (const [at, client] of ["Chromium", "Firefox"].entries()) {
      await row(inner, client, "DTLS 1.2", async () => {
        const { tlsVersion, srtpCipher } = await seats[at].transport();
        assert.equal(tlsVersion, "FEFD");
        assert.equal(srtpCipher, "SRTP_AEAD_AES_256_GCM");
        return "AES-256-GCM";
      });
    }
    await Promise.all(seats.map((one) => one.leave()));
  });

  for (const codec of CODECS) {
    await t.test(codec, (inner) => codecRows(inner, codec, { link, pages, viewers }));
  }

  await t.test("screen share with sound", async (inner) => {
    for (const [at, client] of ["Chromium", "Firefox"].entries()) {
      await row(inner, client, "screen share with sound", async () => {
        const one = await seat(pages[at], link, client, { sources: BOTH });
        await one.add(SCREENS[at]);
        for (const viewer of viewers) {
          await Promise.all([seesAndHears(viewer, one.id), sees(viewer, one.id, "screen"), hears(viewer, one.id, "screen-audio")]);
        }
        await one.leave();
      });
    }
  });

  await t.test("nobody was refused anything", async () => {
    for (const viewer of viewers) assert.deepEqual(await viewer.faults(), []);
  });
});

/** Chromium sends to both, Firefox sends to Chromium. */
async function codecRows(t, codec, { link, pages, viewers }) {
  const mime = `video/${codec}`;
  const sources = { camera: { from: "device", codec: mime } };
  const [chromium, firefox] = pages;
  const sender = await seat(chromium, link, `Chromium with ${codec}`, { sources });
  await row(t, "Chromium", codec, () => sees(viewers[0], sender.id, "camera", mime).then(() => {}));
  if (codec === "H264") {
    await refusal(t, "Firefox", codec, "Firefox has H.264 only with its OpenH264 plug-in, which is not in Debian's package", async () => {
      const mimes = await firefox.evaluate(() => RTCRtpReceiver.getCapabilities("video").codecs.map(({ mimeType }) => mimeType));
      assert.ok(!mimes.includes(mime));
    });
  } else {
    await row(t, "Firefox", codec, async () => {
      await sees(viewers[1], sender.id, "camera", mime);
      const other = await seat(firefox, link, `Firefox with ${codec}`, { sources });
      await sees(viewers[0], other.id, "camera", mime);
      await other.leave();
    });
  }
  await sender.leave();
}
