import type { Permission } from "./messages.ts";

/** A session of this browser: its token is good only together with the two keys beside it, which never leave the browser. */
export interface StoredSession {
  participantId: string;
  roomId: string;
  roomName: string;
  name: string;
  token: string;
  permissions: Permission[];
  /** Milliseconds since the Unix epoch. */
  expiresAt: number;
  /** SHA-256 of the invite that was redeemed, so that another link makes another participant. */
  inviteHash: string;
  certificate: RTCCertificate;
  signingKey: CryptoKey;
}

const DATABASE = "countersign";
const STORE = "sessions";

/** Returns the sessions of a room that have not run out, the newest first, and forgets those that have. */
export async function sessionsOf(roomId: string, now: number): Promise<StoredSession[]> {
  const all = await run<StoredSession[]>("readonly", (store) => store.getAll());
  for (const session of all) if (isOver(session, now)) await forget(session.participantId);
  return all
    .filter((session) => session.roomId === roomId && !isOver(session, now))
    .sort((one, other) => other.expiresAt - one.expiresAt);
}

/** Keeps a session over reloads. */
export async function keep(session: StoredSession): Promise<void> {
  await run("readwrite", (store) => store.put(session));
}

/** Forgets a session and its keys. */
export async function forget(participantId: string): Promise<void> {
  await run("readwrite", (store) => store.delete(participantId));
}

function isOver(session: StoredSession, now: number): boolean {
  return session.expiresAt <= now || session.certificate.expires <= now;
}

async function run<Answer>(mode: IDBTransactionMode, ask: (store: IDBObjectStore) => IDBRequest): Promise<Answer> {
  const database = await open();
  try {
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction(STORE, mode, { durability: "strict" });
      const request = ask(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(request.result as Answer);
      transaction.onabort = () => reject(transaction.error);
      transaction.onerror = () => reject(transaction.error);
    });
  } finally {
    database.close();
  }
}

function open(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "participantId" });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
