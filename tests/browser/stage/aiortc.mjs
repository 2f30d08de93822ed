// The Python client as a participant of a test.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { atEnd } from "./ending.mjs";
import { until } from "./media.mjs";

const HERE = resolve(import.meta.dirname, "..");
/** Enough to tell a stream from a single key frame. */
const FRAMES = 5;

/** The interpreter with requirements.txt installed: `COUNTERSIGN_PYTHON`, else the environment at the top of the repository. */
export function python() {
  const own = join(HERE, "../../.venv/bin/python");
  return process.env.COUNTERSIGN_PYTHON ?? (existsSync(own) ? own : "python3");
}

/** Joins by an invite link with aiortc; the client leaves with the test. `channel`: the data channel that it opens. */
export async function joinByAiortc(test, link, name, { channel = null } = {}) {
  const values = [join(HERE, "aiortc_client.py"), link, name, ...(channel ? [channel] : [])];
  const child = spawn(python(), values, { stdio: ["pipe", "pipe", "pipe"] });
  const client = { participantId: null, received: {}, channel: null, chat: [], faults: "", over: false };
  createInterface({ input: child.stdout }).on("line", (line) => {
    const { participant_id, received, channel: state, chat } = JSON.parse(line);
    Object.assign(client, { participantId: participant_id, received, channel: state, chat });
  });
  child.stderr.on("data", (chunk) => (client.faults += chunk));
  child.once("exit", () => (client.over = true));
  atEnd(test, async () => {
    child.kill("SIGKILL");
  });
  client.leave = () => child.stdin.end();
  client.write = (message) => child.stdin.write(`${JSON.stringify(message)}\n`);
  await until(`${name} is in the room`, async () => {
    if (client.over) throw new Error(`aiortc ended:\n${client.faults}`);
    return client.participantId !== null;
  });
  return client;
}

/** Waits until a client has new pictures and new sound of a participant, counted from this moment on. */
export async function aiortcSeesAndHears(client, participant) {
  const of = () => client.received[participant] ?? {};
  const from = structuredClone(of());
  await until(`aiortc sees and hears ${participant}`, async () => {
    if (client.over) throw new Error(`aiortc ended:\n${client.faults}`);
    const { camera, voice } = of();
    const frames = (camera?.frames ?? 0) - (from.camera?.frames ?? 0);
    return frames >= FRAMES && (voice?.energy ?? 0) > (from.voice?.energy ?? 0);
  });
}
