import assert from "node:assert/strict";
import { test } from "node:test";
import { openProfile as openConsole, startBrowser } from "../browser/stage/browser.mjs";
import { until } from "../browser/stage/media.mjs";
import { startFace } from "./stage/face.mjs";
import { isOnline, join, openProfile } from "./stage/pages.mjs";

test("an operator makes a channel in the console, invites, sees who is there, and sends them away", { timeout: 120_000 }, async (t) => {
  const face = await startFace(t);
  const browser = await startBrowser(t);
  // What is no setting is refused, and the page of a channel that is removed may ask for it once more.
  const asked = { expected: /status of 40[04].*\/v1\/admin\/channels\// };
  const page = await (await openConsole(t, browser, face.server, asked)).newPage();
  await page.goto(face.server.signInLink);
  await page.getByRole("link", { name: "Channels" }).click();
  await page.getByText("No channels yet").waitFor();
  const refusals = { expected: /status of 40[34]/ };
  const link = () => page.getByLabel("Invite link: it is shown this once").inputValue();
  let channel;

  await t.test("makes one, by invitation and for browsers only", async () => {
    await page.getByLabel("Topic").fill("Garden");
    await page.getByRole("button", { name: "Create channel" }).click();
    await page.getByRole("heading", { name: "Garden", level: 1 }).waitFor();
    channel = /#channel=(.*)$/.exec(page.url())[1];
    const { topic, admission, content, cookie_binding, capacity, live } = await face.read(channel);
    assert.deepEqual(
      { topic, admission, content, cookie_binding, capacity, live },
      { topic: "Garden", admission: "invitation", content: "strict", cookie_binding: "required", capacity: 16, live: 0 },
    );
  });

  await t.test("changes what holds in it", async () => {
    await page.getByLabel("Topic").fill("Orchard");
    await page.getByLabel("How many at once").fill("2");
    await page.getByRole("button", { name: "Save settings" }).click();
    await page.getByRole("heading", { name: "Orchard", level: 1 }).waitFor();
    const { topic, capacity, admission } = await face.read(channel);
    assert.deepEqual({ topic, capacity, admission }, { topic: "Orchard", capacity: 2, admission: "invitation" });
  });

  await t.test("is told what is no setting", async () => {
    await page.getByLabel("Other sites that may connect").fill("no origin");
    await page.getByRole("button", { name: "Save settings" }).click();
    await page.getByRole("alert").filter({ hasText: "refused" }).waitFor();
    await page.getByLabel("Other sites that may connect").fill("");
  });

  await t.test("invites, and sees who came", async () => {
    await page.getByRole("button", { name: "Create invitation" }).click();
    const ana = await join(await openProfile(t, browser, face, refusals), await link(), "Ana");
    const client = page.getByRole("list", { name: "Clients" }).getByRole("listitem").filter({ hasText: ana.id.slice(0, 8) });
    await client.getByText("connected").waitFor();
    await page.getByRole("heading", { name: "Here now 1 of 2" }).waitFor();

    await client.getByRole("button", { name: "Revoke" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
    await ana.getByRole("heading", { name: "You were removed." }).waitFor();
    await client.waitFor({ state: "detached" });
  });

  await t.test("removes the channel: its address leads nowhere", async () => {
    const used = await link();
    await page.getByRole("button", { name: "Create invitation" }).click();
    await until("there is another link", async () => (await link()) !== used);
    const ben = await join(await openProfile(t, browser, face, refusals), await link(), "Ben");
    await isOnline(ben);
    await page.getByRole("button", { name: "Remove channel" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Remove channel" }).click();
    await page.getByText("No channels yet").waitFor();
    await ben.getByRole("heading", { name: "You were removed." }).waitFor();
    await until("it is gone", async () => (await fetch(`${face.origin}/peers/${channel}`)).status === 404);
  });

  await t.test("the record says what happened", async () => {
    await page.getByRole("link", { name: "Audit record" }).click();
    for (const action of ["channel.create", "channel.change", "channel.invite", "client.issue", "client.login", "client.revoke", "channel.delete"]) await page.getByText(action).first().waitFor();
  });
});
