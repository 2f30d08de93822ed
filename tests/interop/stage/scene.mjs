// A server, a relay before it if wanted, and a room with an invite for everybody.
import { startServer } from "../../browser/stage/server.mjs";
import { startRelay } from "./relay.mjs";

/** The address that namespace.sh gives. */
export const ADDRESS = "10.77.0.1";

/**
 * `relayed`: clients are told the relay's address, and no other; on that port nobody listens by TCP, unless `tcp`: there the server itself
 * does. `settings`: more lines of `[media]`.
 */
export async function startScene(test, { relayed = false, tcp = false, address = ADDRESS, settings = [] } = {}) {
  let relay = null;
  const server = await startServer(test, {
    address,
    media: async (media) => {
      if (!relayed) return settings;
      relay = await startRelay(test, media);
      if (tcp) media.tcpPort = relay.port;
      return [`advertise = ["${relay.address}:${relay.port}"]`, ...settings];
    },
  });
  const { room_id } = await server.admin.createRoom("Interop");
  const { url } = await server.admin.invite(room_id, 100);
  return { server, relay, room: room_id, link: url };
}
