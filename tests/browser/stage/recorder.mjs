/**
 * Runs in a page before its scripts: keeps every RTCPeerConnection and its data channels, and everything said over the WebSocket, without
 * changing any of them.
 * Serialised by playwright-core: it may use nothing from outside.
 */
export function record() {
  const recorded = { connections: [], channels: [], sockets: [], sent: [], received: [], participantId: null, tracks: {} };
  window.recorded = recorded;

  window.RTCPeerConnection = class extends window.RTCPeerConnection {
    constructor(...values) {
      super(...values);
      recorded.connections.push(this);
    }
    createDataChannel(...values) {
      const channel = super.createDataChannel(...values);
      recorded.channels.push(channel);
      return channel;
    }
  };

  window.WebSocket = class extends window.WebSocket {
    constructor(...values) {
      super(...values);
      recorded.sockets.push(this);
      this.addEventListener("message", ({ data }) => {
        recorded.received.push(data);
        const message = JSON.parse(data);
        if (message.type === "welcome") recorded.participantId = message.participant_id;
        if (message.type === "offer") recorded.tracks = message.tracks;
      });
    }
    send(text) {
      recorded.sent.push(text);
      super.send(text);
    }
  };

  document.addEventListener("securitypolicyviolation", (event) => {
    console.error(`violates ${event.violatedDirective}: ${event.blockedURI}`);
  });

  /** What arrives: one entry a stream, with whose it is as the latest offer says. */
  recorded.arriving = async () => {
    const connection = recorded.connections.filter((one) => one.connectionState !== "closed").at(-1);
    if (!connection) return [];
    const arriving = [];
    for (const report of (await connection.getStats()).values()) {
      if (report.type !== "inbound-rtp") continue;
      const { ssrc, mid, framesDecoded = 0, totalAudioEnergy = 0, bytesReceived = 0 } = report;
      arriving.push({ ssrc, framesDecoded, totalAudioEnergy, bytesReceived, ...recorded.tracks[mid] });
    }
    return arriving;
  };
}
