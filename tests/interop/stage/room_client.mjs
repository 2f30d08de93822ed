// A participant by the rooms face (docs/faces/rooms.md), the same text in browsers and in Node: one RTCPeerConnection, one WebSocket.
// Pages get it as text (`pages.mjs`), so it imports nothing.

const P256 = { name: "ECDSA", namedCurve: "P-256" };
const DOMAIN = "countersign rooms v1 authenticate";
const PING_MS = 5_000;

export class RoomClient {
  /** `sending`: pairs of a source and its transceiver. */
  constructor(connection, sending, { WebSocket = globalThis.WebSocket } = {}) {
    this.connection = connection;
    this.sending = sending;
    this.WebSocket = WebSocket;
    this.participantId = null;
    this.label = `m-${Math.random().toString(36).slice(2, 12)}`;
    /** Mid → whose, as the latest offer of the server says. */
    this.tracks = {};
    /** Everything the server said on the socket, and what was understood on the data channel. */
    this.heard = [];
    this.chat = [];
    this.faults = [];
    this.offers = 0;
    this.inFlight = null;
    this.wantsOffer = false;
    this.queue = Promise.resolve();
  }

  /** Opens a data channel; before the first offer. */
  openChannel(label) {
    this.channel = this.connection.createDataChannel(label);
    this.channel.onmessage = ({ data }) => this.chat.push(JSON.parse(data));
  }

  /** Redeems an invite link, authenticates and makes the first offer. */
  async join(link, name) {
    const { origin, hash } = new URL(link);
    await this.connection.setLocalDescription(await this.connection.createOffer());
    const keys = await crypto.subtle.generateKey(P256, false, ["sign", "verify"]);
    const point = await crypto.subtle.exportKey("raw", keys.publicKey);
    const response = await fetch(`${origin}/v1/rooms/redeem`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        invite: hash.slice(1),
        name,
        fingerprint: fingerprintOf(this.connection.localDescription.sdp),
        public_key: base64url(point),
      }),
    });
    if (response.status !== 201) throw new Error(`redeem: ${response.status} ${await response.text()}`);
    const { session_token } = await response.json();
    await this.attach(origin, keys.privateKey, session_token);
    this.sendOffer();
  }

  attach(origin, key, token) {
    return new Promise((welcomed, refused) => {
      this.socket = new this.WebSocket(`${origin.replace(/^http/, "ws")}/v1/rooms/ws`);
      this.socket.onerror = () => refused(new Error("the WebSocket failed"));
      this.socket.onmessage = async ({ data }) => {
        const said = JSON.parse(data);
        this.heard.push(said);
        if (said.type === "hello") {
          this.send({ type: "authenticate", session_token: token, signature: await prove(key, said.nonce, token) });
        } else if (said.type === "welcome") {
          this.participantId = said.participant_id;
          this.pinging = setInterval(() => this.send({ type: "ping" }), PING_MS);
          welcomed();
        } else if (said.type === "error") {
          this.faults.push(said);
          refused(new Error(JSON.stringify(said)));
        } else {
          this.step(said);
        }
      };
    });
  }

  step(said) {
    this.inTurn(() => this.understand(said));
  }

  /** What must not overlap runs one after the other. */
  inTurn(run) {
    this.queue = this.queue.then(run).catch((fault) => this.faults.push(String(fault)));
    return this.queue;
  }

  async understand(said) {
    if (said.type === "answer" && said.id === this.inFlight) {
      this.inFlight = null;
      await this.connection.setRemoteDescription({ type: "answer", sdp: said.sdp });
      if (this.wantsOffer) await this.offer();
    } else if (said.type === "offer" && this.inFlight === null) {
      await this.connection.setRemoteDescription({ type: "offer", sdp: said.sdp });
      await this.connection.setLocalDescription(await this.connection.createAnswer());
      const { sdp } = this.connection.localDescription;
      this.tracks = said.tracks;
      this.send({ type: "answer", media: this.label, id: said.id, sdp });
    }
  }

  sendOffer() {
    const tracks = {};
    for (const [source, { mid }] of this.sending) tracks[mid] = source;
    this.offers += 1;
    this.inFlight = this.offers;
    const { sdp } = this.connection.localDescription;
    this.send({ type: "offer", media: this.label, id: this.offers, sdp, tracks });
  }

  /** Adds sources to a call that goes on: pairs of a source and its transceiver. */
  add(sending) {
    this.sending.push(...sending);
    return this.inTurn(() => this.offer());
  }

  /** Finds new ways to the server, as after a change of networks. */
  restart() {
    return this.inTurn(() => this.offer({ iceRestart: true }));
  }

  /** Offers; while an offer waits for its answer, after that. */
  async offer(options = {}) {
    this.wantsOffer = this.inFlight !== null;
    if (this.wantsOffer) return;
    await this.connection.setLocalDescription(await this.connection.createOffer(options));
    this.sendOffer();
  }

  send(message) {
    if (this.socket.readyState === 1) this.socket.send(JSON.stringify(message));
  }

  /** The client's ICE user fragment, by which a relay knows it. */
  ufrag() {
    return /^a=ice-ufrag:(\S+)/m.exec(this.connection.localDescription?.sdp ?? "")?.[1] ?? null;
  }

  leave() {
    clearInterval(this.pinging);
    this.send({ type: "leave" });
    this.connection.close();
    this.socket.close();
  }
}

/** Returns `sha-256 AB:CD:…` of a description. */
function fingerprintOf(sdp) {
  const found = /^a=fingerprint:sha-256 (\S+)/im.exec(sdp);
  if (!found) throw new Error("the description names no SHA-256 fingerprint");
  return `sha-256 ${found[1].toUpperCase()}`;
}

async function prove(key, nonce, token) {
  const text = new TextEncoder();
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", text.encode(token)));
  const bytes = new Uint8Array([...text.encode(DOMAIN), 0, ...fromBase64url(nonce), ...hash]);
  return base64url(await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, key, bytes));
}

function base64url(bytes) {
  const binary = String.fromCharCode(...new Uint8Array(bytes));
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function fromBase64url(text) {
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (character) => character.charCodeAt(0));
}
