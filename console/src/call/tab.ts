/**
 * Which session this tab is. A stored session is used by one tab at a time: whoever joins holds its lock, which the
 * browser frees when the page goes.
 */

/** What a tab remembers over a reload of itself. */
export interface InCall {
  participantId: string;
  voice: DeviceWish;
  camera: DeviceWish;
}

/** A device as somebody left it: which one (null for the browser's choice), and whether it is switched on. */
export interface DeviceWish {
  deviceId: string | null;
  on: boolean;
}

const FLAG = "countersign.in-call.";

/** Remembers that this tab is in a call of the room. */
export function remember(roomId: string, state: InCall): void {
  sessionStorage.setItem(FLAG + roomId, JSON.stringify(state));
}

/** Forgets that this tab is in a call of the room. */
export function forgetInCall(roomId: string): void {
  sessionStorage.removeItem(FLAG + roomId);
}

/** Returns what this tab was doing in the room before its reload, or null. */
export function recall(roomId: string): InCall | null {
  const text = sessionStorage.getItem(FLAG + roomId);
  if (!text) return null;
  try {
    return JSON.parse(text) as InCall;
  } catch {
    return null;
  }
}

/** A held lock. */
export interface Hold {
  release: () => void;
}

/**
 * Takes the lock of a session; null when another tab holds it still after `patienceMs`. A reload needs that
 * patience, since the page before it lets go a moment later.
 */
export function hold(participantId: string, patienceMs: number): Promise<Hold | null> {
  return new Promise((resolve, reject) => {
    const options: LockOptions =
      patienceMs > 0 ? { signal: AbortSignal.timeout(patienceMs) } : { ifAvailable: true };
    navigator.locks
      .request(`countersign session ${participantId}`, options, (lock) => {
        if (!lock) {
          resolve(null);
          return undefined;
        }
        return new Promise<void>((release) => resolve({ release }));
      })
      .catch((error: unknown) => {
        const name = error instanceof DOMException ? error.name : "";
        if (name === "TimeoutError" || name === "AbortError") resolve(null);
        else reject(error instanceof Error ? error : new Error(String(error)));
      });
  });
}
