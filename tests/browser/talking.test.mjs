import assert from "node:assert/strict";
import { test } from "node:test";
import { idOf, joinByPage, openProfile, startBrowser } from "./stage/browser.mjs";
import { until } from "./stage/media.mjs";
import { startServer } from "./stage/server.mjs";

test("people write to each other and make signs", { timeout: 180_000 }, async (t) => {
  const server = await startServer(t);
  const { room_id } = await server.admin.createRoom("Salon");
  const { url } = await server.admin.invite(room_id, 5);
  const ana = await joinByPage(await openProfile(t, await startBrowser(t), server), url, "Ana");
  const browser = await startBrowser(t);
  const ben = await joinByPage(await openProfile(t, browser, server), url, "Ben");
  const chat = (page) => page.getByRole("button", { name: /^Chat/ });
  const log = (page) => page.getByRole("log", { name: "What was written" });
  const write = async (page, text) => {
    await page.getByLabel("Message").fill(text);
    await page.keyboard.press("Enter");
  };
  let late;

  await t.test("what one writes all others read, as text, under the name that the server knows", async () => {
    assert.equal(await ana.evaluate(openChat), "Message", "one can write at once");
    await write(ana, "Good morning, <b>Ben</b>!");
    await log(ana).getByText("Ana (you)").waitFor();
    await ben.getByRole("button", { name: "Chat, 1 unread" }).click();
    await log(ben).getByText("Good morning, <b>Ben</b>!", { exact: true }).waitFor();
    await log(ben).getByText("Ana", { exact: true }).waitFor();
    await write(ben, "Good morning.\nHow are you?");
    await log(ana).getByText("Good morning.\nHow are you?").waitFor();
    await chat(ben).and(ben.getByRole("button", { name: "Chat", exact: true })).waitFor();
    await ben.keyboard.press("Escape");
    await log(ben).waitFor({ state: "detached" });
    assert.ok(await chat(ben).evaluate((button) => button === document.activeElement), "the focus goes back to the button");
  });

  await t.test("what a client says of itself is not believed", async () => {
    const anaId = await idOf(ana);
    await ben.evaluate((id) => {
      const forged = { type: "chat", text: "I am Ana", participant_id: id, name: "Ana", at: 1 };
      window.recorded.channels.at(-1).send(JSON.stringify(forged));
    }, anaId);
    await log(ana).getByText("I am Ana").waitFor();
    const names = await log(ana).locator(".line-name").allTextContents();
    assert.deepEqual(names, ["Ana (you)", "Ben"], "it stands below what Ben wrote before");
  });

  await t.test("who comes later reads what is written from then on", async () => {
    late = await joinByPage(await openProfile(t, browser, server), url, "Cyd");
    await chat(late).click();
    await log(late).getByText("Nothing was written yet.").waitFor();
    await write(late, "Am I late?");
    await log(ana).getByText("Am I late?").waitFor();
    await write(ana, "No.");
    await log(late).getByText("No.", { exact: true }).waitFor();
    assert.equal(await log(late).getByText("Good morning").count(), 0);
  });

  await t.test("a sign is shown for a moment, and told", async () => {
    await ben.getByRole("button", { name: "React", exact: true }).click();
    await ben.getByRole("button", { name: "applause" }).click();
    const sign = ana.locator(".sign", { hasText: "Ben" });
    await sign.getByText("👏").waitFor();
    await ana.getByText("Ben: applause").waitFor({ state: "attached" });
    await sign.waitFor({ state: "detached" });
  });

  await t.test("what is no message, or too much at once, is refused, and nobody hears it", async () => {
    const refusals = log(late).getByText(/^Not sent/);
    for (const [count, bad] of ["{", '{"type":"chat","text":""}', '{"type":"react","emoji":"x"}', `{"type":"chat","text":"${"a".repeat(2_001)}"}`].entries()) {
      await late.evaluate((text) => window.recorded.channels.at(-1).send(text), bad);
      await until(`refusal of ${bad.slice(0, 40)}`, async () => (await refusals.count()) === count + 1);
    }
    await late.evaluate(() => {
      for (let turn = 0; turn < 60; turn += 1) window.recorded.channels.at(-1).send(`{"type":"chat","text":"flood ${turn}"}`);
    });
    await log(late).getByText("too much at once").waitFor();
    const heard = await log(ana).getByText(/^flood/).count();
    assert.ok(heard < 40, `${heard} of 60 in a moment`);
    await write(ana, "Calm down.");
    await log(late).getByText("Calm down.").waitFor();
  });

  await t.test("who is removed writes nothing more", async () => {
    const channel = await late.evaluateHandle(() => window.recorded.channels.at(-1));
    await server.admin.remove(room_id, await idOf(late));
    await until("the channel is closed", () => channel.evaluate(({ readyState }) => readyState === "closed"));
  });
});

/** In a page: presses what opens the chat, and returns where the focus is before anything of it is painted. */
async function openChat() {
  document.dispatchEvent(new KeyboardEvent("keydown", { code: "KeyC", altKey: true }));
  for (let turn = 0; turn < 10; turn += 1) await null;
  return document.activeElement.getAttribute("aria-label");
}
