import { useEffect, useId, useState } from "preact/hooks";
import { fitName, MAX_NAME } from "../channel/payload.ts";
import { NAME_KEY } from "./doorstep.tsx";
import { Wordmark } from "./notice.tsx";

/** The door of a channel: a name, and Join. Devices are asked for by the first call. */
export function ChannelDoor({ onJoin }: { onJoin: (name: string) => Promise<string | null> }) {
  const [name, setName] = useState(() => localStorage.getItem(NAME_KEY) ?? "");
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const id = useId();
  const hint = useId();
  const fitted = fitName(name);
  useEffect(() => {
    document.title = "Join · countersign";
  }, []);

  const submit = async (event: Event) => {
    event.preventDefault();
    if (!fitted || busy) return;
    setBusy(true);
    setProblem("");
    localStorage.setItem(NAME_KEY, name.trim());
    const failed = await onJoin(fitted);
    if (failed === null) return;
    setProblem(failed);
    setBusy(false);
  };

  return (
    <main class="notice">
      <Wordmark />
      <h1>Join the channel</h1>
      <p>You see who is here, and can call them or be called. Camera and microphone are asked for when a call begins.</p>
      <form class="card form" onSubmit={submit} noValidate>
        <div class="field">
          <label for={id}>Your name</label>
          <input
            id={id}
            value={name}
            onInput={(event) => setName(event.currentTarget.value)}
            maxLength={2 * MAX_NAME}
            autoComplete="name"
            required
            placeholder="How the others see you"
            aria-describedby={hint}
          />
          <p id={hint} class="hint" aria-live="polite">
            {hintOf(name.trim(), fitted)}
          </p>
        </div>
        <button type="submit" class="button button-primary button-wide" disabled={busy || fitted === ""}>
          Join
        </button>
        <p class="problem" role="alert">
          {problem}
        </p>
      </form>
    </main>
  );
}

/** Names are what every client of a channel can show: says what becomes of another. */
function hintOf(given: string, fitted: string): string {
  if (given === fitted) return "";
  return fitted ? `The others see “${fitted}”.` : "Use letters from a to z, or digits.";
}
