import { useEffect } from "preact/hooks";
import { api, type AuditRecord } from "../api.ts";
import { clockTime } from "../time.ts";
import { usePolled } from "./polled.ts";

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
          <p class="hint">Who signed in, who came, who did what: the newest 200. Nothing here is ever changed or removed.</p>
        </div>
      </div>
      <AuditTable limit={200} about={null} onSignedOut={onSignedOut} />
    </main>
  );
}

/** Records as a table; with `about` only those that name one of these ids. */
export function AuditTable(props: { limit: number; about: string[] | null; onSignedOut: () => void }) {
  const { limit, about, onSignedOut } = props;
  const { answer: records, problem } = usePolled(() => api.audit(limit), onSignedOut);
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
