/** What the address bar asks for. */
export type Place =
  | { page: "console" }
  | { page: "room"; roomId: string; invite: string | null }
  | { page: "channel"; channelId: string; invitation: string | null }
  | { page: "unknown" };

const UUID = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}";
const CHANNEL = new RegExp(`^/(peers|join)/(${UUID})$`);
const OPEN_CHANNEL = new RegExp(`^#channel=(${UUID})$`);

/** Reads a path and a fragment. Secrets stand in the fragment only, which browsers never send. */
export function placeOf(path: string, fragment: string): Place {
  if (path === "/" || path === "/index.html") return { page: "console" };
  const channel = CHANNEL.exec(path);
  if (channel?.[2]) return { page: "channel", channelId: channel[2], invitation: channel[1] === "join" ? invitationOf(fragment) : null };
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

/** Returns the channel that the console has open (`#channel=<channelId>`), or null. */
export function openChannel(fragment: string): string | null {
  return OPEN_CHANNEL.exec(fragment)?.[1] ?? null;
}

function invitationOf(fragment: string): string | null {
  return /^#([A-Za-z0-9_.~-]{16,512})$/.exec(fragment)?.[1] ?? null;
}
