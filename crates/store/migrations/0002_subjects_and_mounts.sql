-- The images that are about another one, in the order of their pages, of all artifact types or one.
CREATE INDEX images_by_subject ON images (repository, subject, digest)
    WHERE subject IS NOT NULL;
CREATE INDEX images_by_subject_and_type ON images (repository, subject, artifact_type, digest)
    WHERE subject IS NOT NULL;

-- A blob pushed under a sha512 digest is looked for under it by mounts that name no repository.
ALTER TABLE objects ADD COLUMN sha512 TEXT;
UPDATE objects SET sha512 = (SELECT MIN(l.digest) FROM layers l
    WHERE l.object = objects.id AND l.digest >= 'sha512:' AND l.digest < 'sha512;');
CREATE INDEX objects_by_sha512 ON objects (account, region, sha512)
    WHERE sha512 IS NOT NULL;

-- The repositories that have a blob, those first where it will be kept longest.
DROP INDEX layers_by_object;
CREATE INDEX layers_by_object ON layers (object, digest, keep_until);

-- What refers to a blob or an image is read from the index alone: SQLite takes another one, over the
-- whole repository, if this does not have all columns.
DROP INDEX image_blobs_by_blob;
CREATE INDEX image_blobs_by_blob ON image_blobs (repository, blob, image);
DROP INDEX image_children_by_child;
CREATE INDEX image_children_by_child ON image_children (repository, child, image);
