-- Lists of images go through the tags of each in order.
DROP INDEX tags_by_image;
CREATE INDEX tags_by_image ON tags (repository, digest, tag);

-- Of an upload that comes in parts by ECR's API: how many came, and where the first that is too
-- short to be followed by another ends.
ALTER TABLE uploads ADD COLUMN parts BIGINT NOT NULL DEFAULT 0;
ALTER TABLE uploads ADD COLUMN short_part_end BIGINT;
