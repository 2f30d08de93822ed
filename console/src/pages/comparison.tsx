import { useEffect, useRef, useState } from "preact/hooks";
import type { Meeting, Other } from "../channel/meeting.ts";
import type { Path } from "../channel/peer_link.ts";
import { Icon } from "../icons.tsx";

/** How the media go to somebody, and the digits by which two people find out whether anybody stands between them. */
export function Comparison({ meeting, other, onClose }: { meeting: Meeting; other: Other; onClose: () => void }) {
  const [path, setPath] = useState<Path | null>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  const { id, called, comparison, vouched } = other;
  useEffect(() => {
    heading.current?.focus();
    void meeting.pathTo(id).then(setPath);
  }, [id]);
  return (
    <section class="quality" aria-label={`Connection to ${called}`} onKeyDown={({ key }) => key === "Escape" && onClose()}>
      <div class="quality-head">
        <h2 ref={heading} tabIndex={-1}>
          Connection to {called}
        </h2>
        <button type="button" class="round" aria-label="Close" title="Close" onClick={onClose}>
          <Icon name="remove" />
        </button>
      </div>
      <p>
        <code class="comparison">{comparison}</code>
      </p>
      <p class="verdict" data-verified={vouched}>
        {vouched && <Icon name="compare" />}
        <strong>{vouched ? "Verified" : "Not verified"}</strong>
      </p>
      <p class="hint">
        {vouched
          ? `${called}’s browser has signed this connection with the key by which it came into the channel, as this server knows it.`
          : `${called}’s page signs nothing: only the digits tell whether this is ${called}.`}
      </p>
      <p class="hint">Read these digits to each other. If both of you see the same, nobody stands between you, this server included.</p>
      {path && <p class="hint">{path === "direct" ? "Sound and pictures go directly." : "Sound and pictures go by a relay, which cannot read them."}</p>}
    </section>
  );
}
