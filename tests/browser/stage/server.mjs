// Starts the real binary with a folder of its own, and always ends it.
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { api, panics } from "./admin.mjs";
import { atEnd } from "./ending.mjs";
import { freePort } from "./ports.mjs";

const START_MS = 20_000;
const REPOSITORY = resolve(import.meta.dirname, "../../..");
const running = new Set();

process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1));

/** The binary under test: `COUNTERSIGN_BIN`, else the release build. */
export function binary() {
  const target = process.env.CARGO_TARGET_DIR ?? join(REPOSITORY, "target");
  return process.env.COUNTERSIGN_BIN ?? join(resolve(REPOSITORY, target), "release/countersign");
}

/**
 * Starts a server on free ports of the loopback. It ends with the test, and fails it when a participant's step panicked.
 * `address`: where it takes media; `media`: given the media address, makes more lines of `[media]`; it may choose another port for TCP.
 */
export async function startServer(test, { address = "127.0.0.1", media = async () => [] } = {}) {
  const folder = await mkdtemp(join(tmpdir(), "countersign-browser-"));
  const host = address.includes(":") ? `[${address}]` : address;
  const port = await freePort(address);
  const server = new Server(folder, await freePort(), { address, host, port, tcpPort: port });
  atEnd(test, async () => {
    try {
      if (server.child) await server.checkPanics();
    } finally {
      await server.kill();
      await rm(folder, { recursive: true, force: true });
    }
  });
  server.more = await media(server.media);
  await server.start();
  return server;
}

class Server {
  constructor(folder, httpPort, media) {
    this.data = join(folder, "data");
    this.config = join(folder, "countersign.toml");
    this.httpPort = httpPort;
    this.media = media;
    this.more = [];
    this.origin = `http://127.0.0.1:${httpPort}`;
    this.child = null;
    this.log = "";
  }

  /** Starts, also again, and waits for the printed sign-in link. */
  async start() {
    await writeFile(this.config, this.settings());
    const child = spawn(binary(), ["serve", "--config", this.config], { stdio: ["ignore", "pipe", "pipe"] });
    this.child = child;
    running.add(child);
    child.once("exit", () => running.delete(child));
    this.signInLink = await new Promise((found, failed) => {
      const late = setTimeout(() => failed(new Error(`no sign-in link within ${START_MS} ms:\n${this.log}`)), START_MS);
      let printed = "";
      const read = (chunk) => {
        this.log += chunk;
        printed += chunk;
        const link = /https?:\/\/\S+#sign-in=csl_[A-Za-z0-9_-]{43}/.exec(printed);
        if (!link) return;
        clearTimeout(late);
        found(link[0]);
      };
      child.stdout.on("data", read);
      child.stderr.on("data", read);
      child.once("error", (fault) => {
        clearTimeout(late);
        failed(fault);
      });
      child.once("exit", (code) => failed(new Error(`the server ended with ${code}:\n${this.log}`)));
    });
    this.token = (await readFile(join(this.data, "admin-token"), "utf8")).trim();
    this.admin = api(this.origin, this.token);
  }

  settings() {
    return [
      `data_dir = "${this.data}"`,
      "[http]",
      `listen = "127.0.0.1:${this.httpPort}"`,
      "[media]",
      `listen_udp = "${this.media.host}:${this.media.port}"`,
      `listen_tcp = "${this.media.host}:${this.media.tcpPort}"`,
      ...this.more,
      "",
    ].join("\n");
  }

  /** kill -9: nothing is said or written any more. */
  async kill() {
    const { child } = this;
    this.child = null;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((done) => child.once("exit", done));
    child.kill("SIGKILL");
    await gone;
  }

  async checkPanics() {
    const count = await panics(this.origin, this.token);
    if (count !== 0) throw new Error(`${count} participant steps panicked:\n${this.log}`);
  }
}
