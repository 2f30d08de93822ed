import assert from "node:assert/strict";
import { test } from "node:test";
import { idOf, joinByPage, openProfile, startBrowser } from "./stage/browser.mjs";
import { arriving, fallsSilent, receives, until } from "./stage/media.mjs";
import { startServer } from "./stage/server.mjs";

test("a page says what it shows, and gets that", { timeout: 240_000 }, async (t) => {
  const server = await startServer(t);
  const browser = await startBrowser(t);
  const { room_id } = await server.admin.createRoom("Gallery");
  const { url } = await server.admin.invite(room_id, 5);
  const [ana, cyd, dan] = await Promise.all(
    ["Ana", "Cyd", "Dan"].map(async (name) => joinByPage(await openProfile(t, browser, server), url, name)),
  );
  const ben = await joinByPage(await openProfile(t, await startBrowser(t), server), url, "Ben");
  const ids = await Promise.all([ana, cyd, dan].map(idOf));
  const [anaId] = ids;
  const views = () =>
    ben.evaluate(() => window.recorded.sent.map((text) => JSON.parse(text)).filter(({ type }) => type === "view").map(({ tiles }) => tiles));
  const shown = async () => (await views()).at(-1)?.map(({ participant_id }) => participant_id).sort() ?? null;
  const shows = (what, wanted) => until(what, async () => JSON.stringify(await shown()) === JSON.stringify([...wanted].sort()));
  const speakers = () => ben.evaluate(() => JSON.parse(window.recorded.received.findLast((text) => /^{"type":"speaking"/.test(text))));
  const cameraOf = async (id) => (await arriving(ben)).find((one) => one.participant_id === id && one.source === "camera");

  await t.test("all that is in view, with its height", async () => {
    await shows("everybody is in view", ids);
    const tile = await ben.locator(`[data-participant="${anaId}"]`).boundingBox();
    const { height, source } = (await views()).at(-1).find(({ participant_id }) => participant_id === anaId);
    assert.equal(source, "camera");
    assert.ok(Math.abs(height - tile.height) <= 1, `${height} of ${tile.height}`);
    await Promise.all(ids.map((id) => receives(ben, id, "camera")));
  });

  await t.test("nobody looks: no pictures come, but sound does", async () => {
    const look = (hidden) =>
      ben.evaluate((value) => {
        Object.defineProperty(document, "hidden", { configurable: true, get: () => value });
        document.dispatchEvent(new Event("visibilitychange"));
      }, hidden);
    const cameras = await Promise.all(ids.map(cameraOf));
    await look(true);
    await shows("nothing is in view", []);
    await fallsSilent(ben, cameras.map(({ ssrc }) => ssrc));
    await receives(ben, anaId, "voice");
    await look(false);
    await shows("everybody is in view again", ids);
    await Promise.all(ids.map((id) => receives(ben, id, "camera")));
  });

  await t.test("on a phone the chat covers everybody", async () => {
    await ben.setViewportSize({ width: 390, height: 700 });
    await ben.keyboard.press("Alt+c");
    await shows("nothing is in view", []);
    await ben.keyboard.press("Escape");
    await until("the focus is back", () => ben.evaluate(() => "chatButton" in document.activeElement.dataset));
    await ben.setViewportSize({ width: 900, height: 600 });
    await shows("everybody is in view again", ids);
  });

  await t.test("who speaks is large; who is scrolled away is not sent", async () => {
    // So that the floor stays where it is.
    for (const page of [ana, ben, cyd, dan]) await page.getByRole("button", { name: "Mute", exact: true }).click();
    await until("it is silent", async () => (await speakers()).speaking.length === 0);
    await ben.getByRole("button", { name: "Show who speaks large" }).click();
    const large = await ben.locator('li[data-large="true"]').getAttribute("data-participant");
    const { active } = await speakers();
    // The beeps of the fake microphones are short: perhaps nobody has had it.
    assert.ok([large, await idOf(ben), null].includes(active), `${large} is large, ${active} has the floor`);
    // Room for one in the strip.
    await ben.setViewportSize({ width: 155, height: 600 });
    await until("one is out of view", async () => (await shown()).length === 2);
    const [tallest] = (await views()).at(-1);
    assert.equal(tallest.participant_id, large, "the most important first");
    const inView = await shown();
    const away = ids.find((id) => !inView.includes(id));
    const { ssrc } = await cameraOf(away);
    await fallsSilent(ben, [ssrc]);
    await ben.locator(`[data-participant="${away}"]`).scrollIntoViewIfNeeded();
    await until("it is in view", async () => (await shown()).includes(away));
    await receives(ben, away, "camera");
    await ben.setViewportSize({ width: 900, height: 600 });
    await ben.getByRole("button", { name: "Show everybody alike" }).click();
    await shows("everybody is in view again", ids);
  });

  await t.test("it is said when it changes, at most four times a second", async () => {
    const before = (await views()).length;
    const from = Date.now();
    for (let turn = 0; turn < 30; turn += 1) await ben.setViewportSize({ width: 900, height: 600 + turn * 5 });
    await ben.waitForTimeout(600);
    const seconds = (Date.now() - from) / 1_000;
    const said = (await views()).length - before;
    assert.ok(said >= 1 && said <= seconds * 4 + 1, `${said} in ${seconds} s`);
    const after = (await views()).length;
    await ben.waitForTimeout(1_000);
    assert.equal((await views()).length, after);
    const all = await views();
    for (let index = 1; index < all.length; index += 1) assert.notDeepEqual(all[index], all[index - 1]);
  });

  await t.test("who speaks is marked", async () => {
    await ana.getByRole("button", { name: "Unmute", exact: true }).click();
    await ben.locator(`[data-participant="${anaId}"][data-speaking="true"]`).waitFor();
    await ben.locator(`[data-participant="${anaId}"]`).getByText("speaking").waitFor({ state: "attached" });
    assert.equal(await ben.locator(`[data-participant="${ids[1]}"][data-speaking="true"]`).count(), 0, "who is muted does not speak");
  });

  await t.test("a camera goes in three qualities, and how it goes is told on demand", async () => {
    const rids = await ana.evaluate(async () => {
      const report = await window.recorded.connections.at(-1).getStats();
      return [...report.values()].filter(({ type, rid }) => type === "outbound-rtp" && rid).map(({ rid }) => rid);
    });
    assert.deepEqual(rids.sort(), ["h", "l", "m"]);
    await ben.locator(`[data-participant="${anaId}"]`).hover();
    await ben.getByRole("button", { name: "Connection of Ana" }).click();
    const card = ben.getByRole("region", { name: "Connection of Ana" });
    await card.getByText(/\d+\s×\s\d+, \d+\sfps, [\d.]+\s.bit\/s/).waitFor();
    await ben.keyboard.press("Escape");
    await card.waitFor({ state: "detached" });
  });
});
