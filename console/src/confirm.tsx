import { useEffect, useRef } from "preact/hooks";

/** Asks before something that cannot be taken back. Escape and "Cancel" change nothing. */
export function Confirm(props: { question: string; detail: string; verb: string; onYes: () => void; onNo: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  return (
    <dialog ref={dialog} class="dialog" aria-labelledby="confirm-question" onClose={props.onNo}>
      <h2 id="confirm-question">{props.question}</h2>
      <p>{props.detail}</p>
      <div class="dialog-actions">
        <button type="button" class="button" onClick={props.onNo}>
          Cancel
        </button>
        <button type="button" class="button button-danger" onClick={props.onYes}>
          {props.verb}
        </button>
      </div>
    </dialog>
  );
}
