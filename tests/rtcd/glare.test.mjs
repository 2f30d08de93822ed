import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "../browser/stage/media.mjs";
import { startChromium } from "../interop/stage/pages.mjs";
import { VIDEO_ON } from "./stage/plugin.mjs";
import { startCalls } from "./stage/scene.mjs";
import { BrowserUser, openPage } from "./stage/users.mjs";
import { hears, sees } from "./stage/watching.mjs";

// Clients that take no lock: what they begin crosses what the server offers. A browser puts its voice on an m-line of the server's, if it
// hears somebody by one.
for (const byChannel of [true, false]) {
  test(`who begins to speak amid an offer of the server is heard, ${byChannel ? "by the data channel" : "by the plugin"}`, { timeout: 120_000 }, async (t) => {
    const { server, plugin } = await startCalls(t, { udp: true });
    const page = await openPage(await startChromium(t), server);
    const enter = async (call, ...names) => {
      const users = names.map((name) => new BrowserUser(page, plugin, (call + name).padEnd(26, "0"), { byChannel, locking: false }));
      for (const user of users) {
        await user.enter(call.padEnd(26, "x"));
        await until("a channel", async () => (await user.state()).channel === "open");
      }
      return users;
    };
    const check = async (users) => {
      for (const user of users) {
        for (const other of users.filter((one) => one !== user)) await hears(user, other);
        const { faults, signalling } = await user.state();
        assert.deepEqual([faults, signalling], [[], "stable"]);
      }
    };

    await t.test("the offer is on its way", async () => {
      const [ana, ben] = await enter("one", "ana", "ben");
      await ana.speak();
      await hears(ben, ana);
      await ben.hold();
      plugin.rtc(ana.session, VIDEO_ON, { videoStreamID: await ana.draw({ width: 160, height: 90, fps: 5 }) });
      await ana.show();
      await until("an offer is on its way", async () => (await ben.heldOffers()) > 0);
      await ben.speak();
      await until("its own is, too", async () => (await ben.state()).signalling === "have-local-offer");
      await ben.release();
      await sees(ben, ana, "video");
      await check([ana, ben]);
    });

    await t.test("three at once", async () => {
      const users = await enter("two", "ana", "ben", "cho", "dan");
      await users[0].speak();
      await Promise.all(users.slice(1).map((user) => hears(user, users[0])));
      await Promise.all(users.slice(1).map((user) => user.speak()));
      await check(users);
    });
    assert.deepEqual(plugin.faults, []);
  });
}
