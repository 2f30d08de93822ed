// Runs in a page, after fflate and MessagePack: the part of a user's client that talks to the server, by calls-common's rules (src/rtc_peer.ts).

const PING = 1;
const PONG = 2;
const SDP = 3;
const LOCK = 7;
const UNLOCK = 8;
const MEDIA_MAP = 9;
const PING_EVERY_MS = 1_000;
const LOCK_EVERY_MS = 50;
const LOCK_PATIENCE_MS = 5_000;
/** Of a picture that is sent in one quality. */
const ONE_ENCODING = [{ maxBitrate: 1_000_000, maxFramerate: 10 }];

window.peers = {};
window.sink = document.createElement("div");
document.body.append(window.sink);

class Peer {
  /** `byChannel`: descriptions go by the data channel once that is open; `locking`: the lock is taken before tracks change. */
  constructor({ session, byChannel, locking }) {
    Object.assign(this, { session, byChannel, locking });
    this.faults = [];
    this.candidates = [];
    this.mediaMap = {};
    /** Media maps, and offers of the server, in the order in which they came. */
    this.said = [];
    /** What `ontrack` was given, with what the map said of it at that moment. */
    this.tracks = [];
    this.pongs = 0;
    this.offersMade = 0;
    this.answered = false;
    this.senders = {};
    this.waitsForLock = null;
    /** What is on its way to it; null: it arrives at once. */
    this.held = null;
    /** Descriptions are worked off one by one, as the events of a socket are. */
    this.work = Promise.resolve();

    this.pc = new RTCPeerConnection();
    this.pc.onnegotiationneeded = () => this.negotiate();
    this.pc.onicecandidate = ({ candidate }) => {
      if (candidate) window.toPlugin(session, "ice", JSON.stringify(candidate));
    };
    this.pc.ontrack = (event) => this.onTrack(event);
    this.dc = this.pc.createDataChannel("calls-dc");
    this.dc.binaryType = "arraybuffer";
    this.dc.onmessage = ({ data }) => this.onMessage(data);
    this.dc.onopen = () => {
      this.pinging = setInterval(() => this.dc.readyState === "open" && this.dc.send(MessagePack.encode(PING)), PING_EVERY_MS);
    };
  }

  async negotiate() {
    try {
      this.makingOffer = true;
      this.offersMade += 1;
      await this.pc.setLocalDescription();
      this.describe(this.pc.localDescription);
    } catch (fault) {
      this.faults.push(`offer: ${fault}`);
      if (this.locking) this.dc.send(MessagePack.encode(UNLOCK));
    } finally {
      this.makingOffer = false;
    }
  }

  describe(description) {
    const deflated = fflate.zlibSync(new TextEncoder().encode(JSON.stringify(description)));
    if (this.byChannel && this.dc.readyState === "open") {
      this.dc.send(joined(MessagePack.encode(SDP), MessagePack.encode(deflated)));
    } else {
      window.toPlugin(this.session, "sdp", btoa(String.fromCharCode(...deflated)));
    }
  }

  /** Takes what the plugin or the data channel brings. */
  signal(json, way = "plugin") {
    if (this.held) return this.held.push([json, way]);
    this.work = this.work.then(() => this.take(JSON.parse(json), way)).catch((fault) => this.faults.push(`${fault}`));
    return this.work;
  }

  release() {
    const held = this.held;
    this.held = null;
    for (const [json, way] of held) this.signal(json, way);
  }

  async take(message, way) {
    if (message.type === "candidate") {
      if (this.pc.remoteDescription?.type) await this.pc.addIceCandidate(message.candidate);
      else this.candidates.push(message.candidate);
    } else if (message.type === "offer") {
      // Polite: an offer of ours that is under way is rolled back.
      this.said.push({ what: "offer", way, mids: sentMids(message.sdp), map: Object.keys(this.mediaMap) });
      await this.pc.setRemoteDescription(message);
      await this.pc.setLocalDescription();
      this.describe(this.pc.localDescription);
    } else if (message.type === "answer") {
      await this.pc.setRemoteDescription(message);
      for (const candidate of this.candidates.splice(0)) await this.pc.addIceCandidate(candidate);
      if (this.answered) this.dc.send(MessagePack.encode(UNLOCK));
      this.answered = true;
    } else {
      this.faults.push(`unknown: ${message.type}`);
    }
  }

  onMessage(data) {
    const [type, payload] = [...MessagePack.decodeMulti(data)];
    if (type === PONG) {
      this.pongs += 1;
    } else if (type === SDP) {
      this.signal(new TextDecoder().decode(fflate.unzlibSync(payload)), "channel");
    } else if (type === LOCK) {
      this.waitsForLock?.(payload);
    } else if (type === MEDIA_MAP) {
      // At once, as it comes: an offer that came before it may still be waiting.
      this.mediaMap = payload;
      this.said.push({ what: "map" });
    } else {
      this.faults.push(`unknown message of the data channel: ${type}`);
    }
  }

  onTrack({ track, streams, transceiver }) {
    // "so Firefox stops complaining": every later offer of it says that it sends there.
    if (track.kind === "video") transceiver.direction = "sendrecv";
    const mapped = this.mediaMap[transceiver.mid] ?? null;
    const cnames = section(this.pc.remoteDescription.sdp, transceiver.mid).match(/(?<=^a=ssrc:\d+ cname:)\S+/gm) ?? [];
    this.tracks.push({ mid: transceiver.mid, kind: track.kind, id: track.id, streams: streams.map(({ id }) => id), cnames, mapped });
    play(track);
  }

  async lock() {
    if (!this.locking) return;
    const begun = performance.now();
    while (performance.now() - begun < LOCK_PATIENCE_MS) {
      const granted = await new Promise((answer) => {
        this.waitsForLock = answer;
        this.dc.send(MessagePack.encode(LOCK));
      });
      this.waitsForLock = null;
      if (granted) return;
      await new Promise((done) => setTimeout(done, LOCK_EVERY_MS));
    }
    throw new Error("no lock");
  }

  /** Publishes a stream's tracks; `encodings`: of its picture. */
  async addStream(stream, encodings = null) {
    for (const track of stream.getTracks()) {
      await this.lock();
      if (track.kind === "video") {
        const init = { direction: "sendonly", streams: [stream], sendEncodings: encodings ?? ONE_ENCODING };
        this.senders[track.id] = this.pc.addTransceiver(track, init).sender;
      } else {
        this.senders[track.id] = this.pc.addTrack(track, stream);
      }
    }
    return stream.id;
  }

  async removeStream(stream) {
    for (const track of stream.getTracks()) {
      await this.lock();
      this.pc.removeTrack(this.senders[track.id]);
      track.stop();
    }
  }

  /** What arrives, one entry an m-line that the server says it sends. */
  async arriving() {
    const arriving = [];
    for (const { mid, receiver } of this.pc.getTransceivers()) {
      const mapped = this.mediaMap[mid];
      if (!mapped) continue;
      const reports = [...(await receiver.getStats()).values()];
      const stream = reports.find(({ type }) => type === "inbound-rtp");
      if (stream) arriving.push({ ...mapped, mid, ...pick(stream) });
    }
    return arriving;
  }

  /** Pictures that are encoded of each layer. */
  async layers() {
    const reports = [...(await this.pc.getStats()).values()];
    const sent = reports.filter(({ type, kind }) => type === "outbound-rtp" && kind === "video");
    return Object.fromEntries(sent.map(({ rid, framesEncoded = 0, bytesSent = 0 }) => [rid, { frames: framesEncoded, bytes: bytesSent }]));
  }

  ufrag() {
    return /^a=ice-ufrag:(\S+)/m.exec(this.pc.localDescription.sdp)[1];
  }

  async state() {
    const { pc, dc, faults, said, tracks, pongs, offersMade, mediaMap } = this;
    const reports = await pc.getStats();
    const transport = [...reports.values()].find(({ type }) => type === "transport");
    const pair = reports.get(transport?.selectedCandidatePairId);
    const protocol = reports.get(pair?.localCandidateId)?.protocol ?? null;
    const [connection, channel, signalling] = [pc.connectionState, dc.readyState, pc.signalingState];
    const lines = pc.localDescription?.sdp.match(/^m=/gm).length;
    const arriving = await this.arriving();
    return { connection, channel, signalling, protocol, faults, said, tracks, pongs, offersMade, mediaMap, lines, arriving };
  }

  close() {
    clearInterval(this.pinging);
    this.pc.close();
  }
}

function pick({ packetsReceived = 0, framesDecoded = 0, framesPerSecond = 0, totalAudioEnergy = 0 }) {
  return { packets: packetsReceived, frames: framesDecoded, rate: framesPerSecond, energy: totalAudioEnergy };
}

function joined(...parts) {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function section(sdp, mid) {
  return sdp.split(/^(?=m=)/m).find((one) => one.includes(`\r\na=mid:${mid}\r\n`)) ?? "";
}

/** The m-lines on which the author of a description sends a track. */
function sentMids(sdp) {
  const sections = sdp.split(/^(?=m=)/m).slice(1);
  const sends = sections.filter((one) => /^a=msid:/m.test(one) && /^a=(sendonly|sendrecv)\r$/m.test(one));
  return sends.map((one) => /^a=mid:(\S+)/m.exec(one)[1]);
}

function play(track) {
  const element = document.createElement(track.kind);
  element.srcObject = new MediaStream([track]);
  element.autoplay = true;
  window.sink.append(element);
}

window.enter = (options) => {
  window.peers[options.session] = new Peer(options);
};

/** Speaks: tones with pauses between them. */
window.speak = async (session) => {
  const context = new AudioContext();
  const [oscillator, gain] = [new OscillatorNode(context, { frequency: 330 }), new GainNode(context, { gain: 0 })];
  const destination = context.createMediaStreamDestination();
  oscillator.connect(gain).connect(destination);
  oscillator.start();
  let loud = false;
  setInterval(() => gain.gain.setValueAtTime((loud = !loud) ? 0.4 : 0.002, context.currentTime), 200);
  const peer = window.peers[session];
  peer.voice = destination.stream.getAudioTracks()[0];
  await peer.addStream(destination.stream);
};

/** Mutes and unmutes as calls-common does: without negotiation. */
window.mute = (session, muted) => {
  const { senders, voice } = window.peers[session];
  return senders[voice.id].replaceTrack(muted ? null : voice);
};

/** A stream with a drawn picture; it is published later. */
window.draw = (session, { width, height, fps }) => {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d");
  let turn = 0;
  setInterval(() => {
    turn += 1;
    context.fillStyle = `hsl(${(turn * 3) % 360} 60% 50%)`;
    context.fillRect(0, 0, width, height);
    // Enough that moves to need some bits.
    for (let dot = 0; dot < 30; dot += 1) {
      context.fillStyle = `hsl(${(dot * 37) % 360} 80% 40%)`;
      context.fillRect((turn * (5 + (dot % 9)) + dot * 53) % width, (turn * (dot % 7) + dot * 31) % height, 14, 14);
    }
  }, 1_000 / fps);
  window.peers[session].canvas = canvas;
  window.peers[session].picture = canvas.captureStream(fps);
  return window.peers[session].picture.id;
};

/** Another stream of the picture that is drawn already, as of a screen that is picked anew. */
window.pick = (session, withSound) => {
  const peer = window.peers[session];
  peer.picture = peer.canvas.captureStream();
  if (!withSound) return peer.picture.id;
  peer.context ??= new AudioContext();
  const oscillator = new OscillatorNode(peer.context, { frequency: 220 });
  const destination = peer.context.createMediaStreamDestination();
  oscillator.connect(destination);
  oscillator.start();
  peer.picture.addTrack(destination.stream.getAudioTracks()[0]);
  return peer.picture.id;
};

window.show = (session, encodings) => window.peers[session].addStream(window.peers[session].picture, encodings);
window.hide = (session) => window.peers[session].removeStream(window.peers[session].picture);
window.signal = (session, json) => window.peers[session]?.signal(json);
window.close_ = (session) => window.peers[session].close();
window.layers = (session) => window.peers[session].layers();
window.hold = (session) => {
  window.peers[session].held = [];
};
window.heldOffers = (session) => window.peers[session].held.filter(([json]) => JSON.parse(json).type === "offer").length;
window.release = (session) => window.peers[session].release();
window.ufrag = (session) => window.peers[session].ufrag();
window.state = (session) => window.peers[session].state();
