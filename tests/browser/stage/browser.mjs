// Real Chromium with fake devices, and eyes on what it does.
import assert from "node:assert/strict";
import { chromium } from "playwright-core";
import { atEnd } from "./ending.mjs";
import { record } from "./recorder.mjs";

export const FLAGS = [
  "--headless=new",
  "--no-sandbox",
  "--disable-gpu",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--use-fake-ui-for-media-stream",
  "--allow-loopback-in-peer-connection",
  // Pages in the background must go on like the one in front.
  "--disable-background-timer-throttling",
  "--disable-backgrounding-occluded-windows",
  "--disable-renderer-backgrounding",
];

/** Starts one Chromium process, closed with the test; `devices: false`: on a machine without camera and microphone. */
export async function startBrowser(test, { devices = true } = {}) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM_BIN ?? "/usr/bin/chromium",
    args: devices ? [...FLAGS, "--use-fake-device-for-media-stream"] : FLAGS,
    ignoreDefaultArgs: ["--mute-audio"],
  });
  atEnd(test, () => browser.close());
  return browser;
}

/**
 * Opens a profile of its own in a browser. Every page in it is recorded (`window.recorded`) and watched: an error in the
 * console, a violation of the Content-Security-Policy or a request to another host fails the test at its end, save
 * messages that `expected` matches.
 */
export async function openProfile(test, browser, server, { expected = null, before = null } = {}) {
  const context = await browser.newContext({ viewport: { width: 900, height: 600 } });
  const faults = [];
  context.on("request", (request) => {
    const url = new URL(request.url());
    if (["http:", "https:", "ws:", "wss:"].includes(url.protocol) && url.host !== new URL(server.origin).host) {
      faults.push(`request to ${url}`);
    }
  });
  context.on("console", (message) => {
    if (message.type() === "error") faults.push(`console: ${message.text()} (${message.location().url})`);
  });
  context.on("weberror", (error) => faults.push(`uncaught: ${error.error().message}`));
  await context.addInitScript(record);
  if (before) await context.addInitScript(before);
  atEnd(test, async () => {
    await context.close();
    assert.deepEqual(faults.filter((fault) => !expected?.test(fault)), []);
  });
  return context;
}

/** Opens an invite link and joins by the page, as a person would. */
export async function joinByPage(context, link, name) {
  const page = await context.newPage();
  await page.goto(link);
  await join(page, name);
  return page;
}

/** Joins from the door. */
export async function join(page, name) {
  await page.getByLabel("Your name").fill(name);
  await page.getByRole("button", { name: "Join", exact: true }).click();
  await inCall(page);
}

/** Waits until the page says that it is connected. */
export async function inCall(page) {
  await page.getByRole("button", { name: "Leave", exact: true }).waitFor();
  await page.getByRole("status").filter({ hasText: "Connected" }).waitFor({ timeout: 30_000 });
}

/** Returns the participant that a page is. */
export async function idOf(page) {
  return page.evaluate(() => window.recorded.participantId);
}
