// What a user's client receives, and by which rules.
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { until } from "../../browser/stage/media.mjs";

/** Enough to tell a stream from a single key frame. */
const FRAMES = 5;

/** Returns what arrives at a user of somebody's, or null. */
export async function stream(user, sender, type) {
  const { arriving } = await user.state();
  return arriving.find((one) => one.sender_id === sender.session && one.type === type) ?? null;
}

/** Waits until new sound arrives that is not silence. */
export function hears(user, sender, type = "voice") {
  return grows(user, sender, type, ({ energy }, from) => energy > from.energy + 1e-4);
}

/** Waits until new pictures are decoded. */
export function sees(user, sender, type) {
  return grows(user, sender, type, ({ frames }, from) => frames >= from.frames + FRAMES);
}

async function grows(user, sender, type, enough) {
  let from = null;
  await until(`${user.session} receives ${type} of ${sender.session}`, async () => {
    const latest = await stream(user, sender, type);
    if (!latest) return false;
    if (from?.mid !== latest.mid) from = latest;
    return enough(latest, from);
  }).catch(async (fault) => {
    throw new Error(`${fault.message}; it is ${JSON.stringify(await user.state())}`);
  });
}

/** Waits until no packet of a stream has come for a second. */
export async function fallsSilent(user, sender, type) {
  await until(`${user.session} receives no more ${type} of ${sender.session}`, async () => {
    const before = await stream(user, sender, type);
    await pause(1_200);
    return (await stream(user, sender, type))?.packets === before?.packets;
  });
}

/** Waits until the map of a user has nothing of this kind. */
export function isTold(user, sender, type) {
  return until(`${user.session} is told that ${type} of ${sender.session} is over`, async () => {
    const { mediaMap } = await user.state();
    return !Object.values(mediaMap).some((one) => one.sender_id === sender.session && one.type === type);
  });
}

/** Checks what reference 3.5 and 3.8 say of names and maps: everything that a user was offered so far. */
export async function checkNames(user, { byChannel, udp }) {
  const { faults, said, tracks, pongs, protocol } = await user.state();
  assert.deepEqual(faults, [], user.session);
  assert.equal(protocol, udp ? "udp" : "tcp", user.session);
  assert.ok(pongs > 0, "pings are answered");
  let maps = 0;
  for (const { what, way, mids, map } of said) {
    if (what === "map") {
      maps += 1;
      continue;
    }
    assert.equal(way, byChannel ? "channel" : "plugin");
    assert.ok(maps > 0, `${user.session}: an offer without a map before it`);
    assert.deepEqual(mids.filter((mid) => !map.includes(mid)), [], `${user.session}: the map came before the offer`);
    // By the plugin an offer without a new m-line may overtake its map, whose names are those of before.
    if (byChannel) maps = 0;
  }
  assert.ok(tracks.length >= 2, `${user.session}: ${tracks.length} tracks`);
  for (const { mid, id, streams, cnames, mapped, kind } of tracks) {
    assert.ok(mapped, `${user.session}: the track of m-line ${mid} is mapped when it comes`);
    assert.match(id, new RegExp(`^${mapped.type}_${mapped.sender_id}_[A-Za-z0-9]{8}$`));
    assert.equal(kind, ["voice", "screen-audio"].includes(mapped.type) ? "audio" : "video");
    if (!streams) continue;
    assert.deepEqual(streams, [mapped.sender_id]);
    assert.ok(cnames.length > 0 && cnames.every((cname) => cname === mapped.sender_id), `cname ${cnames}`);
  }
}
