// What a seat receives, measured over a time.
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { until } from "../../browser/stage/media.mjs";

/** Enough to tell a stream from a single key frame. */
const FRAMES = 5;

/** Waits until a seat decodes new pictures of a source; `mime`: of that codec. Returns the stream. */
export async function sees(seat, participant, source = "camera", mime = null) {
  let from = null;
  let latest = null;
  await until(`${seat.name} sees ${source} of ${participant}${mime ? ` as ${mime}` : ""}`, async () => {
    latest = await seat.stream(participant, source);
    if (!latest || (mime && latest.codec?.toLowerCase() !== mime.toLowerCase())) return false;
    if (from?.ssrc !== latest.ssrc) from = latest;
    return (latest.framesDecoded ?? 0) - (from.framesDecoded ?? 0) >= FRAMES;
  });
  return latest;
}

/** Waits until a seat hears new sound of a source. */
export async function hears(seat, participant, source = "voice") {
  let from = null;
  await until(`${seat.name} hears ${source} of ${participant}`, async () => {
    const latest = await seat.stream(participant, source);
    if (!latest) return false;
    if (from?.ssrc !== latest.ssrc) from = latest;
    return (latest.totalAudioEnergy ?? 0) > (from.totalAudioEnergy ?? 0);
  });
}

/** Waits for pictures and sound of a participant. */
export async function seesAndHears(seat, participant) {
  await Promise.all([sees(seat, participant), hears(seat, participant)]);
}

/** Waits until a source of a participant is decoded at a height that `fits`; returns how many milliseconds that took. */
export async function seesHeight(seat, participant, fits, { source = "camera", patienceMs = 30_000 } = {}) {
  const begun = Date.now();
  let height = null;
  await until(
    `${seat.name} sees ${source} of ${participant} at the wanted height`,
    async () => {
      height = (await seat.stream(participant, source))?.frameHeight ?? null;
      return height !== null && fits(height);
    },
    patienceMs,
  ).catch((fault) => {
    throw new Error(`${fault.message}; it is ${height}`);
  });
  return Date.now() - begun;
}

/** What a stream did between now and `ms` later: the differences of its counters. */
export async function over(seat, participant, source, ms) {
  const before = await seat.stream(participant, source);
  assert.ok(before, `${seat.name} receives ${source} of ${participant}`);
  await pause(ms);
  const after = await seat.stream(participant, source);
  const grown = {};
  for (const [name, value] of Object.entries(after)) {
    if (typeof value === "number") grown[name] = value - (before[name] ?? 0);
  }
  return { ...grown, frameHeight: after.frameHeight, codec: after.codec };
}
