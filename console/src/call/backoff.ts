const FIRST_MS = 250;
const LAST_MS = 5_000;

/**
 * Returns how many milliseconds to wait before try number `attempt` (0 first): 0.25 s, doubled up to 5 s, and of that
 * between half and all, so that a room full of browsers does not come back in one moment.
 * `chance` is a number in [0, 1).
 */
export function backoff(attempt: number, chance: number): number {
  const full = Math.min(LAST_MS, FIRST_MS * 2 ** Math.min(attempt, 10));
  return Math.round(full * (0.5 + chance / 2));
}
