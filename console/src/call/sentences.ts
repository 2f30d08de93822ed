/** Goodbye reasons after which the client comes back by itself; after every other one the call is over for this tab. */
const COMES_BACK = new Set(["shutdown", "slow"]);

/** Tells whether a goodbye ends the call in this tab. */
export function isFinal(reason: string): boolean {
  return !COMES_BACK.has(reason);
}

/** Tells whether after this goodbye the stored session is void and must be forgotten. */
export function voidsSession(reason: string): boolean {
  return ["left", "removed", "revoked", "ended", "expired"].includes(reason);
}

const GOODBYES: Record<string, string> = {
  left: "You left the call.",
  removed: "A moderator removed you from the call.",
  revoked: "The invite that you came by was withdrawn.",
  replaced: "This call was opened somewhere else with the same session.",
  ended: "The call was ended for everybody.",
  expired: "Your session ran out. Ask for another invite link.",
  denied: "Your place in this room is no longer valid. Ask for another invite link.",
};

/** Says a final reason in one sentence. */
export function goodbyeSentence(reason: string): string {
  return GOODBYES[reason] ?? "The server closed the call.";
}
