// A UDP relay between clients and the server that does to datagrams what bad networks do. Named in `[media] advertise`, so that clients
// send to it; each client gets a socket of its own towards the server, as behind a NAT.
import { createSocket } from "node:dgram";
import { atEnd } from "../../browser/stage/ending.mjs";

/** What the link counts beside the payload: IPv4 and UDP headers. */
const HEADERS = 28;
const SEED = 20_260_101;

/**
 * One direction of a link; everything may be left out.
 * @typedef {object} Conditions
 * @property {number} [loss] share of datagrams that vanish, 0 to 1
 * @property {number} [delay] milliseconds that each takes
 * @property {number} [jitter] up to so many milliseconds more; the order is kept
 * @property {number} [reorder] share of datagrams that are held back, so that later ones overtake them
 * @property {number} [rate] bits per second, headers counted
 * @property {number} [queue] milliseconds of `rate` that wait at most; what comes then is dropped (200)
 */

/** Starts a relay to a server's media address; it ends with the test. */
export async function startRelay(test, target) {
  const relay = new Relay(target);
  await relay.open();
  atEnd(test, async () => relay.close());
  return relay;
}

export class Relay {
  constructor(target) {
    this.target = target;
    this.front = createSocket({ type: "udp4", recvBufferSize: 1 << 21, sendBufferSize: 1 << 21 });
    this.clients = new Map();
    this.common = { up: {}, down: {} };
    this.special = new Map();
    this.chance = mulberry32(SEED);
  }

  async open() {
    this.front.on("message", (datagram, from) => this.fromClient(datagram, from));
    await new Promise((done) => this.front.bind(0, this.target.address, done));
    this.address = this.target.address;
    this.port = this.front.address().port;
  }

  /** Sets the conditions of everybody without conditions of their own, from this moment on. */
  shape({ up = {}, down = {} }) {
    this.common = { up, down };
  }

  /** Sets the conditions of one client, named by its ICE user fragment, from this moment on. */
  shapeOne(ufrag, { up = {}, down = {} }) {
    this.special.set(ufrag, { up, down });
  }

  /** Returns what a client's link did so far: datagrams passed and dropped, bytes passed. */
  counts(ufrag) {
    const own = [...this.clients.values()].filter((client) => client.ufrag === ufrag);
    const sum = (way, what) => own.reduce((total, client) => total + client[way].counts[what], 0);
    const of = (way) => ({ passed: sum(way, "passed"), dropped: sum(way, "dropped"), bytes: sum(way, "bytes") });
    return { up: of("up"), down: of("down") };
  }

  /** Gives a client's link another port towards the server, as a NAT does that forgot it. */
  rebind(ufrag) {
    for (const client of [...this.clients.values()].filter((one) => one.ufrag === ufrag)) {
      client.back.close();
      client.back = this.backOf(client);
    }
  }

  close() {
    this.front.close();
    for (const client of this.clients.values()) {
      client.up.close();
      client.down.close();
      client.back.close();
    }
  }

  fromClient(datagram, from) {
    const name = `${from.address}:${from.port}`;
    let client = this.clients.get(name);
    if (!client) {
      client = this.welcome(from);
      this.clients.set(name, client);
    }
    client.ufrag ??= clientUfrag(datagram);
    client.up.take(datagram);
  }

  welcome(from) {
    const client = { ufrag: null };
    const conditions = (way) => () => (this.special.get(client.ufrag) ?? this.common)[way];
    const { address, port } = this.target;
    client.up = new Line(conditions("up"), this.chance, (datagram) => client.back.send(datagram, port, address));
    client.down = new Line(conditions("down"), this.chance, (datagram) => this.front.send(datagram, from.port, from.address));
    client.back = this.backOf(client);
    return client;
  }

  backOf(client) {
    const back = createSocket({ type: "udp4", recvBufferSize: 1 << 21, sendBufferSize: 1 << 21 });
    back.bind(0, this.target.address);
    back.on("message", (datagram) => client.down.take(datagram));
    // A server that is gone answers by ICMP; that is for the clients to notice.
    back.on("error", () => {});
    return back;
  }
}

/** One direction of one client's link. */
class Line {
  constructor(conditions, chance, send) {
    this.conditions = conditions;
    this.chance = chance;
    this.send = send;
    this.counts = { passed: 0, dropped: 0, bytes: 0 };
    /** When the link has passed all that it took, and when the latest one that keeps the order arrives. */
    this.free = 0;
    this.latest = 0;
    this.waiting = [];
    this.timer = null;
  }

  take(datagram) {
    const { loss = 0, delay = 0, jitter = 0, reorder = 0, rate = Infinity, queue = 200 } = this.conditions();
    const now = performance.now();
    const size = datagram.length + HEADERS;
    const begin = Math.max(this.free, now);
    if (this.chance() < loss || begin - now > queue) {
      this.counts.dropped += 1;
      return;
    }
    this.free = rate === Infinity ? now : begin + (size * 8_000) / rate;
    this.counts.passed += 1;
    this.counts.bytes += size;
    let at = this.free + delay + this.chance() * jitter;
    if (this.chance() < reorder) at += 5 + this.chance() * 25;
    else at = this.latest = Math.max(this.latest, at);
    if (at <= now && this.waiting.length === 0) this.send(datagram);
    else this.wait(datagram, at);
  }

  wait(datagram, at) {
    let index = this.waiting.length;
    while (index > 0 && this.waiting[index - 1].at > at) index -= 1;
    this.waiting.splice(index, 0, { at, datagram });
    if (index === 0) this.arm();
  }

  arm() {
    clearTimeout(this.timer);
    const [first] = this.waiting;
    if (first) this.timer = setTimeout(() => this.flush(), Math.max(1, Math.ceil(first.at - performance.now())));
  }

  flush() {
    const now = performance.now();
    let due = 0;
    while (due < this.waiting.length && this.waiting[due].at <= now) due += 1;
    for (const { datagram } of this.waiting.splice(0, due)) this.send(datagram);
    this.arm();
  }

  close() {
    clearTimeout(this.timer);
    this.waiting = [];
  }
}

/** Returns the client's user fragment from a STUN request (USERNAME is `ours:theirs`, RFC 8445 §7.2.2), or null. */
function clientUfrag(datagram) {
  if (datagram.length < 20 || datagram.readUInt16BE(0) !== 1 || datagram.readUInt32BE(4) !== 0x2112a442) return null;
  let offset = 20;
  while (offset + 4 <= datagram.length) {
    const length = datagram.readUInt16BE(offset + 2);
    if (datagram.readUInt16BE(offset) === 6) {
      return datagram.toString("utf8", offset + 4, offset + 4 + length).split(":")[1] ?? null;
    }
    offset += 4 + length + ((4 - (length % 4)) % 4);
  }
  return null;
}

/** The same losses in every run that sends the same. */
function mulberry32(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
