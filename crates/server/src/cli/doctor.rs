//! `bonded doctor`: what could be wrong, looked at in turn.

use std::fmt::Display;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use bonded_registry::Clock;
use clap::Args;
use serde::Serialize;

use super::config::ConfigArgs;
use super::login::{HELPER, Hosts, helper_is_on_the_path, identity};
use super::print::{Output, clean};
use super::status::{advisories, updates};
use super::{Failure, Status, block_on};
use crate::client::Client;
use crate::config::{Config, variable};
use crate::operator::{GetStatus, HostStatus, OperatorError, call};

/// How far two clocks may be apart before signatures are refused, in seconds.
const SKEW_LIMIT: i64 = 5 * 60;

/// Look for what is wrong with the server on this machine and with this machine as a client of it
///
/// Changes nothing. Ends with 1 if something is wrong. What works and could be better is noted, such
/// as advisories of which the newest is older than 7 days.
#[derive(Args)]
pub(super) struct Doctor {
    /// The server to ask as a client [default: where the configuration says it listens]
    #[arg(long, value_name = "URL", env = "AWS_ENDPOINT_URL")]
    endpoint_url: Option<String>,

    #[command(flatten)]
    output: Output,

    #[command(flatten)]
    config: ConfigArgs,
}

/// What one look found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Finding {
    /// What was looked at.
    check: &'static str,
    /// How it is.
    outcome: Outcome,
    /// What was seen; if it is not good, what to do.
    detail: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Good,
    /// It works, and could be better.
    Note,
    Wrong,
}

impl Finding {
    fn new(check: &'static str, outcome: Outcome, detail: impl Display) -> Self {
        Self {
            check,
            outcome,
            detail: clean(&detail.to_string()),
        }
    }
}

impl Doctor {
    pub(super) fn run(self) -> Result<(), Failure> {
        let findings = match self.config.resolve() {
            Ok(config) => {
                let mut findings = vec![Finding::new("configuration", Outcome::Good, "readable")];
                findings.push(data(&config.data));
                findings.push(keyring(&config.keyring));
                let server = block_on(async { Ok(server(&config.data).await) })?;
                let runs = server[0].outcome == Outcome::Good;
                findings.extend(server);
                let listens = format!("https://{}", config.listen);
                let endpoint = self.endpoint_url.unwrap_or(listens);
                if runs || endpoint_is_elsewhere(&endpoint, &config) {
                    findings.extend(block_on(async { Ok(client(&endpoint, &config).await) })?);
                }
                findings
            }
            Err(failure) => {
                let problem = failure.message.unwrap_or_default();
                vec![Finding::new("configuration", Outcome::Wrong, problem)]
            }
        };
        let findings: Vec<Finding> = findings.into_iter().chain([helper()]).collect();
        let line = |finding: &Finding| {
            let mark = match finding.outcome {
                Outcome::Good => "ok",
                Outcome::Note => "note",
                Outcome::Wrong => "WRONG",
            };
            format!("{mark:<6} {:<16} {}", finding.check, finding.detail)
        };
        self.output.print(
            &findings,
            |findings| findings.iter().map(line).collect(),
            |_| Vec::new(),
        )?;
        let wrong = findings
            .iter()
            .any(|finding| finding.outcome == Outcome::Wrong);
        match wrong {
            false => Ok(()),
            true => Err(Failure::shown(Status::Failed)),
        }
    }
}

fn endpoint_is_elsewhere(endpoint: &str, config: &Config) -> bool {
    endpoint != format!("https://{}", config.listen)
}

/// The data directory is there, and for its owner alone.
fn data(path: &Path) -> Finding {
    let shown = path.display();
    match fs::metadata(path) {
        Ok(found) if found.permissions().mode() & 0o077 == 0 => {
            Finding::new("data directory", Outcome::Good, shown)
        }
        Ok(_) => Finding::new(
            "data directory",
            Outcome::Wrong,
            format!("others may enter '{shown}'; run: chmod 700 '{shown}'"),
        ),
        Err(error) => Finding::new(
            "data directory",
            Outcome::Note,
            format!("'{shown}': {error}; 'bonded serve' makes it"),
        ),
    }
}

/// The key ring is there, and for its owner alone.
fn keyring(path: &Path) -> Finding {
    let shown = path.display();
    match fs::metadata(path) {
        Ok(found) if found.permissions().mode() & 0o077 == 0 => Finding::new(
            "key ring",
            Outcome::Good,
            format!("{shown}; keep a copy of it apart from the data"),
        ),
        Ok(_) => Finding::new(
            "key ring",
            Outcome::Wrong,
            format!("others may read '{shown}'; run: chmod 600 '{shown}'"),
        ),
        Err(error) => Finding::new(
            "key ring",
            Outcome::Note,
            format!("'{shown}': {error}; 'bonded serve' makes it with the first data"),
        ),
    }
}

/// The server runs, is of our version, and nothing was given up; what it judges images by.
async fn server(data: &Path) -> Vec<Finding> {
    let status = match call(data, &GetStatus {}).await {
        Ok(status) => status,
        Err(OperatorError::NotRunning(_)) => {
            return vec![Finding::new(
                "server",
                Outcome::Note,
                format!("none runs on '{}'", data.display()),
            )];
        }
        Err(error) => return vec![Finding::new("server", Outcome::Wrong, error)],
    };
    let (good, advisories) = advisories(status.advisories.as_ref());
    let outcome = if good { Outcome::Good } else { Outcome::Note };
    let mut findings = vec![
        version(&status),
        Finding::new("advisories", outcome, advisories),
    ];
    findings.extend(status.updates.as_ref().map(|in_force| {
        let (good, text) = updates(in_force);
        let outcome = if good { Outcome::Good } else { Outcome::Note };
        Finding::new("advisory updates", outcome, text)
    }));
    findings
}

fn version(status: &HostStatus) -> Finding {
    let ours = env!("CARGO_PKG_VERSION");
    let (outcome, detail) = match status {
        status if status.version != ours => (
            Outcome::Note,
            format!(
                "version {}, and this program is {ours}: restart it",
                status.version
            ),
        ),
        status if status.failed_jobs > 0 => (
            Outcome::Wrong,
            format!(
                "{} jobs were given up after five attempts; see its log",
                status.failed_jobs
            ),
        ),
        status => (
            Outcome::Good,
            format!(
                "version {ours}, {} repositories, {} images",
                status.repositories, status.images
            ),
        ),
    };
    Finding::new("server", outcome, detail)
}

/// The server can be reached, is trusted, agrees on the time and knows us.
async fn client(endpoint: &str, config: &Config) -> Vec<Finding> {
    let client = match Client::new(Some(endpoint), &config.data, variable) {
        Ok(client) => client,
        Err(error) => return vec![Finding::new("connection", Outcome::Wrong, error)],
    };
    let now = Clock::system().now();
    let theirs = match client.clock().await {
        Ok(theirs) => theirs,
        Err(error) => return vec![Finding::new("connection", Outcome::Wrong, error)],
    };
    let mut findings = vec![Finding::new("connection", Outcome::Good, endpoint)];
    findings.push(
        match theirs.map(|theirs| theirs.as_seconds() - now.as_seconds()) {
            Some(skew) if skew.abs() > SKEW_LIMIT => Finding::new(
                "clocks",
                Outcome::Wrong,
                format!(
                    "{} s apart, and signatures are refused at {SKEW_LIMIT}; set the clock",
                    skew.abs()
                ),
            ),
            Some(skew) => Finding::new("clocks", Outcome::Good, format!("{} s apart", skew.abs())),
            None => Finding::new(
                "clocks",
                Outcome::Note,
                "the server does not say what time it is",
            ),
        },
    );
    findings.push(match identity(&client, now).await {
        Ok(arn) => Finding::new("credentials", Outcome::Good, arn),
        Err(failure) => {
            let problem = failure.message.unwrap_or_default();
            Finding::new("credentials", Outcome::Wrong, problem)
        }
    });
    findings
}

/// docker finds the helper, where it is to ask it.
fn helper() -> Finding {
    const CHECK: &str = "docker login";
    match (Hosts::names(), helper_is_on_the_path()) {
        (Err(failure), _) => {
            Finding::new(CHECK, Outcome::Wrong, failure.message.unwrap_or_default())
        }
        (Ok(hosts), _) if hosts.is_empty() => {
            let next = "no registry is logged in to with it; run: bonded login HOST";
            Finding::new(CHECK, Outcome::Note, next)
        }
        (Ok(hosts), true) => Finding::new(CHECK, Outcome::Good, hosts.join(", ")),
        (Ok(hosts), false) => Finding::new(
            CHECK,
            Outcome::Wrong,
            format!(
                "docker asks '{HELPER}' for {}, and it is not on the PATH; run: bonded login {} --install-helper DIRECTORY",
                hosts.join(", "),
                hosts.first().map_or("HOST", String::as_str)
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_may_read_is_wrong() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        for (mode, outcome) in [(0o700, Outcome::Good), (0o750, Outcome::Wrong)] {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(
                (data(path).outcome, keyring(path).outcome),
                (outcome, outcome)
            );
        }
        let absent = path.join("absent");
        assert_eq!(data(&absent).outcome, Outcome::Note);
        assert_eq!(keyring(&absent).outcome, Outcome::Note);
    }
}
