-- Two clients of a channel that have agreed to call each other, and the fingerprints of the certificates by which each does, a line each.

CREATE TABLE channel_dialogs (
    smaller        TEXT   NOT NULL REFERENCES channel_clients (client_id) ON DELETE CASCADE,
    larger         TEXT   NOT NULL REFERENCES channel_clients (client_id) ON DELETE CASCADE,
    smaller_pinned TEXT   NOT NULL,
    larger_pinned  TEXT   NOT NULL,
    agreed_at      BIGINT NOT NULL,
    PRIMARY KEY (smaller, larger),
    CHECK (smaller < larger)
);
CREATE INDEX dialogs_of_larger ON channel_dialogs (larger);
