import { watchNetwork } from "../call/network.ts";
import type { DeviceWish } from "../call/tab.ts";
import type { About } from "./about.ts";
import { comparisonOf } from "./comparison.ts";
import { Dialogs, type Act, type Ending, type Standing } from "./dialogs.ts";
import { isStale, readIce, type Ice } from "./ice.ts";
import { Line, type LineEnding } from "./line.ts";
import { OwnDevices, type Device, type Own, type Wishes } from "./own_devices.ts";
import { actionPayload, calledOf, candidatePayload, descriptionPayload, readPayload, statusPayload, type PeerStatus } from "./payload.ts";
import { PeerLink, type Path } from "./peer_link.ts";
import type { ProofKey } from "./possession.ts";
import { withoutSilent, withStatus, type Peer } from "./presence.ts";
import { isGone, visitAgain, type Visit } from "./visit.ts";
import { vouch, type Beside } from "./vouching.ts";

/** Presence that was not told, or is wanted again, is told within this time. */
const AGAIN_MS = 2_000;
/** How often it is looked whether what relays are shown has to be renewed; no longer than half of the shortest time that it is good. */
const ICE_MS = 15_000;

export type Phase = "connecting" | "present" | "reconnecting" | "over";

/** One dialog, as the page shows it. */
export interface Other {
  id: string;
  called: string;
  standing: Standing;
  connected: boolean;
  voice: MediaStreamTrack | null;
  picture: MediaStreamTrack | null;
  /** What its page tells of it; null for a client that tells nothing. */
  about: About | null;
  /** What both read to each other, once both certificates are known. */
  comparison: string;
  /** Whether its certificate is signed by the key with which it came in. */
  vouched: boolean;
}

/** All that the page shows of a channel. */
export interface MeetingView {
  phase: Phase;
  ending: LineEnding | "left" | null;
  topic: string;
  me: string;
  name: string;
  /** The other clients of the channel. */
  peers: Peer[];
  /** With whom we talk, whom we call, and who calls us. */
  others: Other[];
  /** Whether one more may come into the call. */
  full: boolean;
  own: Own;
  /** One sentence about what has just happened, or "". */
  notice: string;
}

/** One client in its channel, from Join until it is over: presence, dialogs, and the media of open ones. */
export class Meeting {
  private view: MeetingView;
  private readonly line: Line;
  private readonly dialogs: Dialogs;
  private readonly links = new Map<string, PeerLink>();
  private readonly abouts = new Map<string, About>();
  private readonly comparisons = new Map<string, string>();
  private readonly devices: OwnDevices;
  private readonly channelId: string;
  private readonly proofKey: ProofKey | null;
  private ice: Ice;
  private readonly renewingIce: ReturnType<typeof setInterval>;
  private telling: ReturnType<typeof setTimeout> | undefined;
  private told: PeerStatus | null = null;
  private readonly stopWatching: () => void;
  private readonly onPageHide = () => this.farewell();

  constructor(
    visit: Visit,
    private readonly certificate: RTCCertificate,
    name: string,
    wishes: Wishes,
    private readonly changed: (view: MeetingView) => void,
  ) {
    const { channelId, clientId, proofKey } = visit.credentials;
    this.channelId = channelId;
    this.proofKey = proofKey;
    this.dialogs = new Dialogs(clientId);
    this.ice = visit.ice;
    this.devices = new OwnDevices(
      wishes,
      (own) => this.update({ own }),
      (device, track) => this.replace(device, track),
    );
    this.view = {
      phase: "connecting",
      ending: null,
      topic: visit.topic,
      me: clientId,
      name,
      peers: [],
      others: [],
      full: false,
      own: this.devices.current(),
      notice: "",
    };
    this.line = new Line(visit.credentials, { renew: () => this.renew(), isGone: () => isGone(channelId) }, {
      ready: () => this.ready(),
      heard: (from, payload) => this.heard(from, payload),
      told: (from, payload, beside) => this.toldUs(from, payload, beside),
      alive: () => this.alive(),
      broken: () => this.update({ phase: "reconnecting" }),
      over: (ending) => this.over(ending),
    });
    this.stopWatching = watchNetwork(() => {
      this.line.hurry();
      for (const link of this.links.values()) link.restart();
    });
    this.renewingIce = setInterval(() => void this.renewIce(), ICE_MS);
    addEventListener("pagehide", this.onPageHide);
    this.line.start();
  }

  /** What the page shows at this moment. */
  current(): MeetingView {
    return this.view;
  }

  /** Calls somebody, or takes the call of somebody who waits. Media first: who cannot speak or be seen learns that before anybody is bothered. */
  async call(peer: string): Promise<void> {
    const name = this.view.peers.find(({ id }) => id === peer)?.name ?? null;
    this.update({ notice: "" });
    await this.devices.open();
    if (this.view.phase === "over") return;
    this.perform(this.dialogs.call(peer, name, Date.now()));
  }

  /** Refuses or cancels. */
  close(peer: string): void {
    this.perform(this.dialogs.close(peer, Date.now()));
  }

  /** Hangs up with everybody. */
  hangUp(): void {
    this.perform(this.dialogs.leave(Date.now()));
  }

  /** Switches a device on or off, or chooses another. */
  async wish(device: Device, wish: DeviceWish): Promise<void> {
    await this.devices.wish(device, wish);
    this.tellAbout();
  }

  /** Tells how media go to somebody, as far as the browser says it. */
  async pathTo(peer: string): Promise<Path | null> {
    return (await this.links.get(peer)?.path()) ?? null;
  }

  /** Leaves the channel. */
  leave(): void {
    this.perform(this.dialogs.leave(Date.now()));
    this.farewell();
    this.over("left");
  }

  private async renew() {
    const renewed = await visitAgain(this.channelId, this.proofKey);
    if (renewed === null || typeof renewed === "string") return renewed;
    // Another client: whoever we talked to knows us under the old ID.
    if (renewed.credentials.clientId !== this.view.me) return "refused";
    this.take(renewed.ice);
    return renewed.credentials;
  }

  /** What relays are shown ends after a while: whoever looks for a way after that has to have the next. */
  private async renewIce(): Promise<void> {
    if (!isStale(this.ice, Date.now())) return;
    const told = await this.line.iceServers();
    if (told && this.view.phase !== "over") this.take(readIce(told, Date.now()));
  }

  private take(ice: Ice): void {
    this.ice = ice;
    for (const link of this.links.values()) link.useServers(ice.servers);
  }

  private async resumeLinks(): Promise<void> {
    await this.renewIce();
    for (const link of this.links.values()) link.resume();
  }

  private ready(): void {
    this.update({ phase: "present" });
    this.told = null;
    void this.line.broadcast(statusPayload("ready", this.view.name)).then((done) => {
      if (!done) this.tellStatusAgain();
    });
    if (this.dialogs.busy()) this.tellStatus();
    void this.resumeLinks();
  }

  private heard(from: string, payload: unknown): void {
    const message = readPayload(payload);
    if (message?.kind !== "status") return;
    // While its name is still known.
    if (message.status === "gone") this.perform(this.dialogs.gone(from, Date.now()));
    this.present(from, message.status, message.name);
    if (message.status === "ready") {
      this.dialogs.came(from);
      // To everybody: only "available" may be told to one alone.
      if (this.dialogs.busy()) this.tellStatusAgain();
      else void this.line.tell(from, statusPayload("available", this.view.name));
    }
    this.show();
  }

  private toldUs(from: string, payload: unknown, beside: Beside): void {
    const message = readPayload(payload);
    if (!message) return;
    if (message.kind === "status") this.present(from, message.status, message.name);
    if (message.kind === "action" && message.action === "offer") this.present(from, "unavailable", message.name);
    this.perform(this.dialogs.hear(from, message, Date.now(), beside));
  }

  private present(id: string, status: PeerStatus, name: string | null): void {
    this.update({ peers: withStatus(this.view.peers, id, status, name, Date.now()) });
  }

  /** The server has answered: we tell that we are here, and whoever has not for too long is not listed any more. */
  private alive(): void {
    const now = Date.now();
    this.update({ peers: withoutSilent(this.view.peers, now, (id) => this.links.get(id)?.connected === true) });
    this.tellStatusAgain();
    this.perform(this.dialogs.remind(now));
  }

  /** Does what the dialogs decide, and shows how things stand then. */
  private perform(acts: Act[]): void {
    for (const act of acts) this.act(act);
    if (acts.some(({ act }) => act !== "signal")) {
      this.tellStatus();
      this.tellAbout();
    }
    if (!this.dialogs.busy() && !this.devices.current().opening) this.devices.close();
    this.show();
  }

  private act(act: Act): void {
    switch (act.act) {
      case "tell":
        void this.line.tell(act.to, actionPayload(act.action, this.view.name));
        return;
      case "open":
        this.open(act.peer, act.polite);
        return;
      case "signal":
        this.links.get(act.peer)?.receive(act.signal);
        return;
      case "shut":
        this.shut(act.peer, act.why);
    }
  }

  private open(peer: string, polite: boolean): void {
    const { certificate, channelId, proofKey } = this;
    const { me } = this.view;
    const { voice: audio, camera: video } = this.devices.current();
    const vouchFor = (fingerprint: string) => proofKey && vouch(proofKey, { channelId, from: me, to: peer }, fingerprint);
    const settings = { polite, certificate, iceServers: this.ice.servers, way: { channelId, from: peer, to: me }, vouch: vouchFor };
    const link = new PeerLink(settings, { audio, video }, {
      describe: (description, signature) => void this.line.tell(peer, descriptionPayload(description), signature),
      candidate: (candidate) => void this.line.tell(peer, candidatePayload(candidate)),
      changed: () => this.linkChanged(peer, link),
      about: (about) => {
        this.abouts.set(peer, about);
        this.perform(this.dialogs.introduce(peer, about.others, Date.now()));
      },
      closed: () => this.perform(this.dialogs.gone(peer, Date.now())),
      failed: (why) => this.perform(this.dialogs.fail(peer, why, Date.now())),
    });
    this.links.set(peer, link);
  }

  private shut(peer: string, why: Ending): void {
    this.links.get(peer)?.close();
    this.links.delete(peer);
    this.abouts.delete(peer);
    this.comparisons.delete(peer);
    this.update({ notice: endingSentence(why, this.calledOf(peer)) });
  }

  private linkChanged(peer: string, link: PeerLink): void {
    this.show();
    const { ours } = link;
    const theirs = link.theirs.fingerprint;
    if (!ours || !theirs || this.comparisons.has(peer)) return;
    void comparisonOf(ours, theirs).then((comparison) => {
      if (this.links.get(peer) !== link) return;
      this.comparisons.set(peer, comparison);
      this.show();
    });
  }

  /** Tells everybody whether one is in a call, if that has changed since it was told. */
  private tellStatus(afterMs = 0): void {
    clearTimeout(this.telling);
    this.telling = setTimeout(() => {
      const status = this.dialogs.busy() ? "unavailable" : "available";
      if (this.view.phase !== "present" || this.told === status) return;
      this.told = status;
      void this.line.broadcast(statusPayload(status, this.view.name)).then((done) => {
        if (!done && this.told === status) this.tellStatusAgain();
      });
    }, afterMs);
  }

  /** Tells it also if it has not: in a moment, and not in the one in which all others do. */
  private tellStatusAgain(): void {
    this.told = null;
    this.tellStatus(AGAIN_MS * (0.5 + Math.random() / 2));
  }

  private tellAbout(): void {
    const about = { voice: this.devices.isOn("voice"), camera: this.devices.isOn("camera") };
    const ids = [...this.links.keys()];
    for (const [peer, link] of this.links) link.say({ ...about, others: ids.filter((id) => id !== peer) });
  }

  private replace(device: Device, track: MediaStreamTrack | null): void {
    for (const link of this.links.values()) link.replace(device === "voice" ? "audio" : "video", track);
  }

  private farewell(): void {
    if (this.view.phase === "present") void this.line.broadcast(statusPayload("gone", this.view.name));
  }

  private over(ending: LineEnding | "left"): void {
    clearTimeout(this.telling);
    clearInterval(this.renewingIce);
    removeEventListener("pagehide", this.onPageHide);
    this.stopWatching();
    this.line.stop();
    for (const link of this.links.values()) link.close();
    this.links.clear();
    this.devices.close();
    this.update({ phase: "over", ending, others: [] });
  }

  private calledOf(id: string): string {
    const name = this.view.peers.find((peer) => peer.id === id)?.name ?? this.dialogs.all().find(({ peer }) => peer === id)?.name;
    return calledOf(id, name ?? null);
  }

  private show(): void {
    const others = this.dialogs.all().map(({ peer, standing }): Other => {
      const link = this.links.get(peer);
      return {
        id: peer,
        called: this.calledOf(peer),
        standing,
        connected: link?.connected ?? false,
        voice: link?.voice ?? null,
        picture: link?.picture ?? null,
        about: this.abouts.get(peer) ?? null,
        comparison: this.comparisons.get(peer) ?? "",
        vouched: link?.theirs.isVouched ?? false,
      };
    });
    this.update({ others, full: this.dialogs.full() });
  }

  private update(change: Partial<MeetingView>): void {
    this.view = { ...this.view, ...change };
    this.changed(this.view);
  }
}

function endingSentence(why: Ending, called: string): string {
  switch (why) {
    case "refused":
      return `${called} does not take the call.`;
    case "failed":
      return `There is no connection to ${called}.`;
    case "forged":
      return `The call was refused: the certificate that came is not ${called}’s. Somebody may stand between you.`;
    case "closed":
    case "gone":
      return `${called} hung up.`;
    case "silent":
    case "ours":
      return "";
  }
}
