// Ports for servers that are told theirs before they start.
import { createSocket } from "node:dgram";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";

// Above the ports that browsers refuse, and below those that the system gives to whoever connects: one of these may be taken again,
// by a browser say, before the server that was told it listens. Every test file is a process of its own, so each begins elsewhere.
const LOWEST = 11_000;
const PER_PROCESS = 100;
const HIGHEST = lowestGiven();
let next = LOWEST + (process.pid * PER_PROCESS) % (HIGHEST - LOWEST);

/** Returns a port on which nobody listens at `address`, by UDP or by TCP; this process is told each once. */
export async function freePort(address = "127.0.0.1") {
  const family = address.includes(":") ? "udp6" : "udp4";
  for (let left = HIGHEST - LOWEST; left > 0; left -= 1) {
    const port = next;
    next = next + 1 < HIGHEST ? next + 1 : LOWEST;
    const tcp = await isFree(createServer(), (probe) => probe.listen(port, address));
    if (tcp && (await isFree(createSocket(family), (probe) => probe.bind(port, address)))) return port;
  }
  throw new Error(`no port below ${HIGHEST} is free at ${address}`);
}

function isFree(probe, listen) {
  return new Promise((found, failed) => {
    probe.once("error", (fault) => (fault.code === "EADDRINUSE" ? found(false) : failed(fault)));
    probe.once("listening", () => probe.close(() => found(true)));
    listen(probe);
  });
}

/** The first of the ports that Linux gives to connections. */
function lowestGiven() {
  try {
    const lowest = Number(readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8").trim().split(/\s+/)[0]);
    return lowest >= LOWEST + PER_PROCESS ? lowest : 32_768;
  } catch {
    return 32_768;
  }
}
