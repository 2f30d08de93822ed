import { useEffect, useMemo, useRef } from "preact/hooks";
import type { Incoming } from "../call/messages.ts";
import { useShown } from "./showing.ts";

/**
 * Shows a video track. `sound` is played with it; without one the element is muted and so may always play. `what`: whose picture it is, where
 * it comes from the server, which is told whether and how large it is seen.
 */
export function Video(props: {
  track: MediaStreamTrack;
  sound?: MediaStreamTrack | undefined;
  what?: Incoming;
  mirrored?: boolean;
  whole?: boolean;
  onBlocked?: () => void;
}) {
  const { track, sound, onBlocked } = props;
  const element = useRef<HTMLVideoElement>(null);
  const stream = useMemo(() => new MediaStream(sound ? [track, sound] : [track]), [track, sound]);
  useEffect(() => {
    if (element.current) play(element.current, stream, sound === undefined, onBlocked);
  }, [stream]);
  useShown(element, props.what);
  const classes = ["video", props.mirrored ? "video-mirrored" : "", props.whole ? "video-whole" : ""];
  return <video ref={element} class={classes.join(" ")} playsInline autoPlay aria-hidden="true" />;
}

/** Plays a voice; shows nothing. `onBlocked` tells that the browser wants a click before it makes a sound. */
export function Sound({ track, onBlocked }: { track: MediaStreamTrack; onBlocked: () => void }) {
  const element = useRef<HTMLAudioElement>(null);
  const stream = useMemo(() => new MediaStream([track]), [track]);
  useEffect(() => {
    if (element.current) play(element.current, stream, false, onBlocked);
  }, [stream]);
  return <audio ref={element} class="sound" autoPlay />;
}

/** Starts everything on the page that waits for a click. */
export function playAll(): void {
  for (const element of document.querySelectorAll<HTMLMediaElement>("video, audio")) void element.play();
}

function play(element: HTMLMediaElement, stream: MediaStream, silent: boolean, onBlocked?: () => void): void {
  element.muted = silent;
  element.srcObject = stream;
  element.play().catch((error: unknown) => {
    if (error instanceof DOMException && error.name === "NotAllowedError") onBlocked?.();
  });
}
