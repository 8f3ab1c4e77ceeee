//! The settings as they are written: in a file, in the environment, as flags.

use std::path::{Path, PathBuf};

use clap::{Args, Command};
use serde::{Deserialize, Serialize};
use toml::de::{DeTable, DeValue};

use super::ConfigError;
use super::bucket::RawS3;
use super::egress::RawEgress;
use super::uploads::RawUploads;
use crate::files;

/// How large a configuration file may be, in bytes.
const FILE_LIMIT: u64 = 1024 * 1024;

/// Every setting, none of them checked. The names are those of the TOML file; in the environment
/// `tls.key` is `BONDED_TLS_KEY`, as a flag `--tls-key`.
#[derive(Clone, Default, Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[command(next_help_heading = "Settings")]
pub(crate) struct RawConfig {
    /// The directory of the server's data, made if it is missing [default: bonded-data]
    #[arg(long, id = "data", value_name = "DIRECTORY", env = "BONDED_DATA")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) data: Option<PathBuf>,

    /// The file of the root keys, which must not be in the data directory. Whoever loses it loses
    /// the data [default: a file per data directory under $XDG_CONFIG_HOME/bonded]
    #[arg(long, id = "keyring", value_name = "FILE", env = "BONDED_KEYRING")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) keyring: Option<PathBuf>,

    /// The address and port to listen on, TLS and plain HTTP alike; port 0 takes a free one
    /// [default: 127.0.0.1:5000]
    #[arg(
        long,
        id = "listen",
        value_name = "ADDRESS:PORT",
        env = "BONDED_LISTEN"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) listen: Option<String>,

    /// Where the rows are: 'sqlite' (in the data directory) or a postgres:// URL, better not given
    /// as a flag because other users see flags [default: sqlite]
    #[arg(
        long,
        id = "database",
        value_name = "sqlite|URL",
        env = "BONDED_DATABASE"
    )]
    #[arg(hide_env_values = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) database: Option<String>,

    /// The default account, 12 digits: host names that name no account belong to it
    /// [default: 111122223333]
    #[arg(long, id = "account", value_name = "ACCOUNT", env = "BONDED_ACCOUNT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) account: Option<String>,

    /// The regions that are served, the default region first [default: us-east-1]
    #[arg(long, id = "regions", value_name = "REGION,…", env = "BONDED_REGIONS")]
    #[arg(value_delimiter = ',')]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) regions: Option<Vec<String>>,

    /// The domain of names such as ACCOUNT.dkr.ecr.REGION.DOMAIN, which the server then shows
    #[arg(long, id = "domain", value_name = "DOMAIN", env = "BONDED_DOMAIN")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) domain: Option<String>,

    /// The other host names that are ours; all others are refused. Needed when there are several
    /// accounts [default: every name]
    #[arg(long, id = "hosts", value_name = "NAME,…", env = "BONDED_HOSTS")]
    #[arg(value_delimiter = ',')]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hosts: Option<Vec<String>>,

    /// The peers that may use plain HTTP, as networks [default: 127.0.0.0/8,::1/128]
    #[arg(
        long,
        id = "plain_http_from",
        value_name = "NET,…",
        env = "BONDED_PLAIN_HTTP_FROM"
    )]
    #[arg(value_delimiter = ',')]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) plain_http_from: Option<Vec<String>>,

    /// The proxies whose word on a client's address and scheme is taken, as networks
    /// [default: none]
    #[arg(
        long,
        id = "trusted_proxies",
        value_name = "NET,…",
        env = "BONDED_TRUSTED_PROXIES"
    )]
    #[arg(value_delimiter = ',')]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trusted_proxies: Option<Vec<String>>,

    /// The clients that may read '/metrics', as networks [default: 127.0.0.0/8,::1/128]
    #[arg(
        long,
        id = "metrics_from",
        value_name = "NET,…",
        env = "BONDED_METRICS_FROM"
    )]
    #[arg(value_delimiter = ',')]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) metrics_from: Option<Vec<String>>,

    /// The repositories that a push makes if they are missing, as patterns of names such as 'ci/*';
    /// only for who may create them [default: none]
    #[arg(
        long,
        id = "create_on_push",
        value_name = "PATTERN,…",
        env = "BONDED_CREATE_ON_PUSH"
    )]
    #[arg(value_delimiter = ',')]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) create_on_push: Option<Vec<String>>,

    /// The file of advisories that images are judged by, made by 'bonded advisories import'; another
    /// one is loaded while the server runs by 'bonded advisories load' [default: the last one used]
    #[arg(
        long,
        id = "advisories",
        value_name = "FILE",
        env = "BONDED_ADVISORIES"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) advisories: Option<PathBuf>,

    /// The bucket for the objects.
    #[command(flatten)]
    pub(crate) s3: RawS3,

    /// What uploads are held to.
    #[command(flatten)]
    pub(crate) uploads: RawUploads,

    /// What the server fetches from other machines.
    #[command(flatten)]
    pub(crate) egress: RawEgress,

    /// How far `/v2` goes beyond what clients expect.
    #[command(flatten)]
    pub(crate) oci: RawOci,

    /// How conditions read scans.
    #[command(flatten)]
    pub(crate) scan: RawScan,

    /// The server's certificate.
    #[command(flatten)]
    pub(crate) tls: RawTls,

    /// What is written to standard error.
    #[command(flatten)]
    pub(crate) log: RawLog,
}

/// The table `oci`.
#[derive(Clone, Default, Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawOci {
    /// The repositories that take manifests although layers or images they refer to are missing,
    /// as patterns of names [default: none]
    #[arg(long = "oci-sparse-manifests", id = "oci.sparse_manifests")]
    #[arg(value_name = "PATTERN,…", env = "BONDED_OCI_SPARSE_MANIFESTS")]
    #[arg(value_delimiter = ',')]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sparse_manifests: Option<Vec<String>>,
}

/// The table `scan`.
#[derive(Clone, Default, Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawScan {
    /// What findings without a severity count as in conditions: 'unknown', so that counts of zero
    /// beside them satisfy nobody, or a severity such as 'HIGH' [default: unknown]
    #[arg(long = "scan-unrated", id = "scan.unrated", value_name = "SEVERITY")]
    #[arg(env = "BONDED_SCAN_UNRATED")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unrated: Option<String>,

    /// How long a pull waits for a scan that is under way and would decide, at most a minute
    /// [default: 5s]
    #[arg(
        long = "scan-pull-wait",
        id = "scan.pull_wait",
        value_name = "DURATION"
    )]
    #[arg(env = "BONDED_SCAN_PULL_WAIT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pull_wait: Option<String>,
}

/// The table `tls`.
#[derive(Clone, Default, Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawTls {
    /// A PEM file with the server's certificate and those that lead to its authority
    /// [default: one by an authority of our own, in the data directory]
    #[arg(long = "tls-certificate", id = "tls.certificate", value_name = "FILE")]
    #[arg(env = "BONDED_TLS_CERTIFICATE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) certificate: Option<PathBuf>,

    /// A PEM file with the key of that certificate
    #[arg(
        long = "tls-key",
        id = "tls.key",
        value_name = "FILE",
        env = "BONDED_TLS_KEY"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<PathBuf>,
}

/// The table `log`.
#[derive(Clone, Default, Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawLog {
    /// The least severe lines to write: error, warn, info, debug, trace or off; or directives such
    /// as 'info,bonded=debug' [default: info]
    #[arg(
        long = "log-level",
        id = "log.level",
        value_name = "LEVEL",
        env = "BONDED_LOG_LEVEL"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) level: Option<String>,

    /// The form of a line: text or json [default: text]
    #[arg(long = "log-format", id = "log.format", value_name = "FORMAT")]
    #[arg(env = "BONDED_LOG_FORMAT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) format: Option<String>,
}

impl RawConfig {
    /// Reads a TOML file.
    ///
    /// # Errors
    /// It cannot be read, is not TOML, or has a key or a type of value that is not ours.
    pub(crate) fn from_file(path: &Path) -> Result<Self, ConfigError> {
        let text = files::read(path, FILE_LIMIT)
            .and_then(|text| text.ok_or_else(|| std::io::ErrorKind::NotFound.into()))
            .map_err(|source| ConfigError::Unreadable {
                path: path.to_owned(),
                source,
            })?;
        Self::from_toml(&text).map_err(|(line, problem)| ConfigError::Malformed {
            path: path.to_owned(),
            line,
            problem,
        })
    }

    /// Reads TOML; an error is a line, counted from 1, and what is wrong there.
    pub(super) fn from_toml(text: &str) -> Result<Self, (usize, String)> {
        let line_of = |offset: usize| 1 + text.bytes().take(offset).filter(|b| *b == b'\n').count();
        let explained = |error: toml::de::Error| {
            let line = line_of(error.span().map_or(0, |span| span.start));
            (line, error.message().replace('\n', ", "))
        };
        let table = DeTable::parse(text).map_err(explained)?;
        if let Some((offset, key)) = unknown_key(table.get_ref(), "", &keys()) {
            let mut problem = format!("unknown key '{}'", key.escape_debug());
            if let Some(near) = nearest(&key, &keys()) {
                problem += &format!("; did you mean '{near}'?");
            }
            return Err((line_of(offset), problem));
        }
        toml::from_str(text).map_err(explained)
    }

    /// The keys whose values differ from those of `other`.
    pub(crate) fn differing(&self, other: &Self) -> Vec<String> {
        let values = |raw: &Self| {
            let value = toml::Value::try_from(raw).ok();
            keys()
                .into_iter()
                .map(move |key| {
                    let mut path = key.split('.');
                    let found = path.try_fold(value.as_ref()?, |value, part| value.get(part));
                    found.cloned()
                })
                .collect::<Vec<_>>()
        };
        let pairs = values(self).into_iter().zip(values(other));
        let keys = keys().into_iter().zip(pairs);
        keys.filter(|(_, (ours, theirs))| ours != theirs)
            .map(|(key, _)| key)
            .collect()
    }

    /// These settings, and for what is not set here those of `base`.
    pub(crate) fn over(self, base: Self) -> Self {
        Self {
            data: self.data.or(base.data),
            keyring: self.keyring.or(base.keyring),
            listen: self.listen.or(base.listen),
            database: self.database.or(base.database),
            account: self.account.or(base.account),
            regions: self.regions.or(base.regions),
            domain: self.domain.or(base.domain),
            hosts: self.hosts.or(base.hosts),
            plain_http_from: self.plain_http_from.or(base.plain_http_from),
            trusted_proxies: self.trusted_proxies.or(base.trusted_proxies),
            metrics_from: self.metrics_from.or(base.metrics_from),
            create_on_push: self.create_on_push.or(base.create_on_push),
            advisories: self.advisories.or(base.advisories),
            s3: self.s3.over(base.s3),
            uploads: self.uploads.over(base.uploads),
            egress: self.egress.over(base.egress),
            oci: RawOci {
                sparse_manifests: self.oci.sparse_manifests.or(base.oci.sparse_manifests),
            },
            scan: RawScan {
                unrated: self.scan.unrated.or(base.scan.unrated),
                pull_wait: self.scan.pull_wait.or(base.scan.pull_wait),
            },
            tls: RawTls {
                certificate: self.tls.certificate.or(base.tls.certificate),
                key: self.tls.key.or(base.tls.key),
            },
            log: RawLog {
                level: self.log.level.or(base.log.level),
                format: self.log.format.or(base.log.format),
            },
        }
    }
}

/// Every key of the file, with its table: the ids of the flags.
fn keys() -> Vec<String> {
    let command = RawConfig::augment_args(Command::new("settings"));
    let ids = command.get_arguments().map(|arg| arg.get_id().to_string());
    ids.collect()
}

/// The first key of `table` that is not in `keys`, with its place in the text.
fn unknown_key(table: &DeTable<'_>, prefix: &str, keys: &[String]) -> Option<(usize, String)> {
    table.iter().find_map(|(key, value)| {
        let name = format!("{prefix}{}", key.get_ref());
        if keys.contains(&name) {
            return None;
        }
        let inner = format!("{name}.");
        match value.get_ref() {
            DeValue::Table(table) if keys.iter().any(|key| key.starts_with(&inner)) => {
                unknown_key(table, &inner, keys)
            }
            _ if keys.iter().any(|key| key.starts_with(&inner)) => None,
            _ => Some((key.span().start, name)),
        }
    })
}

/// The key most like `name`; `None` if none is like it.
fn nearest<'a>(name: &str, keys: &'a [String]) -> Option<&'a str> {
    let name: Vec<char> = name.to_lowercase().chars().take(64).collect();
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    keys.iter()
        .map(|key| {
            let of = |text: &str| distance(&name, &text.chars().collect::<Vec<_>>());
            (of(key).min(of(&last(key))), key)
        })
        .min()
        .filter(|(distance, key)| *distance <= key.chars().count().div_ceil(3))
        .map(|(_, key)| key.as_str())
}

/// How many characters to insert, delete or replace to make `b` of `a`.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_can_be_written_in_a_file() {
        let mut text = String::new();
        for key in keys() {
            let list = matches!(
                key.as_str(),
                "regions"
                    | "hosts"
                    | "plain_http_from"
                    | "trusted_proxies"
                    | "metrics_from"
                    | "create_on_push"
                    | "egress.allow"
                    | "oci.sparse_manifests"
            );
            let value = match key.as_str() {
                "s3.path_style" | "s3.allow_http" => "true",
                _ if list => "['x']",
                _ => "'x'",
            };
            text += &format!("{key} = {value}\n");
        }
        let raw = RawConfig::from_toml(&text)
            .map_err(|(_, problem)| problem)
            .unwrap();
        let written = toml::to_string(&raw).unwrap();
        assert_eq!(
            written.matches("'x'").count() + written.matches("\"x\"").count(),
            keys().len() - written.matches("= true").count()
        );
    }

    #[test]
    fn a_mistake_is_named_with_its_line_and_what_was_meant() {
        for (text, line, problem) in [
            (
                "listen = 'x'\nlistne = 'y'",
                2,
                "unknown key 'listne'; did you mean 'listen'?",
            ),
            (
                "\n\n[tls]\ncertificat = 'x'",
                4,
                "unknown key 'tls.certificat'; did you mean 'tls.certificate'?",
            ),
            (
                "log.levle = 'x'",
                1,
                "unknown key 'log.levle'; did you mean 'log.level'?",
            ),
            (
                "certificate = 'x'",
                1,
                "unknown key 'certificate'; did you mean 'tls.certificate'?",
            ),
            ("[proxy]\nx = 1", 1, "unknown key 'proxy'"),
            ("qqqqqqqq = 1", 1, "unknown key 'qqqqqqqq'"),
            ("\"a\\u001b\" = 1", 1, "unknown key 'a\\u{1b}'"),
            (
                "account = 'x'\nlisten = 5000",
                2,
                "invalid type: integer `5000`, expected a string",
            ),
            (
                "tls = 'x'",
                1,
                "invalid type: string \"x\", expected struct RawTls",
            ),
            ("a = 1\na = 2", 2, "duplicate key"),
            (
                "listen = ",
                1,
                "string values must be quoted, expected literal string",
            ),
        ] {
            let Err(error) = RawConfig::from_toml(text) else {
                panic!("{text}")
            };
            assert_eq!(error, (line, problem.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_set_wins_over_the_base() {
        let raw = |text| {
            RawConfig::from_toml(text)
                .map_err(|(_, problem)| problem)
                .unwrap()
        };
        let over = raw("listen = 'a'\ntls.key = 'k'");
        let base = raw("listen = 'b'\naccount = 'c'\ntls.certificate = 'd'\nlog.level = 'e'");
        let merged = toml::to_string(&over.over(base)).unwrap();
        let want =
            "listen = 'a'\naccount = 'c'\ntls.certificate = 'd'\ntls.key = 'k'\nlog.level = 'e'";
        assert_eq!(merged, toml::to_string(&raw(want)).unwrap());
    }
}
