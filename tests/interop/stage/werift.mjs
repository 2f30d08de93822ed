// werift as a participant: WebRTC in TypeScript, with no code of a browser in it. It has no encoder, so it sends back what it gets.
import { MediaStreamTrack, RTCPeerConnection, RTCRtpCodecParameters, useNACK, usePLI } from "werift";
import { WebSocket } from "ws";
import { atEnd } from "../../browser/stage/ending.mjs";
import { until } from "../../browser/stage/media.mjs";
import { RoomClient } from "./room_client.mjs";

const VP8 = new RTCRtpCodecParameters({ mimeType: "video/VP8", clockRate: 90_000, rtcpFeedback: [useNACK(), usePLI()] });
const RTX = new RTCRtpCodecParameters({ mimeType: "video/rtx", clockRate: 90_000 });
const OPUS = new RTCRtpCodecParameters({ mimeType: "audio/opus", clockRate: 48_000, channels: 2 });
/** RFC 7741 §4.3: the first bit of a key frame's payload header is 0, and its start code follows. */
const START_CODE = Buffer.from([0x9d, 0x01, 0x2a]);

/** Joins by werift; it leaves with the test. `echoes`: the participant whose sound and pictures it sends back. */
export async function joinByWerift(test, link, name, { channel = null } = {}) {
  const connection = new RTCPeerConnection({ codecs: { audio: [OPUS], video: [VP8, RTX] }, bundlePolicy: "max-bundle", iceServers: [] });
  const own = { voice: new MediaStreamTrack({ kind: "audio" }), camera: new MediaStreamTrack({ kind: "video" }) };
  const sending = Object.entries(own).map(([source, track]) => [source, connection.addTransceiver(track, { direction: "sendonly" })]);
  const client = new RoomClient(connection, sending, { WebSocket });
  if (channel) client.openChannel(channel);
  const seat = { name, client, echoes: null, received: {} };
  connection.onTrack.subscribe((track) => receive(seat, connection, own, track));
  atEnd(test, async () => client.leave());
  await client.join(link, name);
  seat.id = client.participantId;
  const [, camera] = sending[1];
  camera.sender.onPictureLossIndication.subscribe(() => seat.askKeyFrame?.());
  await until(`${name} is connected`, async () => connection.connectionState === "connected");
  return seat;
}

/** Counts what arrives, and sends it back. */
function receive(seat, connection, own, track) {
  const { receiver, mid } = connection.getTransceivers().find((one) => one.receiver.track === track);
  track.onReceiveRtp.subscribe((packet) => {
    const whose = seat.client.tracks[mid];
    if (!whose) return;
    const sources = (seat.received[whose.participant_id] ??= {});
    const count = (sources[whose.source] ??= { packets: 0, keyFrames: 0, repaired: 0, newest: null });
    count.packets += 1;
    const ahead = (packet.header.sequenceNumber - (count.newest ?? packet.header.sequenceNumber)) & 0xffff;
    if (ahead < 0x8000) count.newest = packet.header.sequenceNumber;
    else count.repaired += 1;
    if (track.kind === "video" && packet.payload.includes(START_CODE)) count.keyFrames += 1;
    if (whose.participant_id !== seat.echoes || !own[whose.source]) return;
    if (whose.source === "camera") seat.askKeyFrame = () => receiver.sendRtcpPLI(packet.header.ssrc);
    const copy = packet.clone();
    copy.header.extension = false;
    copy.header.extensions = [];
    own[whose.source].writeRtp(copy);
  });
}
