// Runs in a page after ../stage/in_page.js: connections that Janus answers or offers, all candidates in the description.

window.connections = [];

window.makePublisher = async (sources) => {
  const connection = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  window.connections.push(connection);
  for (const [source, how] of Object.entries(sources)) await window.addOwn(connection, source, how);
  await connection.setLocalDescription();
  return described(connection);
};

window.conclude = (answer) => window.connections.at(-1).setRemoteDescription(answer);

window.makeSubscriber = async (offer) => {
  const connection = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  window.connections.push(connection);
  connection.ontrack = ({ track }) => window.play(track);
  await connection.setRemoteDescription(offer);
  await connection.setLocalDescription();
  return described(connection);
};

async function described(connection) {
  while (connection.iceGatheringState !== "complete") await new Promise((done) => setTimeout(done, 20));
  const { type, sdp } = connection.localDescription;
  return { type, sdp };
}

/** RTP packets that have arrived at all connections of the page, and pictures decoded. */
window.received = async () => {
  const own = window.clients.map(({ connection }) => connection);
  const sum = { packets: 0, frames: 0 };
  for (const connection of [...window.connections, ...own]) {
    for (const report of (await connection.getStats()).values()) {
      if (report.type !== "inbound-rtp") continue;
      sum.packets += report.packetsReceived;
      sum.frames += report.framesDecoded ?? 0;
    }
  }
  return sum;
};
