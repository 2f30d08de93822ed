import assert from "node:assert/strict";
import { test } from "node:test";
import { idOf, inCall, joinByPage, openProfile, startBrowser } from "./stage/browser.mjs";
import { seesAndHears } from "./stage/media.mjs";
import { startServer } from "./stage/server.mjs";

test("two tabs of one browser are two participants", { timeout: 120_000 }, async (t) => {
  const server = await startServer(t);
  const profile = await openProfile(t, await startBrowser(t), server);
  const { room_id } = await server.admin.createRoom("Twins");
  const { url } = await server.admin.invite(room_id, 2);
  const pages = [await joinByPage(profile, url, "One"), await joinByPage(profile, url, "Two")];
  const ids = await Promise.all(pages.map(idOf));
  assert.notEqual(ids[0], ids[1]);
  await Promise.all([seesAndHears(pages[0], [ids[1]]), seesAndHears(pages[1], [ids[0]])]);

  await t.test("each comes back as itself", async () => {
    for (const index of [1, 0]) {
      await pages[index].reload();
      await inCall(pages[index]);
      assert.equal(await idOf(pages[index]), ids[index]);
    }
    await Promise.all([seesAndHears(pages[0], [ids[1]]), seesAndHears(pages[1], [ids[0]])]);
  });

  await t.test("a closed tab's session is there for the same link", async () => {
    await pages[0].close();
    const back = await joinByPage(profile, url, "One");
    assert.equal(await idOf(back), ids[0]);
    await seesAndHears(back, [ids[1]]);
  });
});

test("an invite under another room's address opens its own, also after a reload", { timeout: 120_000 }, async (t) => {
  const server = await startServer(t);
  const profile = await openProfile(t, await startBrowser(t), server);
  const { room_id } = await server.admin.createRoom("Right");
  const { url } = await server.admin.invite(room_id, 1);
  const page = await joinByPage(profile, url.replace(room_id, "0".repeat(32)), "Ana");
  assert.equal(new URL(page.url()).pathname, `/r/${room_id}`);
  const id = await idOf(page);
  await page.reload();
  await inCall(page);
  assert.equal(await idOf(page), id);
});
