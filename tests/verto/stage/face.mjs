// A server with the verto face, and its operator.
import assert from "node:assert/strict";
import { freePort } from "../../browser/stage/ports.mjs";
import { startServer } from "../../browser/stage/server.mjs";

/** Starts a server whose verto face listens on a free port of the loopback. `settings`: more lines of `[faces.verto]` and below. */
export async function startFace(test, settings = []) {
  const port = await freePort();
  const face = ["[faces.verto]", "enabled = true", `listen = "127.0.0.1:${port}"`, ...settings];
  const server = await startServer(test, { media: async () => face });
  return new Face(server, `http://127.0.0.1:${port}`);
}

class Face {
  constructor(server, origin) {
    this.server = server;
    this.origin = origin;
  }

  get socket() {
    return `${this.origin.replace("http", "ws")}/verto`;
  }

  /** Makes a channel; returns its ID. */
  async channel(settings = {}) {
    return (await this.ask("POST", "channels", 201, settings)).channelId;
  }

  read(channel) {
    return this.ask("GET", `channels/${channel}`, 200);
  }

  change(channel, settings) {
    return this.ask("PATCH", `channels/${channel}`, 200, settings);
  }

  remove(channel) {
    return this.ask("DELETE", `channels/${channel}`, 204);
  }

  /** Issues a credential that is bound to no cookie. */
  issue(channel) {
    return this.ask("POST", `channels/${channel}/clients`, 201, {});
  }

  revoke(channel, client) {
    return this.ask("DELETE", `channels/${channel}/clients/${client}`, 204);
  }

  /** Returns an invitation link. */
  async invite(channel, uses = 1) {
    return (await this.ask("POST", `channels/${channel}/invitations`, 201, { uses })).link;
  }

  async ask(method, path, status, body) {
    const { origin, token } = this.server;
    const response = await fetch(`${origin}/v1/admin/${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body && { "content-type": "application/json" }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    assert.equal(response.status, status, `${method} ${path}: ${text}`);
    return text ? JSON.parse(text) : null;
  }
}
