import { useEffect, useRef, useState } from "preact/hooks";
import type { Call, CallView } from "../call/call.ts";
import { inWords, type Measure } from "../call/measure.ts";
import { Icon } from "../icons.tsx";

const EVERY_MS = 1_000;

/** How well one participant arrives, or oneself is sent, as long as it is looked at. */
export function Quality({ call, view, participantId, onClose }: { call: Call; view: CallView; participantId: string; onClose: () => void }) {
  const [measures, setMeasures] = useState<Measure[] | null>(null);
  const close = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    close.current?.focus();
    let over = false;
    const look = () => void call.measure(participantId).then((measured) => !over && setMeasures(measured));
    look();
    const looking = setInterval(look, EVERY_MS);
    return () => {
      over = true;
      clearInterval(looking);
    };
  }, [participantId]);
  const self = participantId === view.me;
  const name = view.participants.find(({ participant_id }) => participant_id === participantId)?.name;
  if (name === undefined) return null;
  return (
    <section
      class="quality"
      aria-label={`Connection of ${name}`}
      onKeyDown={(event) => {
        if (event.key === "Escape") onClose();
      }}
    >
      <header class="quality-head">
        <h2 dir="auto">{name}</h2>
        <button type="button" class="round" ref={close} aria-label="Close" title="Close" onClick={onClose}>
          <Icon name="remove" />
        </button>
      </header>
      <p class="hint">{self ? "What you send" : "What arrives here"}</p>
      {measures?.length === 0 && <p>Nothing at this moment.</p>}
      <dl class="quality-list">
        {measures?.map((measure, index) => (
          <div key={`${measure.what} ${index}`}>
            <dt>{labelOf(measure.what)}</dt>
            <dd>{inWords(measure)}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

const LABELS: Record<string, string> = { voice: "Voice", camera: "Camera", screen: "Screen", "screen-audio": "Sound of the screen" };
const LAYERS: Record<string, string> = { l: "low", m: "middle", h: "high" };

function labelOf(what: string): string {
  const [source = "", layer] = what.split(" ");
  const label = LABELS[source] ?? source;
  return layer ? `${label}, ${LAYERS[layer] ?? layer}` : label;
}
