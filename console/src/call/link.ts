import { addSending, keepBest } from "./encodings.ts";
import { looks, type Look } from "./measure.ts";
import { CHANNEL, decodeSaid, type Said, type Saying } from "./talk.ts";
import type { ClientMessage, Incoming, ServerAnswer, ServerOffer, Source } from "./messages.ts";

/** A connection that was lost for this long looks for another way (ICE restart). */
const DISCONNECTED_MS = 2_000;
/** One that finds none in this time, with the server to talk to, is replaced. */
const RESTART_MS = 7_000;
/** Without the server to talk to there is no other way either. */
const OFFLINE_MS = 20_000;
/** One that does not come up at all is replaced too. */
const CONNECTING_MS = 15_000;

/** Something that arrives. */
export interface Arriving extends Incoming {
  track: MediaStreamTrack;
  receiver: RTCRtpReceiver;
}

export interface LinkEvents {
  send: (message: ClientMessage) => boolean;
  /** Everything that arrives, whole, on every change. */
  arriving: (all: Arriving[]) => void;
  connected: () => void;
  /** Whether one may say something. */
  open: (open: boolean) => void;
  said: (said: Said) => void;
  /** The link is of no more use. */
  failed: () => void;
}

/**
 * One RTCPeerConnection under one label. What must not overlap runs in a queue: whoever calls never waits.
 * The server yields at glare, so an offer of the server that meets our own in flight is passed over; the server answers
 * ours and offers again (docs/faces/rooms.md, "Glare").
 */
export class MediaLink {
  readonly label = `m-${crypto.randomUUID().slice(0, 13)}`;
  private readonly connection: RTCPeerConnection;
  private readonly channel: RTCDataChannel;
  private readonly sending = new Map<Source, RTCRtpTransceiver>();
  private queue: Promise<void> = Promise.resolve();
  private inFlight: Extract<ClientMessage, { type: "offer" }> | null = null;
  private offers = 0;
  private wantsOffer = false;
  private restarting = false;
  private closed = false;
  private lost: ReturnType<typeof setTimeout> | undefined;

  constructor(
    certificate: RTCCertificate,
    private readonly events: LinkEvents,
  ) {
    this.connection = new RTCPeerConnection({ certificates: [certificate], bundlePolicy: "max-bundle" });
    this.connection.onicecandidate = ({ candidate }) => {
      this.events.send({ type: "candidate", media: this.label, candidate: candidate?.candidate ?? "" });
    };
    this.connection.onconnectionstatechange = () => this.watch();
    // In the first offer: so there is something to be connected by, also for somebody who may send nothing.
    this.channel = this.connection.createDataChannel(CHANNEL);
    this.channel.onopen = () => this.events.open(true);
    this.channel.onclose = () => !this.closed && this.events.open(false);
    this.channel.onmessage = ({ data }) => {
      const said = decodeSaid(data);
      if (said) this.events.said(said);
    };
    this.failAfter(CONNECTING_MS);
  }

  /** Makes the first offer: one m-line for each source that may be sent, with or without a track as yet. */
  open(sources: [Source, MediaStreamTrack | null][]): void {
    this.step(async () => {
      for (const [source, track] of sources) await this.attach(source, track);
      await this.offer();
    });
  }

  /** Sends a track as a source, or nothing (null) while its m-line stays. */
  replace(source: Source, track: MediaStreamTrack | null): void {
    this.step(async () => {
      const known = this.sending.get(source);
      await this.attach(source, track);
      if (!known || known.currentDirection !== "sendonly") await this.offer();
    });
  }

  /** Ends a source; its m-line is kept for the next time. */
  withdraw(source: Source): void {
    this.step(async () => {
      const transceiver = this.sending.get(source);
      if (!transceiver || transceiver.direction === "inactive") return;
      transceiver.direction = "inactive";
      await transceiver.sender.replaceTrack(null);
      await this.offer();
    });
  }

  /** Takes an offer or an answer of the server with our label. */
  receive(message: ServerOffer | ServerAnswer): void {
    this.step(() => (message.type === "offer" ? this.answer(message) : this.conclude(message)));
  }

  /** Goes on after the socket broke: what was in flight may have been lost, so it is sent again as it was. */
  resume(): void {
    this.step(async () => {
      if (!this.inFlight) return;
      const sent = this.events.send(this.inFlight);
      if (sent && this.restarting) this.failAfter(RESTART_MS);
    });
  }

  /** Looks for another way to the server: the network has changed, or is back. What is sent and received goes on over the same tracks. */
  restart(): void {
    this.step(async () => {
      // A connection that has not been up has nothing to restart: it is still looking for its first way.
      if (this.connection.remoteDescription === null) return;
      // One that is up says by itself when it is not any more.
      if (this.connection.connectionState !== "connected") {
        this.restarting = true;
        this.failAfter(OFFLINE_MS);
      }
      this.connection.restartIce();
      await this.offer();
    });
  }

  /** Says something to everybody; tells whether it was handed to the channel. */
  say(saying: Saying): boolean {
    if (this.closed || this.channel.readyState !== "open") return false;
    this.channel.send(JSON.stringify(saying));
    return true;
  }

  /** Looks at everything that is sent. */
  async looksAtSending(): Promise<Look[]> {
    const streams = [...this.sending].filter(([, { sender }]) => sender.track !== null);
    const all = await Promise.all(streams.map(async ([source, { sender }]) => looks(await sender.getStats(), "outbound-rtp", source)));
    return all.flat();
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.lost);
    this.connection.close();
  }

  private async attach(source: Source, track: MediaStreamTrack | null): Promise<void> {
    const known = this.sending.get(source);
    if (known) {
      known.direction = "sendonly";
      await known.sender.replaceTrack(track);
      return;
    }
    this.sending.set(source, addSending(this.connection, source, track));
  }

  private async offer(): Promise<void> {
    if (this.inFlight) {
      this.wantsOffer = true;
      return;
    }
    this.wantsOffer = false;
    await this.connection.setLocalDescription(await this.connection.createOffer());
    const tracks: Record<string, Source> = {};
    for (const [source, { mid, direction }] of this.sending) {
      if (mid !== null && direction === "sendonly") tracks[mid] = source;
    }
    this.offers += 1;
    const sdp = this.connection.localDescription?.sdp ?? "";
    this.inFlight = { type: "offer", media: this.label, id: this.offers, sdp, tracks };
    const sent = this.events.send(this.inFlight);
    if (sent && this.restarting) this.failAfter(RESTART_MS);
  }

  private async conclude(answer: ServerAnswer): Promise<void> {
    if (answer.id !== this.inFlight?.id) return;
    this.inFlight = null;
    await this.connection.setRemoteDescription({ type: "answer", sdp: answer.sdp });
    for (const [source, { sender }] of this.sending) await keepBest(source, sender);
    if (this.wantsOffer) await this.offer();
  }

  private async answer(offer: ServerOffer): Promise<void> {
    if (this.inFlight) return;
    await this.connection.setRemoteDescription({ type: "offer", sdp: offer.sdp });
    await this.connection.setLocalDescription(await this.connection.createAnswer());
    const sdp = this.connection.localDescription?.sdp ?? "";
    this.events.send({ type: "answer", media: this.label, id: offer.id, sdp });
    this.events.arriving(this.named(offer.tracks));
  }

  private named(tracks: Record<string, Incoming>): Arriving[] {
    const arriving: Arriving[] = [];
    for (const { mid, receiver } of this.connection.getTransceivers()) {
      const incoming = mid === null ? undefined : tracks[mid];
      if (incoming) arriving.push({ ...incoming, track: receiver.track, receiver });
    }
    return arriving;
  }

  private watch(): void {
    if (this.closed) return;
    switch (this.connection.connectionState) {
      case "connected":
        clearTimeout(this.lost);
        this.restarting = false;
        this.events.connected();
        return;
      case "disconnected":
        if (!this.restarting) this.after(DISCONNECTED_MS, () => this.restart());
        return;
      case "failed":
        if (!this.restarting) this.restart();
        return;
      case "closed":
        this.fail();
        return;
      default:
    }
  }

  private failAfter(ms: number): void {
    this.after(ms, () => this.fail());
  }

  private after(ms: number, act: () => void): void {
    clearTimeout(this.lost);
    this.lost = setTimeout(act, ms);
  }

  private fail(): void {
    if (this.closed) return;
    this.close();
    this.events.failed();
  }

  private step(run: () => Promise<void>): void {
    this.queue = this.queue.then(async () => {
      if (this.closed) return;
      try {
        await run();
      } catch {
        this.fail();
      }
    });
  }
}
