import { Notice } from "./notice.tsx";

/** The page of an address that names nothing. */
export function Unknown() {
  return (
    <Notice title="There is nothing at this address">
      <p>An invite link looks like this one, only longer: copy it again as a whole.</p>
      <p>
        <code>{location.origin}/r/…#csi_…</code>
      </p>
    </Notice>
  );
}
