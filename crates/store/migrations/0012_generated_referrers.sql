-- Whether the server itself made an image of another one, as it does of bills of materials. No client
-- can say so of what it pushes.
ALTER TABLE images ADD COLUMN generated BIGINT NOT NULL DEFAULT 0;
CREATE INDEX images_generated ON images (repository, subject, artifact_type, digest)
    WHERE generated <> 0;
