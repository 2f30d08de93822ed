import { backoff } from "../call/backoff.ts";
import { AUTHENTICATION_FAILED, clientOf, RATE_LIMITED, readFrame, refusedWithin, request, type Frame, type Refusal } from "./frames.ts";
import { proofOf, type ProofKey } from "./possession.ts";
import { readBeside, type Beside } from "./vouching.ts";

/** What a visitor is issued for one channel. */
export interface Credentials {
  channelId: string;
  clientId: string;
  password: string;
  sessionId: string;
  /** To which the password is bound. */
  proofKey: ProofKey | null;
  /** The path of the socket. */
  socket: string;
}

/** Why a line will not come back by itself. */
export type LineEnding = "punted" | "revoked" | "full" | "refused" | "not-admitted" | "unknown";

export interface LineEvents {
  /** In the channel: at first and after every break. */
  ready: () => void;
  /** Told to everybody; our own is not heard. */
  heard: (from: string, payload: unknown) => void;
  /** Told to us alone, and what the server says beside it. */
  told: (from: string, payload: unknown, beside: Beside) => void;
  /** The server is still there: every 45 s or so. */
  alive: () => void;
  /** The socket broke; it comes back by itself. */
  broken: () => void;
  over: (ending: LineEnding) => void;
}

/** What a line asks of the door by which it came in. */
export interface Door {
  /** Issues credentials anew, or tells why they are not to be had, or null when it cannot be known at the moment. */
  renew: () => Promise<Credentials | LineEnding | null>;
  /** Tells whether the channel is gone for sure. */
  isGone: () => Promise<boolean>;
}

const ECHO_MS = 45_000;
const ECHO_JITTER_MS = 5_000;
/** A server that does not answer in this time is given up. */
const DEAD_MS = 10_000;
/** One that has just been asked because the network changed, in this. */
const PROBED_MS = 3_000;
/** The holder of a session is not pushed off more often than this (reference of the channels, 5.3). */
const TAKEOVER_MS = 5_000;
/** A close follows a punt in a quarter of a second, if the network lets it. */
const PUNT_MS = 1_000;
/** What was not heard is said again after this, so many times. */
const AGAIN_MS = 1_000;
const AGAIN_TIMES = 8;
/** So many sockets that did not open make us ask whether the channel is there at all. */
const UNOPENED = 2;

type Reply = { result: Record<string, unknown> } | { refusal: Refusal };

/** One client's connection to its channel: it logs in, subscribes, and comes back for ever until it is told to stop. */
export class Line {
  private socket: WebSocket | null = null;
  private inChannel = false;
  private stopped = false;
  /** Whether these credentials were issued for the login under way. */
  private issuedAnew = true;
  private attempt = 0;
  private unopened = 0;
  private lastId = 0;
  private readonly pending = new Map<number, (reply: Reply) => void>();
  private retry: ReturnType<typeof setTimeout> | undefined;
  private dead: ReturnType<typeof setTimeout> | undefined;
  private echo: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private credentials: Credentials,
    private readonly door: Door,
    private readonly events: LineEvents,
  ) {}

  /** Opens the socket. */
  start(): void {
    const url = new URL(this.credentials.socket, location.href);
    url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(url);
    this.socket = socket;
    this.unopened += 1;
    this.expectLife(socket, DEAD_MS);
    socket.onopen = () => {
      this.unopened = 0;
      void this.logIn(socket);
    };
    socket.onmessage = ({ data }) => {
      if (socket === this.socket && typeof data === "string") this.receive(socket, data);
    };
    socket.onclose = () => this.lost(socket);
  }

  /** Tells everybody; answers whether it was done. */
  async broadcast(payload: string): Promise<boolean> {
    const { channelId: eventChannel } = this.credentials;
    const reply = await this.ask("verto.broadcast", { localBroadcast: true, eventChannel, eventData: payload });
    return reply !== null && "result" in reply && refusedWithin(reply.result) === null;
  }

  /** Tells one, several times if it was said too fast, or if the other's socket is broken just now. The server hands `signature` on beside it. */
  async tell(to: string, body: string, signature: string | null = null): Promise<void> {
    for (let time = 0; time < AGAIN_TIMES; time += 1) {
      const reply = await this.ask("verto.info", { msg: { to, body }, ...(signature && { signature }) });
      if (!reply || !comesLater(reply)) return;
      await new Promise((done) => setTimeout(done, AGAIN_MS));
    }
  }

  /** Asks once more what is needed for ICE; null when there is no answer now. */
  async iceServers(): Promise<Record<string, unknown> | null> {
    const reply = await this.ask("countersign.iceServers", {});
    return reply !== null && "result" in reply ? reply.result : null;
  }

  /** Closes for good, after what was sent. */
  stop(): void {
    this.stopped = true;
    clearTimeout(this.retry);
    this.quiet();
    const { socket } = this;
    this.socket = null;
    socket?.close(1000);
  }

  /** The network has changed, or is back. */
  hurry(): void {
    if (this.stopped) return;
    if (this.socket) {
      if (this.inChannel) this.probe(this.socket, PROBED_MS);
      return;
    }
    clearTimeout(this.retry);
    this.attempt = 0;
    this.start();
  }

  private async logIn(socket: WebSocket): Promise<void> {
    const { clientId: login, password: passwd } = this.credentials;
    // Without credentials at first, as clients of verto do: what the server asks for is in its refusal.
    const primed = await this.send(socket, "login", {});
    const nonce = primed && "refusal" in primed ? primed.refusal.nonce : null;
    const loginParams = await this.proof(nonce);
    const reply = await this.send(socket, "login", { login, passwd, ...(loginParams && { loginParams }) });
    if (reply && "refusal" in reply && socket === this.socket) await this.refused(socket, reply.refusal);
  }

  private async proof(nonce: string | null): Promise<{ signature: string } | null> {
    const { proofKey, channelId, clientId } = this.credentials;
    if (!proofKey || !nonce) return null;
    const signature = await proofOf(proofKey, nonce, { channelId, clientId, origin: location.origin });
    return signature === null ? null : { signature };
  }

  private async refused(socket: WebSocket, { code, message }: Refusal): Promise<void> {
    if (code === AUTHENTICATION_FAILED && message === "Channel full") return this.end("full");
    if (code === AUTHENTICATION_FAILED && message === "Session in use") return this.giveUp(socket, TAKEOVER_MS);
    if (code !== AUTHENTICATION_FAILED) return this.giveUp(socket);
    if (this.issuedAnew) return this.end("refused");
    // The lease has run out, or another issue has ended it.
    if (await this.renewed()) this.giveUp(socket, 0);
  }

  /** Tells whether there is another try: with new credentials, or with the old ones if nothing can be known. */
  private async renewed(): Promise<boolean> {
    const renewed = await this.door.renew();
    if (this.stopped) return false;
    if (typeof renewed === "string") {
      this.end(renewed);
      return false;
    }
    if (renewed) {
      this.credentials = renewed;
      this.issuedAnew = true;
    }
    return true;
  }

  private receive(socket: WebSocket, text: string): void {
    const frame = readFrame(text);
    if (!frame) return;
    if (frame.kind === "push") return this.pushed(socket, frame);
    const done = this.pending.get(frame.id);
    this.pending.delete(frame.id);
    done?.(frame.kind === "result" ? { result: frame.result } : { refusal: frame.error });
  }

  private pushed(socket: WebSocket, { method, params }: Extract<Frame, { kind: "push" }>): void {
    switch (method) {
      case "verto.clientReady":
        void this.enter(socket);
        return;
      case "verto.event": {
        const from = clientOf(params.userid);
        if (from && from !== this.credentials.clientId && params.eventChannel === this.credentials.channelId) {
          this.events.heard(from, params.eventData);
        }
        return;
      }
      case "verto.info": {
        const { from, to, body } = (params.msg ?? {}) as Record<string, unknown>;
        if (typeof from === "string" && clientOf(to) === this.credentials.clientId) this.events.told(from, body, readBeside(params));
        return;
      }
      case "verto.punt":
        this.punted(socket);
    }
  }

  /** Why, stands in the close that follows. */
  private punted(socket: WebSocket): void {
    this.quiet();
    const end = (reason: string) => socket === this.socket && this.end(reason === "revoked" ? "revoked" : "punted");
    socket.onclose = ({ reason }) => end(reason);
    setTimeout(() => end(""), PUNT_MS);
  }

  private async enter(socket: WebSocket): Promise<void> {
    this.issuedAnew = false;
    const reply = await this.send(socket, "verto.subscribe", { eventChannel: this.credentials.channelId });
    if (!reply || socket !== this.socket) return;
    if ("refusal" in reply) return this.end("refused");
    clearTimeout(this.dead);
    this.inChannel = true;
    this.attempt = 0;
    this.echoLater(socket);
    this.events.ready();
  }

  private echoLater(socket: WebSocket): void {
    this.echo = setTimeout(() => this.probe(socket, DEAD_MS), ECHO_MS + (Math.random() * 2 - 1) * ECHO_JITTER_MS);
  }

  private probe(socket: WebSocket, withinMs: number): void {
    clearTimeout(this.echo);
    this.expectLife(socket, withinMs);
    void this.send(socket, "echo", {}).then((reply) => {
      if (!reply || socket !== this.socket) return;
      clearTimeout(this.dead);
      this.echoLater(socket);
      if ("result" in reply) this.events.alive();
    });
  }

  private ask(method: string, params: object): Promise<Reply | null> {
    return this.inChannel && this.socket ? this.send(this.socket, method, params) : Promise.resolve(null);
  }

  /** Sends a request; null when the socket ends before its answer. */
  private send(socket: WebSocket, method: string, params: object): Promise<Reply | null> {
    if (socket !== this.socket || socket.readyState !== WebSocket.OPEN) return Promise.resolve(null);
    this.lastId += 1;
    const id = this.lastId;
    socket.send(request(id, method, { sessid: this.credentials.sessionId, ...params }));
    return new Promise((done) => {
      this.pending.set(id, done);
      socket.addEventListener("close", () => this.pending.delete(id) && done(null));
    });
  }

  private expectLife(socket: WebSocket, withinMs: number): void {
    clearTimeout(this.dead);
    this.dead = setTimeout(() => this.giveUp(socket), withinMs);
  }

  private giveUp(socket: WebSocket, waitMs?: number): void {
    // A dead network keeps a socket in CLOSING for long: it is not waited for.
    this.lost(socket, waitMs);
    socket.close();
  }

  private lost(socket: WebSocket, waitMs?: number): void {
    if (socket !== this.socket || this.stopped) return;
    this.socket = null;
    const wasIn = this.inChannel;
    this.quiet();
    if (wasIn) this.events.broken();
    this.retry = setTimeout(() => void this.again(), waitMs ?? backoff(this.attempt, Math.random()));
    this.attempt += 1;
  }

  private async again(): Promise<void> {
    if (this.unopened >= UNOPENED) {
      this.unopened = 0;
      if (await this.door.isGone()) return this.end("unknown");
    }
    if (!this.stopped && !this.socket) this.start();
  }

  private quiet(): void {
    this.inChannel = false;
    clearTimeout(this.dead);
    clearTimeout(this.echo);
  }

  private end(ending: LineEnding): void {
    this.stop();
    this.events.over(ending);
  }
}

function comesLater(reply: Reply): boolean {
  return "result" in reply ? reply.result.delivered === 0 : reply.refusal.code === RATE_LIMITED;
}
