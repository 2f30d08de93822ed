-- Plain types only (text, 64-bit integers), so that the queries over these tables run unchanged on PostgreSQL.
-- Ids are 32 hex digits, hashes 64, times milliseconds since the Unix epoch. No table holds a secret.

CREATE TABLE rooms (
    room_id    TEXT   NOT NULL PRIMARY KEY,
    name       TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    ended_at   BIGINT
);

CREATE TABLE invites (
    invite_id   TEXT   NOT NULL PRIMARY KEY,
    room_id     TEXT   NOT NULL REFERENCES rooms (room_id),
    token_hash  TEXT   NOT NULL UNIQUE,
    uses        BIGINT NOT NULL,
    used        BIGINT NOT NULL DEFAULT 0 CHECK (used <= uses),
    permissions TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    revoked_at  BIGINT
);
CREATE INDEX invites_of_room ON invites (room_id);

CREATE TABLE sessions (
    session_id  TEXT   NOT NULL PRIMARY KEY,
    room_id     TEXT   NOT NULL REFERENCES rooms (room_id),
    invite_id   TEXT   NOT NULL REFERENCES invites (invite_id),
    token_hash  TEXT   NOT NULL UNIQUE,
    name        TEXT   NOT NULL,
    fingerprint TEXT   NOT NULL,
    public_key  TEXT   NOT NULL,
    permissions TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    revoked_at  BIGINT
);
CREATE INDEX sessions_of_room ON sessions (room_id);
CREATE INDEX sessions_of_invite ON sessions (invite_id);

CREATE TABLE console_tokens (
    token_hash TEXT   NOT NULL PRIMARY KEY,
    kind       TEXT   NOT NULL CHECK (kind IN ('sign-in', 'console')),
    operator   TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE TABLE audit (
    seq     INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    at      BIGINT  NOT NULL,
    actor   TEXT    NOT NULL,
    action  TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    outcome TEXT    NOT NULL,
    address TEXT    NOT NULL,
    count   BIGINT  NOT NULL,
    detail  TEXT    NOT NULL
);

CREATE TRIGGER audit_is_not_updated BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit record is append-only');
END;

CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit record is append-only');
END;

-- INSERT OR REPLACE deletes without firing the trigger above.
CREATE TRIGGER audit_is_not_replaced BEFORE INSERT ON audit
WHEN EXISTS (SELECT 1 FROM audit WHERE seq = NEW.seq)
BEGIN
    SELECT RAISE(ABORT, 'the audit record is append-only');
END;
