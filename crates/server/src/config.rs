//! The configuration: one TOML file, the environment over it, flags over both.
//!
//! [`RawConfig`] is what is written, [`Config`] what it means: complete, checked and with absolute
//! paths. Unknown keys of the file are errors. Unknown `BONDED_…` variables are not: container
//! platforms set such variables for a service of that name.

mod bucket;
mod egress;
mod raw;
mod uploads;
mod value;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bonded_model::{AccountId, Digest, Region, RepositoryPattern};
use bonded_registry::{Unrated, UploadLimits};
use bonded_store::{Database, Objects};
use ipnet::IpNet;

use crate::egress::Reachable;

pub(crate) use raw::{RawConfig, RawLog, RawOci, RawScan, RawTls};
pub(crate) use value::host_name;
use value::{
    database, host, list, listen, log, net, parsed, pull_wait, regions, tls_files, unrated,
};

/// What serves when nothing is configured.
const DEFAULT_DATA: &str = "bonded-data";
const DEFAULT_LISTEN: &str = "127.0.0.1:5000";
const DEFAULT_ACCOUNT: &str = "111122223333";
const DEFAULT_REGION: &str = "us-east-1";
const LOOPBACK: [&str; 2] = ["127.0.0.0/8", "::1/128"];
const DEFAULT_LOG_LEVEL: &str = "info";

/// How `config show` writes a password.
const HIDDEN: &str = "***";

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
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
    /// The repositories that a push makes.
    pub(crate) create_on_push: Vec<RepositoryPattern>,
    /// The repositories that take sparse manifests.
    pub(crate) sparse_manifests: Vec<RepositoryPattern>,
    /// The file of advisories to begin with.
    pub(crate) advisories: Option<PathBuf>,
    /// What findings without a severity count as in conditions.
    pub(crate) unrated: Unrated,
    /// How long a pull waits for a scan that would decide.
    pub(crate) pull_wait: Duration,
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
        let data = data_directory(raw.data)?;
        let keyring = match raw.keyring {
            Some(path) => canonical("keyring", &path)?,
            None => default_keyring(&data, &variable)?,
        };
        if keyring.starts_with(&data) {
            let problem = format!(
                "'{}' is in the data directory; a copy of the data must not hold its keys, choose another place",
                keyring.display()
            );
            return Err(invalid("keyring", problem));
        }
        let (log_level, log_format) = log(raw.log)?;
        let (region, regions) = regions(raw.regions)?;
        let loopback = || LOOPBACK.map(str::to_owned).into();
        Ok(Self {
            data,
            keyring,
            listen: listen(raw.listen.as_deref().unwrap_or(DEFAULT_LISTEN))?,
            database: database(raw.database)?,
            objects: bucket::objects(raw.s3, &variable)?,
            account: parsed("account", raw.account.as_deref().unwrap_or(DEFAULT_ACCOUNT))?,
            region,
            regions,
            domain: raw.domain.map(|name| host("domain", &name)).transpose()?,
            hosts: list(raw.hosts, |name| host("hosts", name))?,
            plain_http_from: list(Some(raw.plain_http_from.unwrap_or_else(loopback)), |text| {
                net("plain_http_from", text)
            })?,
            trusted_proxies: list(raw.trusted_proxies, |text| net("trusted_proxies", text))?,
            metrics_from: list(Some(raw.metrics_from.unwrap_or_else(loopback)), |text| {
                net("metrics_from", text)
            })?,
            create_on_push: list(raw.create_on_push, |text| parsed("create_on_push", text))?,
            sparse_manifests: list(raw.oci.sparse_manifests, |text| {
                parsed("oci.sparse_manifests", text)
            })?,
            advisories: raw
                .advisories
                .map(|path| canonical("advisories", &path))
                .transpose()?,
            unrated: unrated(raw.scan.unrated.as_deref())?,
            pull_wait: pull_wait(raw.scan.pull_wait.as_deref())?,
            uploads: uploads::uploads(&raw.uploads)?,
            egress_allow: egress::allow(raw.egress.allow)?,
            egress_authorities: raw
                .egress
                .authorities
                .map(|path| canonical("egress.authorities", &path))
                .transpose()?,
            tls: tls_files(raw.tls)?,
            log_level,
            log_format,
        })
    }

    /// The same as settings of a file, with passwords and secrets hidden.
    pub(crate) fn shown(&self) -> RawConfig {
        let texts = |nets: &[IpNet]| Some(nets.iter().map(IpNet::to_string).collect());
        let patterns = |patterns: &[RepositoryPattern]| {
            Some(patterns.iter().map(RepositoryPattern::to_string).collect())
        };
        let tls = self.tls.as_ref();
        RawConfig {
            data: Some(self.data.clone()),
            keyring: Some(self.keyring.clone()),
            listen: Some(self.listen.to_string()),
            database: Some(match &self.database {
                Database::Sqlite => "sqlite".to_owned(),
                Database::Postgres(url) => without_password(url.expose()),
            }),
            s3: bucket::shown(&self.objects),
            account: Some(self.account.to_string()),
            regions: Some(self.regions.iter().map(Region::to_string).collect()),
            domain: self.domain.clone(),
            hosts: Some(self.hosts.clone()),
            plain_http_from: texts(&self.plain_http_from),
            trusted_proxies: texts(&self.trusted_proxies),
            metrics_from: texts(&self.metrics_from),
            create_on_push: patterns(&self.create_on_push),
            advisories: self.advisories.clone(),
            uploads: uploads::shown(&self.uploads),
            egress: egress::shown(&self.egress_allow, self.egress_authorities.as_ref()),
            oci: RawOci {
                sparse_manifests: patterns(&self.sparse_manifests),
            },
            scan: RawScan {
                unrated: Some(match self.unrated {
                    Unrated::Unknown => "unknown".to_owned(),
                    Unrated::As(severity) => severity.to_string(),
                }),
                pull_wait: Some(format!("{}ms", self.pull_wait.as_millis())),
            },
            tls: RawTls {
                certificate: tls.map(|tls| tls.certificate.clone()),
                key: tls.map(|tls| tls.key.clone()),
            },
            log: RawLog {
                level: Some(self.log_level.clone()),
                format: Some(match self.log_format {
                    LogFormat::Text => "text".to_owned(),
                    LogFormat::Json => "json".to_owned(),
                }),
            },
        }
    }
}

/// The data directory `path` means, or the default; it need not exist.
///
/// # Errors
/// [`ConfigError::Invalid`].
pub(crate) fn data_directory(path: Option<PathBuf>) -> Result<PathBuf, ConfigError> {
    canonical("data", &path.unwrap_or_else(|| DEFAULT_DATA.into()))
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
    canonical("keyring", &directory.join(format!("keyring-{id}")))
}

/// The absolute path without symbolic links, of which the end may not exist yet.
fn canonical(key: &'static str, path: &Path) -> Result<PathBuf, ConfigError> {
    let unusable =
        |error: std::io::Error| invalid(key, format!("cannot use '{}': {error}", path.display()));
    let absolute = std::path::absolute(path).map_err(unusable)?;
    let mut existing = absolute.as_path();
    let mut missing = Vec::new();
    loop {
        match existing.canonicalize() {
            Ok(mut found) => {
                found.extend(missing.iter().rev());
                return Ok(found);
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let (Some(name), Some(parent)) = (existing.file_name(), existing.parent()) else {
                    return Err(unusable(error));
                };
                missing.push(name);
                existing = parent;
            }
            Err(error) => return Err(unusable(error)),
        }
    }
}

/// The URL with what stands between the first `:` of its authority and the last `@` hidden, and
/// without its parameters.
fn without_password(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else {
        return HIDDEN.to_owned();
    };
    match rest.rsplit_once('@') {
        None => url.to_owned(),
        Some((user, place)) => match user.split_once(':') {
            None => url.to_owned(),
            Some((user, _)) => format!("{scheme}://{user}:{HIDDEN}@{place}"),
        },
    }
}

fn invalid(key: &'static str, problem: String) -> ConfigError {
    ConfigError::Invalid { key, problem }
}

#[cfg(test)]
mod tests;
