import assert from "node:assert/strict";
import { test } from "node:test";
import { idOf, inCall, join, joinByPage, openProfile, startBrowser } from "./stage/browser.mjs";
import { receives, seesAndHears, until } from "./stage/media.mjs";
import { startServer } from "./stage/server.mjs";

test("what breaks comes back by itself", { timeout: 180_000 }, async (t) => {
  const server = await startServer(t);
  const browser = await startBrowser(t);
  const { room_id } = await server.admin.createRoom("Weather");
  const { url } = await server.admin.invite(room_id, 5);
  const ana = await joinByPage(await openProfile(t, browser, server), url, "Ana");
  const ben = await joinByPage(await openProfile(t, browser, server), url, "Ben");
  const ids = [await idOf(ana), await idOf(ben)];
  await Promise.all([seesAndHears(ana, [ids[1]]), seesAndHears(ben, [ids[0]])]);

  await t.test("a socket breaks: the media goes on over the same connection", async () => {
    await ana.evaluate(() => window.recorded.sockets.at(-1).close());
    await until("Ana is welcome again", () => ana.evaluate(() => window.recorded.received.filter((text) => /"welcome"/.test(text)).length === 2));
    await inCall(ana);
    await Promise.all([seesAndHears(ana, [ids[1]]), seesAndHears(ben, [ids[0]])]);
    assert.equal(await ana.evaluate(() => window.recorded.connections.length), 1);
    assert.equal(await idOf(ana), ids[0]);
  });

  await t.test("the network changes: the media looks for another way over the same connection", async () => {
    const ways = () => ana.evaluate(() => window.recorded.sent.flatMap((text) => /a=ice-ufrag:(\S+?)\\r/.exec(text)?.[1] ?? []));
    const answers = () => ana.evaluate(() => window.recorded.received.filter((text) => /^{"type":"answer"/.test(text)).length);
    const before = await answers();
    const [first] = await ways();
    await ana.evaluate(() => window.dispatchEvent(new Event("online")));
    await until("Ana is answered", async () => (await answers()) > before);
    assert.notEqual((await ways()).at(-1), first);
    await Promise.all([seesAndHears(ana, [ids[1]]), seesAndHears(ben, [ids[0]])]);
    assert.equal(await ana.evaluate(() => window.recorded.connections.length), 1);
    await inCall(ana);
  });

  await t.test("a media connection breaks: another takes its place", async () => {
    await ana.evaluate(() => window.recorded.connections.at(-1).close());
    // A connection that the page closes itself tells it nothing: the server does.
    await until("Ana has another", () => ana.evaluate(() => window.recorded.connections.length > 1));
    await inCall(ana);
    await Promise.all([seesAndHears(ana, [ids[1]]), seesAndHears(ben, [ids[0]])]);
  });

  await t.test("who has no camera and no microphone joins to listen, and is back after a reload", async () => {
    const page = await (await openProfile(t, await startBrowser(t, { devices: false }), server)).newPage();
    await page.goto(url);
    await page.getByText("You can join all the same, to listen and watch.").waitFor();
    await join(page, "Eve");
    const id = await idOf(page);
    await ben.getByRole("listitem", { name: "Eve, muted, camera off" }).waitFor();
    await receives(page, ids[0], "camera");
    await page.getByRole("button", { name: "Unmute", exact: true }).click();
    await page.getByText("Your microphone was not found").waitFor();
    await page.reload();
    await inCall(page);
    assert.equal(await idOf(page), id);
    await receives(page, ids[0], "camera");
    // Without a microphone in use a reloaded page may need a click before it makes a sound: it says so.
    const sound = page.getByRole("button", { name: "Turn on sound" });
    if (await sound.isVisible()) await sound.click();
    await receives(page, ids[0], "voice");
  });
});
