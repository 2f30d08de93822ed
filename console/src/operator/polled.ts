import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { Problem, problemSentence } from "../api.ts";

const EVERY_MS = 2_000;

/** What was asked last, and what went wrong last ("" for nothing). */
export interface Polled<Answer> {
  answer: Answer | null;
  problem: string;
  /** True when the thing asked for is not there (any more). */
  gone: boolean;
  /** Asks at once. */
  refresh: () => void;
}

/** Asks at once and then every 2 s while the page can be seen. */
export function usePolled<Answer>(ask: () => Promise<Answer>, onSignedOut: () => void): Polled<Answer> {
  const [answer, setAnswer] = useState<Answer | null>(null);
  const [problem, setProblem] = useState("");
  const [gone, setGone] = useState(false);
  const live = useRef(true);

  const refresh = useCallback(async () => {
    try {
      const next = await ask();
      if (!live.current) return;
      setAnswer(next);
      setProblem("");
    } catch (refusal) {
      if (!live.current) return;
      if (refusal instanceof Problem && refusal.status === 401) onSignedOut();
      else if (refusal instanceof Problem && refusal.status === 404) setGone(true);
      else setProblem(problemSentence(refusal));
    }
  }, []);

  useEffect(() => {
    live.current = true;
    const seen = () => {
      if (document.visibilityState === "visible") void refresh();
    };
    seen();
    const timer = setInterval(seen, EVERY_MS);
    document.addEventListener("visibilitychange", seen);
    return () => {
      live.current = false;
      clearInterval(timer);
      document.removeEventListener("visibilitychange", seen);
    };
  }, []);

  return { answer, problem, gone, refresh: () => void refresh() };
}
