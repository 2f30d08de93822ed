import { useEffect, useRef, useState } from "preact/hooks";
import type { Call, CallView } from "../call/call.ts";
import { SIGNS } from "../call/talk.ts";
import { Confirm } from "../confirm.tsx";
import { Icon } from "../icons.tsx";

interface Props {
  call: Call;
  view: CallView;
  /** The browser wants a click before it makes a sound. */
  blocked: boolean;
  onUnblock: () => void;
  chat: { id: string; open: boolean; unread: number; toggle: () => void };
}

/** What one can do in a call. */
export function Bar({ call, view, blocked, onUnblock, chat }: Props) {
  const [ending, setEnding] = useState(false);
  return (
    <footer class="bar">
      <p class="bar-notice" role="alert">
        {view.notice}
      </p>
      <div class="bar-buttons" role="toolbar" aria-label="Call">
        {blocked && (
          <button type="button" class="bar-button bar-button-strong" onClick={onUnblock}>
            <Icon name="sound" />
            <span>Turn on sound</span>
          </button>
        )}
        <Devices call={call} view={view} />
        <ReactButton call={call} view={view} />
        <ChatButton {...chat} />
        {call.may("moderate") && (
          <button type="button" class="bar-button" title="End for everybody" onClick={() => setEnding(true)}>
            <Icon name="end" />
            <span>End for everybody</span>
          </button>
        )}
        <button type="button" class="bar-button bar-button-leave" title="Leave" onClick={() => call.leave()}>
          <Icon name="leave" />
          <span>Leave</span>
        </button>
      </div>
      {ending && (
        <Confirm
          question="End the call for everybody?"
          detail="Everybody leaves, the room closes and its invites stop working."
          verb="End the call"
          onYes={() => call.end()}
          onNo={() => setEnding(false)}
        />
      )}
    </footer>
  );
}

function Devices({ call, view }: { call: Call; view: CallView }) {
  const voice = view.voiceOn ? "Mute" : "Unmute";
  const camera = view.camera ? "Turn camera off" : "Turn camera on";
  const screen = view.screen ? "Stop sharing" : "Share screen";
  return (
    <>
      {call.may("speak") && (
        <button type="button" class="bar-button" title={voice} data-off={!view.voiceOn} onClick={() => void call.setVoice(!view.voiceOn)}>
          <Icon name={view.voiceOn ? "voice" : "voice-off"} />
          <span>{voice}</span>
        </button>
      )}
      {call.may("camera") && (
        <button type="button" class="bar-button" title={camera} data-off={!view.camera} onClick={() => void call.setCamera(!view.camera)}>
          <Icon name={view.camera ? "camera" : "camera-off"} />
          <span>{camera}</span>
        </button>
      )}
      {call.may("share") && "getDisplayMedia" in (navigator.mediaDevices ?? {}) && (
        <button
          type="button"
          class="bar-button"
          title={screen}
          data-on={view.screen !== null}
          onClick={() => (view.screen ? call.stopScreen() : void call.startScreen())}
        >
          <Icon name="screen" />
          <span>{screen}</span>
        </button>
      )}
    </>
  );
}

function ChatButton({ id, open, unread, toggle }: Props["chat"]) {
  return (
    <button
      type="button"
      class="bar-button"
      title="Chat (Alt+C)"
      aria-label={unread > 0 ? `Chat, ${unread} unread` : "Chat"}
      aria-expanded={open}
      aria-controls={id}
      aria-keyshortcuts="Alt+C"
      data-chat-button
      onClick={toggle}
    >
      <Icon name="chat" />
      <span>Chat</span>
      {unread > 0 && (
        <b class="badge" aria-hidden="true">
          {unread > 99 ? "99+" : unread}
        </b>
      )}
    </button>
  );
}

function ReactButton({ call, view }: { call: Call; view: CallView }) {
  const [open, setOpen] = useState(false);
  const place = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (open) place.current?.querySelector<HTMLButtonElement>(".signs-menu button")?.focus();
  }, [open]);
  const close = () => {
    setOpen(false);
    button.current?.focus();
  };
  return (
    <div
      class="react"
      ref={place}
      onKeyDown={(event) => {
        if (event.key === "Escape" && open) close();
      }}
      onFocusOut={(event) => {
        if (!place.current?.contains(event.relatedTarget as Node | null)) setOpen(false);
      }}
    >
      <button
        type="button"
        class="bar-button"
        ref={button}
        title="React"
        aria-haspopup="true"
        aria-expanded={open}
        disabled={!view.canTalk}
        onClick={() => setOpen(!open)}
      >
        <Icon name="react" />
        <span>React</span>
      </button>
      {open && (
        <div class="signs-menu" role="group" aria-label="Reactions">
          {SIGNS.map(([emoji, name]) => (
            <button
              key={emoji}
              type="button"
              aria-label={name}
              title={name}
              onClick={() => {
                call.react(emoji);
                close();
              }}
            >
              {emoji}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}
