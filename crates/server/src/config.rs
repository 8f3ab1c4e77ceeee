//! The configuration: one TOML file, the environment over it, flags over both.
//!
//! [`RawConfig`] is what is written, [`Config`] what it means: complete, checked and with absolute
//! paths. A [`setting::Setting`] is declared once, in the file of its subject. Unknown keys of the file are errors. Unknown `BONDED_…` variables are not: container
//! platforms set such variables for a service of that name.

mod advisory_updates;
mod bucket;
mod egress;
mod file;
mod flags;
mod network;
mod process;
mod registry;
mod setting;
mod uploads;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bonded_model::{AccountId, Digest, Region, RepositoryPattern};
use bonded_registry::{AttachedLists, AttachedSboms, Unrated, UploadLimits};
use bonded_store::{Database, Objects};
use ipnet::IpNet;

use crate::egress::Reachable;
use crate::reach::{AccountDoor, NetworkName};

pub(crate) use advisory_updates::{ARTIFACT_SCHEME, AdvisorySource, AdvisoryUpdates};
pub(crate) use network::host_name;
pub(crate) use process::{DATA, KEYRING, LISTEN};
pub(crate) use registry::{ACCOUNT, ADVISORIES};
use setting::Reading;
pub(crate) use setting::{About, RawConfig};

const DEFAULT_REGION: &str = "us-east-1";

/// How `config show` writes a password.
const HIDDEN: &str = "***";

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// There is no such file.
    #[error("there is no configuration '{}'; name another with --config or BONDED_CONFIG", .0.display())]
    Absent(PathBuf),
    /// The file cannot be read.
    #[error("cannot read the configuration '{}': {source}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not a configuration.
    #[error("{}:{line}: {problem}", path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// Where, counted from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// A setting has a value it cannot have.
    #[error("setting '{key}': {problem}")]
    Invalid {
        /// Which setting.
        key: &'static str,
        /// What is wrong and what is expected.
        problem: String,
    },
}

/// What the server runs with.
pub(crate) struct Config {
    /// The directory of the data.
    pub(crate) data: PathBuf,
    /// The file of the root keys, not under `data`.
    pub(crate) keyring: PathBuf,
    /// Where to listen.
    pub(crate) listen: SocketAddr,
    /// Where rows are.
    pub(crate) database: Database,
    /// Where objects are.
    pub(crate) objects: Objects,
    /// The default account.
    pub(crate) account: AccountId,
    /// The default region.
    pub(crate) region: Region,
    /// All regions served, the default first.
    pub(crate) regions: Vec<Region>,
    /// The domain of ECR-shaped names, in lower case.
    pub(crate) domain: Option<String>,
    /// The other names that are ours, in lower case; empty for every name.
    pub(crate) hosts: Vec<String>,
    /// The peers that may use plain HTTP.
    pub(crate) plain_http_from: Vec<IpNet>,
    /// The proxies that are believed.
    pub(crate) trusted_proxies: Vec<IpNet>,
    /// The clients that may read the metrics.
    pub(crate) metrics_from: Vec<IpNet>,
    /// The networks that have names.
    pub(crate) networks: Vec<(NetworkName, Vec<IpNet>)>,
    /// From where accounts are reached.
    pub(crate) accounts_from: Vec<(AccountDoor, Vec<IpNet>)>,
    /// The repositories that a push makes.
    pub(crate) create_on_push: Vec<RepositoryPattern>,
    /// The repositories that take sparse manifests.
    pub(crate) sparse_manifests: Vec<RepositoryPattern>,
    /// The repositories whose images others are built upon.
    pub(crate) base_images: Vec<RepositoryPattern>,
    /// The bills of materials that are attached to images, and to which.
    pub(crate) attached_sboms: AttachedSboms,
    /// Whose lists of packages add to what is found in images.
    pub(crate) attached_lists: AttachedLists,
    /// The file of advisories to begin with.
    pub(crate) advisories: Option<PathBuf>,
    /// Where new ones come from.
    pub(crate) advisory_updates: AdvisoryUpdates,
    /// What findings without a severity count as in conditions.
    pub(crate) unrated: Unrated,
    /// How long a pull waits for a scan that would decide.
    pub(crate) pull_wait: Duration,
    /// How many jobs of the scanner this node works on at once.
    pub(crate) scan_workers: usize,
    /// What uploads are held to.
    pub(crate) uploads: UploadLimits,
    /// What may be fetched beyond the public internet.
    pub(crate) egress_allow: Vec<Reachable>,
    /// A PEM file of authorities that are trusted there beside the system's.
    pub(crate) egress_authorities: Option<PathBuf>,
    /// The operator's certificate; `None` for our own.
    pub(crate) tls: Option<TlsFiles>,
    /// Which log lines are written.
    pub(crate) log_level: String,
    /// The form of log lines.
    pub(crate) log_format: LogFormat,
    /// The same as settings of a file, with passwords and secrets hidden.
    pub(crate) shown: RawConfig,
}

/// A certificate given by the operator.
pub(crate) struct TlsFiles {
    /// The PEM file of the chain.
    pub(crate) certificate: PathBuf,
    /// The PEM file of the key.
    pub(crate) key: PathBuf,
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Every setting, in the order in which they are shown.
pub(crate) fn settings() -> impl Iterator<Item = &'static About> {
    let tables: [&[&'static About]; 7] = [
        &process::TABLE,
        &network::TABLE,
        &registry::TABLE,
        &advisory_updates::TABLE,
        &bucket::TABLE,
        &uploads::TABLE,
        &egress::TABLE,
    ];
    tables.into_iter().flatten().copied()
}

/// A variable of the environment, if it is set and not empty.
///
/// The one place that reads the environment, but for clap, which reads the `BONDED_…` variables.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the place that the ban points to"
)]
pub(crate) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

impl Config {
    /// The meaning of `raw`. `variable` gives the environment: `XDG_CONFIG_HOME` and `HOME` say
    /// where the key ring is by default, AWS's variables which access key the bucket takes.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`].
    pub(crate) fn resolve(
        raw: RawConfig,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, ConfigError> {
        let mut settings = Reading::of(raw);
        let data = settings.get(&DATA)?;
        let keyring = match settings.get(&KEYRING)? {
            Some(path) => path,
            None => default_keyring(&data, &variable)?,
        };
        if keyring.starts_with(&data) {
            let problem = format!(
                "'{}' is in the data directory; a copy of the data must not hold its keys, choose another place",
                keyring.display()
            );
            return Err(invalid(KEYRING.about.key, problem));
        }
        settings.show(&KEYRING, &Some(keyring.clone()));
        let regions = settings.get(&registry::REGIONS)?;
        Ok(Self {
            advisory_updates: advisory_updates::advisory_updates(&mut settings, &data)?,
            data,
            keyring,
            listen: settings.get(&LISTEN)?,
            database: settings.get(&process::DATABASE)?,
            objects: bucket::objects(&mut settings, &variable)?,
            account: settings.get(&ACCOUNT)?,
            region: regions[0].clone(),
            regions,
            domain: settings.get(&network::DOMAIN)?,
            hosts: settings.get(&network::HOSTS)?,
            plain_http_from: settings.get(&network::PLAIN_HTTP_FROM)?,
            trusted_proxies: settings.get(&network::TRUSTED_PROXIES)?,
            metrics_from: settings.get(&network::METRICS_FROM)?,
            networks: settings.get(&network::NETWORKS)?,
            accounts_from: settings.get(&network::ACCOUNTS_FROM)?,
            create_on_push: settings.get(&registry::CREATE_ON_PUSH)?,
            sparse_manifests: settings.get(&registry::SPARSE_MANIFESTS)?,
            base_images: settings.get(&registry::BASE_IMAGES)?,
            attached_sboms: AttachedSboms {
                formats: settings.get(&registry::ATTACH_SBOMS)?,
                repositories: settings.get(&registry::ATTACH_SBOMS_TO)?,
            },
            attached_lists: settings.get(&registry::ATTACHED_LISTS)?,
            advisories: settings.get(&ADVISORIES)?,
            unrated: settings.get(&registry::UNRATED)?,
            pull_wait: settings.get(&registry::PULL_WAIT)?,
            scan_workers: settings.get(&registry::WORKERS)?,
            uploads: uploads::uploads(&mut settings)?,
            egress_allow: settings.get(&egress::ALLOW)?,
            egress_authorities: settings.get(&egress::AUTHORITIES)?,
            tls: process::tls_files(&mut settings)?,
            log_level: settings.get(&process::LOG_LEVEL)?,
            log_format: settings.get(&process::LOG_FORMAT)?,
            shown: settings.shown(),
        })
    }
}

/// The directory of this user's settings.
///
/// # Errors
/// [`ConfigError::Invalid`] for `key` if the environment does not say where it is.
pub(crate) fn user_directory(
    key: &'static str,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<PathBuf, ConfigError> {
    let home = || variable("HOME").map(|home| Path::new(&home).join(".config"));
    let configuration = variable("XDG_CONFIG_HOME").map(PathBuf::from).or_else(home);
    match configuration.filter(|path| path.is_absolute()) {
        Some(configuration) => Ok(configuration.join("bonded")),
        None => {
            let problem = "neither XDG_CONFIG_HOME nor HOME says where it should be; name a file";
            Err(invalid(key, problem.to_owned()))
        }
    }
}

/// A file of its own for every data directory, so that two servers on one machine do not meet.
fn default_keyring(
    data: &Path,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<PathBuf, ConfigError> {
    let directory = user_directory("keyring", variable)?;
    let digest = Digest::sha256(data.as_os_str().as_encoded_bytes());
    let id = &digest.as_str()["sha256:".len()..][..8];
    process::canonical(&directory.join(format!("keyring-{id}")))
        .map_err(|problem| invalid(KEYRING.about.key, problem))
}

fn invalid(key: &'static str, problem: String) -> ConfigError {
    ConfigError::Invalid { key, problem }
}

#[cfg(test)]
mod tests;
