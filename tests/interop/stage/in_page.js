// Runs in a page, after room_client.mjs: makes participants with the page's own media, and tells what they receive.

window.clients = [];
window.sink = document.createElement("div");
document.body.append(window.sink);

/**
 * Joins; returns the number by which the page knows the participant.
 * sources: source → { from: "device" | "drawn" | "display", width, height, fps, noise, layers, codec }
 */
window.joinRoom = async ({ link, name, sources = {}, channel = null }) => {
  const connection = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  connection.ontrack = ({ track }) => play(track);
  const sending = [];
  for (const [source, how] of Object.entries(sources)) sending.push([source, await addSource(connection, source, how)]);
  if (sending.length === 0) connection.addTransceiver("audio", { direction: "recvonly" });
  const client = new RoomClient(connection, sending);
  if (channel) client.openChannel(channel);
  await client.join(link, name);
  return window.clients.push(client) - 1;
};

/** Adds sources to a participant that is in the room. */
window.addSources = async ({ index, sources }) => {
  const { connection } = window.clients[index];
  const added = [];
  for (const [source, how] of Object.entries(sources)) added.push([source, await addSource(connection, source, how)]);
  await window.clients[index].add(added);
};

window.addOwn = addSource;
window.play = play;

async function addSource(connection, source, how) {
  const audio = source === "voice" || source === "screen-audio";
  const track = await makeTrack(source, how, audio);
  const init = { direction: "sendonly" };
  if (how.layers) init.sendEncodings = how.layers;
  const transceiver = connection.addTransceiver(track, init);
  if (how.codec) prefer(transceiver, audio ? "audio" : "video", how.codec);
  return transceiver;
}

async function makeTrack(source, how, audio) {
  if (how.from === "display") return displayed(source);
  if (how.from === "drawn") return audio ? tone() : drawn(how);
  const { width = 640, height = 480, fps = 15 } = how;
  const wish = audio ? { audio: true } : { video: { width, height, frameRate: fps } };
  return (await navigator.mediaDevices.getUserMedia(wish)).getTracks()[0];
}

/** The screen and its sound come from one question; the second track waits for its turn. */
let shared = null;
async function displayed(source) {
  shared ??= await navigator.mediaDevices.getDisplayMedia({ video: true, audio: true });
  return source === "screen-audio" ? shared.getAudioTracks()[0] : shared.getVideoTracks()[0];
}

function tone() {
  const context = new AudioContext();
  const oscillator = new OscillatorNode(context, { frequency: 440 });
  const destination = context.createMediaStreamDestination();
  oscillator.connect(new GainNode(context, { gain: 0.3 })).connect(destination);
  oscillator.start();
  return destination.stream.getAudioTracks()[0];
}

/** Noise that moves: an encoder needs all the bits that it is given. `noise`: how much of it, 0 to 1. */
function drawn({ width = 640, height = 360, fps = 15, noise: share = 0.35 }) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d");
  const noise = new ImageData(width, height);
  const pixels = new Uint32Array(noise.data.buffer);
  for (let at = 0; at < pixels.length; at += 1) pixels[at] = 0xff000000 | (Math.random() * 0xffffff);
  const tile = Object.assign(document.createElement("canvas"), { width, height });
  tile.getContext("2d").putImageData(noise, 0, 0);
  let turn = 0;
  setInterval(() => {
    turn += 1;
    context.fillStyle = `hsl(${turn % 360} 60% 50%)`;
    context.fillRect(0, 0, width, height);
    context.globalAlpha = share;
    context.drawImage(tile, (turn * 7) % width, (turn * 3) % height);
    context.drawImage(tile, ((turn * 7) % width) - width, ((turn * 3) % height) - height);
    context.globalAlpha = 1;
  }, 1_000 / fps);
  return canvas.captureStream(fps).getVideoTracks()[0];
}

/** Offers one codec, and what repairs it. */
function prefer(transceiver, kind, mime) {
  const known = RTCRtpReceiver.getCapabilities(kind).codecs;
  const own = known.filter((codec) => codec.mimeType.toLowerCase() === mime.toLowerCase());
  if (own.length === 0) throw new Error(`no ${mime} here`);
  const repair = known.filter((codec) => /\/(rtx|red|ulpfec)$/i.test(codec.mimeType));
  transceiver.setCodecPreferences([...own, ...repair]);
}

function play(track) {
  const element = document.createElement(track.kind);
  element.srcObject = new MediaStream([track]);
  element.autoplay = true;
  window.sink.append(element);
}

/** What arrives at a participant: one entry a stream, with whose it is. */
window.arriving = async (index) => {
  const { connection, tracks } = window.clients[index];
  const arriving = [];
  for (const { mid, receiver } of connection.getTransceivers()) {
    if (!tracks[mid]) continue;
    const reports = [...(await receiver.getStats()).values()];
    const stream = reports.find(({ type }) => type === "inbound-rtp");
    if (!stream) continue;
    const codec = reports.find(({ id }) => id === stream.codecId)?.mimeType ?? null;
    arriving.push({ ...stream, ...tracks[mid], codec });
  }
  return arriving;
};

/** What a participant sends: one entry a stream. */
window.leaving = async (index) => {
  const reports = await window.clients[index].connection.getStats();
  return [...reports.values()].filter(({ type }) => type === "outbound-rtp");
};

/** How a participant is connected. */
window.transport = async (index) => {
  const reports = await window.clients[index].connection.getStats();
  const transport = [...reports.values()].find(({ type }) => type === "transport") ?? {};
  const pairs = [...reports.values()].filter(({ type, state, nominated }) => type === "candidate-pair" && state === "succeeded" && nominated);
  const pair = reports.get(transport.selectedCandidatePairId) ?? pairs.find(({ selected }) => selected) ?? pairs[0] ?? {};
  const { tlsVersion = null, dtlsCipher = null, srtpCipher = null } = transport;
  const protocol = reports.get(pair.localCandidateId)?.protocol ?? null;
  const state = window.clients[index].connection.connectionState;
  return { tlsVersion, dtlsCipher, srtpCipher, protocol, state };
};
