import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { joinByAiortc } from "../browser/stage/aiortc.mjs";
import { until } from "../browser/stage/media.mjs";
import { joinByDataChannel } from "./stage/datachannel.mjs";
import { openPage, seat, startChromium, startFirefox } from "./stage/pages.mjs";
import { row, version } from "./stage/results.mjs";
import { startScene } from "./stage/scene.mjs";
import { joinByWerift } from "./stage/werift.mjs";

const CHANNEL = "room";
const FEATURE = "chat on the data channel";

test("everybody reads what everybody writes", { timeout: 120_000 }, async (t) => {
  const { server, link } = await startScene(t);
  const people = [];
  for (const browser of await Promise.all([startChromium(t), startFirefox(t)])) {
    const one = await seat(await openPage(browser, server), link, browser.name, { channel: CHANNEL });
    people.push({ client: browser.name, id: one.id, open: async () => (await one.channelState()) === "open", ...chatsOf(one) });
  }
  const aiortc = await joinByAiortc(t, link, "aiortc", { channel: CHANNEL });
  people.push({
    client: "aiortc",
    id: aiortc.participantId,
    open: async () => aiortc.channel === "open",
    say: async (what) => aiortc.write(what),
    read: async () => aiortc.chat,
  });
  for (const [client, join] of [["werift", joinByWerift], ["node-datachannel", joinByDataChannel]]) {
    people.push(await inNode(client, await join(t, link, client, { channel: CHANNEL })));
  }
  await version("node-datachannel", /"node-datachannel": "(\S+)"/.exec(await readFile(new URL("package.json", import.meta.url), "utf8"))[1]);
  for (const { client, open } of people) await until(`${client}'s channel is open`, open);

  for (const writer of people) {
    await row(t, writer.client, FEATURE, async () => {
      const text = `Good day from ${writer.client}`;
      await writer.say({ type: "chat", text });
      for (const reader of people) {
        await until(`${reader.client} reads ${writer.client}`, async () => (await reader.read()).some((said) => said.text === text));
        const said = (await reader.read()).find((one) => one.text === text);
        assert.equal(said.participant_id, writer.id);
        assert.equal(typeof said.at, "number");
      }
    });
  }
});

function chatsOf(one) {
  return { say: (what) => one.write(what), read: () => one.chat() };
}

async function inNode(client, { id, client: participant }) {
  return {
    client,
    id,
    open: async () => participant.channel.readyState === "open",
    say: async (what) => participant.channel.send(JSON.stringify(what)),
    read: async () => participant.chat,
  };
}
