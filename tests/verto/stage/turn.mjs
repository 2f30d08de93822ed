// A real coturn, with a folder of its own, at the address of the tests' own network: to the loopback it relays nothing, and that stays so.
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { atEnd } from "../../browser/stage/ending.mjs";
import { freePort } from "../../browser/stage/ports.mjs";

const START_MS = 20_000;
/** The interface that `tests/interop/namespace.sh` makes. */
const ADDRESS = "10.77.0.1";
const running = new Set();

process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Starts a TURN server that lets in who shows what `secret` has made. It ends with the test. */
export async function startTurn(test, secret) {
  const folder = await mkdtemp(join(tmpdir(), "countersign-turn-"));
  const port = await freePort(ADDRESS);
  const child = spawn(process.env.TURNSERVER_BIN ?? "/usr/bin/turnserver", settings(folder, port, secret), { stdio: ["ignore", "pipe", "pipe"] });
  running.add(child);
  const gone = new Promise((done) => child.once("close", done));
  void gone.then(() => running.delete(child));
  atEnd(test, async () => {
    child.kill("SIGKILL");
    await gone;
    await rm(folder, { recursive: true, force: true });
  });
  await listens(child);
  return { address: ADDRESS, url: (transport) => `turn:${ADDRESS}:${port}?transport=${transport}` };
}

/** Nothing of the machine's own coturn: neither its configuration nor its users nor its ports. */
function settings(folder, port, secret) {
  return [
    "-n",
    `--userdb=${join(folder, "users")}`,
    `--pidfile=${join(folder, "pid")}`,
    "--log-file=stdout",
    // Without it, coturn does not say when it listens.
    "--verbose",
    "--no-cli",
    "--no-tls",
    "--no-dtls",
    `--listening-ip=${ADDRESS}`,
    `--relay-ip=${ADDRESS}`,
    `--listening-port=${port}`,
    "--relay-threads=1",
    "--realm=countersign.test",
    "--use-auth-secret",
    `--static-auth-secret=${secret}`,
  ];
}

/** Waits until it listens by UDP and by TCP. */
function listens(child) {
  return new Promise((found, failed) => {
    let log = "";
    const late = setTimeout(() => failed(new Error(`coturn does not listen within ${START_MS} ms:\n${log}`)), START_MS);
    const end = (then) => {
      clearTimeout(late);
      then();
    };
    const read = (chunk) => {
      log += chunk;
      if (["UDP", "TCP"].every((way) => log.includes(`${way} listener opened on`))) end(found);
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    child.once("error", (fault) => end(() => failed(fault)));
    child.once("exit", (code) => end(() => failed(new Error(`coturn ended with ${code}:\n${log}`))));
  });
}
