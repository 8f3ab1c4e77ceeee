//! `bonded allow`: the vulnerabilities that a registry accepts for a while.

use std::time::Duration;

use bonded_model::Timestamp;
use bonded_registry::Clock;
use clap::{Args, Subcommand};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::print::Output;
use super::{DataDirectory, Failure, block_on};
use crate::client::Client;
use crate::config::variable;

/// Accept vulnerabilities for a while, with an owner, a reason and an end
///
/// Findings of them stay visible as suppressed, and conditions on counts of findings do not count
/// them, from the next request on. It takes the action bonded:PutAllowedVulnerability, which no
/// right to push includes.
#[derive(Args)]
pub(super) struct AllowCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    Add(Add),
    List(List),
    Remove(Remove),
}

/// Accept a vulnerability; prints the entry's id
#[derive(Args)]
struct Add {
    /// The CVE, or the id of an advisory
    vulnerability: String,

    /// Only in this package
    #[arg(long)]
    package: Option<String>,

    /// In the repositories of this pattern: 'team/*', or '*' for all
    #[arg(long, value_name = "PATTERN")]
    repositories: String,

    /// Who answers for it
    #[arg(long)]
    owner: String,

    /// Why it is accepted
    #[arg(long)]
    reason: String,

    /// When that ends: a number of days, '14d', or a date, '2027-01-31', at whose beginning (UTC)
    #[arg(long, value_name = "DAYS|DATE")]
    until: String,

    #[command(flatten)]
    server: ServerArgs,
}

/// List what is accepted, and what was and has ended
#[derive(Args)]
struct List {
    #[command(flatten)]
    server: ServerArgs,
}

/// End an entry at once
#[derive(Args)]
struct Remove {
    /// The entry's id
    id: String,

    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Args)]
struct ServerArgs {
    #[command(flatten)]
    output: Output,

    /// The server to ask [default: https://127.0.0.1:5000]
    #[arg(long, value_name = "URL", env = "AWS_ENDPOINT_URL")]
    endpoint_url: Option<String>,

    #[command(flatten)]
    data: DataDirectory,
}

impl ServerArgs {
    /// The result of an action, of which `T` is the answer.
    fn call<T: DeserializeOwned>(
        &self,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> Result<T, Failure> {
        let endpoint = self.endpoint_url.as_deref();
        let client = Client::new(endpoint, &self.data.path()?, variable).map_err(Failure::usage)?;
        let mut form = vec![("Action", action), ("Version", "2026-11-27")];
        form.extend(parameters);
        let answer = block_on(async {
            let now = Clock::system().now();
            let asked = client.query("bonded", &form, now).await;
            asked.map_err(Failure::from)
        })?;
        let body = answer.success();
        let body = body.map_err(Failure::from)?;
        let unexpected = |_| Failure::failed(client.unexpected("its answer is another one"));
        quick_xml::de::from_str(&String::from_utf8_lossy(&body)).map_err(unexpected)
    }
}

#[derive(Deserialize)]
struct PutResponse {
    #[serde(rename = "PutAllowedVulnerabilityResult")]
    result: Entry,
}

#[derive(Deserialize)]
struct ListResponse {
    #[serde(rename = "ListAllowedVulnerabilitiesResult")]
    result: ListResult,
}

#[derive(Deserialize)]
struct ListResult {
    #[serde(rename = "AllowedVulnerabilities")]
    entries: Entries,
}

#[derive(Deserialize, Default)]
struct Entries {
    #[serde(default)]
    member: Vec<Entry>,
}

/// An entry, as the server has it and as it is shown.
#[derive(Serialize, Deserialize)]
#[serde(rename_all(deserialize = "PascalCase", serialize = "camelCase"))]
struct Entry {
    id: String,
    vulnerability: String,
    #[serde(default)]
    package: Option<String>,
    repositories: String,
    owner: String,
    reason: String,
    created_by: String,
    created_at: String,
    until: String,
    status: String,
}

impl AllowCommand {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self.action {
            Action::Add(add) => {
                let until = end(&add.until, Clock::system().now())?.to_string();
                let mut parameters = vec![
                    ("Vulnerability", add.vulnerability.as_str()),
                    ("Repositories", &add.repositories),
                    ("Owner", &add.owner),
                    ("Reason", &add.reason),
                    ("Until", &until),
                ];
                parameters.extend(add.package.iter().map(|name| ("Package", name.as_str())));
                let answer: PutResponse =
                    add.server.call("PutAllowedVulnerability", &parameters)?;
                let id = |entry: &Entry| vec![entry.id.clone()];
                add.server.output.print(&answer.result, id, id)
            }
            Action::Remove(remove) => {
                let parameters = [("Id", remove.id.as_str())];
                let _: IgnoredAny = remove
                    .server
                    .call("DeleteAllowedVulnerability", &parameters)?;
                let answer = json!({ "id": remove.id, "removed": true });
                let sentence = format!("the entry '{}' has ended", remove.id);
                remove.server.output.done(&answer, sentence)
            }
            Action::List(list) => {
                let answer: ListResponse = list.server.call("ListAllowedVulnerabilities", &[])?;
                show(&answer.result.entries.member, list.server.output)
            }
        }
    }
}

fn show(entries: &[Entry], output: Output) -> Result<(), Failure> {
    let line = |entry: &Entry| {
        format!(
            "{} {} {} in {} of {}, until {}, by {}: {}",
            entry.id,
            entry.status,
            entry.vulnerability,
            entry.package.as_deref().unwrap_or("any package"),
            entry.repositories,
            entry.until,
            entry.owner,
            entry.reason,
        )
    };
    output.print(
        &json!({ "allowedVulnerabilities": entries }),
        |_| entries.iter().map(line).collect(),
        |_| entries.iter().map(|entry| entry.id.clone()).collect(),
    )
}

/// The time that `14d` or `2027-01-31` names.
fn end(text: &str, now: Timestamp) -> Result<Timestamp, Failure> {
    let day = Duration::from_hours(24);
    let days = text
        .strip_suffix('d')
        .and_then(|days| days.parse::<u32>().ok());
    let time = match days {
        Some(days) if (1..=3650).contains(&days) => Some(now.after(day * days)),
        Some(_) => None,
        None => Timestamp::parse_rfc3339(&format!("{text}T00:00:00Z"))
            .or_else(|| Timestamp::parse_rfc3339(text)),
    };
    time.ok_or_else(|| {
        Failure::usage(format!(
            "'{text}' is no end: '14d' (1 to 3650 days), '2027-01-31' or a time of RFC 3339 is \
             expected"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_a_number_of_days_or_a_date() {
        let now = Timestamp::parse_rfc3339("2026-11-27T12:00:00Z").unwrap();
        for (text, want) in [
            ("14d", Some("2026-12-11T12:00:00")),
            ("2027-01-31", Some("2027-01-31T00:00:00")),
            ("2027-01-31T10:00:00Z", Some("2027-01-31T10:00:00")),
            ("0d", None),
            ("99999d", None),
            ("14", None),
            ("2027-13-01", None),
            ("", None),
        ] {
            let found = end(text, now).ok().map(|time| time.to_string());
            let same = match (&found, want) {
                (Some(found), Some(want)) => found.starts_with(want),
                (found, want) => found.is_none() && want.is_none(),
            };
            assert!(same, "{text}: {found:?}");
        }
    }
}
