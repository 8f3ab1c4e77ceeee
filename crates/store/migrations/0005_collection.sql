-- Since when an object has no layer: its bytes go an hour later, unless it gets one before.
ALTER TABLE objects ADD COLUMN unlinked_at BIGINT;
CREATE INDEX objects_by_unlinked ON objects (unlinked_at)
    WHERE unlinked_at IS NOT NULL;

-- How far the collector's walks through long lists have come; the nodes share them.
CREATE TABLE walks (
    name TEXT NOT NULL PRIMARY KEY,
    position TEXT NOT NULL,
    begun_at BIGINT NOT NULL
);
