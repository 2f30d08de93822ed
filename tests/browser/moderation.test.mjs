import assert from "node:assert/strict";
import { test } from "node:test";
import { inCall, joinByPage, openProfile, startBrowser } from "./stage/browser.mjs";
import { until } from "./stage/media.mjs";
import { startServer } from "./stage/server.mjs";

test("an operator joins from the console and moderates", { timeout: 120_000 }, async (t) => {
  const server = await startServer(t);
  const browser = await startBrowser(t);
  const { room_id } = await server.admin.createRoom("Hearing");
  const { url, invite_id } = await server.admin.invite(room_id, 3);
  const guests = [];
  for (const name of ["Ana", "Ben", "Cyd"]) {
    guests.push(await joinByPage(await openProfile(t, browser, server), url, name));
  }
  // The console learns from a 404 that its room has ended, and the browser reports it.
  const profile = await openProfile(t, browser, server, { expected: /404.*\/v1\/admin\/rooms\// });
  const operator = await profile.newPage();
  const console_ = await profile.newPage();
  await console_.goto(server.signInLink);
  await console_.getByRole("link", { name: "Hearing" }).click();

  await t.test("the console shows who is in the call and what happened", async () => {
    await console_.getByRole("list", { name: "In the call" }).getByText("Cyd").waitFor();
    await console_.getByRole("cell", { name: "3 of 3" }).waitFor();
    await until("the record tells of the room", async () => (await console_.locator("time").count()) > 0);
  });

  await t.test("a sign-in link works once", async () => {
    const again = await (await openProfile(t, browser, server, { expected: /403/ })).newPage();
    await again.goto(server.signInLink);
    await again.getByText("This sign-in link was used already or has run out.").waitFor();
  });

  await t.test("the operator joins and removes somebody", async () => {
    await operator.goto(`${server.origin}/#room=${room_id}`);
    await operator.getByRole("button", { name: "Join this room" }).click();
    await operator.getByLabel("Your name").fill("Operator");
    await operator.getByRole("button", { name: "Join", exact: true }).click();
    await inCall(operator);
    await operator.getByRole("button", { name: "Remove Ana" }).click();
    await operator.getByRole("dialog").getByRole("button", { name: "Remove", exact: true }).click();
    await guests[0].getByRole("heading", { name: "A moderator removed you from the call." }).waitFor();
    assert.equal(await guests[1].getByRole("button", { name: /^Remove/ }).count(), 0, "guests do not moderate");
  });

  await t.test("the console removes somebody too", async () => {
    await console_.getByRole("button", { name: "Remove Ben" }).click();
    await guests[1].getByRole("heading", { name: "A moderator removed you from the call." }).waitFor();
  });

  await t.test("a revoked invite ends the sessions that came by it", async () => {
    await server.admin.revoke(room_id, invite_id);
    await guests[2].getByRole("heading", { name: "The invite that you came by was withdrawn." }).waitFor();
  });

  await t.test("the operator ends the call for everybody", async () => {
    const { url: another } = await server.admin.invite(room_id, 1);
    const last = await joinByPage(await openProfile(t, browser, server), another, "Dan");
    await operator.getByRole("button", { name: "End for everybody" }).click();
    await operator.getByRole("dialog").getByRole("button", { name: "End the call" }).click();
    for (const page of [operator, last]) await page.getByRole("heading", { name: "The call was ended for everybody." }).waitFor();
    await console_.getByRole("heading", { name: "This room was ended" }).waitFor();
  });
});
