-- What conditions on images are judged by: one row for each image, written with it and by its scan.
-- The counts are those of the last scan that was completed; NULL before. Dates are those of the last
-- match and of the advisories it was made with. An index has no scan: its children are looked at.
CREATE TABLE image_facts (
    repository TEXT NOT NULL,
    digest TEXT NOT NULL,
    kind TEXT NOT NULL,
    scan TEXT NOT NULL,
    max_severity TEXT,
    critical BIGINT,
    high BIGINT,
    fixable_critical BIGINT,
    unrated BIGINT,
    fixable_unrated BIGINT,
    matched_at BIGINT,
    advisories_at BIGINT,
    PRIMARY KEY (repository, digest)
);
