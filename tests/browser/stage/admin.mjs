// The administration as an operator's script would use it.
import assert from "node:assert/strict";

/** Requests with the admin token; each checks the promised status. */
export function api(origin, token) {
  const ask = async (method, path, status, body) => {
    const response = await fetch(`${origin}/v1/admin/${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body && { "content-type": "application/json" }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    assert.equal(response.status, status, `${method} ${path}: ${text}`);
    return text ? JSON.parse(text) : null;
  };
  return {
    createRoom: (name) => ask("POST", "rooms", 201, { name }),
    rooms: () => ask("GET", "rooms", 200),
    room: (room) => ask("GET", `rooms/${room}`, 200),
    endRoom: (room) => ask("DELETE", `rooms/${room}`, 204),
    invite: (room, uses, permissions = ["speak", "camera", "share"]) =>
      ask("POST", `rooms/${room}/invites`, 201, { uses, expires_in: 3600, permissions }),
    revoke: (room, invite) => ask("DELETE", `rooms/${room}/invites/${invite}`, 204),
    remove: (room, participant) => ask("DELETE", `rooms/${room}/participants/${participant}`, 204),
    audit: () => ask("GET", "audit?limit=200", 200),
  };
}

/** Returns how many participant steps panicked; a missing counter is an error too. */
export async function panics(origin, token) {
  const response = await fetch(`${origin}/metrics`, { headers: { authorization: `Bearer ${token}` } });
  assert.equal(response.status, 200, "/metrics");
  const text = await response.text();
  const lines = [...text.matchAll(/^\S*participant_panics_total(?:\{[^}]*\})? (\S+)$/gm)];
  assert.ok(lines.length > 0, `no participant_panics_total in /metrics:\n${text}`);
  return lines.reduce((sum, [, value]) => sum + Number(value), 0);
}
