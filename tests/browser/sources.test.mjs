import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { idOf, joinByPage, openProfile, startBrowser } from "./stage/browser.mjs";
import { arriving, isSilent, receives, seesAndHears, until } from "./stage/media.mjs";
import { startServer } from "./stage/server.mjs";

/** What a receiver may make up itself where nothing arrives; a second of the fake microphone is a hundred times louder. */
const CONCEALMENT = 0.001;

test("what people send changes during a call", { timeout: 240_000 }, async (t) => {
  const server = await startServer(t);
  const browser = await startBrowser(t);
  const { room_id } = await server.admin.createRoom("Workshop");
  const { url } = await server.admin.invite(room_id, 10);
  const ana = await joinByPage(await openProfile(t, browser, server), url, "Ana");
  const ben = await joinByPage(await openProfile(t, browser, server), url, "Ben");
  const anaId = await idOf(ana);
  const benId = await idOf(ben);
  const button = (page, name) => page.getByRole("button", { name, exact: true });
  const hasScreen = async (page) => (await arriving(page)).some(({ source }) => source === "screen");
  await seesAndHears(ben, [anaId]);

  await t.test("who mutes is not heard until unmuted", async () => {
    await button(ana, "Mute").click();
    await ben.getByRole("listitem", { name: "Ana, muted" }).waitFor();
    const { ssrc } = await voiceOf(ben, anaId);
    await pause(1_000);
    const { totalAudioEnergy } = await voiceOf(ben, anaId);
    await isSilent(ben, [ssrc], 1_500);
    assert.ok((await voiceOf(ben, anaId)).totalAudioEnergy - totalAudioEnergy < CONCEALMENT);
    await receives(ben, anaId, "camera");
    await button(ana, "Unmute").click();
    await receives(ben, anaId, "voice");
  });

  await t.test("a camera goes off and on", async () => {
    await button(ana, "Turn camera off").click();
    await ben.getByRole("listitem", { name: "Ana, camera off" }).waitFor();
    await receives(ben, anaId, "voice");
    await button(ana, "Turn camera on").click();
    await ben.getByRole("listitem", { name: "Ana", exact: true }).waitFor();
    await receives(ben, anaId, "camera");
  });

  await t.test("a screen is shared, twice", async () => {
    for (let turn = 0; turn < 2; turn += 1) {
      await button(ana, "Share screen").click();
      await receives(ben, anaId, "screen");
      await ben.getByText("Ana shares a screen").waitFor();
      await button(ana, "Stop sharing").click();
      await until("the screen is gone", async () => !(await hasScreen(ben)));
    }
    await Promise.all([seesAndHears(ben, [anaId]), seesAndHears(ana, [benId])]);
  });

  await t.test("people come and go while a client renegotiates", async () => {
    const guests = async () => {
      for (let turn = 0; turn < 3; turn += 1) {
        const profile = await openProfile(t, browser, server);
        const guest = await joinByPage(profile, url, `Guest ${turn}`);
        await receives(guest, benId, "camera");
        if (turn < 2) await button(guest, "Leave").click();
        else return guest;
      }
    };
    const shares = async () => {
      for (let turn = 0; turn < 8; turn += 1) {
        await button(ana, "Share screen").click();
        await button(ana, "Stop sharing").waitFor();
        await pause(150 * (turn % 3));
        await button(ana, "Stop sharing").click();
        await button(ana, "Share screen").waitFor();
        await pause(100 * (turn % 4));
      }
    };
    const [guest] = await Promise.all([guests(), shares()]);
    const guestId = await idOf(guest);
    await Promise.all([
      seesAndHears(ana, [benId, guestId]),
      seesAndHears(ben, [anaId, guestId]),
      seesAndHears(guest, [anaId, benId]),
    ]);
    const connections = await ana.evaluate(() => window.recorded.connections.filter((one) => one.connectionState !== "closed").length);
    assert.equal(connections, 1);
  });

  await t.test("a guest who may only listen hears and sees", async () => {
    const quiet = await server.admin.invite(room_id, 1, []);
    const listener = await joinByPage(await openProfile(t, browser, server), quiet.url, "Listener");
    await seesAndHears(listener, [anaId, benId]);
    assert.equal(await button(listener, "Mute").count(), 0);
  });
});

async function voiceOf(page, participant) {
  return (await arriving(page)).find((one) => one.participant_id === participant && one.source === "voice");
}
