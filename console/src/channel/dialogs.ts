import type { Description, PeerAction, PeerMessage } from "./payload.ts";
import { SILENCE_MS } from "./presence.ts";
import { NOTHING, type Beside } from "./vouching.ts";

/**
 * `calling`: we have offered, and wait. `asked`: the other has offered, and waits for the person here. `open`: one has accepted; media are
 * agreed on.
 */
export type Standing = "calling" | "asked" | "open";

/** What is between us and one other client, from the first offer until the close. */
export interface Dialog {
  peer: string;
  name: string | null;
  standing: Standing;
  /** When it got this standing, or when its offer was heard last. */
  since: number;
}

/** Why a dialog is over. */
export type Ending = "closed" | "refused" | "failed" | "forged" | "gone" | "silent" | "ours";

/** What is to be done, in this order. */
export type Act =
  | { act: "tell"; to: string; action: PeerAction }
  /** Set up media with it; whoever called is the polite end. */
  | { act: "open"; peer: string; polite: boolean }
  | { act: "signal"; peer: string; signal: Signal }
  /** Whatever there was with it is over. */
  | { act: "shut"; peer: string; why: Ending };

/** A message that is for the media of an open dialog. */
export type Signal = { description: Description; beside: Beside } | { candidate: RTCIceCandidateInit };

/** A mesh sends everything once to each: more than a handful is too much for many lines. */
export const MAX_OTHERS = 5;
/** What others say of a call is up to date within this time. */
const LATE_MS = 10_000;
/** A way that was not found is not looked for again at once. */
const FAILED_MS = 60_000;
/** An offer that was sent again while its acceptance was on the way comes this soon after it. */
const CROSSING_MS = 10_000;

/** All dialogs of one client: decides, and does nothing itself. Several open ones are a call of several, a mesh. */
export class Dialogs {
  private dialogs: Dialog[] = [];
  /** Whom somebody in our call has named as in it: they may come in without a question. */
  private introduced = new Set<string>();
  /** Who has left our call, and until when a word of another, which may be late, does not bring them back. */
  private left = new Map<string, number>();

  constructor(private readonly me: string) {}

  all(): readonly Dialog[] {
    return this.dialogs;
  }

  /** Whether we are in a call, or about to be. */
  busy(): boolean {
    return this.dialogs.some(({ standing }) => standing !== "asked");
  }

  /** Whether one more may come in. */
  full(): boolean {
    return this.dialogs.filter(({ standing }) => standing !== "asked").length >= MAX_OTHERS;
  }

  /** The person calls somebody, or takes the call of somebody who waits. */
  call(peer: string, name: string | null, now: number): Act[] {
    const known = this.find(peer);
    if (known?.standing === "asked") return this.accept(peer, now);
    if (known || this.full() || peer === this.me) return [];
    this.dialogs = [...this.dialogs, { peer, name, standing: "calling", since: now }];
    return [{ act: "tell", to: peer, action: "offer" }];
  }

  accept(peer: string, now: number): Act[] {
    if (this.find(peer)?.standing !== "asked" || this.full()) return [];
    this.put(peer, { standing: "open", since: now });
    return [
      { act: "tell", to: peer, action: "accept" },
      { act: "open", peer, polite: false },
    ];
  }

  /** The person refuses, cancels or hangs up. */
  close(peer: string, now: number): Act[] {
    if (!this.find(peer)) return [];
    return [{ act: "tell", to: peer, action: "close" }, ...this.shut(peer, "ours", now)];
  }

  /** Hangs up with everybody; who asks is still asked. */
  leave(now: number): Act[] {
    return this.dialogs.filter(({ standing }) => standing !== "asked").flatMap(({ peer }) => this.close(peer, now));
  }

  /** Media with it are lost, never came about, or are not to come about with a certificate that is not its own. */
  fail(peer: string, why: "failed" | "forged", now: number): Act[] {
    if (!this.find(peer)) return [];
    return [{ act: "tell", to: peer, action: "error" }, ...this.shut(peer, why, now)];
  }

  /** Something that another client told us alone, and what the server says beside it. */
  hear(from: string, message: PeerMessage, now: number, beside: Beside = NOTHING): Act[] {
    switch (message.kind) {
      case "action":
        return this.hearAction(from, message.action, message.name, now);
      case "description":
        return this.signal(from, { description: message.description, beside });
      case "candidate":
        return this.signal(from, { candidate: message.candidate });
      case "status":
        return [];
    }
  }

  /** It came anew: what it asked before is forgotten. An open dialog may well go on, since only its connection to the server was lost. */
  came(peer: string): void {
    if (this.find(peer)?.standing === "asked") this.drop(peer);
  }

  /** It, or the line that we had to it, is gone. */
  gone(peer: string, now: number): Act[] {
    return this.find(peer) ? this.shut(peer, "gone", now) : [];
  }

  /** Somebody with whom we are in a call says who else is in it. Of two that do not know each other the one with the lower ID calls. */
  introduce(by: string, others: readonly string[], now: number): Act[] {
    if (this.find(by)?.standing !== "open") return [];
    const called = others.filter((id) => id !== this.me && now >= (this.left.get(id) ?? 0));
    return called.flatMap((id) => {
      const known = this.find(id);
      if (known) return known.standing === "asked" ? this.accept(id, now) : [];
      if (this.me < id) return this.call(id, null, now);
      this.introduced.add(id);
      return [];
    });
  }

  /** To be called every 45 s or so: says again what has no answer, and drops what is not said again. */
  remind(now: number): Act[] {
    const silent = this.dialogs.filter(({ standing, since }) => standing === "asked" && now - since >= SILENCE_MS);
    const waiting = this.dialogs.filter(({ standing }) => standing === "calling");
    return [
      ...silent.flatMap(({ peer }) => this.shut(peer, "silent", now)),
      ...waiting.map(({ peer }): Act => ({ act: "tell", to: peer, action: "offer" })),
    ];
  }

  private hearAction(from: string, action: PeerAction, name: string | null, now: number): Act[] {
    const known = this.find(from);
    switch (action) {
      case "offer":
        return this.offered(from, name, now);
      case "accept":
        if (known?.standing !== "calling") return [];
        this.put(from, { standing: "open", since: now, name: name ?? known.name });
        return [{ act: "open", peer: from, polite: true }];
      case "close":
        return known ? this.shut(from, known.standing === "calling" ? "refused" : "closed", now) : [];
      case "error":
        return known ? this.shut(from, "failed", now) : [];
    }
  }

  private offered(from: string, name: string | null, now: number): Act[] {
    const known = this.find(from);
    switch (known?.standing) {
      case undefined:
        return this.ask(from, name, now);
      case "asked":
        this.put(from, { since: now, name });
        return [];
      case "calling":
        // Both call: the one with the lower ID stays the caller, and the other has said by its own call that it accepts.
        if (this.me < from) return [];
        this.put(from, { standing: "asked", name });
        return this.accept(from, now);
      case "open":
        if (now - known.since < CROSSING_MS) return [];
        // It knows of no dialog: its page was loaded anew.
        return [...this.shut(from, "gone", now), ...this.ask(from, name, now)];
    }
  }

  private ask(from: string, name: string | null, now: number): Act[] {
    if (this.full()) return [{ act: "tell", to: from, action: "close" }];
    this.left.delete(from);
    this.dialogs = [...this.dialogs, { peer: from, name, standing: "asked", since: now }];
    return this.introduced.delete(from) ? this.accept(from, now) : [];
  }

  private signal(from: string, signal: Signal): Act[] {
    return this.find(from)?.standing === "open" ? [{ act: "signal", peer: from, signal }] : [];
  }

  private shut(peer: string, why: Ending, now: number): Act[] {
    if (this.find(peer)?.standing !== "asked") this.left.set(peer, now + (why === "failed" || why === "forged" ? FAILED_MS : LATE_MS));
    this.drop(peer);
    return [{ act: "shut", peer, why }];
  }

  private drop(peer: string): void {
    this.dialogs = this.dialogs.filter((dialog) => dialog.peer !== peer);
    if (this.busy()) return;
    this.left.clear();
    this.introduced.clear();
  }

  private find(peer: string): Dialog | undefined {
    return this.dialogs.find((dialog) => dialog.peer === peer);
  }

  private put(peer: string, change: Partial<Dialog>): void {
    this.dialogs = this.dialogs.map((dialog) => (dialog.peer === peer ? { ...dialog, ...change } : dialog));
  }
}
