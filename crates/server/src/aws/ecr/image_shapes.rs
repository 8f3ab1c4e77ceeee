//! How ECR's operations name images, and say that one of several was not found.

use bonded_model::{Digest, RepositoryArn};
use bonded_registry::target::{ImageId, ImagesIn};
use bonded_registry::{
    DeleteImageRefused, Error, ImageFailure, ImageKey, Result, StoredManifest, TagStatus,
};
use serde::{Deserialize, Serialize};

/// The most images that one request names.
const IMAGES_LIMIT: usize = 100;

/// ECR's pattern of a digest, of which ours are a part.
pub(super) const DIGEST_PATTERN: &str = "[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+";

/// `ImageIdentifier`: a request's, unchecked, and an answer's.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ImageIdentifier {
    #[serde(skip_serializing_if = "Option::is_none")]
    image_digest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_tag: Option<String>,
}

impl ImageIdentifier {
    /// The image it names, or why it cannot name one.
    pub(super) fn parse(&self) -> std::result::Result<ImageId, Failure> {
        let tag = self.image_tag.as_deref().map(str::parse).transpose();
        let tag = tag.map_err(|_| Failure::InvalidTag)?;
        let digest = self.image_digest.as_deref().map(digest).transpose()?;
        match (digest, tag) {
            (Some(digest), None) => Ok(ImageId::Digest(digest)),
            (None, Some(tag)) => Ok(ImageId::Tag(tag)),
            (Some(digest), Some(tag)) => Ok(ImageId::Both(digest, tag)),
            (None, None) => Err(Failure::Missing),
        }
    }

    /// The error of an operation that fails as a whole if one image is not there.
    pub(super) fn not_found(&self, repository: &RepositoryArn) -> Error {
        Error::ImageIdNotFound {
            digest: self.image_digest.clone(),
            tag: self.image_tag.clone(),
            repository: Box::new(repository.clone()),
        }
    }

    /// A tag alone, or nothing yet.
    pub(super) const fn of_tag(image_tag: Option<String>) -> Self {
        Self {
            image_digest: None,
            image_tag,
        }
    }

    /// The same with the digest of the image that was found.
    pub(super) fn resolved(&self, digest: &Digest) -> Self {
        Self {
            image_digest: Some(digest.to_string()),
            image_tag: self.image_tag.clone(),
        }
    }
}

impl From<ImageKey> for ImageIdentifier {
    fn from(key: ImageKey) -> Self {
        Self {
            image_digest: Some(key.digest.to_string()),
            image_tag: key.tag.map(String::from),
        }
    }
}

fn digest(text: &str) -> std::result::Result<Digest, Failure> {
    if is_digest(text) {
        // Of an algorithm or a length that no image here has.
        text.parse().map_err(|_| Failure::NotFound)
    } else {
        Err(Failure::InvalidDigest)
    }
}

/// Whether `text` satisfies [`DIGEST_PATTERN`].
pub(super) fn is_digest(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || "-_+.".contains(c);
    text.split_once(':').is_some_and(|(algorithm, hex)| {
        !algorithm.is_empty()
            && algorithm.chars().all(word)
            && !hex.is_empty()
            && hex.chars().all(|c| c.is_ascii_hexdigit())
    })
}

/// `ImageFailureCode`, as far as it can come to that here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    InvalidDigest,
    InvalidTag,
    Missing,
    NotFound,
    TagDoesNotMatchDigest,
    ReferencedByManifestList(Vec<Digest>),
}

impl From<ImageFailure> for Failure {
    fn from(failure: ImageFailure) -> Self {
        match failure {
            ImageFailure::NotFound => Self::NotFound,
            ImageFailure::TagDoesNotMatchDigest => Self::TagDoesNotMatchDigest,
        }
    }
}

impl From<DeleteImageRefused> for Failure {
    fn from(refused: DeleteImageRefused) -> Self {
        match refused {
            DeleteImageRefused::NotFound => Self::NotFound,
            DeleteImageRefused::TagDoesNotMatchDigest => Self::TagDoesNotMatchDigest,
            DeleteImageRefused::ReferencedBy(indexes) => Self::ReferencedByManifestList(indexes),
        }
    }
}

impl Failure {
    /// Whether what it is about could have been there.
    pub(super) fn is_not_found(&self) -> bool {
        *self == Self::NotFound
    }

    const fn code(&self) -> &'static str {
        match self {
            Self::InvalidDigest => "InvalidImageDigest",
            Self::InvalidTag => "InvalidImageTag",
            Self::Missing => "MissingDigestAndTag",
            Self::NotFound => "ImageNotFound",
            Self::TagDoesNotMatchDigest => "ImageTagDoesNotMatchDigest",
            Self::ReferencedByManifestList(_) => "ImageReferencedByManifestList",
        }
    }

    pub(super) fn reason(&self) -> String {
        let text = match self {
            Self::InvalidDigest => {
                return format!(
                    "Invalid request parameters: image digest should satisfy the regex '{DIGEST_PATTERN}'"
                );
            }
            Self::ReferencedByManifestList(indexes) => {
                return Error::ImageReferencedByManifestList(indexes.clone()).to_string();
            }
            Self::InvalidTag => {
                "Invalid request parameters: image tag should satisfy the regex '[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}'"
            }
            Self::Missing => "Invalid request parameters: both tag and digest cannot be null",
            Self::NotFound => "Requested image not found",
            Self::TagDoesNotMatchDigest => "Requested image tag does not match the digest",
        };
        text.to_owned()
    }
}

/// `ImageFailure`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FailureShape {
    image_id: ImageIdentifier,
    failure_code: &'static str,
    failure_reason: String,
}

impl FailureShape {
    pub(super) fn new(image_id: ImageIdentifier, failure: &Failure) -> Self {
        Self {
            image_id,
            failure_code: failure.code(),
            failure_reason: failure.reason(),
        }
    }
}

/// The images that a request names, of which those that can be looked up are the target.
pub(super) fn target(repository: RepositoryArn, image_ids: &[ImageIdentifier]) -> Result<ImagesIn> {
    if image_ids.is_empty() {
        return Err(Error::parameter(
            "imageIds",
            "Member must have length greater than or equal to 1",
        ));
    }
    if image_ids.len() > IMAGES_LIMIT {
        return Err(Error::parameter(
            "imageIds",
            format!("Member must have length less than or equal to {IMAGES_LIMIT}"),
        ));
    }
    let ids = image_ids.iter().filter_map(|id| id.parse().ok()).collect();
    Ok(ImagesIn { repository, ids })
}

/// Each image that a request names with its answer. `looked_up` are those of the target's ids, in
/// their order.
pub(super) fn zip<T>(
    image_ids: Vec<ImageIdentifier>,
    mut looked_up: impl Iterator<Item = std::result::Result<T, Failure>>,
) -> impl Iterator<Item = (ImageIdentifier, std::result::Result<T, Failure>)> {
    image_ids.into_iter().map(move |id| {
        let answer = match id.parse() {
            Err(failure) => Err(failure),
            Ok(_) => looked_up.next().unwrap_or(Err(Failure::NotFound)),
        };
        (id, answer)
    })
}

/// `Image`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ImageShape {
    registry_id: String,
    repository_name: String,
    image_id: ImageIdentifier,
    image_manifest: String,
    image_manifest_media_type: String,
}

impl ImageShape {
    pub(super) fn new(
        repository: &RepositoryArn,
        asked: &ImageIdentifier,
        manifest: StoredManifest,
    ) -> Result<Self> {
        let text = String::from_utf8(manifest.bytes);
        Ok(Self {
            registry_id: repository.account.to_string(),
            repository_name: repository.name.to_string(),
            image_id: asked.resolved(&manifest.digest),
            image_manifest: text.map_err(|e| Error::Unwritable(e.to_string()))?,
            image_manifest_media_type: manifest.media_type,
        })
    }
}

/// `ListImagesFilter` and `DescribeImagesFilter`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ImageFilter {
    tag_status: Option<String>,
    image_status: Option<String>,
}

impl ImageFilter {
    /// Which images are shown; `None` for none: every image here is active.
    pub(super) fn status(&self) -> Result<Option<TagStatus>> {
        let status = match self.tag_status.as_deref() {
            None | Some("ANY") => TagStatus::Any,
            Some("TAGGED") => TagStatus::Tagged,
            Some("UNTAGGED") => TagStatus::Untagged,
            Some(_) => {
                return Err(Error::parameter(
                    "filter.tagStatus",
                    "Member must satisfy enum value set: [TAGGED, UNTAGGED, ANY]",
                ));
            }
        };
        match self.image_status.as_deref() {
            None | Some("ACTIVE" | "ANY") => Ok(Some(status)),
            Some("ARCHIVED" | "ACTIVATING") => Ok(None),
            Some(_) => Err(Error::parameter(
                "filter.imageStatus",
                "Member must satisfy enum value set: [ACTIVE, ARCHIVED, ACTIVATING, ANY]",
            )),
        }
    }
}
