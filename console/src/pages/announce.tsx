import { useEffect, useRef, useState } from "preact/hooks";
import type { Participant } from "../call/messages.ts";
import { nameOf, type Line, type Sign } from "../call/talk.ts";

/** Tells screen readers who came and who went. */
export function Comings({ participants }: { participants: Participant[] }) {
  const before = useRef<Participant[] | null>(null);
  const [said, setSaid] = useState("");
  useEffect(() => {
    const known = before.current;
    before.current = participants;
    if (!known || known.length === 0) return;
    const came = missingFrom(known, participants).map(({ name }) => `${name} joined.`);
    const went = missingFrom(participants, known).map(({ name }) => `${name} left.`);
    if (came.length + went.length > 0) setSaid([...came, ...went].join(" "));
  }, [participants]);
  return <Polite text={said} />;
}

/** Tells screen readers what is written while the chat is closed; the open one tells it itself. */
export function Written({ lines, silent }: { lines: Line[]; silent: boolean }) {
  const latest = lines.at(-1);
  return <Polite text={latest && !silent ? `${latest.name} wrote: ${latest.text}` : ""} />;
}

/** The signs that people make, each for a moment. */
export function Signs({ signs }: { signs: Sign[] }) {
  const latest = signs.at(-1);
  return (
    <>
      <ul class="signs" aria-hidden="true">
        {signs.map(({ key, name, emoji }) => (
          <li key={key} class="sign" style={{ "--place": (key * 37) % 100 }}>
            <span class="sign-emoji">{emoji}</span>
            <span class="sign-name">{name}</span>
          </li>
        ))}
      </ul>
      <Polite text={latest ? `${latest.name}: ${nameOf(latest.emoji)}` : ""} />
    </>
  );
}

function Polite({ text }: { text: string }) {
  return (
    <p class="for-readers" aria-live="polite">
      {text}
    </p>
  );
}

/** Returns those of `all` that are not in `some`. */
function missingFrom(some: Participant[], all: Participant[]): Participant[] {
  return all.filter(({ participant_id }) => !some.some((one) => one.participant_id === participant_id));
}
