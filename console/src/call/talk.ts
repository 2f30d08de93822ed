/** What people say to each other by the data channel (docs/faces/rooms.md, "Data channel"). Nothing of it is kept. */

import { fieldsOf } from "./messages.ts";

/** The signs that there are, and what they are called. */
export const SIGNS = [
  ["👍", "thumbs up"],
  ["❤️", "heart"],
  ["👏", "applause"],
  ["😂", "laughing"],
  ["😮", "surprised"],
  ["🤔", "thinking"],
  ["🎉", "celebrating"],
  ["👋", "waving"],
] as const;

export const CHANNEL = "room";
export const MAX_TEXT = 2_000;
/** Older lines leave the page. */
const MAX_LINES = 500;
const SIGN_MS = 4_000;
/** More signs at once would only cover the pictures. */
const MAX_SIGNS = 24;

export type Saying = { type: "chat"; text: string } | { type: "react"; emoji: string };

export type Said =
  | { type: "chat"; participant_id: string; at: number; text: string }
  | { type: "react"; participant_id: string; at: number; emoji: string }
  | { type: "error"; code: string };

/** A line of the chat. Who has left keeps the name. */
export interface Line {
  key: number;
  /** Whose; "" when it tells that something of one's own was refused. */
  by: string;
  name: string;
  /** Milliseconds since the Unix epoch. */
  at: number;
  text: string;
}

/** A sign on the page. */
export interface Sign {
  key: number;
  by: string;
  name: string;
  emoji: string;
}

export interface Talking {
  lines: Line[];
  signs: Sign[];
}

/** Decodes one message of the channel; null when it is not one that we know. */
export function decodeSaid(text: unknown): Said | null {
  if (typeof text !== "string") return null;
  const fields = fieldsOf(text);
  if (fields === null) return null;
  const { type, participant_id, at, text: words, emoji, code } = fields;
  if (type === "error" && typeof code === "string") return { type, code };
  if (typeof participant_id !== "string" || typeof at !== "number") return null;
  if (type === "chat" && typeof words === "string") return { type, participant_id, at, text: words };
  if (type === "react" && nameOf(emoji) !== null) return { type, participant_id, at, emoji: String(emoji) };
  return null;
}

/** Returns what a sign is called; null when there is no such sign. */
export function nameOf(emoji: unknown): string | null {
  return SIGNS.find(([sign]) => sign === emoji)?.[1] ?? null;
}

/** Makes a text one that the server takes, or "" when nothing is left of it. */
export function fit(text: string): string {
  // Control characters have no place in a line, save the line feed.
  const clean = text.replaceAll("\r\n", "\n").replaceAll("\t", " ").replaceAll(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, "");
  return Array.from(clean.trim()).slice(0, MAX_TEXT).join("");
}

/** What was said, as the page shows it. */
export class Talk {
  private talking: Talking = { lines: [], signs: [] };
  private count = 0;

  constructor(
    private readonly nameOf: (participantId: string) => string,
    private readonly changed: (talking: Talking) => void,
  ) {}

  hear(said: Said): void {
    this.count += 1;
    const key = this.count;
    switch (said.type) {
      case "chat":
        this.add({ key, by: said.participant_id, name: this.nameOf(said.participant_id), at: said.at, text: said.text });
        return;
      case "react":
        this.show({ key, by: said.participant_id, name: this.nameOf(said.participant_id), emoji: said.emoji });
        return;
      case "error": {
        const text = said.code === "busy" ? "Not sent: that was too much at once. Wait a moment." : "Not sent: the server did not take it.";
        this.add({ key, by: "", name: "", at: Date.now(), text });
      }
    }
  }

  private add(line: Line): void {
    this.update({ ...this.talking, lines: [...this.talking.lines, line].slice(-MAX_LINES) });
  }

  private show(sign: Sign): void {
    this.update({ ...this.talking, signs: [...this.talking.signs, sign].slice(-MAX_SIGNS) });
    setTimeout(() => this.update({ ...this.talking, signs: this.talking.signs.filter(({ key }) => key !== sign.key) }), SIGN_MS);
  }

  private update(talking: Talking): void {
    this.talking = talking;
    this.changed(talking);
  }
}
