import assert from "node:assert/strict";
import { test } from "node:test";
import { idOf, inCall, joinByPage, openProfile, startBrowser } from "./stage/browser.mjs";
import { seesAndHears, until } from "./stage/media.mjs";
import { startServer } from "./stage/server.mjs";

test("kill -9 in the middle of a call, and a restart", { timeout: 180_000 }, async (t) => {
  const server = await startServer(t);
  const browser = await startBrowser(t);
  // While the server is away the browser itself reports every try.
  const expected = /WebSocket connection|ERR_CONNECTION_REFUSED/;
  const { room_id } = await server.admin.createRoom("Standing");
  await server.admin.createRoom("Empty");
  const { url, invite_id } = await server.admin.invite(room_id, 3);
  const withdrawn = await server.admin.invite(room_id, 5, ["speak"]);
  await server.admin.revoke(room_id, withdrawn.invite_id);
  const pages = [];
  for (const name of ["Ana", "Ben"]) {
    pages.push(await joinByPage(await openProfile(t, browser, server, { expected }), url, name));
  }
  const ids = await Promise.all(pages.map(idOf));
  await Promise.all([seesAndHears(pages[0], [ids[1]]), seesAndHears(pages[1], [ids[0]])]);
  const before = await truth(server, room_id);
  assert.equal(before.invites.find((invite) => invite.invite_id === invite_id).used, 2);

  await server.kill();
  for (const page of pages) await page.getByRole("status").filter({ hasText: "Reconnecting" }).waitFor();
  await server.start();

  await t.test("rooms, invites and audit record are intact", async () => {
    const after = await truth(server, room_id);
    assert.deepEqual(after.rooms, before.rooms);
    assert.deepEqual(after.invites, before.invites);
    assert.deepEqual(after.audit.slice(-before.audit.length), before.audit);
  });

  await t.test("the clients are back in the call by themselves", async () => {
    await Promise.all(pages.map(inCall));
    await Promise.all([seesAndHears(pages[0], [ids[1]]), seesAndHears(pages[1], [ids[0]])]);
    assert.deepEqual(await Promise.all(pages.map(idOf)), ids);
    await until("both are in the room", async () => (await server.admin.room(room_id)).participants.length === 2);
  });

  await t.test("the invite has the use that was left, and no more", async () => {
    const third = await joinByPage(await openProfile(t, browser, server), url, "Cyd");
    await seesAndHears(third, ids);
    const late = await (await openProfile(t, browser, server, { expected: /403/ })).newPage();
    await late.goto(url);
    await late.getByLabel("Your name").fill("Late");
    await late.getByRole("button", { name: "Join", exact: true }).click();
    await late.getByText("This invite link does not open the room.").waitFor();
  });
});

/** What must survive. Who is in a call is not part of it. */
async function truth(server, roomId) {
  const { rooms } = await server.admin.rooms();
  const { invites } = await server.admin.room(roomId);
  const { records } = await server.admin.audit();
  return { rooms: rooms.map(({ room_id, name, created_at }) => ({ room_id, name, created_at })), invites, audit: records };
}
