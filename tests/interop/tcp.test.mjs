import assert from "node:assert/strict";
import { test } from "node:test";
import { openPage, seat, startChromium, startFirefox } from "./stage/pages.mjs";
import { row } from "./stage/results.mjs";
import { startScene } from "./stage/scene.mjs";
import { seesAndHears } from "./stage/watching.mjs";

const SOURCES = { voice: { from: "device" }, camera: { from: "drawn", width: 320, height: 180, fps: 15 } };

test("no UDP datagram gets through", { timeout: 120_000 }, async (t) => {
  const { server, relay, link } = await startScene(t, { relayed: true, tcp: true });
  relay.shape({ up: { loss: 1 }, down: { loss: 1 } });
  const seats = [];
  for (const browser of await Promise.all([startChromium(t), startFirefox(t)])) {
    seats.push(await seat(await openPage(browser, server), link, browser.name, { sources: SOURCES }));
  }
  for (const [at, { name }] of seats.entries()) {
    await row(t, name, "ICE-TCP alone", async () => {
      await seesAndHears(seats[at], seats[1 - at].id);
      assert.equal((await seats[at].transport()).protocol, "tcp");
    });
  }
});
