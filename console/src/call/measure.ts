/** How well something arrives, or is sent. */
export interface Measure {
  /** "camera", "voice", …; of what is sent also the layer. */
  what: string;
  width: number | null;
  height: number | null;
  framesPerSecond: number | null;
  /** Null until two looks are apart in time. */
  bitsPerSecond: number | null;
  /** Of the packets since the look before, 0–1. */
  lost: number | null;
}

/** One stream as `getStats` tells it. */
export interface Look {
  what: string;
  id: string;
  at: number;
  bytes: number;
  packets: number;
  lost: number;
  width: number | null;
  height: number | null;
  framesPerSecond: number | null;
}

/** Compares two looks at the same streams. */
export function compare(before: Look[], after: Look[]): Measure[] {
  return after.map((look) => {
    const { what, width, height, framesPerSecond } = look;
    const last = before.find(({ id }) => id === look.id);
    const seconds = last ? (look.at - last.at) / 1_000 : 0;
    if (!last || seconds <= 0) return { what, width, height, framesPerSecond, bitsPerSecond: null, lost: null };
    const bitsPerSecond = Math.max(0, ((look.bytes - last.bytes) * 8) / seconds);
    // Late packets make the count go down again.
    const lost = Math.max(0, look.lost - last.lost);
    const expected = lost + Math.max(0, look.packets - last.packets);
    return { what, width, height, framesPerSecond, bitsPerSecond, lost: expected > 0 ? lost / expected : null };
  });
}

/** The best first. */
const LAYERS = "hml";

type Report = Record<string, unknown>;

/** Reads the streams of a report that arrive (`inbound-rtp`) or are sent (`outbound-rtp`). */
export function looks(report: RTCStatsReport, kind: "inbound-rtp" | "outbound-rtp", what: string): Look[] {
  const all: Report[] = [];
  report.forEach((entry: Report) => all.push(entry));
  return all
    .filter((entry) => entry.type === kind)
    .map((entry) => ({
      what: typeof entry.rid === "string" ? `${what} ${entry.rid}` : what,
      id: String(entry.id),
      at: number(entry.timestamp) ?? 0,
      bytes: number(entry.bytesReceived ?? entry.bytesSent) ?? 0,
      packets: number(entry.packetsReceived ?? entry.packetsSent) ?? 0,
      lost: number(entry.packetsLost) ?? remoteLoss(all, entry),
      width: number(entry.frameWidth),
      height: number(entry.frameHeight),
      framesPerSecond: number(entry.framesPerSecond),
    }))
    .sort((one, other) => LAYERS.indexOf(one.what.slice(-1)) - LAYERS.indexOf(other.what.slice(-1)));
}

/** What is sent is counted as lost by whoever receives it. */
function remoteLoss(all: Report[], entry: Report): number {
  return number(all.find(({ id }) => id === entry.remoteId)?.packetsLost) ?? 0;
}

function number(value: unknown): number | null {
  return typeof value === "number" ? value : null;
}

/** Says a measure in a few words, such as `1280 × 720, 24 fps, 1.7 Mbit/s, 0.5 % lost`. */
export function inWords(measure: Measure): string {
  const { width, height, framesPerSecond, bitsPerSecond, lost } = measure;
  const words: string[] = [];
  if (width !== null && height !== null) words.push(`${width}\u00a0×\u00a0${height}`);
  if (framesPerSecond !== null) words.push(`${Math.round(framesPerSecond)}\u00a0fps`);
  if (bitsPerSecond === 0 && width === null) return "off at this moment";
  if (bitsPerSecond !== null) words.push(bitsInWords(bitsPerSecond));
  if (lost !== null) words.push(`${lost > 0 && lost < 0.1 ? (lost * 100).toFixed(1) : Math.round(lost * 100)}\u00a0% lost`);
  return words.join(", ") || "measuring…";
}

function bitsInWords(bitsPerSecond: number): string {
  if (bitsPerSecond >= 1_000_000) return `${(bitsPerSecond / 1_000_000).toFixed(1)}\u00a0Mbit/s`;
  return `${Math.round(bitsPerSecond / 1_000)}\u00a0kbit/s`;
}
