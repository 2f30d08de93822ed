import { useEffect } from "preact/hooks";
import { api, type AuditRecord } from "../api.ts";
import { clockTime } from "../time.ts";
import { usePolled } from "./polled.ts";

/** As many lines as the server gives at once. */
const NEWEST = 200;

/** The newest part of the audit record. */
export function AuditPage({ onSignedOut }: { onSignedOut: () => void }) {
  useEffect(() => {
    document.title = "Audit record · countersign";
  }, []);
  return (
    <main class="page">
      <div class="page-head">
        <div>
          <h1>Audit record</h1>
          <p class="hint">
            Who signed in, who came, who did what: the newest {NEWEST}. A line is never changed, and is kept as long as the configuration says (
            <code>[audit] keep_days</code>, by default a year).
          </p>
        </div>
      </div>
      <AuditTable ask={newest} onSignedOut={onSignedOut} />
    </main>
  );
}

const newest = () => api.audit(NEWEST);

/** What happened in a room. */
export function RoomAudit({ roomId, onSignedOut }: { roomId: string; onSignedOut: () => void }) {
  return <AuditTable ask={() => api.auditOfRoom(roomId, NEWEST)} onSignedOut={onSignedOut} />;
}

/** Those of the newest records that name one of these ids. */
export function AuditAbout({ about, onSignedOut }: { about: string[]; onSignedOut: () => void }) {
  return <AuditTable ask={newest} about={about} onSignedOut={onSignedOut} />;
}

function AuditTable(props: { ask: () => Promise<AuditRecord[]>; about?: string[]; onSignedOut: () => void }) {
  const { ask, about, onSignedOut } = props;
  const { answer: records, problem } = usePolled(ask, onSignedOut);
  if (!records) return <p class="hint">{problem || "Loading…"}</p>;
  const shown = about ? records.filter((record) => names(record, about)) : records;
  if (shown.length === 0) return <p class="empty empty-small">Nothing on record yet.</p>;
  return (
    <div class="table-frame">
      <table>
        <thead>
          <tr>
            <th scope="col">When</th>
            <th scope="col">Who</th>
            <th scope="col">What</th>
            <th scope="col">Outcome</th>
            <th scope="col">From</th>
          </tr>
        </thead>
        <tbody>
          {shown.map((record) => (
            <tr key={record.seq}>
              <td data-label="When" class="cell-narrow">
                <time dateTime={new Date(record.at).toISOString()}>{clockTime(record.at)}</time>
              </td>
              <td data-label="Who">
                <Shortened text={record.actor} />
              </td>
              <td data-label="What">
                <span>
                  <strong>{record.action}</strong> <Shortened text={record.subject} />
                </span>
                {record.detail && (
                  <span class="cell-detail" title={record.detail}>
                    {shortened(record.detail)}
                  </span>
                )}
              </td>
              <td data-label="Outcome">
                {record.outcome}
                {record.count > 1 && ` × ${record.count}`}
              </td>
              <td data-label="From" class="cell-narrow">{record.address}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Shows ids by their first characters; the whole text is a hover away. */
function Shortened({ text }: { text: string }) {
  return (
    <span class="cell-id" title={text}>
      {shortened(text)}
    </span>
  );
}

/** UUIDs, other ids of 128 bits, and what is longer: hashes and signatures. */
const LONG = /\b([0-9a-f]{8})(?:[0-9a-f]{24}|-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\b|(?<![\w-])([\w-]{8})[\w-]{32,}/g;

function shortened(text: string): string {
  // A word joiner keeps the dots on the line of their id.
  return text.replace(LONG, (_, id?: string, other?: string) => `${id ?? other}\u2060…`);
}

function names(record: AuditRecord, about: string[]): boolean {
  const text = [record.actor, record.subject, record.detail].join(" ");
  return about.some((id) => text.includes(id));
}
