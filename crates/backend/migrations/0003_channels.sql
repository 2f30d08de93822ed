-- Verto channels, their clients, and visitors. Of a password, a cookie and an invitation only the SHA-256 is kept.

CREATE TABLE channels (
    seq            INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    channel_id     TEXT    NOT NULL UNIQUE,
    topic          TEXT    NOT NULL,
    admission      TEXT    NOT NULL,
    capacity       BIGINT  NOT NULL,
    cookie_binding TEXT    NOT NULL,
    sessid_policy  TEXT    NOT NULL,
    content        TEXT    NOT NULL,
    delivery       TEXT    NOT NULL,
    created_at     BIGINT  NOT NULL,
    used_at        BIGINT  NOT NULL
);

CREATE TABLE channel_origins (
    channel_id TEXT   NOT NULL REFERENCES channels (channel_id) ON DELETE CASCADE,
    place      BIGINT NOT NULL,
    origin     TEXT   NOT NULL,
    PRIMARY KEY (channel_id, place)
);
CREATE INDEX channels_of_origin ON channel_origins (origin);

-- Browsers that have been given a client. One that has nothing of any channel is forgotten.
CREATE TABLE visitors (
    visitor_hash TEXT   NOT NULL PRIMARY KEY,
    created_at   BIGINT NOT NULL
);

CREATE TABLE channel_clients (
    seq          INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    client_id    TEXT    NOT NULL UNIQUE,
    channel_id   TEXT    NOT NULL REFERENCES channels (channel_id) ON DELETE CASCADE,
    session_id   TEXT    NOT NULL UNIQUE,
    visitor_hash TEXT    REFERENCES visitors (visitor_hash),
    proof_key    TEXT,
    created_at   BIGINT  NOT NULL,
    seen_at      BIGINT  NOT NULL,
    entered_at   BIGINT,
    revoked_at   BIGINT
);
CREATE INDEX clients_of_channel ON channel_clients (channel_id);
CREATE INDEX clients_of_visitor ON channel_clients (visitor_hash);
CREATE INDEX clients_by_age ON channel_clients (seen_at);

-- The one password of a client; a revoked client has none. Connected: there is a sessid, and dropped_at is null.
CREATE TABLE client_passwords (
    client_id     TEXT   NOT NULL PRIMARY KEY REFERENCES channel_clients (client_id) ON DELETE CASCADE,
    password_hash TEXT   NOT NULL,
    issued_at     BIGINT NOT NULL,
    sessid        TEXT,
    dropped_at    BIGINT,
    ticket        BIGINT
);

-- Visitors who have shown an invitation, and visitors of whom a client was revoked.
CREATE TABLE channel_admissions (
    channel_id   TEXT NOT NULL REFERENCES channels (channel_id) ON DELETE CASCADE,
    visitor_hash TEXT NOT NULL REFERENCES visitors (visitor_hash),
    PRIMARY KEY (channel_id, visitor_hash)
);
CREATE INDEX admissions_of_visitor ON channel_admissions (visitor_hash);

CREATE TABLE channel_bars (
    channel_id   TEXT NOT NULL REFERENCES channels (channel_id) ON DELETE CASCADE,
    visitor_hash TEXT NOT NULL REFERENCES visitors (visitor_hash),
    PRIMARY KEY (channel_id, visitor_hash)
);
CREATE INDEX bars_of_visitor ON channel_bars (visitor_hash);

CREATE TABLE channel_invitations (
    token_hash TEXT   NOT NULL PRIMARY KEY,
    channel_id TEXT   NOT NULL REFERENCES channels (channel_id) ON DELETE CASCADE,
    uses       BIGINT NOT NULL,
    used       BIGINT NOT NULL DEFAULT 0 CHECK (used <= uses),
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX invitations_of_channel ON channel_invitations (channel_id);
