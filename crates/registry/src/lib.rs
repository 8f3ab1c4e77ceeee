//! The rules of the registry: every use case, and the authorization they all go through.
//!
//! A front door authenticates a request to a [`Caller`], says what it needs as [`Checks`] on a
//! [`target`], and gets an [`Allowed`] from [`Registry::authorize`]; the use cases take that proof
//! and act on what is inside it. [`Error`] is every way they fail, without any wire form.
//!
//! | file | subject |
//! |---|---|
//! | `access` | [`Action`], [`Checks`], [`Allowed`]: the one place that decides |
//! | `judge`, `denial` | how it decides, and what a denial says |
//! | `target` | what a check is made on, and what is looked up for it |
//! | `image_keys`, `pulled_lately`, `scan_wait` | conditions on images and their scans |
//! | `authenticate`, `token`, `caller` | from a credential to a caller |
//! | `signed_text`, `page_token`, `layer_ticket` | texts that we hand out and must know again |
//! | `context` | the condition keys of a request |
//! | `compiled` | policies ready to be evaluated, by version and epoch |
//! | `audit`, `explain` | the record of a decision, and why it was made |
//! | `repository`, `image`, `image_delete`, `push`, `upload_body`, `upload_limit`, `mount`, `pull`, `referrers`, `layer_part` | ECR's nouns |
//! | `create_on_push` | repositories that a push makes |
//! | `jobs`, `worker_thread` | work that a change made necessary |
//! | `layer_index`, `image_scan`, `advisories`, `rematch` | from a layer to the findings of an image |
//! | `advisory_update` | renewing the advisories from where they come from, on one node at a time |
//! | `allowed_vulnerability` | what a registry accepts for a while |
//! | `attached` | what documents about an image may say of it, and whose count |
//! | `scan_findings`, `base_image`, `scan_events`, `scanning_configuration` | scanning as ECR has it |
//! | `user`, `access_key`, `group`, `role`, `service_linked_role` | IAM's principals |
//! | `inline_policy`, `managed_policy`, `attached_policy`, `policy_holder` | their policies |
//! | `saved_principals` | whom resource and trust policies name |
//! | `simulation`, `access_question` | what policies would decide: those of a question, those that are there |
//! | `identity_tags`, `instance_profile`, `oidc_provider`, `quota`, `delete_conflict` | the rest of IAM |
//! | `session`, `user_session` | STS |
//! | `web_identity`, `issuer_keys`, `fetch` | callers by the token of an identity provider |
//! | `reconcile`, `collect` | what is put right from time to time; what goes |
//! | `account_details` | all that has policies, with them |
//! | `account` | accounts and their first administrator |
//! | `key_ring` | the root keys that everything is sealed by |

mod access;
mod access_key;
mod access_question;
mod account;
mod account_details;
mod advisories;
mod advisory_update;
mod allowed_vulnerability;
mod attached;
mod attached_policy;
mod audit;
mod authenticate;
mod base_image;
mod caller;
mod clock;
mod collect;
mod compiled;
mod context;
mod context_keys;
mod create_on_push;
mod delete_conflict;
mod denial;
mod error;
mod explain;
mod fetch;
mod group;
mod host;
mod identity_tags;
mod image;
mod image_delete;
mod image_keys;
mod image_scan;
mod inline_policy;
mod instance_profile;
mod issuer_keys;
mod jobs;
mod judge;
mod key_ring;
mod layer_index;
mod layer_part;
mod layer_ticket;
mod managed_policy;
mod mount;
mod near_name;
mod oidc_provider;
mod outage;
mod page_token;
mod policy_holder;
mod pull;
mod pulled_lately;
mod push;
pub mod quota;
mod random;
mod reach;
mod reconcile;
mod referrers;
mod rematch;
mod repository;
mod role;
mod saved_principals;
mod scan_events;
mod scan_findings;
mod scan_wait;
mod scanning_configuration;
mod service_linked_role;
mod service_token;
mod session;
mod settings;
mod signed_text;
mod simulation;
pub mod target;
mod token;
mod upload_body;
mod upload_limit;
mod user;
mod user_session;
mod web_identity;
mod worker_thread;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bonded_model::{AccountId, Region, RepositoryPattern};
use bonded_store::{Store, Watcher};
use tokio::sync::Semaphore;

pub use access::{Action, Allowed, Checks};
pub use access_key::NewAccessKey;
pub use access_question::AccessQuestion;
pub use account::FirstAdministrator;
pub use account_details::{Detail, DetailKind, HeldPolicies};
pub use advisories::{AdvisoriesRefused, AdvisoriesReport};
pub use advisory_update::{UpdateOutcome, UpdateState};
pub use allowed_vulnerability::NewAllowedVulnerability;
pub use attached::AttachedLists;
pub use authenticate::SignatureScope;
pub use bonded_scan::{BaseImage, Finding, OsRelease};
pub use bonded_store::{
    AccessKey, Account, AdvisoryUpdate, AllowedVulnerability, Amount, Backup, DeleteImageRefused,
    DeletedImage, Group, IdentityCounts, ImageDetail, ImageKey, ImagePage, ImageScan,
    InstanceProfile, KeyRing, LastUsed, Layer, ManagedPolicy, ManagedPolicyVersion, OidcProvider,
    PolicyEntity, PolicyFilter, Repository, Role, RootKey, ServiceToken, Session, Statistics,
    StoredManifest, TagStatus, UploadId, Usage, User,
};
pub use caller::{Caller, Facts};
pub use clock::Clock;
pub use collect::{Collected, Collection};
pub use context::{
    ContextFacts, Fact, of_boundary, of_policy_arn, of_repository_tags, of_request_tags,
    of_service_credential, of_service_name, of_tag_keys,
};
pub use context_keys::{REQUEST_KEYS, RequestKey};
pub use error::{Denied, Error, Result, Unauthenticated};
pub use explain::DecisionNamed;
pub use fetch::Fetch;
pub use identity_tags::TagHolder;
pub use image::ImageFailure;
pub use image_keys::Unrated;
pub use image_scan::{
    AttachedSboms, ImageConfiguration, Observed, ReportFormat, SbomFormat, ecr_description,
    ecr_severity, finding_arn,
};
pub use jobs::JobProblem;
pub use layer_ticket::{LAYERS_PATH, LayerRequest};
pub use outage::Outage;
pub use policy_holder::PolicyHolder;
pub use push::PushedImage;
pub use reach::Reach;
pub use referrers::{Referrer, Referrers};
pub use repository::RepositorySettings;
pub use role::RoleSettings;
pub use scan_findings::{FoundByScan, FoundFinding};
pub use scanning_configuration::RepositoryScanning;
pub use service_linked_role::ServiceLinkedRole;
pub use service_token::{NewServiceToken, TokenRequest, service_token_id};
pub use session::{NewSession, SessionRequest};
pub use settings::{Opened, Settings};
pub use simulation::{PolicyExclusion, Sides, SimulatedAction, SimulatedResource, SimulationInput};
pub use token::AuthorizationToken;
pub use upload_limit::UploadLimits;
pub use user_session::{FederationRequest, NewUserSession};
pub use web_identity::WebIdentity;

/// The use cases. Clones share one store, cache and clock.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
    store: Store,
    compiled: compiled::Compiled,
    clock: Clock,
    advisories: advisories::CurrentAdvisories,
    update: advisory_update::UpdateState,
    rematching: rematch::Rematching,
    attaching: image_scan::Attaching,
    /// Counts the scans that have ended on this node, for those who wait for one.
    scans_ended: tokio::sync::watch::Sender<u64>,
    regions: Vec<Region>,
    account: AccountId,
    domain: Option<String>,
    create_on_push: Vec<RepositoryPattern>,
    sparse_manifests: Vec<RepositoryPattern>,
    base_images: Vec<RepositoryPattern>,
    attached_sboms: AttachedSboms,
    attached_lists: AttachedLists,
    unrated: Unrated,
    pull_wait: Duration,
    /// One permit for each pull that may still begin to wait.
    scan_waiters: Arc<Semaphore>,
    pulled_lately: pulled_lately::PulledLately,
    uploads: UploadLimits,
    unfinished: upload_limit::Unfinished,
    fetch: Arc<dyn Fetch>,
    issuer_keys: issuer_keys::IssuerKeys,
}

impl Registry {
    /// Opens the store, migrates it, and makes the first account with its administrator if there
    /// is none; of two nodes that start at once one makes it.
    ///
    /// # Errors
    /// The store cannot be opened or the key ring is not the one its rows were sealed with.
    pub async fn open(settings: Settings, clock: Clock) -> Result<Opened> {
        let Settings {
            store,
            account,
            regions,
            domain,
            create_on_push,
            sparse_manifests,
            base_images,
            attached_sboms,
            attached_lists,
            unrated,
            pull_wait,
            uploads,
            fetch,
        } = settings;
        let opened = Store::open(&store, clock.now()).await?;
        let compiled = compiled::Compiled::default();
        let inner = Inner {
            store: opened.store,
            compiled,
            clock,
            advisories: advisories::CurrentAdvisories::default(),
            update: advisory_update::UpdateState::default(),
            rematching: rematch::Rematching::default(),
            attaching: image_scan::Attaching::default(),
            scans_ended: tokio::sync::watch::Sender::default(),
            regions,
            account,
            domain,
            create_on_push,
            sparse_manifests,
            base_images,
            attached_sboms,
            attached_lists,
            unrated,
            pull_wait,
            scan_waiters: Arc::new(Semaphore::new(scan_wait::WAITERS_LIMIT)),
            pulled_lately: pulled_lately::PulledLately::default(),
            uploads,
            unfinished: upload_limit::Unfinished::default(),
            fetch,
            issuer_keys: issuer_keys::IssuerKeys::default(),
        };
        let registry = Self(Arc::new(inner));
        let administrator = registry.bootstrap(&registry.0.account).await?;
        let bonded_store::Opened {
            keyring_created,
            migrations,
            ..
        } = opened;
        Ok(Opened {
            registry,
            administrator,
            keyring_created,
            migrations,
        })
    }

    /// Writes out what is queued and closes the store. Call it when no request is in flight.
    pub async fn close(&self) {
        self.store().close().await;
    }

    /// How much there is of everything. For the operator of the host.
    ///
    /// # Errors
    /// As every read.
    pub async fn statistics(&self) -> Result<Statistics> {
        Ok(self.store().statistics().await?)
    }

    /// Copies everything but the key ring into the directory `to`, while this serves, and tells
    /// `watcher` how far that is. For the operator of the host.
    ///
    /// # Errors
    /// The place cannot be used, or rows or bytes cannot be read or written.
    pub async fn back_up(&self, to: &Path, watcher: &Watcher) -> Result<Backup> {
        let now = self.clock().now();
        Ok(self.store().back_up(to, now, watcher).await?)
    }

    /// The time, as every use case of this registry sees it.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// The regions that are served, the default first.
    #[must_use]
    pub fn regions(&self) -> &[Region] {
        &self.0.regions
    }

    /// The account that host names address which name none.
    #[must_use]
    pub fn default_account(&self) -> &AccountId {
        &self.0.account
    }

    /// An id for one request, in UUID form, as AWS's answers carry it.
    ///
    /// # Errors
    /// The system's random source failed.
    pub fn request_id(&self) -> Result<String> {
        let id = uuid::Builder::from_random_bytes(random::bytes()?).into_uuid();
        Ok(id.hyphenated().to_string())
    }

    pub(crate) fn serves(&self, region: &str) -> bool {
        self.regions()
            .iter()
            .any(|served| served.as_str() == region)
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    pub(crate) fn rematching(&self) -> &rematch::Rematching {
        &self.0.rematching
    }

    pub(crate) fn current_advisories(&self) -> &advisories::CurrentAdvisories {
        &self.0.advisories
    }

    pub(crate) fn update_state(&self) -> &advisory_update::UpdateState {
        &self.0.update
    }

    /// Tells those who wait for a scan that one has ended.
    pub(crate) fn scan_ended(&self) {
        self.0
            .scans_ended
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    /// What changes whenever a scan ends on this node.
    pub(crate) fn scans_ended(&self) -> tokio::sync::watch::Receiver<u64> {
        self.0.scans_ended.subscribe()
    }

    pub(crate) fn fetch(&self) -> &dyn Fetch {
        &*self.0.fetch
    }

    pub(crate) fn compiled(&self) -> &compiled::Compiled {
        &self.0.compiled
    }

    pub(crate) fn attached_lists(&self) -> AttachedLists {
        self.0.attached_lists
    }

    pub(crate) fn unrated(&self) -> Unrated {
        self.0.unrated
    }

    pub(crate) fn pull_wait(&self) -> Duration {
        self.0.pull_wait
    }

    pub(crate) fn scan_waiters(&self) -> Arc<Semaphore> {
        Arc::clone(&self.0.scan_waiters)
    }

    pub(crate) fn pulled_lately(&self) -> &pulled_lately::PulledLately {
        &self.0.pulled_lately
    }
}
