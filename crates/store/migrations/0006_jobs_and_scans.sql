-- Work that a committed change made necessary, by what it is about. `due_at` says when it may be
-- taken: of a queued job at the earliest, of a running one when its lease has ended. `attempt`
-- grows with every taking and never falls: whoever closes a job must have taken it last.
CREATE TABLE jobs (
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    priority BIGINT NOT NULL,
    state TEXT NOT NULL,
    due_at BIGINT NOT NULL,
    attempt BIGINT NOT NULL,
    last_attempt BIGINT NOT NULL,
    error TEXT,
    enqueued_at BIGINT NOT NULL,
    PRIMARY KEY (kind, subject)
);
CREATE INDEX jobs_by_turn ON jobs (priority DESC, due_at) WHERE state <> 'failed';
CREATE INDEX jobs_failed ON jobs (enqueued_at) WHERE state = 'failed';

-- What an object holds, seen as a layer by one set of analyzers.
CREATE TABLE layer_inventories (
    object TEXT NOT NULL,
    analyzers TEXT NOT NULL,
    sealed_inventory BYTEA NOT NULL,
    indexed_at BIGINT NOT NULL,
    PRIMARY KEY (object, analyzers)
);

-- The last scan of an image. `generation` is what it was judged by; 0 if there were no advisories.
CREATE TABLE image_scans (
    repository TEXT NOT NULL,
    image TEXT NOT NULL,
    status TEXT NOT NULL,
    description TEXT,
    requested_at BIGINT NOT NULL,
    completed_at BIGINT,
    analyzers TEXT,
    generation BIGINT NOT NULL,
    advisories_sha256 TEXT,
    advisories_at BIGINT,
    severity_counts TEXT NOT NULL,
    findings BIGINT NOT NULL,
    PRIMARY KEY (repository, image)
);
CREATE INDEX image_scans_by_generation ON image_scans (generation, repository, image)
    WHERE completed_at IS NOT NULL;

-- Its findings in their order, some hundred in a row.
CREATE TABLE image_findings (
    repository TEXT NOT NULL,
    image TEXT NOT NULL,
    part BIGINT NOT NULL,
    sealed_findings BYTEA NOT NULL,
    PRIMARY KEY (repository, image, part)
);

-- How a registry scans, where that was set.
CREATE TABLE registry_scanning (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    configuration TEXT NOT NULL,
    PRIMARY KEY (account, region)
);

-- What images were judged by: analyzers and advisories, the latest with the highest generation.
CREATE TABLE scan_generations (
    generation BIGINT NOT NULL PRIMARY KEY,
    analyzers TEXT NOT NULL,
    advisories_sha256 TEXT NOT NULL,
    advisories_at BIGINT NOT NULL,
    loaded_at BIGINT NOT NULL,
    counts TEXT NOT NULL
);
