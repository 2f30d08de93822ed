import { useId, useRef, useState } from "preact/hooks";
import { Icon } from "../icons.tsx";

/** An invite link that was just made, to be copied. */
export function MadeLink({ url }: { url: string }) {
  const [copied, setCopied] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  const id = useId();
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(url);
      setCopied(true);
      setTimeout(() => setCopied(false), 2_000);
    } catch {
      // No right to write to the clipboard: the text is marked for the keyboard.
      field.current?.select();
    }
  };
  return (
    <div class="made">
      <label for={id}>Invite link: it is shown this once</label>
      <div class="made-line">
        <input ref={field} id={id} class="made-url" readOnly value={url} onFocus={() => field.current?.select()} />
        <button type="button" class="button" onClick={() => void copy()}>
          <Icon name="copy" />
          {copied ? "Copied" : "Copy"}
        </button>
      </div>
      <p class="for-readers" role="status">
        {copied ? "Copied" : ""}
      </p>
    </div>
  );
}
