import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { idOf, inCall, join, joinByPage, openProfile, startBrowser } from "./stage/browser.mjs";
import { isSilent, seesAndHears, ssrcsOf } from "./stage/media.mjs";
import { startServer } from "./stage/server.mjs";

test("three join by the pages, one reloads, one is removed", { timeout: 180_000 }, async (t) => {
  const server = await startServer(t);
  const profiles = [];
  for (let count = 0; count < 3; count += 1) {
    profiles.push(await openProfile(t, await startBrowser(t), server));
  }

  const console_ = await profiles[0].newPage();
  await console_.goto(server.signInLink);
  await console_.getByRole("heading", { name: "Rooms", exact: true }).waitFor();
  assert.equal(console_.url(), `${server.origin}/`, "the link's secret leaves the address bar");
  await console_.getByLabel("Room name").fill("Stand-up");
  await console_.getByRole("button", { name: "Create room" }).click();
  await console_.getByLabel("How many people").fill("3");
  await console_.getByRole("button", { name: "Create invite" }).click();
  const link = await console_.getByLabel("Invite link").inputValue();
  await console_.goto("about:blank");

  const pages = await Promise.all(["Ana", "Ben", "Cyd"].map((name, index) => joinByPage(profiles[index], link, name)));
  const ids = await Promise.all(pages.map(idOf));
  assert.equal(new Set(ids).size, 3);
  const roomId = new URL(link).pathname.split("/").at(-1);
  for (const page of pages) assert.equal(page.url(), `${server.origin}/r/${roomId}`, "the invite leaves the address bar");

  await t.test("each sees and hears the two others", async () => {
    await Promise.all(pages.map((page, own) => seesAndHears(page, ids.filter((_, index) => index !== own))));
  });

  await t.test("one reloads and is back as the same participant", async () => {
    await pages[1].reload();
    await inCall(pages[1]);
    assert.equal(await idOf(pages[1]), ids[1]);
    await Promise.all(pages.map((page, own) => seesAndHears(page, ids.filter((_, index) => index !== own))));
    const { participants } = await server.admin.room(roomId);
    assert.deepEqual(participants.map(({ participant_id }) => participant_id).sort(), [...ids].sort());
  });

  await t.test("one is removed and its media stops within a second", async () => {
    const streams = await Promise.all([pages[0], pages[1]].map((page) => ssrcsOf(page, ids[2])));
    for (const ssrcs of streams) assert.equal(ssrcs.length, 2);
    await server.admin.remove(roomId, ids[2]);
    await pause(1_000);
    await Promise.all([isSilent(pages[0], streams[0], 1_500), isSilent(pages[1], streams[1], 1_500)]);
    await pages[2].getByRole("heading", { name: "A moderator removed you from the call." }).waitFor();
    await seesAndHears(pages[0], [ids[1]]);
    await seesAndHears(pages[1], [ids[0]]);
  });

  await t.test("who was removed does not come back with the old session", async () => {
    await pages[2].reload();
    await pages[2].getByRole("heading", { name: "You need an invite link" }).waitFor();
  });

  await t.test("who leaves may come again by another invite", async () => {
    await pages[1].getByRole("button", { name: "Leave", exact: true }).click();
    await pages[1].getByRole("heading", { name: "You left the call." }).waitFor();
    const { url } = await server.admin.invite(roomId, 1);
    await pages[1].goto(url);
    await join(pages[1], "Ben again");
    assert.notEqual(await idOf(pages[1]), ids[1]);
    await seesAndHears(pages[0], [await idOf(pages[1])]);
  });
});
