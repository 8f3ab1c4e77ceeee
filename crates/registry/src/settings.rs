//! What a registry is opened with, and what opening it comes to.

use std::sync::Arc;
use std::time::Duration;

use bonded_model::{AccountId, Region, RepositoryPattern};
use bonded_store::StoreSettings;

use crate::Registry;
use crate::account::FirstAdministrator;
use crate::attached::AttachedLists;
use crate::fetch::Fetch;
use crate::image_keys::Unrated;
use crate::image_scan::AttachedSboms;
use crate::upload_limit::UploadLimits;

/// What a registry is opened with.
pub struct Settings {
    /// Where rows, blobs and keys are.
    pub store: StoreSettings,
    /// The default account, made with an administrator if no account exists.
    pub account: AccountId,
    /// The regions that are served, the default first.
    pub regions: Vec<Region>,
    /// The domain under which registries have host names of their own,
    /// `ACCOUNT.dkr.ecr.REGION.DOMAIN`.
    pub domain: Option<String>,
    /// The repositories that a push makes if they are missing and the pusher may make them.
    pub create_on_push: Vec<RepositoryPattern>,
    /// The repositories that take manifests although what those refer to is missing.
    pub sparse_manifests: Vec<RepositoryPattern>,
    /// The repositories whose images others are built upon.
    pub base_images: Vec<RepositoryPattern>,
    /// The bills of materials that are attached to images, and to which.
    pub attached_sboms: AttachedSboms,
    /// Whose lists of packages add to what is found in images.
    pub attached_lists: AttachedLists,
    /// What findings without a severity count as in conditions.
    pub unrated: Unrated,
    /// How long a pull waits for a scan whose outcome would decide.
    pub pull_wait: Duration,
    /// What uploads are held to.
    pub uploads: UploadLimits,
    /// What reads documents of other machines.
    pub fetch: Arc<dyn Fetch>,
}

/// A registry that is open, and what opening it did.
pub struct Opened {
    /// The registry.
    pub registry: Registry,
    /// The administrator, if this start made the first account.
    pub administrator: Option<FirstAdministrator>,
    /// Whether this start made the key ring.
    pub keyring_created: bool,
    /// The migrations this start applied.
    pub migrations: Vec<String>,
}
