/**
 * A page that speaks the variant B of the reference (4.4 to 4.9), frame by frame, as tessercat's pages did. It is our own, written from the
 * reference, and shares nothing with the pages of the console. Tests run it by `window.peer`.
 */
(() => {
  const channel = location.pathname.split("/").at(-1);
  const encode = (value) => btoa(JSON.stringify(value));
  const decode = (text) => JSON.parse(atob(text));

  /** 4.3: credentials once for each load of the page, for a session ID of the browser's making. */
  async function session() {
    const stored = localStorage.getItem(channel);
    for (const sessionId of [stored ?? crypto.randomUUID(), crypto.randomUUID()]) {
      const response = await fetch(`${location.href}/sessions?sessionId=${sessionId}`);
      if (response.ok) {
        localStorage.setItem(channel, sessionId);
        return { sessionId, ...(await response.json()) };
      }
      if (response.status !== 404) break;
    }
    throw new Error("Login failed");
  }

  class Peer {
    constructor() {
      this.peers = {};
      this.offers = new Set();
      this.connection = null;
      this.halted = false;
      this.logins = 0;
      this.lastId = 0;
      this.pending = new Map();
    }

    async start() {
      this.session = await session();
      this.open();
    }

    open() {
      const socket = new WebSocket(`${location.href.replace("http", "ws")}/clients`);
      this.socket = socket;
      socket.onopen = async () => {
        const { sessionId: sessid, clientId: login, password: passwd } = this.session;
        const primed = await this.ask("login", {});
        if (primed.error?.code !== -32000) return this.halt("no -32000");
        const { error } = await this.ask("login", { sessid, login, passwd });
        if (error) return this.halt(`Login failed. ${error.message}.`);
        this.logins += 1;
      };
      socket.onmessage = ({ data }) => this.receive(window.bend(JSON.parse(data)));
      socket.onclose = () => {
        this.status("offline");
        if (!this.halted) setTimeout(() => this.open(), 500);
      };
    }

    halt(text) {
      this.halted = true;
      this.status(text);
      this.socket.close();
    }

    status(text) {
      document.getElementById("nav-status").textContent = text;
    }

    ask(method, params) {
      this.lastId += 1;
      const id = this.lastId;
      this.socket.send(JSON.stringify({ jsonrpc: "2.0", id, method, params: { sessid: this.session.sessionId, ...params } }));
      return new Promise((done) => this.pending.set(id, done));
    }

    receive(message) {
      // The id comes first, as in the original: a push under an id in flight would be taken for the reply.
      const done = this.pending.get(message.id);
      if (done) {
        this.pending.delete(message.id);
        done(message);
        return;
      }
      const { method, params } = message;
      if (method === "verto.clientReady") void this.enter();
      if (method === "verto.punt") this.halt("This channel is open in another tab.");
      if (method === "verto.event") this.heard(params);
      if (method === "verto.info") this.told(params.msg);
    }

    async enter() {
      const subscribed = await this.ask("verto.subscribe", { eventChannel: channel });
      if (subscribed.error) return this.halt("Subscription error");
      if ("code" in (await this.broadcast("ready")).result) return this.halt("Channel access error");
      this.status("online");
    }

    broadcast(peerStatus) {
      const eventData = encode({ peerStatus, peerName: "" });
      return this.ask("verto.broadcast", { localBroadcast: true, eventChannel: channel, eventData });
    }

    tell(to, what) {
      return this.ask("verto.info", { msg: { to, body: encode(what) } });
    }

    /** 4.8, without its 45 s. */
    async echo() {
      const { result } = await this.ask("echo", {});
      if (!result) return;
      if (this.connection?.waiting) await this.tell(this.connection.id, { peerAction: "offer", peerName: "" });
      if (!this.connection) await this.broadcast("available");
    }

    heard({ userid, sessid, eventChannel, eventData }) {
      if (sessid === this.session.sessionId || eventChannel !== channel || !userid) return;
      const id = userid.split("@")[0];
      const { peerStatus } = decode(eventData);
      if (peerStatus === "ready") {
        this.peers[id] = true;
        this.offers.delete(id);
        if (!this.connection) void this.tell(id, { peerStatus: "available", peerName: "" });
      }
      if (peerStatus === "available") this.peers[id] = true;
      if (peerStatus === "unavailable" || peerStatus === "gone") delete this.peers[id];
      if (peerStatus === "gone" && this.connection?.id === id) this.end();
    }

    told({ from, to, body }) {
      if (!from || !body || to.split("@")[0] !== this.session.clientId) return;
      const said = decode(body);
      const ours = this.connection?.id === from;
      if (said.peerStatus === "available") this.peers[from] = true;
      else if (said.peerAction === "offer") this.offers.add(from);
      else if (said.peerAction === "accept" && ours) this.addTracks();
      else if (said.peerAction === "close" || said.peerAction === "error") {
        this.offers.delete(from);
        if (ours) this.end();
      } else if (said.sdp && ours) void this.described(said);
      else if ("candidate" in said && ours) void this.candidate(said);
    }

    async offer(id) {
      await this.media();
      await this.tell(id, { peerAction: "offer", peerName: "" });
      void this.broadcast("unavailable");
      this.connect(id, true);
    }

    async accept(id) {
      this.offers.delete(id);
      await this.media();
      await this.tell(id, { peerAction: "accept", peerName: "" });
      void this.broadcast("unavailable");
      this.connect(id, false);
      this.addTracks();
    }

    async media() {
      this.stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
    }

    connect(id, polite) {
      const pc = new RTCPeerConnection();
      this.connection = { id, pc, polite, making: false, ignoring: false, waiting: polite };
      pc.ontrack = ({ streams: [stream] }) => {
        document.getElementById("media-player").srcObject = stream;
      };
      pc.onicecandidate = ({ candidate }) => candidate && void this.tell(id, candidate.toJSON());
      pc.onnegotiationneeded = async () => {
        this.connection.making = true;
        await pc.setLocalDescription();
        void this.tell(id, pc.localDescription.toJSON());
        this.connection.making = false;
      };
      pc.onconnectionstatechange = () => {
        if (pc.connectionState === "failed") void this.tell(id, { peerAction: "error", peerName: "" }).then(() => this.end());
      };
    }

    addTracks() {
      this.connection.waiting = false;
      for (const track of this.stream.getTracks()) this.connection.pc.addTrack(track, this.stream);
    }

    async described(description) {
      const { pc, polite, making, id } = this.connection;
      const collides = description.type === "offer" && (making || pc.signalingState !== "stable");
      this.connection.ignoring = collides && !polite;
      if (this.connection.ignoring) return;
      await pc.setRemoteDescription(description);
      if (description.type !== "offer") return;
      await pc.setLocalDescription();
      void this.tell(id, pc.localDescription.toJSON());
    }

    async candidate(candidate) {
      try {
        await this.connection.pc.addIceCandidate(candidate);
      } catch (fault) {
        if (!this.connection?.ignoring) console.warn(String(fault));
      }
    }

    /** The person hangs up. */
    async close() {
      await this.tell(this.connection.id, { peerAction: "close", peerName: "" });
      this.end();
    }

    end() {
      this.connection.pc.close();
      this.connection = null;
      for (const track of this.stream.getTracks()) track.stop();
      document.getElementById("media-player").srcObject = null;
      void this.broadcast("available");
    }
  }

  /** Tests put something else here, to show what the original could not have lived with. */
  window.bend ??= (message) => message;
  window.peer = new Peer();
  void window.peer.start();
})();
