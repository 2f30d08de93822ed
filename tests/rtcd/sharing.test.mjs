import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "../browser/stage/media.mjs";
import { startChromium } from "../interop/stage/pages.mjs";
import { SCREEN_OFF, SCREEN_ON } from "./stage/plugin.mjs";
import { startCalls } from "./stage/scene.mjs";
import { BrowserUser, openPage } from "./stage/users.mjs";
import { hears, isTold, sees } from "./stage/watching.mjs";

const CALL = "x".repeat(26);
const TIMES = 300;
/** Without an end of those that are used no more there would be more than times. */
const MANY_LINES = 80;

test("a screen is shared and put away all day", { timeout: 420_000 }, async (t) => {
  const { server, plugin } = await startCalls(t, { udp: true });
  const page = await openPage(await startChromium(t), server);
  const [sharer, viewer] = ["ana", "ben"].map(
    (name) => new BrowserUser(page, plugin, name.padEnd(26, "0"), { byChannel: true, locking: true }),
  );
  for (const user of [sharer, viewer]) {
    await user.enter(CALL);
    await until("a channel", async () => (await user.state()).channel === "open");
  }
  await sharer.speak();
  await sharer.draw({ width: 320, height: 180, fps: 10 });
  for (let time = 0; time < TIMES; time += 1) {
    plugin.rtc(sharer.session, SCREEN_ON, { screenStreamID: await sharer.pick({ withSound: time % 5 === 0 }) });
    await sharer.show();
    if (time % 100 === 0) await sees(viewer, sharer, "screen");
    plugin.rtc(sharer.session, SCREEN_OFF);
    await sharer.hide();
  }
  await isTold(viewer, sharer, "screen");
  await isTold(viewer, sharer, "screen-audio");
  plugin.rtc(sharer.session, SCREEN_ON, { screenStreamID: await sharer.pick({ withSound: true }) });
  await sharer.show();
  await sees(viewer, sharer, "screen");
  await hears(viewer, sharer, "screen-audio");
  await hears(viewer, sharer);
  for (const user of [sharer, viewer]) {
    const { lines, faults, connection } = await user.state();
    t.diagnostic(`${lines} m-lines`);
    assert.ok(lines < MANY_LINES, `${lines} m-lines`);
    assert.deepEqual([faults, connection], [[], "connected"]);
  }
  assert.deepEqual(plugin.faults, []);
});
