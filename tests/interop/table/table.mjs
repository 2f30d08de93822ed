// Turns what was run (stage/results.mjs) into the text of docs/interop.md.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { FOLDER } from "../stage/results.mjs";

export const DOCUMENT = join(import.meta.dirname, "../../../docs/interop.md");

const CLIENTS = ["Chromium", "Firefox", "aiortc", "werift", "node-datachannel"];

/** In the order of the document; a cell of a feature that is not here is a mistake. */
const FEATURES = [
  ["voice and camera", "Joins, sends and receives sound and pictures."],
  ["VP8", "Sends it, decodes it."],
  ["VP9", "Sends it, decodes it."],
  ["H264", "Sends it, decodes it."],
  ["AV1", "Sends it, decodes it."],
  ["simulcast", "Sends several layers, which the server tells apart."],
  ["layers by view", "Is sent a smaller layer when it shows a smaller picture, and the large one again."],
  ["screen share with sound", "Shares during a call; the others see and hear it."],
  ["chat on the data channel", "Chats on the channel `room`, both directions."],
  ["ICE-TCP alone", "Connects, sends and receives while no UDP datagram gets through."],
  ["IPv6", "Connects, sends and receives over IPv6."],
  ["3 % loss", "Both directions lose 3 %: pictures and sound go on, and what was lost is asked for again."],
  ["10 % loss", "Both directions lose 10 %: the same, with more standing still."],
  ["new port behind a NAT", "Goes on, in both directions within 15 s, when its datagrams come from another port all at once."],
  ["ICE restart", "Goes on after an ICE restart."],
  ["DTLS 1.2", "Negotiates it."],
  ["DTLS 1.3", "Connects, sends and receives by it, with `[media] dtls_1_3 = true`; without that, everybody gets 1.2."],
];

/** Reads every cell that was run, and the versions of the clients. */
export async function readResults() {
  const lines = (await readFile(join(FOLDER, "cells.jsonl"), "utf8")).trim().split("\n");
  const cells = new Map();
  const versions = new Map();
  for (const { client, feature, version, ...cell } of lines.map((line) => JSON.parse(line))) {
    if (!CLIENTS.includes(client)) throw new Error(`unknown client ${client}`);
    if (version) versions.set(client, version);
    else if (!FEATURES.some(([name]) => name === feature)) throw new Error(`unknown feature ${feature}`);
    else cells.set(`${client}: ${feature}`, cell);
  }
  return { cells, versions };
}

/** Returns the document. */
export function text({ cells, versions }) {
  const notes = [];
  const cell = (client, feature) => {
    const known = cells.get(`${client}: ${feature}`);
    if (!known) return "–";
    if (known.remark) notes.push([client, feature, known.remark]);
    return `${known.works ? "ok" : "**no**"}${known.remark ? ` [${notes.length}]` : ""}`;
  };
  const shown = FEATURES.filter(([name]) => CLIENTS.some((client) => cells.has(`${client}: ${name}`)));
  const rows = shown.map(([name, meaning]) => `| ${[name, ...CLIENTS.map((client) => cell(client, name)), meaning].join(" | ")} |`);
  return [
    "# What works with whom",
    "",
    "Made by `make interop-doc` from tests that drive real clients against the real server (`tests/interop`); `make test` runs them and",
    "compares. **ok**: the test passed. **no**: a test proves that it does not work, and the note says why. –: nothing was run.",
    "",
    `| | ${CLIENTS.join(" | ")} | means |`,
    `|${" --- |".repeat(CLIENTS.length + 2)}`,
    `| version | ${CLIENTS.map((client) => versions.get(client) ?? "–").join(" | ")} | |`,
    ...rows,
    "",
    ...notes.map(([client, feature, remark], at) => `${at + 1}. ${client}, ${feature}: ${remark}.`),
    "",
  ].join("\n");
}

/** The document without what changes when a browser is updated. */
export function withoutVersions(document) {
  return document.replace(/^\| version \|.*\n/m, "");
}
