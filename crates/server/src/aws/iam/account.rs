//! The account itself: its alias and what there is in it.

use bonded_registry::quota::{self, Quota};
use bonded_registry::target::Everything;
use bonded_registry::{Action, Allowed, Caller, Checks, Registry, Result};
use serde::{Deserialize, Serialize};

use super::page::{PageEnd, PageRequest};
use super::shapes::{NoAnswer, constraint};
use crate::aws::Operation;
use crate::aws::query::List;

/// Checks an alias: 3 to 63 of `a-z0-9-`, not with `-` at an end or twice in a row.
fn alias(text: &str) -> Result<&str> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let shaped = !text.starts_with('-') && !text.ends_with('-') && !text.contains("--");
    if (3..=63).contains(&text.len()) && text.bytes().all(allowed) && shaped {
        Ok(text)
    } else {
        Err(constraint(
            "accountAlias",
            "Member must satisfy regular expression pattern: ^[a-z0-9]([a-z0-9]|-(?!-)){1,61}[a-z0-9]$",
        ))
    }
}

/// `CreateAccountAlias`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateAccountAlias {
    account_alias: String,
}

impl Operation for CreateAccountAlias {
    const NAME: &'static str = "CreateAccountAlias";
    const ACTION: Action = Action::new("iam:CreateAccountAlias");
    const EXAMPLE: &'static str = r#"{"AccountAlias":"example"}"#;
    type Target = Everything;
    type Output = NoAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<Everything>> {
        alias(&self.account_alias)?;
        Ok(Checks::new(Self::ACTION, Everything::of(caller)))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<Everything>) -> Result<NoAnswer> {
        registry
            .create_account_alias(&allowed, &self.account_alias)
            .await?;
        Ok(NoAnswer {})
    }
}

/// `DeleteAccountAlias`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteAccountAlias {
    account_alias: String,
}

impl Operation for DeleteAccountAlias {
    const NAME: &'static str = "DeleteAccountAlias";
    const ACTION: Action = Action::new("iam:DeleteAccountAlias");
    const EXAMPLE: &'static str = r#"{"AccountAlias":"example"}"#;
    type Target = Everything;
    type Output = NoAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<Everything>> {
        alias(&self.account_alias)?;
        Ok(Checks::new(Self::ACTION, Everything::of(caller)))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<Everything>) -> Result<NoAnswer> {
        registry
            .delete_account_alias(&allowed, &self.account_alias)
            .await?;
        Ok(NoAnswer {})
    }
}

/// `ListAccountAliases`.
#[derive(Debug, Deserialize)]
pub(super) struct ListAccountAliases {
    #[serde(flatten)]
    page: PageRequest,
}

/// `ListAccountAliasesResponse`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Aliases {
    account_aliases: List<String>,
    #[serde(flatten)]
    end: PageEnd,
}

impl Operation for ListAccountAliases {
    const NAME: &'static str = "ListAccountAliases";
    const ACTION: Action = Action::new("iam:ListAccountAliases");
    const EXAMPLE: &'static str = "{}";
    type Target = Everything;
    type Output = Aliases;

    fn checks(&self, caller: &Caller) -> Result<Checks<Everything>> {
        self.page.read(Self::NAME)?;
        Ok(Checks::new(Self::ACTION, Everything::of(caller)))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<Everything>) -> Result<Aliases> {
        let alias = registry.account_alias(&allowed).await?;
        let mut aliases: Vec<String> = alias.into_iter().collect();
        let page = self.page.read(Self::NAME)?;
        let end = page.cut_whole(&mut aliases, String::clone);
        Ok(Aliases {
            account_aliases: aliases.into(),
            end,
        })
    }
}

/// `GetAccountSummary`.
#[derive(Debug, Deserialize)]
pub(super) struct GetAccountSummary {}

/// An entry of a map in an answer.
#[derive(Debug, Serialize)]
struct Entry {
    key: &'static str,
    value: u64,
}

/// A map in an answer.
#[derive(Debug, Serialize)]
struct Entries {
    entry: Vec<Entry>,
}

/// `GetAccountSummaryResponse`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Summary {
    summary_map: Entries,
}

impl Operation for GetAccountSummary {
    const NAME: &'static str = "GetAccountSummary";
    const ACTION: Action = Action::new("iam:GetAccountSummary");
    const EXAMPLE: &'static str = "{}";
    type Target = Everything;
    type Output = Summary;

    fn checks(&self, caller: &Caller) -> Result<Checks<Everything>> {
        Ok(Checks::new(Self::ACTION, Everything::of(caller)))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<Everything>) -> Result<Summary> {
        let counts = registry.account_summary(&allowed).await?;
        let limit = |quota: &Quota| u64::from(quota.limit);
        let entries = [
            ("Users", counts.users),
            ("UsersQuota", limit(&quota::USERS)),
            ("Groups", counts.groups),
            ("GroupsQuota", limit(&quota::GROUPS)),
            ("Roles", counts.roles),
            ("RolesQuota", limit(&quota::ROLES)),
            ("Policies", counts.policies),
            ("PoliciesQuota", limit(&quota::POLICIES)),
            ("PolicyVersionsInUse", counts.policy_versions),
            ("InstanceProfiles", counts.instance_profiles),
            ("InstanceProfilesQuota", limit(&quota::INSTANCE_PROFILES)),
            ("Providers", counts.oidc_providers),
            ("AccessKeysPerUserQuota", limit(&quota::ACCESS_KEYS)),
            ("GroupsPerUserQuota", limit(&quota::GROUPS_PER_USER)),
            (
                "AttachedPoliciesPerUserQuota",
                limit(&quota::POLICIES_PER_USER),
            ),
            (
                "AttachedPoliciesPerGroupQuota",
                limit(&quota::POLICIES_PER_GROUP),
            ),
            (
                "AttachedPoliciesPerRoleQuota",
                limit(&quota::POLICIES_PER_ROLE),
            ),
            ("VersionsPerPolicyQuota", quota::POLICY_VERSIONS.into()),
            ("PolicySizeQuota", limit(&quota::POLICY_SIZE)),
            ("AssumeRolePolicySizeQuota", limit(&quota::TRUST_POLICY)),
            ("UserPolicySizeQuota", 2048),
            ("GroupPolicySizeQuota", 5120),
            // There is no root user here, nor a second factor.
            ("AccountMFAEnabled", 0),
            ("AccountAccessKeysPresent", 0),
            ("AccountSigningCertificatesPresent", 0),
            ("MFADevices", 0),
            ("MFADevicesInUse", 0),
            ("ServerCertificates", 0),
        ];
        let entry = entries.map(|(key, value)| Entry { key, value });
        Ok(Summary {
            summary_map: Entries {
                entry: entry.into(),
            },
        })
    }
}
