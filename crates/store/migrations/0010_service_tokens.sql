-- Service tokens: IAM's service-specific credentials of users, for machines that cannot renew any.
-- Of the secret a digest is kept. What a token is bound to never changes.
CREATE TABLE service_tokens (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id),
    secret_sha256 BYTEA NOT NULL,
    active BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    description TEXT NOT NULL,
    actions TEXT NOT NULL,
    repositories TEXT NOT NULL,
    networks TEXT NOT NULL,
    last_used_at BIGINT,
    last_used_region TEXT
);
CREATE INDEX service_tokens_by_user ON service_tokens (user_id, id);
