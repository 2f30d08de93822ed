import { openDevices, type Opened, type Trouble } from "../call/devices.ts";
import type { DeviceWish } from "../call/tab.ts";

export type Device = "voice" | "camera";
export type Wishes = Record<Device, DeviceWish>;

/** How one's own devices stand. */
export interface Own {
  wishes: Wishes;
  voice: MediaStreamTrack | null;
  camera: MediaStreamTrack | null;
  /** Whether the browser is being asked for them. */
  opening: boolean;
  /** One sentence about what could not be opened, or "". */
  trouble: string;
}

const TROUBLE: Record<Trouble, string> = {
  denied: "was not allowed. Allow it in the settings of your browser",
  missing: "was not found",
  "in-use": "is in use by something else",
};

/** Camera and microphone, which are open during a call only. */
export class OwnDevices {
  private own: Own;
  private asking: Promise<void> | null = null;
  private wanted = false;

  constructor(
    wishes: Wishes,
    private readonly changed: (own: Own) => void,
    /** Another track is to be sent, or none. */
    private readonly replaced: (device: Device, track: MediaStreamTrack | null) => void,
  ) {
    this.own = { wishes, voice: null, camera: null, opening: false, trouble: "" };
  }

  current(): Own {
    return this.own;
  }

  isOn(device: Device): boolean {
    return this.own[device]?.enabled ?? false;
  }

  /** Opens what is switched on, once; a microphone is opened also when it is muted. */
  open(): Promise<void> {
    if (this.wanted && !this.asking) return Promise.resolve();
    this.wanted = true;
    this.asking ??= this.ask();
    return this.asking;
  }

  /** Switches a device on or off, or chooses another. */
  async wish(device: Device, wish: DeviceWish): Promise<void> {
    this.update({ wishes: { ...this.own.wishes, [device]: wish } });
    if (!this.wanted) return;
    const track = this.own[device];
    const same = track && (wish.deviceId === null || track.getSettings().deviceId === wish.deviceId);
    // A microphone that is muted stays open: it is to be heard at once when it is not.
    if (device === "voice" && same) {
      track.enabled = wish.on;
      this.update({});
    } else {
      await this.reopen(device, wish);
    }
  }

  close(): void {
    this.wanted = false;
    const { voice, camera } = this.own;
    if (!voice && !camera) return;
    voice?.stop();
    camera?.stop();
    this.update({ voice: null, camera: null, trouble: "" });
  }

  private async ask(): Promise<void> {
    this.update({ opening: true, trouble: "" });
    const { voice, camera } = this.own.wishes;
    const opened = await openDevices({ ...voice, on: true }, camera);
    if (opened.voice) opened.voice.enabled = voice.on;
    this.asking = null;
    this.update({ opening: false, voice: opened.voice, camera: opened.camera, trouble: troubleSentence(opened) });
    if (!this.wanted) this.close();
  }

  private async reopen(device: Device, wish: DeviceWish): Promise<void> {
    this.own[device]?.stop();
    const only = (one: Device) => ({ deviceId: wish.deviceId, on: wish.on && one === device });
    const opened = await openDevices(only("voice"), only("camera"));
    if (!this.wanted) {
      opened[device]?.stop();
      return;
    }
    this.update({ [device]: opened[device], trouble: troubleSentence(opened) });
    this.replaced(device, opened[device]);
  }

  private update(change: Partial<Own>): void {
    this.own = { ...this.own, ...change };
    this.changed(this.own);
  }
}

function troubleSentence({ voiceTrouble, cameraTrouble }: Opened): string {
  const said: string[] = [];
  if (voiceTrouble) said.push(`The microphone ${TROUBLE[voiceTrouble]}.`);
  if (cameraTrouble) said.push(`The camera ${TROUBLE[cameraTrouble]}.`);
  return said.join(" ");
}
