// Janus with its VideoRoom, from Debian's package, and what one says to it over its WebSocket.
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { WebSocket } from "ws";
import { atEnd } from "../../browser/stage/ending.mjs";
import { until } from "../../browser/stage/media.mjs";

const PORT = 8188;
const START_MS = 10_000;
const LIBRARY = process.env.JANUS_LIBRARY ?? "/usr/lib/x86_64-linux-gnu/janus";
const ROOM = 1;

/** Starts Janus with the VideoRoom alone; it ends with the test. */
export async function startJanus(test) {
  const folder = await mkdtemp(join(tmpdir(), "countersign-janus-"));
  await writeFile(join(folder, "janus.jcfg"), settings(folder));
  await writeFile(join(folder, "janus.plugin.videoroom.jcfg"), "general: {}\n");
  const socket = `general: { json = "plain" ws = true ws_port = ${PORT} ws_ip = "127.0.0.1" wss = false }\nadmin: { admin_ws = false }\n`;
  await writeFile(join(folder, "janus.transport.websockets.jcfg"), socket);
  const child = spawn("janus", ["-F", folder], { stdio: ["ignore", "pipe", "pipe"] });
  let log = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (log += chunk));
  atEnd(test, async () => {
    child.kill("SIGKILL");
    await rm(folder, { recursive: true, force: true });
  });
  for (let waited = 0; ; waited += 200) {
    if (child.exitCode !== null || waited > START_MS) throw new Error(`janus did not start:\n${log}`);
    try {
      return { pid: child.pid, session: await openSession() };
    } catch {
      await pause(200);
    }
  }
}

function settings(folder) {
  return `general: {
  configs_folder = "${folder}"
  plugins_folder = "${LIBRARY}/plugins"
  transports_folder = "${LIBRARY}/transports"
  events_folder = "${LIBRARY}/events"
  loggers_folder = "${LIBRARY}/loggers"
  debug_level = 3
  debug_colors = false
}
nat: { ice_ignore_list = "vmnet" ignore_mdns = true }
plugins: { disable = "${["audiobridge", "duktape", "echotest", "lua", "nosip", "recordplay", "sip", "streaming", "textroom", "videocall", "voicemail"].map((name) => `libjanus_${name}.so`).join(",")}" }
transports: { disable = "libjanus_http.so,libjanus_mqtt.so,libjanus_nanomsg.so,libjanus_pfunix.so,libjanus_rabbitmq.so" }
events: { broadcast = false }
`;
}

async function openSession() {
  const socket = new WebSocket(`ws://127.0.0.1:${PORT}`, "janus-protocol");
  await new Promise((done, failed) => socket.once("open", done).once("error", failed));
  const session = new Session(socket);
  session.id = (await session.ask({ janus: "create" })).data.id;
  session.alive = setInterval(() => session.tell({ janus: "keepalive", session_id: session.id }), 20_000).unref();
  return session;
}

class Session {
  constructor(socket) {
    this.socket = socket;
    this.waiting = new Map();
    this.count = 0;
    socket.on("message", (text) => {
      const said = JSON.parse(text);
      // To a message for a plugin comes an `ack` first, and the answer as an event under the same transaction.
      const waits = said.janus === "ack" ? null : this.waiting.get(said.transaction);
      if (waits) {
        this.waiting.delete(said.transaction);
        waits(said);
      }
    });
  }

  tell(message) {
    this.count += 1;
    this.socket.send(JSON.stringify({ transaction: `t${this.count}`, ...message }));
  }

  async ask(message) {
    const answer = new Promise((done) => this.waiting.set(`t${this.count + 1}`, done));
    this.tell(message);
    const said = await answer;
    const fault = said.error ?? said.plugindata?.data?.error;
    if (fault) throw new Error(`janus: ${JSON.stringify(said)}`);
    return said;
  }

  async plugin() {
    const { data } = await this.ask({ janus: "attach", session_id: this.id, plugin: "janus.plugin.videoroom" });
    return (body, jsep) => this.ask({ janus: "message", session_id: this.id, handle_id: data.id, body, ...(jsep && { jsep }) });
  }
}

/** Has one page publish and another subscribe a number of times. */
export async function callByJanus(session, publisher, viewers, { sources, subscribers }) {
  const publish = await session.plugin();
  const room = { request: "create", room: ROOM, publishers: 2, audiocodec: "opus", videocodec: "vp8", bitrate: 10_000_000 };
  await publish({ ...room, transport_wide_cc_ext: true });
  const joined = await publish({ request: "join", ptype: "publisher", room: ROOM });
  const offer = await publisher.evaluate((what) => window.makePublisher(what), sources);
  const { jsep } = await publish({ request: "publish", audiocodec: "opus", videocodec: "vp8" }, { ...offer, trickle: false });
  await publisher.evaluate((answer) => window.conclude(answer), jsep);
  for (let made = 0; made < subscribers; made += 1) {
    const subscribe = await session.plugin();
    const feed = joined.plugindata.data.id;
    const join = { request: "join", ptype: "subscriber", room: ROOM, streams: [{ feed }] };
    let said = null;
    // There is nothing to subscribe to before the publisher's DTLS is done.
    await until("Janus has the feed", async () => (said = await subscribe(join).catch(() => null)) !== null);
    const answer = await viewers.evaluate((what) => window.makeSubscriber(what), said.jsep);
    await subscribe({ request: "start" }, { ...answer, trickle: false });
  }
}
