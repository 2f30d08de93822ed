// What a page receives of whom, from getStats.
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";

const EVERY_MS = 200;
/** Enough to tell a stream from a single key frame. */
const FRAMES = 5;
/** Pictures and sound are there within this time even on a busy machine with two cores. */
const PATIENCE_MS = 30_000;

/** Returns what arrives in a page. */
export function arriving(page) {
  return page.evaluate(() => window.recorded.arriving());
}

/** Waits until a page decodes pictures of each participant and hears each of them, counted from this moment on. */
export async function seesAndHears(page, participants) {
  await Promise.all(
    participants.flatMap((participant) => [receives(page, participant, "camera"), receives(page, participant, "voice")]),
  );
}

/** Waits until a source of a participant brings new pictures or new sound. */
export async function receives(page, participant, source) {
  const measure = source === "camera" || source === "screen" ? "framesDecoded" : "totalAudioEnergy";
  const least = measure === "framesDecoded" ? FRAMES : Number.MIN_VALUE;
  let from = null;
  let all = [];
  const arrives = async () => {
    all = await arriving(page);
    const stream = all.find((one) => one.participant_id === participant && one.source === source);
    if (!stream) return false;
    if (from?.ssrc !== stream.ssrc || stream[measure] < from[measure]) from = stream;
    return stream[measure] - from[measure] >= least;
  };
  try {
    await until(`${source} of ${participant} arrives`, arrives);
  } catch (fault) {
    const asked = await page.evaluate(() => window.recorded.sent.filter((text) => text.includes('"view"')).at(-1));
    throw new Error(`${fault.message}\nof ${JSON.stringify(from)} among ${JSON.stringify(all)}\nasked for ${asked}`, { cause: fault });
  }
}

/** Returns the SSRCs by which a participant arrives at a page. */
export async function ssrcsOf(page, participant) {
  return (await arriving(page)).filter((one) => one.participant_id === participant).map(({ ssrc }) => ssrc);
}

/** Checks that these streams brought nothing more between now and `ms` later; a stream that is gone brings nothing. */
export async function isSilent(page, ssrcs, ms) {
  const bytes = async () => {
    const streams = (await arriving(page)).filter(({ ssrc }) => ssrcs.includes(ssrc));
    return new Map(streams.map(({ ssrc, bytesReceived }) => [ssrc, bytesReceived]));
  };
  const before = await bytes();
  await pause(ms);
  for (const [ssrc, count] of await bytes()) assert.equal(count, before.get(ssrc), `stream ${ssrc} goes on`);
}

/** Waits until these streams bring nothing more for a second: what is lost on the way may still be sent again. */
export async function fallsSilent(page, ssrcs) {
  const bytes = async () => (await arriving(page)).filter(({ ssrc }) => ssrcs.includes(ssrc)).map((one) => one.bytesReceived).join();
  await until(`streams ${ssrcs} fall silent`, async () => {
    const before = await bytes();
    await pause(1_000);
    return (await bytes()) === before;
  });
}

/** Waits until `holds` answers true. */
export async function until(what, holds, patienceMs = PATIENCE_MS) {
  const deadline = Date.now() + patienceMs;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not within ${patienceMs} ms: ${what}`);
    await pause(EVERY_MS);
  }
}
