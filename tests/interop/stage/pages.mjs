// Chromium and Firefox, each with one page in which any number of participants sit.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { chromium } from "playwright-core";
import puppeteer from "puppeteer-core";
import { FLAGS } from "../../browser/stage/browser.mjs";
import { atEnd } from "../../browser/stage/ending.mjs";
import { until } from "../../browser/stage/media.mjs";

const CHROMIUM_FLAGS = [
  ...FLAGS,
  "--use-fake-device-for-media-stream",
  "--auto-select-desktop-capture-source=Entire screen",
  "--autoplay-policy=no-user-gesture-required",
];

const FIREFOX_PREFERENCES = {
  "media.navigator.streams.fake": true,
  "media.navigator.permission.disabled": true,
  "media.autoplay.default": 0,
  "media.peerconnection.ice.obfuscate_host_addresses": false,
  "dom.min_background_timeout_value": 4,
  "network.proxy.type": 0,
  "app.update.enabled": false,
  "datareporting.policy.dataSubmissionEnabled": false,
};

/** Starts Chromium; it ends with the test. */
export async function startChromium(test, flags = []) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM_BIN ?? "/usr/bin/chromium",
    args: [...CHROMIUM_FLAGS, ...flags],
    ignoreDefaultArgs: ["--mute-audio"],
  });
  atEnd(test, () => browser.close());
  return { name: "Chromium", version: browser.version(), open: () => browser.newPage() };
}

/** Starts Firefox, driven by WebDriver BiDi; it ends with the test. */
export async function startFirefox(test, preferences = {}) {
  const browser = await puppeteer.launch({
    browser: "firefox",
    executablePath: process.env.FIREFOX_BIN ?? "/usr/bin/firefox-esr",
    headless: true,
    extraPrefsFirefox: { ...FIREFOX_PREFERENCES, ...preferences },
  });
  atEnd(test, () => browser.close());
  return { name: "Firefox", version: (await browser.version()).split("/").at(-1), open: () => browser.newPage() };
}

/** Opens the server's own page in a browser, ready to seat participants. */
export async function openPage(browser, server) {
  const page = await browser.open();
  await page.goto(`${server.origin}/`);
  const read = (name) => readFile(join(import.meta.dirname, name), "utf8");
  const client = (await read("room_client.mjs")).replaceAll("export class", "window.RoomClient = class");
  await page.evaluate(client);
  await page.evaluate(`(() => { ${await read("in_page.js")} })()`);
  return page;
}

/** Seats a participant in a page, and waits until it is connected. */
export async function seat(page, link, name, { sources = {}, channel = null } = {}) {
  const index = await page.evaluate((options) => window.joinRoom(options), { link, name, sources, channel });
  const one = new Seat(page, index, name);
  one.id = await page.evaluate((at) => window.clients[at].participantId, index);
  await until(`${name} is connected`, async () => (await one.transport()).state === "connected");
  return one;
}

/** A participant in a page. */
class Seat {
  constructor(page, index, name) {
    this.page = page;
    this.index = index;
    this.name = name;
  }

  /** Streams that arrive, of one participant and source if named. */
  async arriving(participant = null, source = null) {
    const all = await this.page.evaluate((index) => window.arriving(index), this.index);
    return all.filter(
      (one) => (participant === null || one.participant_id === participant) && (source === null || one.source === source),
    );
  }

  async stream(participant, source) {
    return (await this.arriving(participant, source))[0] ?? null;
  }

  leaving() {
    return this.page.evaluate((index) => window.leaving(index), this.index);
  }

  transport() {
    return this.page.evaluate((index) => window.transport(index), this.index);
  }

  ufrag() {
    return this.page.evaluate((index) => window.clients[index].ufrag(), this.index);
  }

  /** Sends more sources. */
  add(sources) {
    return this.page.evaluate((options) => window.addSources(options), { index: this.index, sources });
  }

  /** Restarts ICE. */
  restart() {
    return this.page.evaluate((index) => window.clients[index].restart(), this.index);
  }

  /** Says what it shows. */
  view(tiles) {
    return this.say({ type: "view", tiles });
  }

  say(message) {
    return this.page.evaluate(({ index, what }) => window.clients[index].send(what), { index: this.index, what: message });
  }

  /** Says something on the data channel. */
  write(message) {
    return this.page.evaluate(({ index, what }) => window.clients[index].channel.send(JSON.stringify(what)), {
      index: this.index,
      what: message,
    });
  }

  channelState() {
    return this.page.evaluate((index) => window.clients[index].channel.readyState, this.index);
  }

  chat() {
    return this.page.evaluate((index) => window.clients[index].chat, this.index);
  }

  faults() {
    return this.page.evaluate((index) => window.clients[index].faults, this.index);
  }

  leave() {
    return this.page.evaluate((index) => window.clients[index].leave(), this.index);
  }
}
