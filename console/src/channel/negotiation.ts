/**
 * What two ends do with descriptions that may cross ("perfect negotiation", WebRTC 1.0 §10.7): both offer when they like, and where two
 * offers meet, the polite end takes its own back and the other passes over what came. Whoever asks applies one description at a time.
 */
export class Negotiation {
  private ignoring = false;

  constructor(private readonly polite: boolean) {}

  /** Tells whether a description of the other end is to be applied; an offer that is passed over takes its candidates with it. */
  takes(type: "offer" | "answer", signalling: RTCSignalingState): boolean {
    // An answer that comes again was taken before.
    if (type === "answer") return signalling === "have-local-offer";
    this.ignoring = !this.polite && signalling !== "stable";
    return !this.ignoring;
  }

  /** Tells whether a candidate that fits nothing is to be passed over: it may belong to an offer that was. */
  forgives(): boolean {
    return this.ignoring;
  }
}
