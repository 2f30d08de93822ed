/**
 * What two ends do with descriptions that may cross ("perfect negotiation", WebRTC 1.0 §10.7): both offer when they like, and where two
 * offers meet, the polite end takes its own back.
 */
export class Negotiation {
  private making = false;
  private ignoring = false;
  private answerPending = false;

  constructor(readonly polite: boolean) {}

  /** Our own offer is being made. */
  begin(): void {
    this.making = true;
  }

  /** It is made, or was given up. */
  end(): void {
    this.making = false;
  }

  /** Tells whether a description of the other end is to be applied; one that is ignored takes its candidates with it. */
  takes(type: "offer" | "answer", signalling: RTCSignalingState): boolean {
    const ready = !this.making && (signalling === "stable" || this.answerPending);
    this.ignoring = !this.polite && type === "offer" && !ready;
    this.answerPending = !this.ignoring && type === "answer";
    return !this.ignoring;
  }

  /** What was taken is applied. */
  applied(): void {
    this.answerPending = false;
  }

  /** Tells whether a candidate that fits nothing is to be passed over: it belongs to an offer that was ignored. */
  forgives(): boolean {
    return this.ignoring;
  }
}
