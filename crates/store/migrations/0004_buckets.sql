-- Uploads to a bucket, which several nodes may write to. The lease names the run of the process that
-- writes now; once it has ended without giving the lease back, what it sent may still arrive, so the
-- object is verified by reading it back before it becomes a layer.
ALTER TABLE uploads ADD COLUMN lease TEXT;
ALTER TABLE uploads ADD COLUMN lease_until BIGINT NOT NULL DEFAULT 0;
ALTER TABLE uploads ADD COLUMN contested BIGINT NOT NULL DEFAULT 0;

-- Every multipart upload that may have parts in the bucket, by the name the bucket gave it. One whose
-- row in uploads is gone is to be aborted.
CREATE TABLE multiparts (
    object TEXT NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (object, name)
);

-- An object that was read and is not what was written, and the one that took its place.
ALTER TABLE objects ADD COLUMN damaged BIGINT NOT NULL DEFAULT 0;
ALTER TABLE objects ADD COLUMN replaced_by TEXT;
CREATE INDEX objects_replaced ON objects (replaced_by) WHERE replaced_by IS NOT NULL;
