import { useId } from "preact/hooks";
import { Choice } from "./choice.tsx";

/** How long an invitation may be good for, in seconds. */
const LIFETIMES: [number, string][] = [
  [3_600, "1 hour"],
  [86_400, "1 day"],
  [604_800, "1 week"],
  [2_592_000, "30 days"],
];

/** How many people something lets in, and how long, in seconds. */
export interface Reach {
  uses: number;
  lifetime: number;
}

/** What an invitation begins with. */
export const ONE_FOR_A_DAY: Reach = { uses: 1, lifetime: 86_400 };

/** The two fields of a form that invites. */
export function UsesAndLifetime({ reach, onReach }: { reach: Reach; onReach: (reach: Reach) => void }) {
  const usesId = useId();
  return (
    <>
      <div class="field">
        <label for={usesId}>How many people</label>
        <input
          id={usesId}
          type="number"
          min={1}
          max={10_000}
          required
          value={reach.uses}
          onInput={(event) => onReach({ ...reach, uses: event.currentTarget.valueAsNumber })}
        />
      </div>
      <Choice label="Good for" choices={LIFETIMES} value={reach.lifetime} onChoose={(lifetime) => onReach({ ...reach, lifetime })} />
    </>
  );
}
