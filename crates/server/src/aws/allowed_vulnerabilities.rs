//! The operations that AWS has not about vulnerabilities that a registry accepts, which `bonded
//! allow` asks. Query protocol, version 2026-11-27, signed for the service `bonded`.

use bonded_model::Timestamp;
use bonded_registry::target::Everything;
use bonded_registry::{
    Action, Allowed, AllowedVulnerability, Caller, Checks, Error, NewAllowedVulnerability,
    Registry, Result,
};
use serde::{Deserialize, Serialize};

use super::operation::Operation;
use super::query::List;

/// An entry of the list.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Entry {
    id: String,
    vulnerability: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    package: Option<String>,
    repositories: String,
    owner: String,
    reason: String,
    created_by: String,
    created_at: String,
    until: String,
    /// `ACTIVE`, or `EXPIRED` if it has ended.
    status: &'static str,
}

impl Entry {
    fn new(entry: AllowedVulnerability, now: Timestamp) -> Self {
        Self {
            id: entry.id,
            vulnerability: entry.vulnerability,
            package: entry.package,
            repositories: entry.repositories.to_string(),
            owner: entry.owner,
            reason: entry.reason,
            created_by: entry.created_by,
            created_at: entry.created_at.to_string(),
            until: entry.until.to_string(),
            status: if entry.until > now {
                "ACTIVE"
            } else {
                "EXPIRED"
            },
        }
    }
}

fn everything(caller: &Caller) -> Everything {
    Everything::of(caller)
}

/// Accepts a vulnerability until a time.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutAllowedVulnerability {
    vulnerability: String,
    #[serde(default)]
    package: Option<String>,
    repositories: String,
    owner: String,
    reason: String,
    until: String,
}

impl PutAllowedVulnerability {
    fn parse(&self) -> Result<NewAllowedVulnerability> {
        let repositories = self.repositories.parse();
        let until = Timestamp::parse_rfc3339(&self.until);
        let no_time = || Error::InvalidInput("'Until' is no time of RFC 3339".to_owned());
        Ok(NewAllowedVulnerability {
            vulnerability: self.vulnerability.clone(),
            package: self.package.clone(),
            repositories: repositories.map_err(|e: bonded_model::InvalidRepositoryPattern| {
                Error::InvalidInput(e.to_string())
            })?,
            owner: self.owner.clone(),
            reason: self.reason.clone(),
            until: until.ok_or_else(no_time)?,
        })
    }
}

impl Operation for PutAllowedVulnerability {
    const NAME: &'static str = "PutAllowedVulnerability";
    const ACTION: Action = Action::new("bonded:PutAllowedVulnerability");
    const EXAMPLE: &'static str = r#"{"Vulnerability":"CVE-2024-3094","Repositories":"team/*","Owner":"alice","Reason":"the code is not reached","Until":"2199-01-01T00:00:00Z"}"#;
    type Target = Everything;
    type Output = Entry;

    fn checks(&self, caller: &Caller) -> Result<Checks<Everything>> {
        self.parse()?;
        Ok(Checks::new(Self::ACTION, everything(caller)))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<Everything>) -> Result<Entry> {
        let now = allowed.caller().time();
        let entry = registry
            .allow_vulnerability(&allowed, self.parse()?)
            .await?;
        Ok(Entry::new(entry, now))
    }
}

/// Lists what is accepted, and what was and has ended.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListAllowedVulnerabilities {}

/// The list.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Entries {
    allowed_vulnerabilities: List<Entry>,
}

impl Operation for ListAllowedVulnerabilities {
    const NAME: &'static str = "ListAllowedVulnerabilities";
    const ACTION: Action = Action::new("bonded:ListAllowedVulnerabilities");
    const EXAMPLE: &'static str = "{}";
    type Target = Everything;
    type Output = Entries;

    fn checks(&self, caller: &Caller) -> Result<Checks<Everything>> {
        Ok(Checks::new(Self::ACTION, everything(caller)))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<Everything>) -> Result<Entries> {
        let now = allowed.caller().time();
        let list = registry.list_allowed_vulnerabilities(&allowed).await?;
        let entries = list.into_iter().map(|entry| Entry::new(entry, now));
        Ok(Entries {
            allowed_vulnerabilities: entries.collect(),
        })
    }
}

/// Ends an entry.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteAllowedVulnerability {
    id: String,
}

/// Nothing.
#[derive(Debug, Serialize)]
pub(super) struct Deleted {}

impl Operation for DeleteAllowedVulnerability {
    const NAME: &'static str = "DeleteAllowedVulnerability";
    const ACTION: Action = Action::new("bonded:DeleteAllowedVulnerability");
    const EXAMPLE: &'static str = r#"{"Id":"ALLOWabsent"}"#;
    type Target = Everything;
    type Output = Deleted;

    fn checks(&self, caller: &Caller) -> Result<Checks<Everything>> {
        Ok(Checks::new(Self::ACTION, everything(caller)))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<Everything>) -> Result<Deleted> {
        registry.forbid_vulnerability(&allowed, &self.id).await?;
        Ok(Deleted {})
    }
}
