-- One text for SQLite and PostgreSQL. Times are milliseconds since the epoch, booleans 0 or 1,
-- lists and maps JSON text. Columns named sealed_* or wrapped_* hold AES-256-GCM ciphertext.

CREATE TABLE accounts (
    id TEXT NOT NULL PRIMARY KEY,
    created_at BIGINT NOT NULL
);

-- One more with every change that a decision may depend on.
CREATE TABLE epochs (
    account TEXT NOT NULL PRIMARY KEY,
    epoch BIGINT NOT NULL
);

-- The audit record of each change, committed with it.
CREATE TABLE changes (
    id TEXT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    account TEXT NOT NULL,
    record TEXT NOT NULL
);

-- The second of the three key levels. Account and region are empty for the keys of the deployment.
CREATE TABLE key_versions (
    id TEXT NOT NULL PRIMARY KEY,
    purpose TEXT NOT NULL,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    number BIGINT NOT NULL,
    root_key TEXT NOT NULL,
    wrapped_key BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (purpose, account, region, number)
);

-- Policy documents. A row never changes: a new text is a new row.
CREATE TABLE policy_versions (
    id TEXT NOT NULL PRIMARY KEY,
    text TEXT NOT NULL
);

CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id),
    name TEXT NOT NULL,
    folded_name TEXT NOT NULL,
    path TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    tags TEXT NOT NULL,
    UNIQUE (account, folded_name)
);

CREATE TABLE roles (
    id TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id),
    name TEXT NOT NULL,
    folded_name TEXT NOT NULL,
    path TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    description TEXT,
    max_session_seconds BIGINT NOT NULL,
    trust_policy TEXT NOT NULL REFERENCES policy_versions (id),
    tags TEXT NOT NULL,
    UNIQUE (account, folded_name)
);

CREATE TABLE principal_policies (
    principal TEXT NOT NULL,
    name TEXT NOT NULL,
    policy TEXT NOT NULL REFERENCES policy_versions (id),
    PRIMARY KEY (principal, name)
);

CREATE TABLE access_keys (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id),
    sealed_secret BYTEA NOT NULL,
    active BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX access_keys_by_user ON access_keys (user_id, id);

CREATE TABLE sessions (
    id TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    role TEXT NOT NULL,
    name TEXT NOT NULL,
    issued_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    policies TEXT NOT NULL,
    tags TEXT NOT NULL,
    transitive_keys TEXT NOT NULL,
    source_identity TEXT,
    sealed_secret BYTEA NOT NULL,
    token_sha256 BYTEA NOT NULL
);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE repositories (
    id TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id),
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    tag_mutability TEXT NOT NULL,
    tag_filters TEXT NOT NULL,
    scan_on_push BIGINT NOT NULL,
    tags TEXT NOT NULL,
    policy TEXT REFERENCES policy_versions (id),
    UNIQUE (account, region, name)
);

-- Ids of deleted repositories whose rows below are still being deleted, in steps.
CREATE TABLE deleted_repositories (
    id TEXT NOT NULL PRIMARY KEY
);

-- Encrypted bytes, once for each registry, encryption and sha256 digest.
CREATE TABLE objects (
    id TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    encryption TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    size BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (account, region, encryption, sha256)
);

-- The rows below name their repository by its id without a reference: they are unreachable as soon
-- as it is deleted, and go in steps.

CREATE TABLE layers (
    repository TEXT NOT NULL,
    digest TEXT NOT NULL,
    object TEXT NOT NULL REFERENCES objects (id),
    keep_until BIGINT NOT NULL,
    PRIMARY KEY (repository, digest)
);
CREATE INDEX layers_by_object ON layers (object);

CREATE TABLE uploads (
    id TEXT NOT NULL PRIMARY KEY,
    repository TEXT NOT NULL,
    principal TEXT NOT NULL,
    object TEXT NOT NULL UNIQUE,
    header BYTEA NOT NULL,
    received BIGINT NOT NULL,
    sealed_state BYTEA,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX uploads_by_repository ON uploads (repository);
CREATE INDEX uploads_by_age ON uploads (updated_at);
CREATE INDEX uploads_by_principal ON uploads (principal, created_at);

CREATE TABLE images (
    repository TEXT NOT NULL,
    digest TEXT NOT NULL,
    media_type TEXT NOT NULL,
    artifact_type TEXT,
    subject TEXT,
    size BIGINT NOT NULL,
    sealed_bytes BYTEA NOT NULL,
    pushed_at BIGINT NOT NULL,
    PRIMARY KEY (repository, digest)
);

CREATE TABLE image_blobs (
    repository TEXT NOT NULL,
    image TEXT NOT NULL,
    blob TEXT NOT NULL,
    PRIMARY KEY (repository, image, blob)
);
CREATE INDEX image_blobs_by_blob ON image_blobs (repository, blob);

CREATE TABLE image_children (
    repository TEXT NOT NULL,
    image TEXT NOT NULL,
    child TEXT NOT NULL,
    PRIMARY KEY (repository, image, child)
);
CREATE INDEX image_children_by_child ON image_children (repository, child);

CREATE TABLE tags (
    repository TEXT NOT NULL,
    tag TEXT NOT NULL,
    digest TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (repository, tag)
);
CREATE INDEX tags_by_image ON tags (repository, digest);
