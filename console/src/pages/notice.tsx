import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { Mark } from "../icons.tsx";

/** A page that says one thing. The heading takes the focus, so that a screen reader says it too. */
export function Notice({ title, children }: { title: string; children: ComponentChildren }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} · countersign`;
    heading.current?.focus();
  }, [title]);
  return (
    <main class="notice">
      <Wordmark />
      <h1 ref={heading} tabIndex={-1}>
        {title}
      </h1>
      {children}
    </main>
  );
}

/** The mark with its name. */
export function Wordmark() {
  return (
    <p class="wordmark">
      <Mark />
      <span>countersign</span>
    </p>
  );
}
