//! Bills of materials as referrers: a job after a scan, where the configuration asks for them.
//!
//! Each is an artifact as OCI 1.1 has them, put into the repository of its image by the transactions
//! of any push. It says what the layers hold and nothing of advisories, and its only time is that of
//! the image: other advisories, another node or a second run come to the same bytes.

use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use bonded_model::{Digest, Manifest, MediaType, Reference, RepositoryName, RepositoryPattern};
use bonded_model::{Timestamp, shown};
use bonded_scan::Subject;
use bonded_store::{
    ClaimedJob, GeneratedReferrer, Job, JobEnd, Repository, RepositoryId, StoredManifest,
};
use bytes::Bytes;
use futures_util::stream;
use serde_json::json;

use super::report::{ReportFormat, written};
use super::{LAYER_WAIT, Layers, TIME_LIMIT, judge};
use crate::Registry;
use crate::error::{Error, Result};
use crate::push::LAYER_GRACE;
use crate::upload_body::write_body;
use crate::worker_thread::on_a_thread;

/// Whose the uploads are, among those of principals.
const PRINCIPAL: &str = "bonded";

/// How many unfinished uploads there may be: each is left by a job that broke off, for a day.
const UPLOADS_LIMIT: u32 = 1000;

/// How many images that were scanned are looked at in one step.
const STEP: u32 = 200;

/// The config of an artifact that has none.
///
/// <https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md#guidance-for-an-empty-descriptor>
const EMPTY: (&str, &[u8]) = ("application/vnd.oci.empty.v1+json", b"{}");

/// The bills of materials that are attached to images, and to which.
#[derive(Debug, Clone, Default)]
pub struct AttachedSboms {
    /// Their formats; none if no image gets one.
    pub formats: Vec<SbomFormat>,
    /// The repositories of the images.
    pub repositories: Vec<RepositoryPattern>,
}

impl AttachedSboms {
    /// The formats that images of a repository get, each once.
    fn of(&self, name: &RepositoryName) -> Vec<SbomFormat> {
        let mut formats = SbomFormat::ALL.to_vec();
        let is_theirs = self.repositories.iter().any(|of| of.matches(name));
        formats.retain(|format| is_theirs && self.formats.contains(format));
        formats
    }
}

/// How far this node is with the images that were scanned before the configuration asked for bills
/// of materials: it looks through all of them once.
#[derive(Default)]
pub(crate) struct Attaching(Mutex<Walk>);

#[derive(Clone, Default)]
enum Walk {
    #[default]
    Begin,
    After(RepositoryId, Digest),
    Done,
}

/// The format of a bill of materials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SbomFormat {
    /// CycloneDX 1.6 in JSON.
    CycloneDx,
    /// SPDX 2.3 in JSON.
    Spdx,
}

/// The text names no format.
#[derive(Debug, thiserror::Error)]
#[error("'{0}' is not the format of a bill of materials: 'cyclonedx' or 'spdx' is expected")]
pub struct InvalidSbomFormat(String);

impl SbomFormat {
    const ALL: [Self; 2] = [Self::CycloneDx, Self::Spdx];

    /// The type of the artifact and of its one layer.
    fn media_type(self) -> &'static str {
        match self {
            Self::CycloneDx => "application/vnd.cyclonedx+json",
            Self::Spdx => "application/spdx+json",
        }
    }

    /// The name of the file that tools make of the layer.
    fn file_name(self) -> &'static str {
        match self {
            Self::CycloneDx => "sbom.cdx.json",
            Self::Spdx => "sbom.spdx.json",
        }
    }

    fn report(self) -> ReportFormat {
        match self {
            Self::CycloneDx => ReportFormat::CycloneDx,
            Self::Spdx => ReportFormat::Spdx,
        }
    }
}

impl fmt::Display for SbomFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CycloneDx => "cyclonedx",
            Self::Spdx => "spdx",
        })
    }
}

impl FromStr for SbomFormat {
    type Err = InvalidSbomFormat;

    fn from_str(text: &str) -> std::result::Result<Self, InvalidSbomFormat> {
        let found = Self::ALL.into_iter().find(|of| of.to_string() == text);
        found.ok_or_else(|| InvalidSbomFormat(shown(text)))
    }
}

impl Registry {
    /// How the job of a scan ends: with the one that attaches what the configuration asks for.
    pub(super) async fn after_scan(
        &self,
        repository: &RepositoryId,
        image: &Digest,
        now: Timestamp,
    ) -> Result<JobEnd> {
        let attached = &self.0.attached_sboms;
        if attached.formats.is_empty() {
            return Ok(JobEnd::Done);
        }
        let found = self.store().repository_by_id(repository).await?;
        let gets_any = found.is_some_and(|found| !attached.of(&found.arn.name).is_empty());
        Ok(match gets_any {
            true => JobEnd::Then(Job::AttachSboms(repository.clone(), image.clone()), now),
            false => JobEnd::Done,
        })
    }

    /// One step through the images that were scanned, once for this node, so that those get their
    /// bills of materials that have not all; says whether there may be jobs now.
    pub(crate) async fn attach_missing(&self, now: Timestamp) -> Result<bool> {
        let (attached, walk) = (&self.0.attached_sboms, &self.0.attaching.0);
        let at = walk.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let after = match at {
            Walk::Done => return Ok(false),
            _ if attached.formats.is_empty() => return Ok(false),
            Walk::Begin => None,
            Walk::After(repository, image) => Some((repository, image)),
        };
        let mut images = self.store().scanned_images(after.as_ref(), STEP).await?;
        let next = match images.last() {
            Some(last) => Walk::After(last.repository.clone(), last.image.clone()),
            None => Walk::Done,
        };
        images.retain(|of| of.generated < attached.of(&of.name).len() as u64);
        self.store().enqueue_sboms(images, now).await?;
        let is_done = matches!(next, Walk::Done);
        *walk.lock().unwrap_or_else(PoisonError::into_inner) = next;
        Ok(!is_done)
    }

    /// The job: makes the bills of materials of the image its referrers, in place of those of before.
    pub(crate) async fn attach_sboms(
        &self,
        claimed: &ClaimedJob,
        repository: &RepositoryId,
        image: &Digest,
    ) -> Result<()> {
        let store = self.store();
        let reference = Reference::Digest(image.clone());
        let (repository, stored) = (
            store.repository_by_id(repository).await?,
            store.find_manifest(repository, &reference).await?,
        );
        let Some((repository, stored)) = repository.zip(stored) else {
            return Ok(store.close_job(claimed).await?);
        };
        let formats = self.0.attached_sboms.of(&repository.arn.name);
        let Some(manifest) = self.manifest_of(&repository.id, image).await? else {
            return Ok(store.close_job(claimed).await?);
        };
        let layers = match self.layers(&repository.id, &manifest).await? {
            Layers::Known(layers) => layers,
            Layers::Awaited(objects) => {
                let now = self.clock().now();
                let until = now.after(LAYER_WAIT);
                return Ok(store.await_layers(claimed, &objects, until, now).await?);
            }
            // The scan says so, and there is nothing to list.
            Layers::TooMany(_) => return Ok(store.close_job(claimed).await?),
        };
        let configuration = self.image_configuration(&repository.id, &manifest);
        let subject = Subject {
            // Tags move: the document must not change with them.
            name: Some(repository.arn.name.to_string()),
            digest: image.clone(),
            platform: None,
            created: configuration.await?.created,
        };
        let created = subject.created;
        let work = move |_| {
            let contents = judge::contents(&layers)?;
            if contents.packages.is_empty() && contents.os.is_none() {
                return Ok(Vec::new());
            }
            let made = formats.into_iter().map(|format| {
                let text = written(format.report(), &subject, &contents, None)?;
                Ok((format, text.into_bytes()))
            });
            made.collect::<Result<Vec<_>>>()
        };
        let made = on_a_thread(TIME_LIMIT, work).await;
        let made = made.map_err(|broken| Error::Unwritable(broken.to_string()))??;
        if !made.is_empty() {
            self.put_own_blob(&repository, EMPTY.1.to_vec()).await?;
        }
        let mut referrers = Vec::with_capacity(made.len());
        for (format, text) in made {
            let bytes = artifact(format, &text, &stored, created)?;
            let manifest = Manifest::parse(&bytes, None);
            self.put_own_blob(&repository, text).await?;
            let digest = Digest::sha256(&bytes);
            referrers.push(GeneratedReferrer {
                manifest: manifest.map_err(|e| Error::Unwritable(e.to_string()))?,
                change: self.own_change(&repository.arn, "ecr:PutImage", &digest)?,
                bytes,
            });
        }
        let attached = store.attach_generated(claimed, &repository, image, &referrers);
        Ok(attached.await?)
    }

    /// Has a blob of ours in a repository, kept until an image refers to it.
    async fn put_own_blob(&self, repository: &Repository, bytes: Vec<u8>) -> Result<()> {
        let (store, now) = (self.store(), self.clock().now());
        let (digest, keep_until) = (Digest::sha256(&bytes), now.after(LAYER_GRACE));
        if let Some(layer) = store.find_layer(&repository.id, &digest).await?
            && store.has_bytes(&layer).await?
            && store.keep_layer(&repository.id, &layer, keep_until).await?
        {
            return Ok(());
        }
        self.check_allowance(PRINCIPAL).await?;
        let started = store.start_upload(&repository.id, PRINCIPAL, UPLOADS_LIMIT, now);
        let started = started.await?;
        let id = started.map_err(|limit| Error::LimitExceeded(limit.to_string()))?;
        let writer = store.open_upload(&repository.id, &id, now).await?;
        let writer = writer.ok_or(Error::UploadNotFound)?;
        let mut allowance = self.allowance(PRINCIPAL).await?;
        let body = stream::iter([Ok(Bytes::from(bytes))]);
        let stall = self.0.uploads.stall;
        let (writer, whole) = write_body(writer, body, &mut allowance, stall).await?;
        if let Err(error) = whole {
            drop(writer);
            store.cancel_upload(&repository.id, &id).await?;
            return Err(error);
        }
        let change = self.own_change(&repository.arn, "ecr:CompleteLayerUpload", &digest)?;
        let finished = store.finish_upload(writer, &digest, keep_until, now, &change);
        let layer = finished.await?;
        layer.map_err(|mismatch| Error::Unwritable(mismatch.to_string()))?;
        Ok(())
    }
}

/// The manifest of the artifact that has `text` as its one layer and the image as its subject.
fn artifact(
    format: SbomFormat,
    text: &[u8],
    subject: &StoredManifest,
    created: Option<Timestamp>,
) -> Result<Vec<u8>> {
    let media_type = format.media_type();
    let mut manifest = json!({
        "schemaVersion": 2,
        "mediaType": MediaType::OCI_MANIFEST,
        "artifactType": media_type,
        "config": {
            "mediaType": EMPTY.0,
            "digest": Digest::sha256(EMPTY.1).as_str(),
            "size": EMPTY.1.len(),
        },
        "layers": [{
            "mediaType": media_type,
            "digest": Digest::sha256(text).as_str(),
            "size": text.len(),
            "annotations": { "org.opencontainers.image.title": format.file_name() },
        }],
        "subject": {
            "mediaType": subject.media_type,
            "digest": subject.digest.as_str(),
            "size": subject.bytes.len(),
        },
    });
    if let Some(created) = created {
        let created = created.to_string();
        manifest["annotations"] = json!({ "org.opencontainers.image.created": created });
    }
    serde_json::to_vec(&manifest).map_err(|e| Error::Unwritable(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_gets_each_format_once_that_is_asked_for_it() {
        let attached = |formats: &[SbomFormat], repositories: &[&str]| AttachedSboms {
            formats: formats.to_vec(),
            repositories: repositories.iter().map(|of| of.parse().unwrap()).collect(),
        };
        let name = "team/app".parse().unwrap();
        let (cyclonedx, spdx) = (SbomFormat::CycloneDx, SbomFormat::Spdx);
        for (attached, want) in [
            (attached(&[], &["*"]), vec![]),
            (attached(&[spdx], &[]), vec![]),
            (attached(&[spdx], &["ci/*"]), vec![]),
            (attached(&[spdx], &["ci/*", "team/*"]), vec![spdx]),
            (
                attached(&[spdx, cyclonedx, spdx], &["*"]),
                vec![cyclonedx, spdx],
            ),
        ] {
            assert_eq!(attached.of(&name), want, "{attached:?}");
        }
    }

    #[test]
    fn formats_are_written_as_they_are_read() {
        for format in SbomFormat::ALL {
            assert_eq!(format.to_string().parse::<SbomFormat>().unwrap(), format);
        }
        assert!("CycloneDX".parse::<SbomFormat>().is_err());
    }

    #[test]
    fn the_artifact_is_about_its_image_and_is_no_image() {
        let subject = StoredManifest {
            digest: Digest::sha256(b"image"),
            media_type: MediaType::OCI_MANIFEST.to_owned(),
            bytes: b"image".to_vec(),
            pushed_at: Timestamp::from_millis(0),
        };
        let bytes = artifact(SbomFormat::Spdx, b"text", &subject, None).unwrap();
        let manifest = Manifest::parse(&bytes, None).unwrap();
        assert_eq!(manifest.kind(), bonded_model::ManifestKind::Artifact);
        assert_eq!(manifest.subject.unwrap().digest, subject.digest);
        assert_eq!(manifest.blobs[1].digest, Digest::sha256(b"text"));
        let artifact_type = manifest.artifact_type.unwrap();
        assert_eq!(artifact_type.as_str(), "application/spdx+json");
    }
}
