// Users' clients with real media: in a page of Chromium, and of aiortc. Both are asked and told the same.
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { python } from "../../browser/stage/aiortc.mjs";
import { atEnd } from "../../browser/stage/ending.mjs";
import { until } from "../../browser/stage/media.mjs";
import { ICE } from "./plugin.mjs";

const HERE = join(import.meta.dirname, "..");
const { resolve } = createRequire(import.meta.url);

/** A page in which any number of clients sit. */
export async function openPage(browser, server) {
  const page = await browser.open();
  await page.goto(`${server.origin}/`);
  const inside = { users: new Map() };
  await page.exposeFunction("toPlugin", (session, what, text) => inside.users.get(session).said(what, text));
  for (const library of [resolve("fflate").replace(/\/lib\/.*/, "/umd/index.js"), packedMessages()]) {
    await page.evaluate(await readFile(library, "utf8"));
  }
  await page.evaluate(`(() => { ${await readFile(join(import.meta.dirname, "in_page.js"), "utf8")} })()`);
  return Object.assign(page, inside);
}

function packedMessages() {
  return resolve("@msgpack/msgpack").replace(/\/dist\..*/, "/dist.umd/msgpack.min.js");
}

/** A client in a page. */
export class BrowserUser {
  constructor(page, plugin, session, { byChannel, locking }) {
    Object.assign(this, { page, plugin, session, byChannel, locking });
    page.users.set(session, this);
  }

  async enter(call) {
    this.plugin.join(this, call, { dcSignaling: this.byChannel });
    const { session, byChannel, locking } = this;
    await this.page.evaluate((options) => window.enter(options), { session, byChannel, locking });
  }

  said(what, text) {
    if (what === "ice") this.plugin.rtc(this.session, ICE, text);
    else this.plugin.describe(this.session, Buffer.from(text, "base64"));
  }

  signal(json) {
    this.page.evaluate(([session, text]) => window.signal(session, text), [this.session, json]).catch(() => {});
  }

  speak() {
    return this.inPage("speak");
  }

  mute(muted) {
    return this.inPage("mute", muted);
  }

  /** Makes a stream; returns its id. */
  draw(size) {
    return this.inPage("draw", size);
  }

  /** Makes another stream of the same picture; returns its id. */
  pick({ withSound }) {
    return this.inPage("pick", withSound);
  }

  show(encodings = null) {
    return this.inPage("show", encodings);
  }

  hide() {
    return this.inPage("hide");
  }

  layers() {
    return this.inPage("layers");
  }

  ufrag() {
    return this.inPage("ufrag");
  }

  /** What the server says stays on its way. */
  hold() {
    return this.inPage("hold");
  }

  heldOffers() {
    return this.inPage("heldOffers");
  }

  /** It arrives. */
  release() {
    return this.inPage("release");
  }

  state() {
    return this.inPage("state");
  }

  /** Closes the connection, as a client does that leaves the page. */
  close() {
    return this.inPage("close_");
  }

  inPage(what, value) {
    return this.page.evaluate(([name, session, more]) => window[name](session, more), [what, this.session, value]);
  }
}

/** A client made of aiortc, in a process of its own. */
export class AiortcUser {
  constructor(test, plugin, session, { byChannel, udp }) {
    Object.assign(this, { plugin, session, byChannel });
    const values = [join(HERE, "aiortc_user.py"), byChannel ? "channel" : "plugin", udp ? "udp" : "tcp"];
    this.start = () => {
      const child = spawn(python(), values, { stdio: ["pipe", "pipe", "pipe"] });
      atEnd(test, async () => child.kill("SIGKILL"));
      return child;
    };
    this.latest = null;
    this.errors = "";
    this.over = false;
  }

  async enter(call) {
    this.child = this.start();
    this.child.stderr.on("data", (chunk) => (this.errors += chunk));
    this.child.once("exit", () => (this.over = true));
    createInterface({ input: this.child.stdout }).on("line", (line) => {
      const { sdp, state } = JSON.parse(line);
      if (sdp) this.plugin.describe(this.session, Buffer.from(sdp, "base64"));
      else this.latest = state;
    });
    await until(`aiortc runs for ${this.session}`, async () => {
      if (this.over) throw new Error(this.errors);
      return this.latest !== null;
    });
    this.plugin.join(this, call, { dcSignaling: this.byChannel });
    await this.tell({ enter: true });
  }

  async tell(command) {
    this.child.stdin.write(`${JSON.stringify(command)}\n`);
  }

  signal(json) {
    this.tell({ signal: json });
  }

  speak() {
    return this.tell({ speak: true });
  }

  mute(muted) {
    return this.tell({ mute: muted });
  }

  close() {
    return this.tell({ close: true });
  }

  /** As it was half a second ago at most. */
  async state() {
    if (this.over) throw new Error(`aiortc ended:\n${this.errors}`);
    return this.latest;
  }
}
