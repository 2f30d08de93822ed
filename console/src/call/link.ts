import type { ClientMessage, Incoming, ServerAnswer, ServerOffer, Source } from "./messages.ts";

/** A connection that was lost for this long is replaced. */
const DISCONNECTED_MS = 5_000;
/** So is one that does not come up at all. */
const CONNECTING_MS = 15_000;
/** Enough for 640 × 360 at 24 frames. */
const CAMERA_BITS_PER_SECOND = 700_000;

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
  private readonly sending = new Map<Source, RTCRtpTransceiver>();
  private queue: Promise<void> = Promise.resolve();
  private inFlight: Extract<ClientMessage, { type: "offer" }> | null = null;
  private offers = 0;
  private wantsOffer = false;
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
    this.failAfter(CONNECTING_MS);
  }

  /** Makes the first offer: one m-line for each source that may be sent, with or without a track as yet. */
  open(sources: [Source, MediaStreamTrack | null][]): void {
    this.step(async () => {
      for (const [source, track] of sources) await this.attach(source, track);
      // Somebody who may send nothing still needs an m-line to be connected by.
      if (sources.length === 0) this.connection.addTransceiver("audio", { direction: "recvonly" });
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
      if (this.inFlight) this.events.send(this.inFlight);
    });
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
    const audio = source === "voice" || source === "screen-audio";
    const init: RTCRtpTransceiverInit = { direction: "sendonly" };
    if (source === "camera") init.sendEncodings = [{ maxBitrate: CAMERA_BITS_PER_SECOND }];
    this.sending.set(source, this.connection.addTransceiver(track ?? (audio ? "audio" : "video"), init));
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
    this.events.send(this.inFlight);
  }

  private async conclude(answer: ServerAnswer): Promise<void> {
    if (answer.id !== this.inFlight?.id) return;
    this.inFlight = null;
    await this.connection.setRemoteDescription({ type: "answer", sdp: answer.sdp });
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
        this.events.connected();
        return;
      case "disconnected":
        this.failAfter(DISCONNECTED_MS);
        return;
      case "failed":
      case "closed":
        this.fail();
        return;
      default:
    }
  }

  private failAfter(ms: number): void {
    clearTimeout(this.lost);
    this.lost = setTimeout(() => this.fail(), ms);
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
