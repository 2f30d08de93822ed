import type { CallView } from "../call/call.ts";

/** `grid`: everybody alike. `speaker`: one large, or what is shared; the others in a strip. */
export type Layout = "grid" | "speaker";

/** More people than this are too small in a grid to follow who speaks. */
const MOST_ALIKE = 6;
const MOST_COLUMNS = 5;

/** Returns how people are laid out, if nobody has chosen. */
export function layoutFor(people: number, shares: boolean): Layout {
  return shares || people > MOST_ALIKE ? "speaker" : "grid";
}

/** Returns the columns of a grid; beyond 5 × 5 it is scrolled. Beside a shared screen it has half the width. */
export function columnsFor(people: number, shares: boolean): number {
  const columns = shares ? Math.round(Math.sqrt(people / 2)) : Math.ceil(Math.sqrt(people));
  return Math.min(MOST_COLUMNS, Math.max(1, columns));
}

/** Returns who is large: whom the room listens to, save oneself; else who was before; else the first of the others. */
export function largeOf(view: Pick<CallView, "active" | "me" | "participants">, before: string | null): string | null {
  const others = view.participants.map(({ participant_id }) => participant_id).filter((id) => id !== view.me);
  const wanted = [view.active, before].find((id) => id !== null && others.includes(id));
  return wanted ?? others[0] ?? null;
}
