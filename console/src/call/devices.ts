import type { DeviceWish } from "./tab.ts";

/** Why a device gives nothing. */
export type Trouble = "denied" | "missing" | "in-use";

export interface Opened {
  voice: MediaStreamTrack | null;
  camera: MediaStreamTrack | null;
  voiceTrouble: Trouble | null;
  cameraTrouble: Trouble | null;
}

const VOICE: MediaTrackConstraints = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
/** The largest of the qualities in which it is sent. */
const CAMERA: MediaTrackConstraints = {
  width: { ideal: 1280 },
  height: { ideal: 720 },
  frameRate: { ideal: 24, max: 30 },
};

/** Opens what is switched on. One question to the person where possible; a device that fails leaves the other alone. */
export async function openDevices(voice: DeviceWish, camera: DeviceWish): Promise<Opened> {
  const opened: Opened = { voice: null, camera: null, voiceTrouble: null, cameraTrouble: null };
  if (!navigator.mediaDevices) return { ...opened, voiceTrouble: "missing", cameraTrouble: "missing" };
  if (voice.on && camera.on) {
    const both = await ask({ audio: voiceConstraints(voice), video: cameraConstraints(camera) });
    if (typeof both !== "string") {
      return { ...opened, voice: both.getAudioTracks()[0] ?? null, camera: both.getVideoTracks()[0] ?? null };
    }
  }
  if (voice.on) {
    const stream = await ask({ audio: voiceConstraints(voice) });
    if (typeof stream === "string") opened.voiceTrouble = stream;
    else opened.voice = stream.getAudioTracks()[0] ?? null;
  }
  if (camera.on) {
    const stream = await ask({ video: cameraConstraints(camera) });
    if (typeof stream === "string") opened.cameraTrouble = stream;
    else opened.camera = stream.getVideoTracks()[0] ?? null;
  }
  return opened;
}

/** Asks for a screen or window; null when the person chose none. */
export async function openScreen(): Promise<MediaStream | null> {
  try {
    const stream = await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { max: 15 } }, audio: true });
    // Text and lines before movement.
    for (const track of stream.getVideoTracks()) track.contentHint = "detail";
    return stream;
  } catch {
    return null;
  }
}

/** Lists cameras and microphones; names are empty until one was allowed. */
export async function listDevices(): Promise<{ voices: MediaDeviceInfo[]; cameras: MediaDeviceInfo[] }> {
  const all = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  return {
    voices: all.filter((device) => device.kind === "audioinput" && device.deviceId !== ""),
    cameras: all.filter((device) => device.kind === "videoinput" && device.deviceId !== ""),
  };
}

function voiceConstraints(wish: DeviceWish): MediaTrackConstraints {
  return wish.deviceId ? { ...VOICE, deviceId: { ideal: wish.deviceId } } : VOICE;
}

function cameraConstraints(wish: DeviceWish): MediaTrackConstraints {
  return wish.deviceId ? { ...CAMERA, deviceId: { ideal: wish.deviceId } } : CAMERA;
}

async function ask(constraints: MediaStreamConstraints): Promise<MediaStream | Trouble> {
  try {
    return await navigator.mediaDevices.getUserMedia(constraints);
  } catch (error) {
    return troubleOf(error instanceof DOMException ? error.name : "");
  }
}

function troubleOf(name: string): Trouble {
  switch (name) {
    case "NotAllowedError":
    case "SecurityError":
      return "denied";
    case "NotReadableError":
    case "AbortError":
      return "in-use";
    default:
      return "missing";
  }
}
