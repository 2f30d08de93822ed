import { useId, useState } from "preact/hooks";
import { problemSentence } from "../api.ts";

interface CreateFormProps {
  label: string;
  placeholder: string;
  maxLength: number;
  button: string;
  /** Makes it; returns the address of its page. */
  create: (text: string) => Promise<string>;
}

/** One line that makes something by its name, and goes there. */
export function CreateForm({ label, placeholder, maxLength, button, create }: CreateFormProps) {
  const [text, setText] = useState("");
  const [problem, setProblem] = useState("");
  const id = useId();
  const submit = async (event: Event) => {
    event.preventDefault();
    try {
      location.hash = await create(text.trim());
    } catch (refusal) {
      setProblem(problemSentence(refusal));
    }
  };
  return (
    <form class="inline-form" onSubmit={submit}>
      <label class="for-readers" for={id}>
        {label}
      </label>
      <input
        id={id}
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
        maxLength={maxLength}
        placeholder={placeholder}
        required
      />
      <button type="submit" class="button button-primary" disabled={text.trim() === ""}>
        {button}
      </button>
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
    </form>
  );
}
