import { useLayoutEffect, useRef } from "preact/hooks";
import type { Call, CallView } from "../call/call.ts";
import { MAX_TEXT, type Line } from "../call/talk.ts";
import { Icon } from "../icons.tsx";

/** Lines of one person within this time stand under one name. */
const TOGETHER_MS = 5 * 60_000;
/** As near to the end as this, the list follows what is new. */
const NEAR_END_PX = 80;

interface Props {
  call: Call;
  view: CallView;
  id: string;
  /** What is being written; kept while the chat is closed. */
  draft: string;
  onDraft: (text: string) => void;
  onClose: () => void;
}

/** What people write to each other. */
export function Chat({ call, view, id, draft, onDraft, onClose }: Props) {
  const field = useRef<HTMLTextAreaElement>(null);
  // Before anything is painted: what is typed at once goes into the field, and Escape closes.
  useLayoutEffect(() => field.current?.focus(), []);
  const send = () => {
    if (call.write(draft)) onDraft("");
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || event.isComposing) return;
    event.stopPropagation();
    onClose();
  };
  return (
    <aside class="chat" id={id} aria-label="Chat" onKeyDown={onKeyDown}>
      <header class="chat-head">
        <h2>Chat</h2>
        <button type="button" class="round" aria-label="Close chat" title="Close chat" onClick={onClose}>
          <Icon name="remove" />
        </button>
      </header>
      <Lines lines={view.lines} me={view.me} />
      <form
        class="chat-form"
        onSubmit={(event) => {
          event.preventDefault();
          send();
        }}
      >
        <textarea
          ref={field}
          aria-label="Message"
          placeholder={view.canTalk ? "Write to everybody" : "Connecting…"}
          rows={2}
          maxLength={MAX_TEXT}
          value={draft}
          onInput={(event) => onDraft(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
            event.preventDefault();
            send();
          }}
        />
        <button type="submit" class="button button-primary chat-send" aria-label="Send" title="Send" disabled={!view.canTalk || draft.trim() === ""}>
          <Icon name="send" />
        </button>
      </form>
    </aside>
  );
}

function Lines({ lines, me }: { lines: Line[]; me: string }) {
  const list = useRef<HTMLDivElement>(null);
  const following = useRef(true);
  useLayoutEffect(() => {
    if (list.current && following.current) list.current.scrollTop = list.current.scrollHeight;
  }, [lines]);
  const onScroll = (event: Event) => {
    const { scrollTop, scrollHeight, clientHeight } = event.currentTarget as HTMLElement;
    following.current = scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
  };
  return (
    <div class="chat-lines" ref={list} role="log" aria-live="polite" aria-label="What was written" tabIndex={0} onScroll={onScroll}>
      {lines.length === 0 && <p class="chat-empty">Nothing was written yet. Whoever comes later does not see what was written before.</p>}
      {lines.map((line, index) => (
        <div key={line.key} class={line.by === "" ? "line line-refused" : "line"} data-mine={line.by === me}>
          {opens(line, lines[index - 1]) && (
            <p class="line-head">
              <span class="line-name" dir="auto">
                {line.by === me ? `${line.name} (you)` : line.name}
              </span>
              <time class="line-time" dateTime={new Date(line.at).toISOString()}>
                {new Date(line.at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}
              </time>
            </p>
          )}
          <p class="line-text" dir="auto">
            {line.text}
          </p>
        </div>
      ))}
    </div>
  );
}

/** Tells whether a line begins what somebody says. */
function opens(line: Line, before: Line | undefined): boolean {
  return line.by !== "" && (line.by !== before?.by || line.at - before.at > TOGETHER_MS);
}
