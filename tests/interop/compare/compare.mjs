// What the server costs for a forwarded packet, beside Janus with the same browser clients: one sends, the others receive.
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { until } from "../../browser/stage/media.mjs";
import { openPage, seat, startChromium } from "../stage/pages.mjs";
import { startScene } from "../stage/scene.mjs";
import { callByJanus, startJanus } from "./janus.mjs";

const SUBSCRIBERS = 8;
const ROUNDS = 3;
const SETTLED_MS = 8_000;
const MEASURED_MS = 15_000;
const SOURCES = {
  voice: { from: "device" },
  camera: { from: "drawn", width: 640, height: 360, fps: 15, layers: [{ maxBitrate: 1_500_000 }] },
};

test("countersign beside Janus", { timeout: 600_000 }, async (t) => {
  const costs = { countersign: [], Janus: [] };
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [name, run] of [["countersign", byCountersign], ["Janus", byJanus]]) {
      await t.test(`${name}, round ${round + 1}`, async (inner) => {
        const { packets, ns } = await run(inner);
        costs[name].push(ns / packets);
        inner.diagnostic(`${(ns / packets / 1_000).toFixed(2)} us a forwarded packet (${packets} packets, ${(ns / 1e9).toFixed(3)} s of CPU)`);
      });
    }
  }
  const [own, other] = [median(costs.countersign), median(costs.Janus)];
  const words = [own, other].map((ns) => `${(ns / 1_000).toFixed(2)} us`);
  t.diagnostic(`CPU a forwarded packet, 1 to ${SUBSCRIBERS}: countersign ${words[0]}, Janus ${words[1]}, ratio ${(own / other).toFixed(2)}`);
});

async function byCountersign(t) {
  const { server, link } = await startScene(t);
  const [publisher, viewers] = await pagesOf(t, server);
  await seat(publisher, link, "The sender", { sources: SOURCES });
  for (let made = 0; made < SUBSCRIBERS; made += 1) await seat(viewers, link, `Viewer ${made}`);
  return measure(viewers, server.child.pid);
}

async function byJanus(t) {
  // Our server serves the page, and does nothing else here.
  const { server } = await startScene(t);
  const pages = await pagesOf(t, server);
  const { pid, session } = await startJanus(t);
  await callByJanus(session, ...pages, { sources: SOURCES, subscribers: SUBSCRIBERS });
  return measure(pages[1], pid);
}

async function pagesOf(t, server) {
  const script = await readFile(join(import.meta.dirname, "in_page.js"), "utf8");
  const pages = [];
  for (const browser of await Promise.all([startChromium(t), startChromium(t)])) {
    const page = await openPage(browser, server);
    await page.evaluate(`(() => { ${script} })()`);
    pages.push(page);
  }
  return pages;
}

async function measure(viewers, pid) {
  const received = () => viewers.evaluate(() => window.received());
  await until("every viewer decodes", async () => (await received()).frames > SUBSCRIBERS * 15);
  await pause(SETTLED_MS);
  const [from, ns] = [await received(), await cpu(pid)];
  await pause(MEASURED_MS);
  const [to, more] = [await received(), await cpu(pid)];
  return { packets: to.packets - from.packets, ns: more - ns };
}

/** Nanoseconds that all threads of a process have run. */
async function cpu(pid) {
  let ns = 0;
  for (const thread of await readdir(`/proc/${pid}/task`)) {
    ns += Number((await readFile(`/proc/${pid}/task/${thread}/schedstat`, "utf8")).split(" ")[0]);
  }
  return ns;
}

function median(values) {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)];
}
