import { backoff } from "./backoff.ts";
import { openDevices, openScreen, type Opened, type Trouble } from "./devices.ts";
import { MediaLink, type Arriving } from "./link.ts";
import { compare, looks, type Look, type Measure } from "./measure.ts";
import type { ClientMessage, Participant, Permission, Refused, ServerMessage, Shown, Source, Welcome } from "./messages.ts";
import { watchNetwork } from "./network.ts";
import { prove } from "./proof.ts";
import { voidsSession } from "./sentences.ts";
import { forget, type StoredSession } from "./sessions.ts";
import { SignallingSocket } from "./socket.ts";
import { forgetInCall, remember, type DeviceWish, type Hold } from "./tab.ts";
import { fit, Talk, type Line, type Sign } from "./talk.ts";

/** A goodbye that does not come in this time is taken as said. */
const LEAVE_PATIENCE_MS = 1_000;

/** `refused`: the server does not take this browser's media, and trying again would change nothing. */
export type Phase = "connecting" | "in-call" | "reconnecting" | "refused" | "over";

/** All that the page shows of a call. */
export interface CallView {
  phase: Phase;
  /** Why it is over: a goodbye reason, or `denied`. */
  reason: string;
  roomName: string;
  me: string;
  permissions: Permission[];
  participants: Participant[];
  arriving: Arriving[];
  /** Whose voices are heard at this moment. */
  speaking: string[];
  /** Whom the room listens to. */
  active: string | null;
  lines: Line[];
  signs: Sign[];
  /** Whether one may write and make signs. */
  canTalk: boolean;
  voiceOn: boolean;
  camera: MediaStreamTrack | null;
  screen: MediaStreamTrack | null;
  /** One sentence about something that did not work, or "". */
  notice: string;
}

const TROUBLE: Record<Trouble, string> = {
  denied: "was not allowed. Allow it in the settings of your browser",
  missing: "was not found",
  "in-use": "is in use by something else",
};

/** One session in its room, from Join until it is over. */
export class Call {
  private view: CallView;
  private readonly socket: SignallingSocket;
  private link: MediaLink | null = null;
  private linkUp = false;
  private linkTries = 0;
  private linkRetry: ReturnType<typeof setTimeout> | undefined;
  private readonly stopWatching: () => void;
  private readonly talk: Talk;
  /** What the page has said that it shows. */
  private shown: Shown[] | null = null;
  private looked = new Map<string, Look[]>();
  private voice: MediaStreamTrack | null;
  private screenAudio: MediaStreamTrack | null = null;
  private online = false;

  constructor(
    private readonly session: StoredSession,
    private readonly lock: Hold,
    opened: Opened,
    private readonly wishes: { voice: DeviceWish; camera: DeviceWish },
    private readonly changed: (view: CallView) => void,
  ) {
    this.voice = opened.voice;
    this.view = {
      phase: "connecting",
      reason: "",
      roomName: session.roomName,
      me: session.participantId,
      permissions: session.permissions,
      participants: [],
      arriving: [],
      speaking: [],
      active: null,
      lines: [],
      signs: [],
      canTalk: false,
      voiceOn: opened.voice !== null,
      camera: opened.camera,
      screen: null,
      notice: "",
    };
    this.obey(session.permissions);
    this.watchDevices();
    this.socket = new SignallingSocket(socketUrl(location), (nonce) => this.firstMessage(nonce), {
      welcome: (welcome) => this.welcome(welcome),
      message: (message) => this.message(message),
      broken: () => this.broken(),
      over: (reason) => this.over(reason),
    });
    this.talk = new Talk((id) => this.nameOf(id), (talking) => this.update(talking));
    this.stopWatching = watchNetwork(() => {
      this.socket.hurry();
      this.link?.restart();
    });
    this.save();
    this.socket.start();
  }

  /** What the page shows at this moment. */
  current(): CallView {
    return this.view;
  }

  may(permission: Permission): boolean {
    return this.view.permissions.includes(permission);
  }

  leave(): void {
    if (!this.socket.send({ type: "leave" })) {
      this.over("left");
      return;
    }
    setTimeout(() => this.over("left"), LEAVE_PATIENCE_MS);
  }

  remove(participantId: string): void {
    this.socket.send({ type: "remove", participant_id: participantId });
  }

  end(): void {
    this.socket.send({ type: "end" });
  }

  /** Writes to everybody; tells whether there was something to write, and a way. */
  write(text: string): boolean {
    const fitting = fit(text);
    return fitting !== "" && (this.link?.say({ type: "chat", text: fitting }) ?? false);
  }

  react(emoji: string): void {
    this.link?.say({ type: "react", emoji });
  }

  /** Takes what the page shows, whole, the most important first. */
  show(tiles: Shown[]): void {
    this.shown = tiles;
    this.tellView();
  }

  /** Returns how well a participant arrives here, or how oneself is sent, since it was asked the last time. */
  async measure(participantId: string): Promise<Measure[]> {
    const now = participantId === this.view.me ? ((await this.link?.looksAtSending()) ?? []) : await this.look(participantId);
    const before = this.looked.get(participantId) ?? [];
    this.looked.set(participantId, now);
    return compare(before, now);
  }

  async setVoice(on: boolean): Promise<void> {
    this.wishes.voice.on = on;
    if (on && !this.voice) {
      const opened = await openDevices(this.wishes.voice, { deviceId: null, on: false });
      if (!opened.voice) return this.complain("Your microphone", opened.voiceTrouble);
      if (this.isOver()) return opened.voice.stop();
      this.voice = opened.voice;
      this.watchDevices();
      this.link?.replace("voice", this.voice);
    }
    if (this.voice) this.voice.enabled = on;
    this.tellMute("voice", !on);
    this.update({ voiceOn: on, notice: "" });
  }

  async setCamera(on: boolean): Promise<void> {
    this.wishes.camera.on = on;
    if (!on) {
      this.view.camera?.stop();
      this.link?.replace("camera", null);
      this.tellMute("camera", true);
      this.update({ camera: null });
      return;
    }
    const opened = await openDevices({ deviceId: null, on: false }, this.wishes.camera);
    if (!opened.camera) return this.complain("Your camera", opened.cameraTrouble);
    if (this.isOver()) return opened.camera.stop();
    this.link?.replace("camera", opened.camera);
    this.tellMute("camera", false);
    this.update({ camera: opened.camera, notice: "" });
    this.watchDevices();
  }

  async startScreen(): Promise<void> {
    const stream = await openScreen();
    const screen = stream?.getVideoTracks()[0];
    if (!stream || !screen) return;
    if (this.isOver()) return stream.getTracks().forEach((track) => track.stop());
    screen.onended = () => this.stopScreen();
    this.screenAudio = stream.getAudioTracks()[0] ?? null;
    this.link?.replace("screen", screen);
    if (this.screenAudio) this.link?.replace("screen-audio", this.screenAudio);
    this.update({ screen });
  }

  stopScreen(): void {
    this.view.screen?.stop();
    this.screenAudio?.stop();
    this.screenAudio = null;
    this.link?.withdraw("screen");
    this.link?.withdraw("screen-audio");
    this.update({ screen: null });
  }

  private async firstMessage(nonce: string) {
    const { signingKey, token } = this.session;
    const signature = await prove(signingKey, nonce, token);
    return signature ? ({ type: "authenticate", session_token: token, signature } as const) : null;
  }

  private welcome(welcome: Welcome): void {
    this.online = true;
    // The server tells who speaks after this, when anybody does.
    this.update({ speaking: [], active: null });
    this.update({ roomName: welcome.room_name, me: welcome.participant_id, permissions: welcome.permissions });
    this.obey(welcome.permissions);
    this.tellMute("voice", !this.view.voiceOn);
    this.tellMute("camera", this.view.camera === null);
    if (this.link && welcome.media === this.link.label) {
      this.link.resume();
      this.tellView();
    } else this.newLink();
    this.settle();
  }

  private message(message: ServerMessage): void {
    switch (message.type) {
      case "roster":
        this.update({ participants: message.participants });
        return;
      case "speaking":
        this.update({ speaking: message.speaking, active: message.active });
        return;
      case "offer":
      case "answer":
        if (message.media === this.link?.label) this.link.receive(message);
        return;
      case "error":
        this.refused(message);
        return;
      default:
    }
  }

  private refused(error: Refused): void {
    if (error.media !== undefined && error.media !== this.link?.label) return;
    if (error.code === "fingerprint-refused") {
      this.dropLink();
      const notice = "The server refused this connection: it was not made with the keys of this browser.";
      this.update({ phase: "refused", notice });
    } else if (error.about === "offer" || error.about === "answer" || (error.code === "media-refused" && !error.about)) {
      this.linkFailed();
    } else if (error.code === "forbidden") {
      this.update({ notice: "You are not allowed to do that." });
    }
  }

  private broken(): void {
    this.online = false;
    this.settle();
  }

  private newLink(): void {
    this.dropLink();
    const link: MediaLink = new MediaLink(this.session.certificate, {
      send: (message) => this.send(message),
      arriving: (arriving) => this.update({ arriving }),
      connected: () => {
        this.linkUp = true;
        this.linkTries = 0;
        this.settle();
      },
      failed: () => {
        if (this.link === link) this.linkFailed();
      },
      open: (open) => {
        if (this.link === link) this.update({ canTalk: open });
      },
      said: (said) => this.talk.hear(said),
    });
    this.link = link;
    const sources: [Source, MediaStreamTrack | null][] = [];
    if (this.may("speak")) sources.push(["voice", this.voice]);
    if (this.may("camera")) sources.push(["camera", this.view.camera]);
    if (this.view.screen) sources.push(["screen", this.view.screen]);
    if (this.screenAudio) sources.push(["screen-audio", this.screenAudio]);
    link.open(sources);
  }

  /** While the socket is away nothing can be offered: the next welcome makes the link then. */
  private linkFailed(): void {
    this.dropLink();
    this.settle();
    this.linkRetry = setTimeout(() => {
      if (this.online && !this.link) this.newLink();
    }, backoff(this.linkTries, Math.random()));
    this.linkTries += 1;
  }

  private dropLink(): void {
    clearTimeout(this.linkRetry);
    this.link?.close();
    this.link = null;
    this.linkUp = false;
    this.looked.clear();
    if (this.view.canTalk) this.update({ canTalk: false });
  }

  /** The server knows a media connection from its first offer on; a view that comes before is lost. */
  private send(message: ClientMessage): boolean {
    const sent = this.socket.send(message);
    if (sent && message.type === "offer" && message.id === 1) this.tellView();
    return sent;
  }

  private tellView(): void {
    if (this.shown !== null) this.socket.send({ type: "view", tiles: this.shown });
  }

  private settle(): void {
    if (this.isOver() || (this.view.phase === "refused" && !this.link)) return;
    const up = this.online && this.linkUp;
    const first = this.view.phase === "connecting";
    this.update({ phase: up ? "in-call" : first ? "connecting" : "reconnecting" });
  }

  private over(reason: string): void {
    if (this.isOver()) return;
    this.dropLink();
    this.socket.stop();
    this.stopWatching();
    for (const track of [this.voice, this.view.camera, this.view.screen, this.screenAudio]) track?.stop();
    forgetInCall(this.session.roomId);
    const release = () => this.lock.release();
    if (voidsSession(reason) || reason === "denied") void forget(this.session.participantId).finally(release);
    else release();
    this.update({ phase: "over", reason, arriving: [], speaking: [], active: null });
  }

  private isOver(): boolean {
    return this.view.phase === "over";
  }

  /** What the session may not send is not recorded either. */
  private obey(permissions: Permission[]): void {
    if (!permissions.includes("speak") && this.voice) {
      this.voice.stop();
      this.voice = null;
      this.update({ voiceOn: false });
    }
    if (!permissions.includes("camera") && this.view.camera) {
      this.view.camera.stop();
      this.update({ camera: null });
    }
  }

  private watchDevices(): void {
    const { voice } = this;
    const { camera } = this.view;
    if (voice) {
      voice.onended = () => {
        if (this.voice !== voice) return;
        this.voice = null;
        void this.setVoice(false);
      };
    }
    if (camera) camera.onended = () => void (this.view.camera === camera && this.setCamera(false));
  }

  private tellMute(source: "voice" | "camera", muted: boolean): void {
    if (this.may(source === "voice" ? "speak" : "camera")) this.socket.send({ type: "mute", source, muted });
  }

  private async look(participantId: string): Promise<Look[]> {
    const theirs = this.view.arriving.filter(({ participant_id }) => participant_id === participantId);
    const all = await Promise.all(theirs.map(async ({ source, receiver }) => looks(await receiver.getStats(), "inbound-rtp", source)));
    return all.flat();
  }

  private nameOf(participantId: string): string {
    return this.view.participants.find(({ participant_id }) => participant_id === participantId)?.name ?? "Somebody";
  }

  private complain(what: string, trouble: Trouble | null): void {
    this.update({ notice: `${what} ${TROUBLE[trouble ?? "missing"]}.` });
  }

  private save(): void {
    if (this.isOver()) return;
    remember(this.session.roomId, {
      participantId: this.session.participantId,
      voice: { deviceId: this.wishes.voice.deviceId, on: this.view.voiceOn },
      camera: { deviceId: this.wishes.camera.deviceId, on: this.view.camera !== null },
    });
  }

  private update(change: Partial<CallView>): void {
    this.view = { ...this.view, ...change };
    if ("voiceOn" in change || "camera" in change) this.save();
    this.changed(this.view);
  }
}

/** Returns the address of the rooms' WebSocket on the origin that served this page. */
export function socketUrl(origin: { protocol: string; host: string }): string {
  return `${origin.protocol === "https:" ? "wss" : "ws"}://${origin.host}/v1/rooms/ws`;
}
