const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
];

/** Says a time (milliseconds since the Unix epoch) relative to `now`: "in 3 hours", "2 days ago", "just now". */
export function fromNow(at: number, now: number): string {
  const words = new Intl.RelativeTimeFormat("en", { numeric: "always" });
  for (const [unit, size] of STEPS) {
    if (Math.abs(at - now) >= size) return words.format(Math.round((at - now) / size), unit);
  }
  return at > now ? "in less than a minute" : "just now";
}

/** Says a time in the reader's zone, to the second. */
export function clockTime(at: number): string {
  return new Date(at).toLocaleString("en", {
    month: "short",
    day: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hourCycle: "h23",
  });
}
