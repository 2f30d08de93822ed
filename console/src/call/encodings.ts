import type { Source } from "./messages.ts";

/** In what qualities each source is sent, the lowest first; of a camera of 1280 × 720. Each viewer gets one of them. */
const LAYERS: Partial<Record<Source, RTCRtpEncodingParameters[]>> = {
  camera: [
    { rid: "l", scaleResolutionDownBy: 4, maxBitrate: 150_000 },
    { rid: "m", scaleResolutionDownBy: 2, maxBitrate: 500_000 },
    { rid: "h", scaleResolutionDownBy: 1, maxBitrate: 1_700_000 },
  ],
  // Text must stay readable: the lower one has fewer pictures, not smaller ones.
  screen: [
    { rid: "l", scaleResolutionDownBy: 1, maxFramerate: 5, maxBitrate: 500_000 },
    { rid: "h", scaleResolutionDownBy: 1, maxBitrate: 2_500_000 },
  ],
};

/** Makes the m-line by which a source is sent, in several qualities where the browser can. */
export function addSending(connection: RTCPeerConnection, source: Source, track: MediaStreamTrack | null): RTCRtpTransceiver {
  const what = track ?? (source === "voice" || source === "screen-audio" ? "audio" : "video");
  const layers = LAYERS[source];
  if (layers) {
    try {
      return connection.addTransceiver(what, { direction: "sendonly", sendEncodings: layers });
    } catch {
      // This browser sends one quality only.
    }
  }
  const best = layers?.at(-1);
  const only = best?.maxBitrate === undefined ? [] : [{ maxBitrate: best.maxBitrate }];
  return connection.addTransceiver(what, { direction: "sendonly", sendEncodings: only });
}

/**
 * Where the answer takes one quality only, the browser keeps the first, which is the lowest (WebRTC §5.4, "removed"): it becomes the best.
 */
export async function keepBest(source: Source, sender: RTCRtpSender): Promise<void> {
  const best = LAYERS[source]?.at(-1);
  const parameters = sender.getParameters();
  const [only] = parameters.encodings;
  if (!best || !only || parameters.encodings.length > 1 || only.maxBitrate === best.maxBitrate) return;
  only.scaleResolutionDownBy = 1;
  if (best.maxBitrate !== undefined) only.maxBitrate = best.maxBitrate;
  delete only.maxFramerate;
  await sender.setParameters(parameters);
}
