import { backoff } from "./backoff.ts";
import { decode, type ClientMessage, type Refused, type ServerMessage, type Welcome } from "./messages.ts";
import { isFinal } from "./sentences.ts";

/** A live socket brings at least a pong in this time. */
const PING_MS = 5_000;
const DEAD_MS = 10_000;
/** And one that has just been asked in this. */
const PROBED_MS = 3_000;

/** What the socket tells its owner. */
export interface SocketEvents {
  /** Authenticated: at first and after every break. */
  welcome: (welcome: Welcome) => void;
  /** A message after the welcome. */
  message: (message: ServerMessage) => void;
  /** The socket broke; it comes back by itself. */
  broken: () => void;
  /** It will not come back: a final goodbye, or `denied`. */
  over: (reason: string) => void;
}

/** Signs a nonce into the first message; null when the nonce is malformed. */
export type Authenticate = (nonce: string) => Promise<ClientMessage | null>;

/** The signalling of one session: a WebSocket that authenticates and comes back for ever until it is told to stop. */
export class SignallingSocket {
  private socket: WebSocket | null = null;
  private welcomed = false;
  private stopped = false;
  private attempt = 0;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private dead: ReturnType<typeof setTimeout> | undefined;
  private ping: ReturnType<typeof setInterval> | undefined;

  constructor(
    private readonly url: string,
    private readonly authenticate: Authenticate,
    private readonly events: SocketEvents,
  ) {
  }

  /** Opens the socket. */
  start(): void {
    const socket = new WebSocket(this.url);
    this.socket = socket;
    this.expectLife(socket);
    socket.onmessage = (event) => {
      this.expectLife(socket);
      if (typeof event.data === "string") this.receive(socket, event.data);
    };
    socket.onclose = () => this.lost(socket);
  }

  /** Sends when authenticated; tells whether it was handed to the socket. */
  send(message: ClientMessage): boolean {
    if (!this.welcomed || this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  /** Closes for good, after what was sent. */
  stop(): void {
    this.stopped = true;
    clearTimeout(this.retry);
    this.quiet();
    this.socket?.close(1000);
    this.socket = null;
  }

  /** The network has changed, or is back: a socket over the network before is noticed soon, and one that is missing opened at once. */
  hurry(): void {
    if (this.stopped) return;
    if (this.socket) {
      if (this.send({ type: "ping" })) this.expectLife(this.socket, PROBED_MS);
      return;
    }
    clearTimeout(this.retry);
    this.attempt = 0;
    this.start();
  }

  private receive(socket: WebSocket, text: string): void {
    const message = decode(text);
    if (!message || socket !== this.socket) return;
    switch (message.type) {
      case "hello":
        void this.prove(socket, message.nonce);
        return;
      case "welcome":
        this.welcomed = true;
        this.attempt = 0;
        this.ping = setInterval(() => this.send({ type: "ping" }), PING_MS);
        this.events.welcome(message);
        return;
      case "goodbye":
        if (isFinal(message.reason)) this.end(message.reason);
        return;
      case "error":
        if (!this.welcomed) this.refused(message);
        else this.events.message(message);
        return;
      default:
        if (this.welcomed) this.events.message(message);
    }
  }

  private async prove(socket: WebSocket, nonce: string): Promise<void> {
    const first = await this.authenticate(nonce);
    if (first && socket === this.socket && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(first));
  }

  /** Only `denied` says that the session is void; a server that is busy is asked again later. */
  private refused(error: Refused): void {
    if (error.code === "denied") this.end("denied");
  }

  private end(reason: string): void {
    this.stop();
    this.events.over(reason);
  }

  private expectLife(socket: WebSocket, withinMs = DEAD_MS): void {
    clearTimeout(this.dead);
    this.dead = setTimeout(() => {
      // A dead network keeps a socket in CLOSING for long: it is given up at once.
      socket.close();
      this.lost(socket);
    }, withinMs);
  }

  private lost(socket: WebSocket): void {
    if (socket !== this.socket || this.stopped) return;
    this.socket = null;
    this.quiet();
    this.events.broken();
    this.retry = setTimeout(() => this.start(), backoff(this.attempt, Math.random()));
    this.attempt += 1;
  }

  private quiet(): void {
    this.welcomed = false;
    clearTimeout(this.dead);
    clearInterval(this.ping);
  }
}
