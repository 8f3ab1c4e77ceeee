-- Images about another image whose content the scan of that one looks at: bills of materials, and
-- statements about vulnerabilities. `pushed_by` is NULL if that was not written down;
-- `trusted_by` is whoever pushed it with the right to have its statements count, if anybody did.
CREATE TABLE attached_documents (
    repository TEXT NOT NULL,
    referrer TEXT NOT NULL,
    subject TEXT NOT NULL,
    lists_packages BIGINT NOT NULL,
    pushed_by TEXT,
    pushed_at BIGINT NOT NULL,
    trusted_by TEXT,
    PRIMARY KEY (repository, referrer)
);
CREATE INDEX attached_documents_by_subject ON attached_documents (repository, subject);

-- Those that are there already, as far as their types tell, and the scans that they concern.
INSERT INTO attached_documents
    (repository, referrer, subject, lists_packages, pushed_by, pushed_at, trusted_by)
SELECT repository, digest, subject,
    CASE WHEN artifact_type LIKE 'application/vnd.openvex%' THEN 0 ELSE 1 END,
    NULL, pushed_at, NULL
FROM images WHERE subject IS NOT NULL AND generated = 0 AND (artifact_type LIKE 'application/vnd.openvex%'
    OR artifact_type LIKE 'application/vnd.cyclonedx%' OR artifact_type LIKE 'application/spdx%'
    OR artifact_type LIKE 'application/vnd.in-toto%'
    OR artifact_type LIKE 'application/vnd.dsse.envelope%'
    OR artifact_type LIKE 'application/vnd.dev.sigstore.bundle%');
INSERT INTO jobs
    (kind, subject, priority, state, due_at, attempt, last_attempt, enqueued_at)
SELECT DISTINCT 'scan_image', s.repository || ' ' || s.image, 0, 'queued', 0, 0, 5, 0
FROM image_scans s JOIN attached_documents a
    ON a.repository = s.repository AND a.subject = s.image
WHERE s.completed_at IS NOT NULL
ON CONFLICT (kind, subject) DO NOTHING;
