import { decodeAbout, type About } from "./about.ts";
import { fingerprintOf } from "./comparison.ts";
import type { Signal } from "./dialogs.ts";
import { Negotiation } from "./negotiation.ts";
import type { Description } from "./payload.ts";
import { OtherCertificate, type Beside, type Way } from "./vouching.ts";

/** A line that was lost for this long looks for another way (ICE restart). */
const DISCONNECTED_MS = 3_000;
/** One that is not up in this time is given up. */
const CONNECTING_MS = 30_000;
/** For so long the polite end leaves the first offer to the other, which has one for certain if it is a page of ours. */
const FIRST_OFFER_MS = 2_000;
/** What we tell the other end is told again every so often, so that a lost word is of no weight. */
const TELL_MS = 5_000;

/** More candidates than any device has. */
const MOST_EARLY = 64;

/** The data channel between two of our pages. Both ends make it under this number, so a client that knows none is not bothered. */
const CHANNEL = { label: "countersign", id: 1 };

/** Whether media go straight to the other end, or by a TURN server. */
export type Path = "direct" | "relayed";

export interface PeerLinkEvents {
  describe: (description: Description, signature: string | null) => void;
  candidate: (candidate: RTCIceCandidateInit) => void;
  changed: () => void;
  about: (about: About) => void;
  /** The other end closed it. */
  closed: () => void;
  /** It is of no more use, or is not with whom it should be. */
  failed: (why: "failed" | "forged") => void;
}

export interface PeerLinkSettings {
  polite: boolean;
  certificate: RTCCertificate;
  iceServers: RTCIceServer[];
  /** From the other end to ours. */
  way: Way;
  /** Signs the fingerprint of our certificate; null where we have no key. */
  vouch: (fingerprint: string) => Promise<string> | null;
}

/** The media with one other client, directly. */
export class PeerLink {
  voice: MediaStreamTrack | null = null;
  picture: MediaStreamTrack | null = null;
  connected = false;
  /** The other end's certificate. */
  readonly theirs: OtherCertificate;
  /** SHA-256 of ours. */
  ours: string | null = null;
  private readonly connection: RTCPeerConnection;
  private readonly channel: RTCDataChannel;
  private readonly negotiation: Negotiation;
  /** The two tracks are one stream to the other end. */
  private readonly stream = new MediaStream();
  private readonly senders = new Map<"audio" | "video", RTCRtpSender>();
  /** Candidates that came before the description to which they belong. */
  private early: RTCIceCandidateInit[] = [];
  private about = "";
  private queue: Promise<void> = Promise.resolve();
  private closed = false;
  private lost: ReturnType<typeof setTimeout> | undefined;
  private doomed: ReturnType<typeof setTimeout> | undefined;
  private waiting: ReturnType<typeof setTimeout> | undefined;
  private patient: boolean;
  private readonly telling: ReturnType<typeof setInterval>;

  constructor(
    private readonly settings: PeerLinkSettings,
    tracks: { audio: MediaStreamTrack | null; video: MediaStreamTrack | null },
    private readonly events: PeerLinkEvents,
  ) {
    const { polite, certificate, iceServers, way } = settings;
    this.theirs = new OtherCertificate(way);
    this.negotiation = new Negotiation(polite);
    this.patient = polite;
    this.connection = new RTCPeerConnection({ certificates: [certificate], iceServers, bundlePolicy: "max-bundle" });
    this.connection.onnegotiationneeded = () => this.step(() => this.offer());
    this.connection.onicecandidate = ({ candidate }) => {
      // After the description to which it belongs, which is being signed.
      if (candidate?.candidate) this.step(async () => this.events.candidate(candidate.toJSON()));
    };
    this.connection.onconnectionstatechange = () => this.watch();
    this.connection.ontrack = ({ track }) => this.arrived(track);
    this.channel = this.connection.createDataChannel(CHANNEL.label, { negotiated: true, id: CHANNEL.id });
    this.channel.onopen = () => this.tell();
    this.channel.onclose = () => !this.closed && this.events.closed();
    this.channel.onmessage = ({ data }) => {
      const about = decodeAbout(data);
      if (about) this.events.about(about);
    };
    this.telling = setInterval(() => this.tell(), TELL_MS);
    this.replace("audio", tracks.audio);
    this.replace("video", tracks.video);
    this.doom();
  }

  /** Sends another track of this kind, or none. Its m-line is agreed on when there is a first track, and stays. */
  replace(kind: "audio" | "video", track: MediaStreamTrack | null): void {
    this.step(async () => {
      const sender = this.senders.get(kind);
      if (sender) await sender.replaceTrack(track);
      else if (track) this.senders.set(kind, this.connection.addTrack(track, this.stream));
    });
  }

  /** Takes a description or a candidate of the other end. */
  receive(signal: Signal): void {
    this.step(() => ("description" in signal ? this.apply(signal.description, signal.beside) : this.add(signal.candidate)));
  }

  /** Tells the other page how things stand with us. */
  say(about: About): void {
    this.about = JSON.stringify(about);
    this.tell();
  }

  /** The server can be talked to again: what was said last may have been lost. */
  resume(): void {
    if (this.connected && this.connection.signalingState === "stable") return;
    this.step(() => this.describe());
    this.restart();
  }

  /** From the next look for a way on, these are asked. */
  useServers(iceServers: RTCIceServer[]): void {
    this.connection.setConfiguration({ ...this.connection.getConfiguration(), iceServers });
  }

  /** Looks for another way, if the one there was is lost. */
  restart(): void {
    if (this.connection.remoteDescription && !this.connected) this.connection.restartIce();
  }

  /** Tells how media go, as far as the browser says it. */
  async path(): Promise<Path | null> {
    return pathOf(await this.connection.getStats());
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.lost);
    clearTimeout(this.doomed);
    clearTimeout(this.waiting);
    clearInterval(this.telling);
    this.connection.close();
  }

  private async offer(): Promise<void> {
    // An offer of the other end that came first has done what was needed, or another event follows it.
    if (this.connection.signalingState !== "stable") return;
    // Chromium does not get over a first offer that it takes back for one with other m-lines: its data channel closes.
    if (this.patient && !this.connection.remoteDescription) {
      this.waiting ??= setTimeout(() => this.offerAfterAll(), FIRST_OFFER_MS);
      return;
    }
    await this.connection.setLocalDescription();
    await this.describe();
  }

  /** The other end has offered nothing: it may have nothing to send. */
  private offerAfterAll(): void {
    this.patient = false;
    if (!this.connection.remoteDescription) this.step(() => this.offer());
  }

  private async apply(description: Description, beside: Beside): Promise<void> {
    // Also of a description that is passed over it is known who stands behind it.
    const verdict = await this.theirs.judge(description.sdp, beside);
    if (this.closed) return;
    if (verdict !== "good") return this.events.failed(verdict === "forged" ? "forged" : "failed");
    if (!this.negotiation.takes(description.type, this.connection.signalingState)) return;
    await this.connection.setRemoteDescription(description);
    if (description.type === "offer") {
      await this.connection.setLocalDescription();
      await this.describe();
    }
    for (const candidate of this.early.splice(0)) await this.add(candidate);
    this.events.changed();
  }

  private async add(candidate: RTCIceCandidateInit): Promise<void> {
    if (!this.connection.remoteDescription) {
      if (this.early.length < MOST_EARLY) this.early.push(candidate);
      return;
    }
    try {
      await this.connection.addIceCandidate(candidate);
    } catch (fault) {
      if (!this.negotiation.forgives()) console.info("a candidate fits nothing:", fault);
    }
  }

  /** Tells the other end of our description, and signs what it is to go by. */
  private async describe(): Promise<void> {
    const description = this.connection.localDescription;
    if (description?.type !== "offer" && description?.type !== "answer") return;
    const { type, sdp } = description;
    this.ours = fingerprintOf(sdp);
    const signature = this.ours && (await this.settings.vouch(this.ours));
    if (!this.closed) this.events.describe({ type, sdp }, signature);
  }

  private arrived(track: MediaStreamTrack): void {
    if (track.kind === "audio") this.voice = track;
    else this.picture = track;
    this.events.changed();
  }

  private watch(): void {
    const { connectionState } = this.connection;
    const before = this.connected;
    this.connected = connectionState === "connected";
    clearTimeout(this.lost);
    if (this.connected) clearTimeout(this.doomed);
    else if (before) this.doom();
    if (connectionState === "failed") this.restart();
    if (connectionState === "disconnected") this.lost = setTimeout(() => this.restart(), DISCONNECTED_MS);
    this.events.changed();
  }

  private doom(): void {
    clearTimeout(this.doomed);
    this.doomed = setTimeout(() => this.events.failed("failed"), CONNECTING_MS);
  }

  private tell(): void {
    if (this.channel.readyState === "open" && this.about) this.channel.send(this.about);
  }

  /** What must not overlap runs one after another; a step that fails leaves the others alone. */
  private step(does: () => Promise<void>): void {
    this.queue = this.queue
      .then(() => (this.closed ? undefined : does()))
      .catch((fault: unknown) => {
        if (!this.closed) console.info("a step of a call failed:", fault);
      });
  }
}

function pathOf(stats: RTCStatsReport): Path | null {
  const all = [...(stats as unknown as Map<string, Record<string, unknown>>).values()];
  const transport = all.find(({ type }) => type === "transport");
  const pair = all.find(({ id, type }) => type === "candidate-pair" && id === transport?.selectedCandidatePairId);
  if (!pair) return null;
  const kinds = all.filter(({ id }) => id === pair.localCandidateId || id === pair.remoteCandidateId).map((one) => one.candidateType);
  return kinds.includes("relay") ? "relayed" : "direct";
}
