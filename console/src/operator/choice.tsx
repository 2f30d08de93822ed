import { useId } from "preact/hooks";

/** A field of a form that takes one of a few values, each with what people read. */
export function Choice<Value extends string | number>(props: {
  label: string;
  choices: [Value, string][];
  value: Value;
  onChoose: (value: Value) => void;
}) {
  const { label, choices, value, onChoose } = props;
  const id = useId();
  const choose = (index: number) => {
    const chosen = choices[index];
    if (chosen) onChoose(chosen[0]);
  };
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select id={id} value={value} onChange={(event) => choose(event.currentTarget.selectedIndex)}>
        {choices.map(([choice, text]) => (
          <option key={choice} value={choice}>
            {text}
          </option>
        ))}
      </select>
    </div>
  );
}
