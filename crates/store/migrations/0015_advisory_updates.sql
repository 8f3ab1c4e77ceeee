-- What became of renewing the advisories from their sources: one row for all nodes, from the first
-- attempt on. While a node works on it, `leased_until` is to come, and the attempt is counted as
-- one that failed: a process that ends in the middle of it must not begin it at once again.
CREATE TABLE advisory_updates (
    id BIGINT NOT NULL PRIMARY KEY,
    attempt BIGINT NOT NULL,
    leased_until BIGINT NOT NULL,
    sources TEXT NOT NULL,
    attempted_at BIGINT NOT NULL,
    succeeded_at BIGINT,
    failures BIGINT NOT NULL,
    error TEXT
);
