//! The policy of a repository.

use bonded_model::{AccountId, RepositoryArn, RepositoryName};
use bonded_registry::{Action, Allowed, Caller, Checks, Error, Registry, Result};
use serde::{Deserialize, Serialize};

use super::shapes::repository;
use crate::aws::Operation;

/// The longest policy text, in characters.
const POLICY_LIMIT: usize = 10_240;

/// The answer of all three operations.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PolicyAnswer {
    registry_id: String,
    repository_name: String,
    policy_text: String,
}

impl PolicyAnswer {
    fn new(arn: &RepositoryArn, policy_text: String) -> Self {
        Self {
            registry_id: arn.account.to_string(),
            repository_name: arn.name.to_string(),
            policy_text,
        }
    }
}

/// `SetRepositoryPolicy`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SetRepositoryPolicy {
    registry_id: Option<AccountId>,
    repository_name: RepositoryName,
    policy_text: String,
    #[serde(default)]
    force: bool,
}

impl Operation for SetRepositoryPolicy {
    const NAME: &'static str = "SetRepositoryPolicy";
    const ACTION: Action = Action::new("ecr:SetRepositoryPolicy");
    const EXAMPLE: &'static str = r#"{"repositoryName":"team/app","policyText":"{\"Version\":\"2012-10-17\",\"Statement\":[]}"}"#;
    type Target = RepositoryArn;
    type Output = PolicyAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<RepositoryArn>> {
        if self.policy_text.chars().count() > POLICY_LIMIT {
            return Err(Error::parameter(
                "PolicyText",
                "Member must have length less than or equal to 10240",
            ));
        }
        let arn = repository(caller, self.registry_id.as_ref(), &self.repository_name);
        Ok(Checks::new(Self::ACTION, arn))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<RepositoryArn>,
    ) -> Result<PolicyAnswer> {
        registry
            .set_repository_policy(&allowed, &self.policy_text, self.force)
            .await?;
        Ok(PolicyAnswer::new(allowed.target(), self.policy_text))
    }
}

/// `GetRepositoryPolicy`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetRepositoryPolicy {
    registry_id: Option<AccountId>,
    repository_name: RepositoryName,
}

impl Operation for GetRepositoryPolicy {
    const NAME: &'static str = "GetRepositoryPolicy";
    const ACTION: Action = Action::new("ecr:GetRepositoryPolicy");
    const EXAMPLE: &'static str = r#"{"repositoryName":"team/app"}"#;
    type Target = RepositoryArn;
    type Output = PolicyAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<RepositoryArn>> {
        let arn = repository(caller, self.registry_id.as_ref(), &self.repository_name);
        Ok(Checks::new(Self::ACTION, arn))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<RepositoryArn>,
    ) -> Result<PolicyAnswer> {
        Ok(PolicyAnswer::new(
            allowed.target(),
            registry.repository_policy(&allowed).await?,
        ))
    }
}

/// `DeleteRepositoryPolicy`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeleteRepositoryPolicy {
    registry_id: Option<AccountId>,
    repository_name: RepositoryName,
}

impl Operation for DeleteRepositoryPolicy {
    const NAME: &'static str = "DeleteRepositoryPolicy";
    const ACTION: Action = Action::new("ecr:DeleteRepositoryPolicy");
    const EXAMPLE: &'static str = r#"{"repositoryName":"team/app"}"#;
    type Target = RepositoryArn;
    type Output = PolicyAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<RepositoryArn>> {
        let arn = repository(caller, self.registry_id.as_ref(), &self.repository_name);
        Ok(Checks::new(Self::ACTION, arn))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<RepositoryArn>,
    ) -> Result<PolicyAnswer> {
        let text = registry.delete_repository_policy(&allowed).await?;
        Ok(PolicyAnswer::new(allowed.target(), text))
    }
}
