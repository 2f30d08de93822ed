// node-datachannel (libdatachannel, in C++) as a participant with a data channel and no media.
import { RTCPeerConnection } from "node-datachannel/polyfill";
import { WebSocket } from "ws";
import { atEnd } from "../../browser/stage/ending.mjs";
import { until } from "../../browser/stage/media.mjs";
import { RoomClient } from "./room_client.mjs";

/** Joins by node-datachannel; it leaves with the test. */
export async function joinByDataChannel(test, link, name, { channel }) {
  const connection = new RTCPeerConnection({ iceServers: [], bundlePolicy: "max-bundle" });
  const client = new RoomClient(connection, [], { WebSocket });
  client.openChannel(channel);
  atEnd(test, async () => client.leave());
  await client.join(link, name);
  await until(`${name} is connected`, async () => {
    if (client.faults.length > 0) throw new Error(JSON.stringify(client.faults));
    return connection.connectionState === "connected";
  });
  return { name, client, id: client.participantId };
}
