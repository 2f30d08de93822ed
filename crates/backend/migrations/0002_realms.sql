-- Tenants that host calls (rtcd's clients). A key is kept as its bcrypt hash, a token as its SHA-256.

CREATE TABLE realms (
    realm_id   TEXT   NOT NULL PRIMARY KEY,
    key_hash   TEXT   NOT NULL,
    created_at BIGINT NOT NULL
);

-- One token a realm: another login replaces it.
CREATE TABLE realm_tokens (
    realm_id   TEXT   NOT NULL PRIMARY KEY REFERENCES realms (realm_id) ON DELETE CASCADE,
    token_hash TEXT   NOT NULL UNIQUE,
    expires_at BIGINT NOT NULL
);
