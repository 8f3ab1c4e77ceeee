//! Versions of managed policies.

use bonded_registry::target::PolicyNamed;
use bonded_registry::{Action, Allowed, Caller, Checks, ManagedPolicyVersion, Registry, Result};
use serde::{Deserialize, Serialize};

use super::managed_policies::version_id;
use super::named::{Named, OfPolicy};
use super::page::{PageEnd, PageRequest};
use super::shapes::{NoAnswer, constraint, document, encoded};
use crate::aws::Operation;
use crate::aws::query::{List, flag};

/// `PolicyVersion`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct VersionShape {
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<String>,
    version_id: String,
    is_default_version: bool,
    create_date: String,
}

impl VersionShape {
    /// Without its text, as lists show it.
    fn listed(version: &ManagedPolicyVersion) -> Self {
        Self {
            document: None,
            version_id: version_id(version.number),
            is_default_version: version.is_default,
            create_date: version.created_at.to_string(),
        }
    }

    pub(super) fn whole(version: &ManagedPolicyVersion) -> Self {
        Self {
            document: Some(encoded(&version.document.text)),
            ..Self::listed(version)
        }
    }
}

/// `{PolicyVersion}`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct VersionAnswer {
    policy_version: VersionShape,
}

/// A version id of `v1.2` form is AWS's pattern; ours have one number.
fn number(id: &str) -> Result<u32> {
    let number = id.strip_prefix('v').and_then(|digits| digits.parse().ok());
    number.filter(|number| *number > 0).ok_or_else(|| {
        constraint(
            "versionId",
            "Member must satisfy regular expression pattern: v[1-9][0-9]*(\\.[A-Za-z0-9-]*)?",
        )
    })
}

/// `CreatePolicyVersion`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreatePolicyVersion {
    #[serde(flatten)]
    policy: OfPolicy,
    policy_document: String,
    #[serde(default, deserialize_with = "flag")]
    set_as_default: bool,
}

impl Operation for CreatePolicyVersion {
    const NAME: &'static str = "CreatePolicyVersion";
    const ACTION: Action = Action::new("iam:CreatePolicyVersion");
    const EXAMPLE: &'static str = r#"{"PolicyArn":"arn:aws:iam::111122223333:policy/pull","PolicyDocument":"{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"ecr:*\",\"Resource\":\"*\"}}"}"#;
    type Target = PolicyNamed;
    type Output = VersionAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<PolicyNamed>> {
        document("policyDocument", &self.policy_document)?;
        Ok(Checks::new(Self::ACTION, self.policy.target(caller)?))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<PolicyNamed>,
    ) -> Result<VersionAnswer> {
        let number = registry
            .create_policy_version(&allowed, &self.policy_document, self.set_as_default)
            .await?;
        Ok(VersionAnswer {
            policy_version: VersionShape {
                document: None,
                version_id: version_id(number),
                is_default_version: self.set_as_default,
                create_date: allowed.caller().time().to_string(),
            },
        })
    }
}

/// A version of a managed policy, by the names in the input.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OfVersion {
    #[serde(flatten)]
    policy: OfPolicy,
    version_id: String,
}

impl OfVersion {
    fn number(&self) -> Result<u32> {
        number(&self.version_id)
    }
}

impl Named for OfVersion {
    type Target = PolicyNamed;

    fn target(&self, caller: &Caller) -> Result<PolicyNamed> {
        self.number()?;
        self.policy.target(caller)
    }
}

/// `GetPolicyVersion`.
#[derive(Debug, Deserialize)]
pub(super) struct GetPolicyVersion(OfVersion);

impl Operation for GetPolicyVersion {
    const NAME: &'static str = "GetPolicyVersion";
    const ACTION: Action = Action::new("iam:GetPolicyVersion");
    const EXAMPLE: &'static str =
        r#"{"PolicyArn":"arn:aws:iam::111122223333:policy/pull","VersionId":"v1"}"#;
    type Target = PolicyNamed;
    type Output = VersionAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<PolicyNamed>> {
        Ok(Checks::new(Self::ACTION, self.0.target(caller)?))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<PolicyNamed>,
    ) -> Result<VersionAnswer> {
        let version = registry.policy_version(&allowed, self.0.number()?).await?;
        Ok(VersionAnswer {
            policy_version: VersionShape::whole(&version),
        })
    }
}

/// `ListPolicyVersions`.
#[derive(Debug, Deserialize)]
pub(super) struct ListPolicyVersions {
    #[serde(flatten)]
    policy: OfPolicy,
    #[serde(flatten)]
    page: PageRequest,
}

/// `ListPolicyVersionsResponse`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct VersionsAnswer {
    versions: List<VersionShape>,
    #[serde(flatten)]
    end: PageEnd,
}

impl Operation for ListPolicyVersions {
    const NAME: &'static str = "ListPolicyVersions";
    const ACTION: Action = Action::new("iam:ListPolicyVersions");
    const EXAMPLE: &'static str = r#"{"PolicyArn":"arn:aws:iam::111122223333:policy/pull"}"#;
    type Target = PolicyNamed;
    type Output = VersionsAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<PolicyNamed>> {
        self.page.read(Self::NAME)?;
        Ok(Checks::new(Self::ACTION, self.policy.target(caller)?))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<PolicyNamed>,
    ) -> Result<VersionsAnswer> {
        let mut versions = registry.list_policy_versions(&allowed).await?;
        let page = self.page.read(Self::NAME)?;
        let end = page.cut_whole(&mut versions, |version| version_id(version.number));
        let versions = versions.iter().map(VersionShape::listed).collect();
        Ok(VersionsAnswer { versions, end })
    }
}

/// `SetDefaultPolicyVersion`.
#[derive(Debug, Deserialize)]
pub(super) struct SetDefaultPolicyVersion(OfVersion);

impl Operation for SetDefaultPolicyVersion {
    const NAME: &'static str = "SetDefaultPolicyVersion";
    const ACTION: Action = Action::new("iam:SetDefaultPolicyVersion");
    const EXAMPLE: &'static str =
        r#"{"PolicyArn":"arn:aws:iam::111122223333:policy/pull","VersionId":"v1"}"#;
    type Target = PolicyNamed;
    type Output = NoAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<PolicyNamed>> {
        Ok(Checks::new(Self::ACTION, self.0.target(caller)?))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<PolicyNamed>) -> Result<NoAnswer> {
        registry
            .set_default_policy_version(&allowed, self.0.number()?)
            .await?;
        Ok(NoAnswer {})
    }
}

/// `DeletePolicyVersion`.
#[derive(Debug, Deserialize)]
pub(super) struct DeletePolicyVersion(OfVersion);

impl Operation for DeletePolicyVersion {
    const NAME: &'static str = "DeletePolicyVersion";
    const ACTION: Action = Action::new("iam:DeletePolicyVersion");
    const EXAMPLE: &'static str =
        r#"{"PolicyArn":"arn:aws:iam::111122223333:policy/pull","VersionId":"v1"}"#;
    type Target = PolicyNamed;
    type Output = NoAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<PolicyNamed>> {
        Ok(Checks::new(Self::ACTION, self.0.target(caller)?))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<PolicyNamed>) -> Result<NoAnswer> {
        registry
            .delete_policy_version(&allowed, self.0.number()?)
            .await?;
        Ok(NoAnswer {})
    }
}
