import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { Line, type Credentials, type LineEnding, type LineEvents } from "../src/channel/line.ts";

const ANA = "01234567-89ab-4def-8123-456789abcdef";
const BEN = "11234567-89ab-4def-8123-456789abcdef";
const CHANNEL = "21234567-89ab-4def-8123-456789abcdef";

test("a line logs in, subscribes, and hears others but not itself", async (t) => {
  const { line, server, told } = setUp(t);
  line.start();
  await server.opens();
  assert.equal(server.url, `wss://host/peers/${CHANNEL}/clients`);
  await server.refuses("login", { sessid: "s" }, -32000);
  await server.answers("login", { sessid: "s", login: ANA, passwd: "p1" }, { message: "logged in" });
  server.pushes("verto.clientReady", { reattached_sessions: [] });
  await server.answers("verto.subscribe", { sessid: "s", eventChannel: CHANNEL }, { subscribedChannels: [CHANNEL] });
  assert.deepEqual(told, ["ready"]);
  server.pushes("verto.event", { userid: `${BEN}@host`, eventChannel: CHANNEL, eventData: "x" });
  server.pushes("verto.event", { userid: `${ANA}@host`, eventChannel: CHANNEL, eventData: "own" });
  server.pushes("verto.event", { userid: `${BEN}@host`, eventChannel: `${CHANNEL}.x`, eventData: "other" });
  server.pushes("verto.info", { msg: { from: BEN, to: `${ANA}@host`, body: "y" } });
  server.pushes("verto.info", { msg: { from: BEN, to: `${BEN}@host`, body: "not for us" } });
  assert.deepEqual(told, ["ready", `heard ${BEN} x`, `told ${BEN} y`]);
});

test("a signature goes beside the message, and one of another comes with its key", async (t) => {
  const { line, server, told } = setUp(t);
  line.start();
  await server.letsIn("p1");
  const done = line.tell(BEN, "x", "mine");
  await server.answers("verto.info", { sessid: "s", msg: { to: BEN, body: "x" }, signature: "mine" }, { message: "SENT", delivered: 1 });
  await done;
  const msg = { from: BEN, to: `${ANA}@host`, body: "y" };
  server.pushes("verto.info", { msg, signature: "bens", key: "k" });
  server.pushes("verto.info", { msg, signature: "bens" });
  assert.deepEqual(told.slice(1), [`told ${BEN} y signed bens of k`, `told ${BEN} y`], "a signature of nobody is none");
});

test("what relays want to be shown is asked of the server, while one is in the channel", async (t) => {
  const { line, server } = setUp(t);
  assert.equal(await line.iceServers(), null, "there is no socket");
  line.start();
  await server.letsIn("p1");
  const told = line.iceServers();
  await server.answers("countersign.iceServers", { sessid: "s" }, { iceExpiresIn: 900 });
  assert.deepEqual(await told, { iceExpiresIn: 900 });
  const refused = line.iceServers();
  await server.refuses("countersign.iceServers", { sessid: "s" }, -32002);
  assert.equal(await refused, null);
});

test("a line that breaks comes back by the same password, and by a new one when the lease is over", async (t) => {
  const { line, server, told, asked } = setUp(t, { password: "p2" });
  line.start();
  await server.letsIn("p1");
  server.breaks();
  await server.opens(t);
  await server.letsIn("p1", "open");
  server.breaks();
  await server.opens(t);
  await server.refuses("login", { sessid: "s" }, -32000);
  await server.refuses("login", { sessid: "s", login: ANA, passwd: "p1" }, -32001, "Authentication Failure");
  await server.opens(t);
  await server.letsIn("p2", "open");
  assert.deepEqual(told, ["ready", "broken", "ready", "broken", "ready"]);
  assert.equal(asked.renewals, 1);
});

for (const [message, ending] of [["Authentication Failure", "refused"], ["Channel full", "full"]]) {
  test(`with credentials that were just issued, "${message}" is the end`, async (t) => {
    const { line, server, told } = setUp(t);
    line.start();
    await server.opens();
    await server.refuses("login", { sessid: "s" }, -32000);
    await server.refuses("login", { sessid: "s", login: ANA, passwd: "p1" }, -32001, message);
    assert.deepEqual(told, [`over ${ending}`]);
  });
}

test("a session that is in use is waited for", async (t) => {
  const { line, server, told } = setUp(t);
  line.start();
  await server.opens();
  await server.refuses("login", { sessid: "s" }, -32000);
  await server.refuses("login", { sessid: "s", login: ANA, passwd: "p1" }, -32001, "Session in use");
  t.mock.timers.tick(4_999);
  await settled();
  assert.equal(FakeSocket.all.length, 1);
  await server.opens(t);
  await server.letsIn("p1", "open");
  assert.deepEqual(told, ["ready"]);
});

for (const [reason, ending] of [["revoked", "revoked"], ["replaced", "punted"], ["", "punted"]] as const) {
  test(`who is punted stays away, and is told why (${reason || "no reason"})`, async (t) => {
    const { line, server, told } = setUp(t);
    line.start();
    await server.letsIn("p1");
    server.pushes("verto.punt", {});
    server.breaks(reason);
    t.mock.timers.tick(60_000);
    await settled();
    assert.deepEqual(told, ["ready", `over ${ending}`]);
    assert.equal(FakeSocket.all.length, 1);
  });
}

test("a punt that no close follows is one all the same", async (t) => {
  const { line, server, told } = setUp(t);
  line.start();
  await server.letsIn("p1");
  server.pushes("verto.punt", {});
  t.mock.timers.tick(1_000);
  assert.deepEqual(told, ["ready", "over punted"]);
});

test("when sockets do not open any more, the server is asked whether the channel is there", async (t) => {
  const { line, server, told, asked } = setUp(t);
  asked.gone = [false, true];
  line.start();
  await server.letsIn("p1");
  for (let time = 0; time < 5; time += 1) {
    assert.deepEqual(asked.gone.length, time < 3 ? 2 : 1, `after ${time}`);
    server.breaks();
    t.mock.timers.tick(5_000);
    await settled();
  }
  assert.deepEqual(told, ["ready", "broken", "over unknown"]);
  assert.equal(asked.renewals, 0, "the password is as good as it was");
});

test("a server that does not answer is given up", async (t) => {
  const { line, server, told } = setUp(t);
  line.start();
  await server.letsIn("p1");
  t.mock.timers.tick(50_000);
  await settled();
  assert.equal(server.asked()?.method, "echo");
  t.mock.timers.tick(10_000);
  await settled();
  assert.deepEqual(told, ["ready", "broken"]);
});

test("what was said too fast, or to somebody who is away for a moment, is said again", async (t) => {
  const { line, server } = setUp(t);
  line.start();
  await server.letsIn("p1");
  const params = { sessid: "s", msg: { to: BEN, body: "x" } };
  const done = line.tell(BEN, "x");
  await server.refuses("verto.info", params, -32003);
  t.mock.timers.tick(1_000);
  await settled();
  await server.answers("verto.info", params, { message: "SENT", delivered: 0 });
  t.mock.timers.tick(1_000);
  await settled();
  await server.answers("verto.info", params, { message: "SENT", delivered: 1 });
  await done;
  const broadcast = line.broadcast("y");
  await server.answers("verto.broadcast", { sessid: "s", localBroadcast: true, eventChannel: CHANNEL, eventData: "y" }, { code: -32002, message: "Permission Denied." });
  assert.equal(await broadcast, false, "the refusal of a broadcast stands in its result");
});

/** A line whose sockets are played, whose clock is ours, and which is told this when it asks for other credentials. */
function setUp(t: TestContext, renewed: { password: string } | LineEnding | null = null) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  FakeSocket.all = [];
  Object.assign(globalThis, { WebSocket: FakeSocket, location: new URL(`https://host/peers/${CHANNEL}`) });
  const credentials: Credentials = { channelId: CHANNEL, clientId: ANA, password: "p1", sessionId: "s", proofKey: null, socket: `/peers/${CHANNEL}/clients` };
  const told: string[] = [];
  const asked = { renewals: 0, gone: [] as boolean[] };
  const events: LineEvents = {
    ready: () => told.push("ready"),
    heard: (from, payload) => told.push(`heard ${from} ${payload}`),
    told: (from, payload, { vouched }) => told.push(`told ${from} ${payload}${vouched ? ` signed ${vouched.signature} of ${vouched.key}` : ""}`),
    alive: () => told.push("alive"),
    broken: () => told.push("broken"),
    over: (ending) => told.push(`over ${ending}`),
  };
  const renew = async () => {
    asked.renewals += 1;
    return typeof renewed === "string" || renewed === null ? renewed : { ...credentials, ...renewed };
  };
  const isGone = async () => asked.gone.shift() ?? false;
  const line = new Line(credentials, { renew, isGone }, events);
  t.after(() => line.stop());
  return { line, server: new FakeServer(), told, asked };
}

/** The other end of the latest socket. */
class FakeServer {
  private pushed = 1_000_000_000;

  get url(): string {
    return this.socket.url;
  }

  private get socket(): FakeSocket {
    const socket = FakeSocket.all.at(-1);
    assert.ok(socket, "there is a socket");
    return socket;
  }

  /** Lets the latest socket open, once its time has come. */
  async opens(t?: TestContext): Promise<void> {
    t?.mock.timers.tick(5_000);
    await settled();
    this.socket.open();
    await settled();
  }

  breaks(reason = ""): void {
    this.socket.end(reason);
  }

  asked(): { id: number; method: string; params: unknown } | undefined {
    return this.socket.sent.at(-1);
  }

  async letsIn(passwd: string, open = ""): Promise<void> {
    if (!open) await this.opens();
    await this.refuses("login", { sessid: "s" }, -32000);
    await this.answers("login", { sessid: "s", login: ANA, passwd }, { message: "logged in" });
    this.pushes("verto.clientReady", { reattached_sessions: [] });
    await this.answers("verto.subscribe", { sessid: "s", eventChannel: CHANNEL }, { subscribedChannels: [CHANNEL] });
  }

  answers(method: string, params: object, result: object): Promise<void> {
    return this.reply(method, params, { result });
  }

  refuses(method: string, params: object, code: number, message = ""): Promise<void> {
    return this.reply(method, params, { error: { code, message } });
  }

  pushes(method: string, params: object): void {
    this.pushed += 1;
    this.socket.receive({ jsonrpc: "2.0", id: this.pushed, method, params });
  }

  private async reply(method: string, params: object, reply: object): Promise<void> {
    await settled();
    const asked = this.asked();
    assert.deepEqual({ method: asked?.method, params: asked?.params }, { method, params });
    this.socket.receive({ jsonrpc: "2.0", id: asked?.id, ...reply });
    await settled();
  }
}

class FakeSocket extends EventTarget {
  static readonly OPEN = 1;
  static all: FakeSocket[] = [];
  readyState = 0;
  readonly sent: { id: number; method: string; params: unknown }[] = [];
  readonly url: string;
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: { reason: string }) => void) | null = null;

  constructor(url: URL) {
    super();
    this.url = String(url);
    FakeSocket.all.push(this);
  }

  open(): void {
    this.readyState = FakeSocket.OPEN;
    this.onopen?.();
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text) as FakeSocket["sent"][number]);
  }

  receive(frame: object): void {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }

  close(): void {
    this.end("");
  }

  end(reason: string): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.dispatchEvent(new Event("close"));
    this.onclose?.({ reason });
  }
}

/** Lets everything run that waits for nothing but its turn. */
function settled(): Promise<void> {
  return new Promise((done) => setImmediate(done));
}
