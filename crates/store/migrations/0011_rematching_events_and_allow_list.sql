-- The package versions of an image that was judged, sealed: by them it is known whether other
-- advisories can have another result for it.
CREATE TABLE image_packages (
    repository TEXT NOT NULL,
    image TEXT NOT NULL,
    sealed_packages BYTEA NOT NULL,
    PRIMARY KEY (repository, image)
);

-- What scans have found out, in the order of their times; appended, and forgotten after a while.
CREATE TABLE scan_events (
    id TEXT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    account TEXT NOT NULL,
    sealed_event BYTEA NOT NULL
);
CREATE INDEX scan_events_by_time ON scan_events (at, id);

-- Vulnerabilities that a registry accepts for a while. Findings of them stay visible.
CREATE TABLE allowed_vulnerabilities (
    id TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    vulnerability TEXT NOT NULL,
    package TEXT,
    repositories TEXT NOT NULL,
    owner TEXT NOT NULL,
    reason TEXT NOT NULL,
    status TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    until BIGINT
);
CREATE INDEX allowed_vulnerabilities_by_registry
    ON allowed_vulnerabilities (account, region, id);
