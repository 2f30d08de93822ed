import { useState } from "preact/hooks";
import { problemSentence } from "../api.ts";

/** Does something, says what went wrong, and shows how things stand then. */
export type Perform = (act: () => Promise<unknown>) => Promise<void>;

/** `failed` is what went wrong last ("" for nothing). */
export function usePerform(refresh: () => void): { perform: Perform; failed: string } {
  const [failed, setFailed] = useState("");
  const perform: Perform = async (act) => {
    try {
      await act();
      setFailed("");
    } catch (refusal) {
      setFailed(problemSentence(refusal));
    }
    refresh();
  };
  return { perform, failed };
}
