import type { JSX } from "preact";

const SHAPES = {
  voice: <path d="M12 3a3 3 0 0 0-3 3v5a3 3 0 0 0 6 0V6a3 3 0 0 0-3-3zM5.5 10.5V11a6.5 6.5 0 0 0 13 0v-.5M12 17.5V21M9 21h6" />,
  "voice-off": (
    <path d="M9 9.2V11a3 3 0 0 0 4.6 2.5M15 10.8V6a3 3 0 0 0-5.8-1M5.5 10.5V11a6.5 6.5 0 0 0 10.2 5.3M18.3 12.6c.1-.5.2-1 .2-1.6v-.5M12 17.5V21M9 21h6M4 3.5l16.5 17" />
  ),
  camera: <path d="M4.5 6.5h9a2 2 0 0 1 2 2v7a2 2 0 0 1-2 2h-9a2 2 0 0 1-2-2v-7a2 2 0 0 1 2-2zM15.5 11l6-3.5v9l-6-3.5" />,
  "camera-off": (
    <path d="M9.5 6.5h4a2 2 0 0 1 2 2v3.5M15.5 15.5a2 2 0 0 1-2 2h-9a2 2 0 0 1-2-2v-7a2 2 0 0 1 2-2h.5M17.5 11.8l4-4.3v9l-2.5-1.5M4 3.5l16.5 17" />
  ),
  screen: <path d="M4 4.5h16a1.5 1.5 0 0 1 1.5 1.5v9a1.5 1.5 0 0 1-1.5 1.5H4A1.5 1.5 0 0 1 2.5 15V6A1.5 1.5 0 0 1 4 4.5zM8.5 20h7M12 13.5v-6M9.2 10L12 7.2l2.8 2.8" />,
  leave: <path d="M3 14.2c0-1 .5-2 1.4-2.5a15.5 15.5 0 0 1 15.2 0c.9.5 1.4 1.5 1.4 2.5v1a1 1 0 0 1-1.3 1l-3.2-1a1 1 0 0 1-.7-.9l-.1-1.8a14 14 0 0 0-7.4 0l-.1 1.8a1 1 0 0 1-.7.9l-3.2 1a1 1 0 0 1-1.3-1z" />,
  end: <path d="M12 3v8.5M6.6 6.6a7.7 7.7 0 1 0 10.8 0" />,
  remove: <path d="M6 6l12 12M18 6L6 18" />,
  copy: <path d="M9 9h9.5a1 1 0 0 1 1 1v9.5a1 1 0 0 1-1 1H9a1 1 0 0 1-1-1V10a1 1 0 0 1 1-1zM5 15.5h-.5a1 1 0 0 1-1-1V5a1 1 0 0 1 1-1H14a1 1 0 0 1 1 1v.5" />,
  chat: <path d="M5 4.5h14a1.5 1.5 0 0 1 1.5 1.5v9a1.5 1.5 0 0 1-1.5 1.5h-7.5L7 20.5v-4H5A1.5 1.5 0 0 1 3.5 15V6A1.5 1.5 0 0 1 5 4.5zM8 9h8M8 12.2h5" />,
  react: <path d="M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17zM8.3 13.8a4.2 4.2 0 0 0 7.4 0M9.2 9.3v.6M14.8 9.3v.6" />,
  send: <path d="M4 12l16-7.5-5 15.5-3.5-6zM11.5 14L20 4.5" />,
  grid: <path d="M4 4.5h7v6.5H4zM13.5 4.5h7v6.5h-7zM4 13.5h7V20H4zM13.5 13.5h7V20h-7z" />,
  speaker: <path d="M3.5 4.5h11.5V19.5H3.5zM17.5 4.5h3v4h-3zM17.5 10.3h3v4h-3zM17.5 16h3v3.5h-3z" />,
  call: <path d="M6.5 4h3l1.5 4-2 1.5a11 11 0 0 0 5.5 5.5l1.5-2 4 1.5v3a2 2 0 0 1-2.2 2A16 16 0 0 1 4.5 6.2 2 2 0 0 1 6.5 4z" />,
  people: <path d="M9 11.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 19.5v-1a5 5 0 0 1 5-5h3a5 5 0 0 1 5 5v1M16 5a3.2 3.2 0 0 1 0 6.2M18.5 14a4.6 4.6 0 0 1 3 4.5v1" />,
  devices: <path d="M4 7h10M18 7h2M4 12h3M11 12h9M4 17h8M16 17h4M16 5v4M9 10v4M14 15v4" />,
  compare: <path d="M12 3l7.5 2.7v5.8c0 4.6-3.2 7.9-7.5 9.5-4.3-1.6-7.5-4.9-7.5-9.5V5.7zM8.7 11.8l2.5 2.5 4.4-4.6" />,
  quality: <path d="M5 19.5v-4M10 19.5v-7.5M15 19.5V8M20 19.5V4.5" />,
  sound: <path d="M4 9.5h3.5L12 5.5v13l-4.5-4H4zM15.5 9a4.2 4.2 0 0 1 0 6M18 6.5a7.8 7.8 0 0 1 0 11" />,
} satisfies Record<string, JSX.Element>;

/** A drawing beside a text that says the same; screen readers skip it. */
export function Icon({ name }: { name: keyof typeof SHAPES }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      {SHAPES[name]}
    </svg>
  );
}

/** The mark of countersign: a sign, and the sign that answers it. */
export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect class="mark-ground" width="32" height="32" rx="8" />
      <path class="mark-sign" d="M7 16.5l4.5 4.5L20 11" />
      <path class="mark-answer" d="M16.5 21L25 11" />
    </svg>
  );
}
