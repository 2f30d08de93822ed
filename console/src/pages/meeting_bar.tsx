import { useEffect, useId, useRef, useState } from "preact/hooks";
import { listDevices } from "../call/devices.ts";
import type { Meeting, MeetingView } from "../channel/meeting.ts";
import type { Device } from "../channel/own_devices.ts";
import { Icon } from "../icons.tsx";
import { DeviceChoice } from "./device_choice.tsx";

interface Props {
  meeting: Meeting;
  view: MeetingView;
  inCall: boolean;
  /** The browser wants a click before it makes a sound. */
  blocked: boolean;
  onUnblock: () => void;
  people: { open: boolean; toggle: () => void };
}

/** What one can do in a channel and in a call. */
export function MeetingBar({ meeting, view, inCall, blocked, onUnblock, people }: Props) {
  return (
    <footer class="bar">
      <p class="bar-notice" role="alert">
        {view.own.opening ? "Your browser asks for camera and microphone…" : view.own.trouble || view.notice}
      </p>
      <div class="bar-buttons" role="toolbar" aria-label={inCall ? "Call" : "Channel"}>
        {blocked && (
          <button type="button" class="bar-button bar-button-strong" onClick={onUnblock}>
            <Icon name="sound" />
            <span>Turn on sound</span>
          </button>
        )}
        {inCall ? <InCall meeting={meeting} view={view} people={people} /> : <LeaveButton meeting={meeting} />}
      </div>
    </footer>
  );
}

function LeaveButton({ meeting }: { meeting: Meeting }) {
  return (
    <button type="button" class="bar-button bar-button-quiet" title="Leave the channel" onClick={() => meeting.leave()}>
      <Icon name="leave" />
      <span>Leave the channel</span>
    </button>
  );
}

function InCall({ meeting, view, people }: { meeting: Meeting; view: MeetingView; people: Props["people"] }) {
  const { own } = view;
  const voiceOn = own.voice?.enabled ?? false;
  const voice = voiceOn ? "Mute" : "Unmute";
  const camera = own.camera ? "Turn camera off" : "Turn camera on";
  const turn = (device: Device, on: boolean) => void meeting.wish(device, { ...own.wishes[device], on });
  return (
    <>
      <button type="button" class="bar-button" title={voice} data-off={!voiceOn} onClick={() => turn("voice", !voiceOn)}>
        <Icon name={voiceOn ? "voice" : "voice-off"} />
        <span>{voice}</span>
      </button>
      <button type="button" class="bar-button" title={camera} data-off={!own.camera} onClick={() => turn("camera", !own.camera)}>
        <Icon name={own.camera ? "camera" : "camera-off"} />
        <span>{camera}</span>
      </button>
      <DevicesButton meeting={meeting} view={view} />
      <button
        type="button"
        class="bar-button"
        title="People"
        data-people-button
        aria-expanded={people.open}
        aria-controls="people"
        onClick={people.toggle}
      >
        <Icon name="people" />
        <span>People</span>
      </button>
      <button type="button" class="bar-button bar-button-leave" title="Hang up" onClick={() => meeting.hangUp()}>
        <Icon name="leave" />
        <span>Hang up</span>
      </button>
    </>
  );
}

/** Which camera and microphone, while one talks. */
function DevicesButton({ meeting, view }: { meeting: Meeting; view: MeetingView }) {
  const [open, setOpen] = useState(false);
  const place = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const id = useId();
  const close = () => {
    setOpen(false);
    button.current?.focus();
  };
  return (
    <div
      class="react"
      ref={place}
      onKeyDown={({ key }) => key === "Escape" && open && close()}
      onFocusOut={({ relatedTarget }) => !place.current?.contains(relatedTarget as Node | null) && setOpen(false)}
    >
      <button
        ref={button}
        type="button"
        class="bar-button"
        title="Devices"
        aria-expanded={open}
        aria-controls={id}
        onClick={() => setOpen(!open)}
      >
        <Icon name="devices" />
        <span>Devices</span>
      </button>
      {open && <Choices id={id} meeting={meeting} view={view} />}
    </div>
  );
}

function Choices({ id, meeting, view }: { id: string; meeting: Meeting; view: MeetingView }) {
  const [list, setList] = useState<Awaited<ReturnType<typeof listDevices>>>({ voices: [], cameras: [] });
  useEffect(() => {
    const look = () => void listDevices().then(setList);
    look();
    navigator.mediaDevices?.addEventListener("devicechange", look);
    return () => navigator.mediaDevices?.removeEventListener("devicechange", look);
  }, []);
  const chosen = (device: Device) => view.own[device]?.getSettings().deviceId ?? view.own.wishes[device].deviceId;
  const choose = (device: Device) => (deviceId: string) => void meeting.wish(device, { deviceId, on: true });
  return (
    <div id={id} class="devices-menu" role="group" aria-label="Devices">
      <DeviceChoice label="Microphone" list={list.voices} chosen={chosen("voice")} onChoose={choose("voice")} />
      <DeviceChoice label="Camera" list={list.cameras} chosen={chosen("camera")} onChoose={choose("camera")} />
    </div>
  );
}
