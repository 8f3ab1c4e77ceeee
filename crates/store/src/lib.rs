//! What the registry keeps: rows in SQLite or PostgreSQL, bytes as encrypted objects on disk or in a
//! bucket.
//!
//! [`Store`] is the whole of it. Each noun has a file with the transactions it takes part in, under
//! business names; nothing outside this crate sees SQL, a path, a key or a ciphertext.
//!
//! ```text
//! repository image layer upload user role access_key session …      business transactions
//!            meta                     blobs                keys      rows · bytes · ciphers
//!    sqlite | postgres           disk | bucket           ring file
//! ```
//!
//! Time comes in as an argument, randomness from one place ([`Store::open`] needs neither clock nor
//! environment).

mod access_key;
mod account;
mod advance;
mod advisory_file;
mod advisory_update;
mod allowed_vulnerability;
mod attached_document;
mod attached_policy;
mod audit;
mod backup;
mod base_image;
mod blobs;
mod caller_policies;
mod change;
mod collect;
mod credential;
mod error;
mod group;
mod identity_tags;
mod image;
mod image_delete;
mod image_facts;
mod image_generated;
mod image_list;
mod image_put;
mod image_referrers;
mod image_rematch;
mod image_scan;
mod image_scan_queue;
mod in_use;
mod instance_profile;
mod job;
mod keys;
mod layer;
mod layer_collect;
mod layer_delete;
mod layer_inventory;
mod layer_part;
mod layer_read;
mod managed_policy;
mod managed_policy_version;
mod meta;
mod object_collect;
mod oidc_provider;
mod page;
mod policy;
mod random;
mod registry_scanning;
mod repository;
mod repository_delete;
mod repository_settings;
mod role;
mod room;
mod scan_event;
mod scan_generation;
mod service_control_policy;
mod service_token;
mod session;
mod statistics;
mod stray_collect;
mod thread;
mod upload;
mod upload_collect;
mod upload_finish;
mod upload_lease;
mod upload_open;
mod upload_quota;
mod user;

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bonded_model::{Secret, Timestamp};

pub use access_key::{AccessKey, LastUsed};
pub use account::{Account, IdentityCounts, NewAdministrator};
pub use advance::{Advance, Unit, Watched, Watcher};
pub use advisory_file::AdvisoryCopy;
pub use advisory_update::{AdvisoryUpdate, ClaimedUpdate, UpdateEnd};
pub use allowed_vulnerability::AllowedVulnerability;
pub use attached_document::{AttachedDocument, DOCUMENTS_LIMIT, NewDocument};
pub use attached_policy::{Bounded, PolicyEntity};
pub use audit::{AuditLog, LINE_LIMIT};
pub use backup::{Backup, Verified};
pub use blobs::{BucketSettings, InvalidObjectId, ObjectId, ObjectStream, Objects};
pub use caller_policies::{CallerPolicies, IdentityPolicy};
pub use change::Change;
pub use collect::{Amount, Mode, Progress, Step, Walk};
pub use credential::{Credential, Holder, TokenKey};
pub use error::{LimitExceeded, Result, StoreError};
pub use group::Group;
pub use identity_tags::Tagged;
pub use image::StoredManifest;
pub use image_delete::{DeleteImageRefused, DeletedImage, ImageToDelete};
pub use image_facts::{ImageFacts, JudgedScan, ScanCounts, ScanState, UnknownScan};
pub use image_generated::{GeneratedReferrer, ScannedImage};
pub use image_list::{ImageDetail, ImageKey, ImagePage, TagStatus};
pub use image_put::{MovedTag, PutImage, PutImageOutcome, PutImageRefused, TAGS_LIMIT};
pub use image_referrers::{Referrer, ReferrersPage};
pub use image_rematch::{OlderResult, OlderResults};
pub use image_scan::{ImageScan, JudgedBy, ScanResult, SeverityCounts, StartScan};
pub use in_use::InUse;
pub use instance_profile::InstanceProfile;
pub use job::{ATTEMPTS, ClaimedJob, FailedJob, Job, JobEnd, Priority};
pub use keys::{KeyRing, RootKey, export_key_ring, key_ring_ids};
pub use layer::Layer;
pub use layer_delete::DeleteLayer;
pub use layer_inventory::LayerToScan;
pub use layer_part::LayerParts;
pub use managed_policy::{ManagedPolicy, PolicyFilter, Usage};
pub use managed_policy_version::{DeleteVersion, ManagedPolicyVersion};
pub use oidc_provider::OidcProvider;
pub use policy::{NamedPolicy, PoliciesTooLong, PolicyVersion};
pub use repository::{DeleteRepository, NewRepository, Repository, RepositoryId};
pub use repository_settings::{TagUpdate, TooManyTags};
pub use role::Role;
pub use scan_event::ScanEvent;
pub use scan_generation::ScanGeneration;
pub use service_control_policy::FULL_ACCESS;
pub use service_token::{FoundToken, ServiceToken, TokenBounds};
pub use session::{Session, SessionKind};
pub use statistics::Statistics;
pub use stray_collect::StrayStep;
pub use upload::{InvalidUploadId, TooManyUploads, Upload, UploadId, UploadWriter};
pub use upload_finish::DigestMismatch;
pub use user::User;

/// Where things are kept.
#[derive(Clone)]
pub struct StoreSettings {
    /// The data directory; created, for its owner alone, if it does not exist.
    pub data: PathBuf,
    /// Which database.
    pub database: Database,
    /// Where the objects are.
    pub objects: Objects,
    /// The key ring file, not under `data`.
    pub keyring: PathBuf,
}

/// Which database holds the rows.
#[derive(Clone)]
pub enum Database {
    /// SQLite, in `bonded.db` in the data directory.
    Sqlite,
    /// PostgreSQL, by its URL, which may hold a password.
    Postgres(Secret),
}

/// Rows, bytes, keys and the audit log. Clones share them.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    /// The data directory.
    data: PathBuf,
    meta: meta::Meta,
    blobs: blobs::Blobs,
    keys: keys::Keys,
    audit: AuditLog,
    /// Told when there may be jobs to do.
    jobs: tokio::sync::Notify,
    /// Names this run of the process: it stands in the leases and states of uploads.
    run: String,
    writers: upload_lease::Writers,
    /// Held by who deletes bytes, and alone by a backup, which copies them.
    bytes_stay: tokio::sync::RwLock<()>,
}

/// A store that was just opened, and what opening it did.
pub struct Opened {
    /// The store.
    pub store: Store,
    /// Whether the key ring was made just now: its loss is the loss of all data.
    pub keyring_created: bool,
    /// The schema steps that were applied just now, in order.
    pub migrations: Vec<String>,
}

impl Store {
    /// Opens the store, creating what does not exist, migrating the schema and checking that the
    /// key ring opens what is sealed. Several processes may do this at once.
    ///
    /// # Errors
    /// [`StoreError::Schema`] for a database this version cannot use, [`StoreError::KeyRing`] for a
    /// ring that is missing, unsafe or not the right one; the others as their texts say.
    pub async fn open(settings: &StoreSettings, now: Timestamp) -> Result<Opened> {
        let data = &settings.data;
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(data)
            .map_err(StoreError::io(format!(
                "cannot create the data directory '{}'",
                data.display()
            )))?;
        keys::check_place(&settings.keyring, data)?;
        let meta = match &settings.database {
            Database::Sqlite => meta::Meta::open_sqlite(&data.join("bonded.db"))?,
            Database::Postgres(url) => meta::Meta::open_postgres(url).await?,
        };
        let blobs = blobs::Blobs::open(&settings.objects, data).await?;
        let migrations = meta.migrate(now).await?;
        let (keys, keyring_created) = keys::Keys::load(&meta, &settings.keyring, now).await?;
        let inner = Inner {
            data: data.clone(),
            meta,
            blobs,
            keys,
            audit: AuditLog::open(&data.join("audit"))?,
            jobs: tokio::sync::Notify::new(),
            run: random::uuid()?,
            writers: upload_lease::Writers::default(),
            bytes_stay: tokio::sync::RwLock::new(()),
        };
        let store = Self(Arc::new(inner));
        if matches!(settings.database, Database::Sqlite) {
            store.end_leases().await?;
            store.end_job_leases(now).await?;
            store.end_update_lease(now).await?;
        }
        Ok(Opened {
            store,
            keyring_created,
            migrations,
        })
    }

    /// Writes out what is queued and stops. Later writes fail.
    pub async fn close(&self) {
        self.0.audit.close().await;
        self.0.meta.close().await;
    }

    /// The log of decisions that changed nothing.
    #[must_use]
    pub fn audit(&self) -> &AuditLog {
        &self.0.audit
    }

    pub(crate) fn data(&self) -> &Path {
        &self.0.data
    }

    pub(crate) fn meta(&self) -> &meta::Meta {
        &self.0.meta
    }

    pub(crate) fn blobs(&self) -> &blobs::Blobs {
        &self.0.blobs
    }

    pub(crate) fn keys(&self) -> &keys::Keys {
        &self.0.keys
    }

    pub(crate) fn jobs(&self) -> &tokio::sync::Notify {
        &self.0.jobs
    }

    pub(crate) fn run(&self) -> &str {
        &self.0.run
    }

    pub(crate) fn bytes_stay(&self) -> &tokio::sync::RwLock<()> {
        &self.0.bytes_stay
    }

    pub(crate) fn writers(&self) -> &upload_lease::Writers {
        &self.0.writers
    }
}
