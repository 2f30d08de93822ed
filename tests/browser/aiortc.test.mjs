import assert from "node:assert/strict";
import { test } from "node:test";
import { aiortcSeesAndHears, joinByAiortc } from "./stage/aiortc.mjs";
import { idOf, joinByPage, openProfile, startBrowser } from "./stage/browser.mjs";
import { seesAndHears, until } from "./stage/media.mjs";
import { startServer } from "./stage/server.mjs";

test("aiortc and Chromium see and hear each other", { timeout: 120_000 }, async (t) => {
  const server = await startServer(t);
  const { room_id } = await server.admin.createRoom("Mixed");
  const { url } = await server.admin.invite(room_id, 2);
  const page = await joinByPage(await openProfile(t, await startBrowser(t), server), url, "Chromium");
  const client = await joinByAiortc(t, url, "aiortc");
  await Promise.all([seesAndHears(page, [client.participantId]), aiortcSeesAndHears(client, await idOf(page))]);
  client.leave();
  await until("aiortc has left", async () => (await server.admin.room(room_id)).participants.length === 1);
});

test("two aiortc clients see and hear each other", { timeout: 120_000 }, async (t) => {
  const server = await startServer(t);
  const { room_id } = await server.admin.createRoom("Python only");
  const { url } = await server.admin.invite(room_id, 2);
  const clients = [await joinByAiortc(t, url, "One"), await joinByAiortc(t, url, "Two")];
  const ids = clients.map(({ participantId }) => participantId);
  assert.notEqual(ids[0], ids[1]);
  await Promise.all([aiortcSeesAndHears(clients[0], ids[1]), aiortcSeesAndHears(clients[1], ids[0])]);
});
