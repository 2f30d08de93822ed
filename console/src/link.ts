/** What the address bar asks for. */
export type Place =
  | { page: "console" }
  | { page: "room"; roomId: string; invite: string | null }
  | { page: "unknown" };

/** Reads a path and a fragment. Secrets stand in the fragment only, which browsers never send. */
export function placeOf(path: string, fragment: string): Place {
  if (path === "/" || path === "/index.html") return { page: "console" };
  const room = /^\/r\/([0-9a-f]{32})\/?$/.exec(path);
  if (!room?.[1]) return { page: "unknown" };
  const invite = /^#(csi_[A-Za-z0-9_-]{43})$/.exec(fragment);
  return { page: "room", roomId: room[1], invite: invite?.[1] ?? null };
}

/** Returns the secret of a sign-in link (`#sign-in=csl_…`), or null. */
export function signInSecret(fragment: string): string | null {
  return /^#sign-in=(csl_[A-Za-z0-9_-]{43})$/.exec(fragment)?.[1] ?? null;
}

/** Returns the room that the console has open (`#room=<room_id>`), or null. */
export function openRoom(fragment: string): string | null {
  return /^#room=([0-9a-f]{32})$/.exec(fragment)?.[1] ?? null;
}
