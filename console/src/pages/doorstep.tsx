import { useEffect, useId, useRef, useState } from "preact/hooks";
import { listDevices, openDevices, type Opened, type Trouble } from "../call/devices.ts";
import type { DeviceWish } from "../call/tab.ts";
import { Icon } from "../icons.tsx";
import { DeviceChoice } from "./device_choice.tsx";
import { Level } from "./level.tsx";
import { Video } from "./media.tsx";
import { Wordmark } from "./notice.tsx";

/** Where a browser keeps the name that its person gave last. */
export const NAME_KEY = "countersign.name";

export interface Ready {
  name: string;
  opened: Opened;
  wishes: { voice: DeviceWish; camera: DeviceWish };
}

interface Props {
  knownName: string | null;
  /** The session that is come back to has its name already. */
  fixedName: boolean;
  /** Said at first, such as why somebody stands here again. */
  message: string;
  /** Answers what went wrong, in one sentence; null when the call has begun. */
  onJoin: (ready: Ready) => Promise<string | null>;
}

/** The door of a room: a name, a look at camera and microphone, and Join. */
export function Doorstep({ knownName, fixedName, message, onJoin }: Props) {
  const [name, setName] = useState(knownName ?? localStorage.getItem(NAME_KEY) ?? "");
  const [problem, setProblem] = useState(message);
  const [busy, setBusy] = useState(false);
  const devices = useDevices();
  const nameId = useId();

  useEffect(() => {
    document.title = "Join · countersign";
  }, []);

  const submit = async (event: Event) => {
    event.preventDefault();
    const given = name.trim();
    if (!given || busy) return;
    setBusy(true);
    setProblem("");
    localStorage.setItem(NAME_KEY, given);
    const opened = await devices.handOver();
    const failed = await onJoin({ name: given, opened, wishes: { voice: devices.voice, camera: devices.camera } });
    if (failed === null) return;
    devices.takeBack(opened);
    setProblem(failed);
    setBusy(false);
  };

  return (
    <main class="doorstep">
      <Wordmark />
      <h1>Ready to join?</h1>
      <div class="doorstep-columns">
        <Preview devices={devices} />
        <form class="card form" onSubmit={submit} noValidate>
          <div class="field">
            <label for={nameId}>Your name</label>
            <input
              id={nameId}
              value={name}
              onInput={(event) => setName(event.currentTarget.value)}
              maxLength={64}
              autoComplete="name"
              required
              readOnly={fixedName}
              placeholder="How the others see you"
            />
          </div>
          <Choice label="Microphone" kind="voice" devices={devices} />
          <Choice label="Camera" kind="camera" devices={devices} />
          <button type="submit" class="button button-primary button-wide" disabled={busy || name.trim() === ""}>
            Join
          </button>
          <p class="problem" role="alert">
            {problem}
          </p>
        </form>
      </div>
    </main>
  );
}

function Preview({ devices }: { devices: Devices }) {
  const { opened, camera, voice, asking } = devices;
  return (
    <section class="preview" aria-label="Your camera and microphone">
      <div class="preview-picture">
        {opened.camera ? <Video track={opened.camera} mirrored /> : <p>{pictureless(asking, camera.on, opened.cameraTrouble)}</p>}
      </div>
      <div class="preview-bar">
        <button type="button" class="button" onClick={() => devices.wish("voice", { ...voice, on: !voice.on })}>
          <Icon name={opened.voice ? "voice" : "voice-off"} />
          {voice.on ? "Mute" : "Unmute"}
        </button>
        <button type="button" class="button" onClick={() => devices.wish("camera", { ...camera, on: !camera.on })}>
          <Icon name={opened.camera ? "camera" : "camera-off"} />
          {camera.on ? "Turn camera off" : "Turn camera on"}
        </button>
        <Level track={opened.voice} />
      </div>
      <p class="hint" aria-live="polite">
        {asking ? "" : troubles(opened)}
      </p>
    </section>
  );
}

function Choice({ label, kind, devices }: { label: string; kind: "voice" | "camera"; devices: Devices }) {
  const list = kind === "voice" ? devices.list.voices : devices.list.cameras;
  const chosen = devices.opened[kind]?.getSettings().deviceId ?? devices[kind].deviceId;
  return <DeviceChoice label={label} list={list} chosen={chosen} onChoose={(deviceId) => devices.wish(kind, { deviceId, on: true })} />;
}

type Devices = ReturnType<typeof useDevices>;

const NOTHING: Opened = { voice: null, camera: null, voiceTrouble: null, cameraTrouble: null };

/** Keeps the chosen devices open while the person stands at the door. */
function useDevices() {
  const [voice, setVoice] = useState<DeviceWish>({ deviceId: null, on: true });
  const [camera, setCamera] = useState<DeviceWish>({ deviceId: null, on: true });
  const [opened, setOpened] = useState<Opened>(NOTHING);
  const [asking, setAsking] = useState(true);
  const [list, setList] = useState<{ voices: MediaDeviceInfo[]; cameras: MediaDeviceInfo[] }>({ voices: [], cameras: [] });
  const live = useRef<Opened>(NOTHING);
  const turn = useRef<Promise<void>>(Promise.resolve());
  const handedOver = useRef(false);

  // One question at a time: a second answer must not come before the first.
  const open = (wishes: { voice: DeviceWish; camera: DeviceWish }) => {
    turn.current = turn.current.then(async () => {
      if (handedOver.current) return;
      setAsking(true);
      stop(live.current);
      live.current = await openDevices(wishes.voice, wishes.camera);
      setOpened(live.current);
      setList(await listDevices());
      setAsking(false);
    });
  };

  useEffect(() => {
    open({ voice, camera });
    const relist = () => void listDevices().then(setList);
    navigator.mediaDevices?.addEventListener("devicechange", relist);
    return () => {
      navigator.mediaDevices?.removeEventListener("devicechange", relist);
      if (!handedOver.current) stop(live.current);
    };
  }, []);

  return {
    voice,
    camera,
    opened,
    asking,
    list,
    wish: (kind: "voice" | "camera", wish: DeviceWish) => {
      (kind === "voice" ? setVoice : setCamera)(wish);
      open({ voice, camera, [kind]: wish });
    },
    /** Gives the open devices to the call, which stops them. */
    handOver: async () => {
      await turn.current;
      handedOver.current = true;
      return live.current;
    },
    takeBack: (back: Opened) => {
      handedOver.current = false;
      live.current = back;
    },
  };
}

function stop(opened: Opened): void {
  opened.voice?.stop();
  opened.camera?.stop();
}

function pictureless(asking: boolean, on: boolean, trouble: Trouble | null): string {
  if (asking) return "Your browser asks for camera and microphone…";
  if (!on) return "Your camera is off";
  return trouble === "denied" ? "Your camera was not allowed" : "No camera";
}

const TROUBLE: Record<Trouble, string> = {
  denied: "is not allowed in this browser",
  missing: "was not found",
  "in-use": "is in use by something else",
};

function troubles({ voiceTrouble, cameraTrouble }: Opened): string {
  const said: string[] = [];
  if (voiceTrouble) said.push(`The microphone ${TROUBLE[voiceTrouble]}.`);
  if (cameraTrouble) said.push(`The camera ${TROUBLE[cameraTrouble]}.`);
  if (said.length === 2) said.push("You can join all the same, to listen and watch.");
  else if (said.length === 1) said.push("You can join without it.");
  return said.join(" ");
}
