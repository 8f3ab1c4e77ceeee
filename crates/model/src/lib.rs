//! The nouns of the registry, valid by construction.
//!
//! A value of a type of this crate is always well formed: untrusted text becomes one of these
//! types at the edge (`parse`, `FromStr`, serde) or is refused there with an error that names the
//! value. Nothing here does I/O, reads a clock or draws a random number.

mod account;
mod arn;
mod digest;
pub mod json;
mod manifest;
mod media_type;
mod policy_arn;
mod reference;
mod repository_name;
mod repository_pattern;
mod resource_tag;
mod scanning;
mod secret;
mod severity;
mod shown;
mod tag_mutability;
mod timestamp;

pub use account::{AccountId, InvalidAccountId, InvalidRegion, Region};
pub use arn::{InvalidArn, RepositoryArn};
pub use digest::{Algorithm, Digest, InvalidDigest};
pub use manifest::{Descriptor, InvalidManifest, MANIFEST_LIMIT, Manifest, ManifestKind};
pub use media_type::{InvalidMediaType, MediaType};
pub use policy_arn::{InvalidPolicyArn, PolicyArn};
pub use reference::{InvalidReference, InvalidTag, Reference, Tag};
pub use repository_name::{InvalidRepositoryName, RepositoryName};
pub use repository_pattern::{InvalidRepositoryPattern, RepositoryPattern};
pub use resource_tag::{InvalidResourceTag, ResourceTag, ResourceTags, TAGS_LIMIT};
pub use scanning::{
    InvalidScanStatus, RegistryScanning, ScanFrequency, ScanStatus, ScanType, ScanningFilter,
    ScanningFilterType, ScanningRule,
};
pub use secret::Secret;
pub use severity::{InvalidSeverity, Severity};
pub use shown::shown;
pub use tag_mutability::{InvalidTagMutability, TagMutability};
pub use timestamp::Timestamp;
