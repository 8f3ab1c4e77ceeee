//! Every way a use case can fail.
//!
//! No status code and no wire name stands here: each front door has one exhaustive `match` that
//! gives a variant its form, so a new variant does not compile until every door has named it.
//!
//! ```compile_fail,E0004
//! fn wire_name(error: &bonded_registry::Error) -> &'static str {
//!     match error {
//!         bonded_registry::Error::Denied(_) => "AccessDeniedException",
//!     }
//! }
//! ```
//!
//! Texts in sentence case with a full stop or parentheses are AWS's to the letter, because
//! existing tools match them; ours are lower case and say what to do next.

mod refused;
mod text;

use std::fmt;

use bonded_model::{AccountId, Digest, RepositoryArn, Tag};
use bonded_store::{ObjectId, StoreError};

pub use refused::{Denied, Unauthenticated};
use text::{Joined, OrNull};

use crate::advisories::AdvisoriesRefused;

/// What a use case returns.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a request was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Who calls is not known, or no longer.
    #[error(transparent)]
    Unauthenticated(#[from] Unauthenticated),
    /// The operator does not let the account be reached from there.
    #[error(
        "the account '{account}' is not reached from '{client}'; the operator says from where, in the setting 'accounts_from'"
    )]
    OutOfReach {
        /// The account of the caller or of the resource.
        account: AccountId,
        /// Where the request came from.
        client: std::net::IpAddr,
    },
    /// Wrong credentials were tried too often; how many seconds to wait.
    #[error("too many wrong credentials came from this address; try again in {0} s")]
    TooManyAttempts(u64),
    /// The policies do not allow it.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// A parameter is malformed; the text is ECR's constraint text.
    #[error("{0}")]
    InvalidParameter(String),
    /// The name of a repository is malformed.
    #[error("{0}")]
    InvalidName(String),
    /// A digest is malformed or missing.
    #[error("{0}")]
    InvalidDigest(String),
    /// A tag of an image is malformed.
    #[error("{0}")]
    InvalidTag(String),
    /// No byte of the blob, which has this many, is in the range that was asked for.
    #[error("the range is not within the {0} bytes of the blob")]
    RangeNotSatisfiable(u64),
    /// A tag on a repository is malformed.
    #[error("{0}")]
    InvalidTagParameter(String),
    /// More than 50 tags on a repository.
    #[error("a repository can have at most {} tags", bonded_model::TAGS_LIMIT)]
    TooManyTags,
    /// The repository does not exist, and the caller may know.
    #[error("The repository with name '{}' does not exist in the registry with id '{}'", .0.name, .0.account)]
    RepositoryNotFound(RepositoryArn),
    /// The name is taken.
    #[error("The repository with name '{}' already exists in the registry with id '{}'", .0.name, .0.account)]
    RepositoryAlreadyExists(RepositoryArn),
    /// It holds images and `force` was not given.
    #[error("The repository with name '{}' in registry with id '{}' cannot be deleted because it still contains images", .0.name, .0.account)]
    RepositoryNotEmpty(RepositoryArn),
    /// It has no policy.
    #[error("Repository policy does not exist for the repository with name '{}' in the registry with id '{}'", .0.name, .0.account)]
    RepositoryPolicyNotFound(RepositoryArn),
    /// No image of the repository has this tag or digest.
    #[error("Requested image not found")]
    ImageNotFound,
    /// The repository has no image with this tag and digest, of which one may be absent.
    #[error("The image with imageId {{imageDigest:'{}', imageTag:'{}'}} does not exist within the repository with name '{}' in the registry with id '{}'", OrNull(.digest.as_ref()), OrNull(.tag.as_ref()), .repository.name, .repository.account)]
    ImageIdNotFound {
        /// The digest in the request.
        digest: Option<String>,
        /// The tag in the request.
        tag: Option<String>,
        /// Where it was looked for.
        repository: Box<RepositoryArn>,
    },
    /// The image was never scanned.
    #[error("Image scan does not exist for the image with '{{imageDigest:'{}', imageTag:'{}'}}' in the repository with name '{}' in the registry with id '{}'", OrNull(.digest.as_ref()), OrNull(.tag.as_ref()), .repository.name, .repository.account)]
    ScanNotFound {
        /// The digest in the request.
        digest: Option<String>,
        /// The tag in the request.
        tag: Option<String>,
        /// Where it was looked for.
        repository: Box<RepositoryArn>,
    },
    /// What is to be scanned is no image.
    #[error("The image with digest '{digest}' is of a type that cannot be scanned: {reason}")]
    UnsupportedImageType {
        /// The digest of its manifest.
        digest: Digest,
        /// What it is.
        reason: &'static str,
    },
    /// The push would change nothing: the image is there, under this tag if one was given.
    #[error("Image with digest '{digest}' and tag '{}' already exists in the repository with name '{}' in registry with id '{}'", OrNull(.tag.as_ref()), .repository.name, .repository.account)]
    ImageAlreadyExists {
        /// The image.
        digest: Digest,
        /// The tag in the request.
        tag: Option<Tag>,
        /// Where it stands.
        repository: Box<RepositoryArn>,
    },
    /// The manifest is not one.
    #[error("{0}")]
    InvalidManifest(String),
    /// The digest in the request is not that of the manifest.
    #[error("the digest '{stated}' was stated, but the manifest has the digest '{calculated}'")]
    ManifestDigestMismatch {
        /// The digest in the request.
        stated: Digest,
        /// The digest of the bytes.
        calculated: Digest,
    },
    /// The manifest points to blobs that this repository lacks.
    #[error("Layers with digests '[{}]' required for pushing image into repository with name '{}' in the registry with id '{}' do not exist", Joined(.1), .0.name, .0.account)]
    LayersNotFound(RepositoryArn, Vec<Digest>),
    /// The index points to manifests that this repository lacks.
    #[error("Images with digests '[{}]' required for pushing image into repository with name '{}' in the registry with id '{}' do not exist", Joined(.1), .0.name, .0.account)]
    ReferencedImagesNotFound(RepositoryArn, Vec<Digest>),
    /// The tag names another image and may not move.
    #[error("The image tag '{tag}' already exists in the '{}' repository and cannot be overwritten because the tag is immutable.", .repository.name)]
    ImageTagAlreadyExists {
        /// The tag.
        tag: Tag,
        /// The image that it names.
        existing: Digest,
        /// Where it stands.
        repository: Box<RepositoryArn>,
    },
    /// No blob with this digest is linked to the repository.
    #[error("blob '{0}' is not in this repository")]
    BlobNotFound(Digest),
    /// These indexes of the repository refer to the image, which stays as long as they do.
    #[error("Requested image referenced by manifest list: [{}]", Joined(.0))]
    ImageReferencedByManifestList(Vec<Digest>),
    /// An image of the repository refers to the blob, which stays as long as that does.
    #[error("an image of this repository refers to the blob '{0}'; delete the image first")]
    BlobReferenced(Digest),
    /// No unfinished upload of the repository has this id.
    #[error("the upload is not known to this repository; begin a new one")]
    UploadNotFound,
    /// Another request writes to the upload now.
    #[error(
        "another request is writing to this upload; wait for it to end and ask for the upload's offset"
    )]
    UploadBusy,
    /// The bytes have another digest than the request states.
    #[error(
        "the digest '{stated}' was stated, but the uploaded bytes have the digest '{calculated}'"
    )]
    BlobDigestMismatch {
        /// The digest in the request.
        stated: Digest,
        /// The digest of the bytes.
        calculated: Digest,
    },
    /// The chunk does not begin where the upload ends.
    #[error("the upload has {offset} bytes; the next chunk must begin at byte {offset}")]
    UploadOffset {
        /// How many bytes the upload has.
        offset: u64,
    },
    /// ECR's API: a part that does not begin where the upload ends, or has not the length that the
    /// request states.
    #[error("{reason}")]
    InvalidLayerPart {
        /// The repository of the upload.
        repository: Box<RepositoryArn>,
        /// The upload's id.
        upload: String,
        /// How many bytes the upload has: one more than the index of its last byte.
        offset: u64,
        /// What is wrong with the part.
        reason: String,
    },
    /// ECR's API: nothing was uploaded.
    #[error("The upload with id '{upload}' in the repository with name '{}' in registry with id '{}' cannot be completed because it does not have any parts", .repository.name, .repository.account)]
    EmptyUpload {
        /// The repository of the upload.
        repository: RepositoryArn,
        /// The upload's id.
        upload: String,
    },
    /// ECR's API: a part that is not the last has less than 5 MiB.
    #[error("The upload with id '{upload}' in the repository with name '{}' in registry with id '{}' has a layer part of less than 5242880 bytes that is not the last", .repository.name, .repository.account)]
    LayerPartTooSmall {
        /// The repository of the upload.
        repository: RepositoryArn,
        /// The upload's id.
        upload: String,
    },
    /// ECR's API: the uploaded bytes have none of the digests in the request.
    #[error("None of the provided layer digests match the calculated layer digest")]
    InvalidLayer,
    /// ECR's API: the repository has the layer already.
    #[error("The layer with digest '{digest}' already exists in the repository with name '{}' in registry with id '{}'", .repository.name, .repository.account)]
    LayerAlreadyExists {
        /// The layer.
        digest: Digest,
        /// Where it is.
        repository: RepositoryArn,
    },
    /// ECR's API: no image of the repository refers to the layer.
    #[error("The layer with digest '{digest}' in the repository with name '{}' in registry with id '{}' is not referenced by an image; push the image first", .repository.name, .repository.account)]
    LayerInaccessible {
        /// The layer.
        digest: Digest,
        /// Where it is.
        repository: RepositoryArn,
    },
    /// The client ended the request before its body was complete.
    #[error("the request's body ended early: {0}")]
    BodyIncomplete(String),
    /// IAM: the user, role, key or policy does not exist.
    #[error("{0}")]
    NoSuchEntity(String),
    /// IAM: the name is taken.
    #[error("{0}")]
    EntityAlreadyExists(String),
    /// IAM: what is to be deleted is still in use.
    #[error("{0}")]
    DeleteConflict(String),
    /// IAM: the role belongs to a service, which alone may change it.
    #[error("{0}")]
    UnmodifiableEntity(String),
    /// IAM: the policy is kept for the roles of services.
    #[error("{0}")]
    PolicyNotAttachable(String),
    /// IAM: the request cannot be carried out as things are.
    #[error("{0}")]
    InvalidInput(String),
    /// IAM: the service has no credentials of its own.
    #[error("{0}")]
    ServiceNotSupported(String),
    /// IAM: a quota is reached.
    #[error("{0}")]
    LimitExceeded(String),
    /// IAM and STS: the policy document cannot be saved; the text is AWS's.
    #[error("{0}")]
    MalformedPolicyDocument(String),
    /// IAM and STS: a parameter is malformed. ECR: what is asked for does not fit together.
    #[error("{0}")]
    Validation(String),
    /// STS: parameters that contradict one another.
    #[error("{0}")]
    InvalidParameterValue(String),
    /// STS: the token of an identity provider proves nothing.
    #[error("{0}")]
    InvalidIdentityToken(String),
    /// STS: the token of an identity provider has ended. Times are seconds since 1970.
    #[error(
        "Token expired: current date/time {now} must be before the expiration date/time {expires}"
    )]
    IdentityTokenExpired {
        /// Our time.
        now: i64,
        /// The end of the token.
        expires: i64,
    },
    /// STS: the identity provider's keys cannot be had. Why is for the log: who asks need not have
    /// an account here.
    #[error(
        "the identity provider could not be asked for the keys that its tokens are verified by; try again, or see the log of the server"
    )]
    IdentityProviderUnreachable,
    /// The operator asked for an account that exists.
    #[error("the account '{0}' exists already")]
    AccountAlreadyExists(AccountId),
    /// The operator's file of advisories is not loaded.
    #[error(transparent)]
    AdvisoriesRefused(#[from] AdvisoriesRefused),
    /// The decision asked about is not on record here.
    #[error("no decision with the id '{0}' is on record on this node")]
    DecisionNotFound(String),
    /// The request names no operation that is served.
    #[error("{0}")]
    UnknownOperation(String),
    /// The body is longer than the door reads, which is this many bytes.
    #[error("the request's body is longer than {0} bytes")]
    BodyTooLarge(usize),
    /// The host name has the form of a registry's that is not here.
    #[error("'{0}' is not the host name of a registry that is served here")]
    RegistryNotAddressed(String),
    /// The answer could not be written in its protocol.
    #[error("internal error")]
    Unwritable(String),
    /// The bytes of an object could not be read.
    #[error("internal error")]
    Unreadable(ObjectId, #[source] std::io::Error),
    /// The system's random source failed.
    #[error("internal error")]
    Random,
    /// Rows or blobs could not be read or written; the cause is for the log only.
    #[error("{}", crate::outage::told(.0))]
    Store(#[from] StoreError),
}

impl Error {
    /// The name of the variant, for the log.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Unwritable(_) => "unwritable answer",
            Self::Unreadable(..) => "unreadable object",
            Self::Random => "random source",
            Self::Store(_) => "store",
            _ => "refusal",
        }
    }

    /// What happened with all that caused it: for the log, not for callers.
    pub(crate) fn in_full(&self) -> String {
        match self {
            Self::Store(error) => error.to_string(),
            Self::Unwritable(what) => what.clone(),
            Self::Unreadable(object, error) => {
                format!("cannot read the object '{object}': {error}")
            }
            other => other.to_string(),
        }
    }

    /// ECR's text for a parameter: where it stands and what was expected of it.
    pub fn parameter(at: &str, expected: impl fmt::Display) -> Self {
        Self::InvalidParameter(format!(
            "Invalid parameter at '{at}' failed to satisfy constraint: '{expected}'"
        ))
    }

    /// Whether the fault is ours: logged with its cause, shown without.
    #[must_use]
    pub const fn is_internal(&self) -> bool {
        matches!(
            self,
            Self::Unwritable(_) | Self::Unreadable(..) | Self::Random | Self::Store(_)
        )
    }
}
