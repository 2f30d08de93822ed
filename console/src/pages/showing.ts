import { createContext } from "preact";
import type { RefObject } from "preact";
import { useContext, useEffect } from "preact/hooks";
import type { Incoming, Shown } from "../call/messages.ts";

/** Least time between two reports. */
const EVERY_MS = 250;
/** The server takes so many. */
const MAX_TILES = 64;
const MAX_HEIGHT = 65_535;

/** A picture on the page, in CSS pixels. */
export interface Seen extends Incoming {
  width: number;
  height: number;
}

/** Says what is seen as the server is told it: each picture once, the largest first, heights in device pixels. */
export function shownOf(seen: Seen[], pixelRatio: number): Shown[] {
  const largest = [...seen].sort((one, other) => other.width * other.height - one.width * one.height);
  const shown: Shown[] = [];
  for (const { participant_id, source, height } of largest) {
    const known = shown.some((one) => one.participant_id === participant_id && one.source === source);
    const pixels = Math.min(MAX_HEIGHT, Math.round(height * pixelRatio));
    if (!known && pixels > 0) shown.push({ participant_id, source, height: pixels });
  }
  return shown.slice(0, MAX_TILES);
}

/** Watches which pictures of others are on the screen, and how large, and reports every change, the whole each time. */
export class Showing {
  private readonly watched = new Map<Element, Incoming & { inView: boolean }>();
  private readonly inView: IntersectionObserver;
  private readonly size: ResizeObserver;
  private said: string | null = null;
  private due: ReturnType<typeof setTimeout> | undefined;
  private lastAt = 0;
  private readonly changed = () => this.soon();

  constructor(private readonly report: (tiles: Shown[]) => void) {
    this.inView = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        const known = this.watched.get(target);
        if (known) known.inView = isIntersecting;
      }
      this.soon();
    });
    this.size = new ResizeObserver(this.changed);
    document.addEventListener("visibilitychange", this.changed);
    // Also tells of another pixel ratio, when the window goes to another screen or is zoomed.
    window.addEventListener("resize", this.changed);
  }

  /** Watches an element that shows something; returns what ends that. */
  watch(element: Element, what: Incoming): () => void {
    this.watched.set(element, { ...what, inView: false });
    this.inView.observe(element);
    this.size.observe(element);
    return () => {
      this.watched.delete(element);
      this.inView.unobserve(element);
      this.size.unobserve(element);
      this.soon();
    };
  }

  close(): void {
    clearTimeout(this.due);
    this.inView.disconnect();
    this.size.disconnect();
    document.removeEventListener("visibilitychange", this.changed);
    window.removeEventListener("resize", this.changed);
  }

  private soon(): void {
    if (this.due !== undefined) return;
    const wait = Math.max(0, this.lastAt + EVERY_MS - performance.now());
    this.due = setTimeout(() => {
      this.due = undefined;
      this.look();
    }, wait);
  }

  private look(): void {
    const seen: Seen[] = [];
    for (const [element, { participant_id, source, inView }] of this.watched) {
      const { clientWidth: width, clientHeight: height } = element;
      if (inView && !document.hidden) seen.push({ participant_id, source, width, height });
    }
    const shown = shownOf(seen, window.devicePixelRatio);
    const text = JSON.stringify(shown);
    // As long as there was never a picture, there is nothing to hold back; save where nobody looks.
    if (text === this.said || (this.said === null && shown.length === 0 && !document.hidden)) return;
    this.said = text;
    this.lastAt = performance.now();
    this.report(shown);
  }
}

/** Of the call that the page is in. */
export const ShowingContext = createContext<Showing | null>(null);

/** Counts an element as showing something, as long as it is on the page. */
export function useShown(element: RefObject<Element | null>, what: Incoming | undefined): void {
  const showing = useContext(ShowingContext);
  const { participant_id, source } = what ?? {};
  useEffect(() => {
    if (!showing || !element.current || participant_id === undefined || source === undefined) return undefined;
    return showing.watch(element.current, { participant_id, source });
  }, [showing, participant_id, source]);
}
