// A server with the rtcd face, an installation that is registered there, and its plugin.
import { startScene } from "../../interop/stage/scene.mjs";
import { freePort } from "../../browser/stage/ports.mjs";
import { Plugin, register } from "./plugin.mjs";

const INSTALLATION = "mattermost";

/** Media go by a relay. `udp: false`: it loses every datagram, and clients are told of the server's TCP as ever. */
export async function startCalls(test, { udp }) {
  const port = await freePort();
  const settings = ["[faces.rtcd]", "enabled = true", `listen = "127.0.0.1:${port}"`, "allow_self_registration = true"];
  const { server, relay } = await startScene(test, { relayed: true, tcp: true, settings });
  if (!udp) relay.shape({ up: { loss: 1 }, down: { loss: 1 } });
  const origin = `http://127.0.0.1:${port}`;
  const plugin = new Plugin(test, origin, INSTALLATION, await register(origin, INSTALLATION));
  await plugin.connect();
  return { server, relay, plugin };
}
