-- From where on the audit record is kept: lines before `since` may be deleted, all others may not. `but` is the one line before it that
-- stays, since later lines cannot be verified without it.

CREATE TABLE audit_kept (
    one   INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    since BIGINT  NOT NULL,
    but   BIGINT  NOT NULL
);
INSERT INTO audit_kept (one, since, but) VALUES (1, 0, 0);

DROP TRIGGER audit_is_not_deleted;

CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
WHEN NOT EXISTS (SELECT 1 FROM audit_kept WHERE OLD.seq < since AND OLD.seq <> but)
BEGIN
    SELECT RAISE(ABORT, 'the audit record is append-only');
END;
