//! The managed policies that are attached to users, groups and roles.

use bonded_registry::{
    Action, Allowed, Caller, Checks, PolicyHolder, Registry, Result, of_policy_arn,
};
use serde::{Deserialize, Serialize};

use super::families::Holder;
use super::page::{PageEnd, PageRequest};
use super::shapes::{NoAnswer, path_prefix, policy_arn};
use crate::aws::Operation;
use crate::aws::query::List;

/// `AttachUserPolicy`, `AttachGroupPolicy`, `AttachRolePolicy`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AttachPolicy<H> {
    #[serde(flatten)]
    holder: H,
    policy_arn: String,
}

impl<H: Holder> Operation for AttachPolicy<H>
where
    Allowed<H::Target>: PolicyHolder,
{
    const NAME: &'static str = H::ATTACH.name;
    const ACTION: Action = H::ATTACH.action;
    const EXAMPLE: &'static str = H::ATTACH.example;
    type Target = H::Target;
    type Output = NoAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<H::Target>> {
        policy_arn(&self.policy_arn)?;
        let target = self.holder.target(caller)?;
        Ok(Checks::new(Self::ACTION, target).with(of_policy_arn(&self.policy_arn)))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<H::Target>) -> Result<NoAnswer> {
        let policy = policy_arn(&self.policy_arn)?;
        registry.attach_policy(&allowed, &policy).await?;
        Ok(NoAnswer {})
    }
}

/// `DetachUserPolicy`, `DetachGroupPolicy`, `DetachRolePolicy`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DetachPolicy<H> {
    #[serde(flatten)]
    holder: H,
    policy_arn: String,
}

impl<H: Holder> Operation for DetachPolicy<H>
where
    Allowed<H::Target>: PolicyHolder,
{
    const NAME: &'static str = H::DETACH.name;
    const ACTION: Action = H::DETACH.action;
    const EXAMPLE: &'static str = H::DETACH.example;
    type Target = H::Target;
    type Output = NoAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<H::Target>> {
        policy_arn(&self.policy_arn)?;
        let target = self.holder.target(caller)?;
        Ok(Checks::new(Self::ACTION, target).with(of_policy_arn(&self.policy_arn)))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<H::Target>) -> Result<NoAnswer> {
        let policy = policy_arn(&self.policy_arn)?;
        registry.detach_policy(&allowed, &policy).await?;
        Ok(NoAnswer {})
    }
}

/// `ListAttachedUserPolicies`, `ListAttachedGroupPolicies`, `ListAttachedRolePolicies`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListAttachedPolicies<H> {
    #[serde(flatten)]
    holder: H,
    path_prefix: Option<String>,
    #[serde(flatten)]
    page: PageRequest,
}

/// `AttachedPolicy`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AttachedPolicy {
    policy_name: String,
    policy_arn: String,
}

impl From<bonded_model::PolicyArn> for AttachedPolicy {
    fn from(arn: bonded_model::PolicyArn) -> Self {
        Self {
            policy_arn: arn.to_string(),
            policy_name: arn.name,
        }
    }
}

/// `ListAttachedUserPoliciesResponse` and the others.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AttachedPolicies {
    attached_policies: List<AttachedPolicy>,
    #[serde(flatten)]
    end: PageEnd,
}

impl<H: Holder> Operation for ListAttachedPolicies<H>
where
    Allowed<H::Target>: PolicyHolder,
{
    const NAME: &'static str = H::LIST_ATTACHED.name;
    const ACTION: Action = H::LIST_ATTACHED.action;
    const EXAMPLE: &'static str = H::LIST_ATTACHED.example;
    type Target = H::Target;
    type Output = AttachedPolicies;

    fn checks(&self, caller: &Caller) -> Result<Checks<H::Target>> {
        self.page.read(Self::NAME)?;
        path_prefix(self.path_prefix.as_deref())?;
        Ok(Checks::new(Self::ACTION, self.holder.target(caller)?))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<H::Target>,
    ) -> Result<AttachedPolicies> {
        let page = self.page.read(Self::NAME)?;
        let prefix = path_prefix(self.path_prefix.as_deref())?;
        let mut policies = registry
            .list_attached_policies(&allowed, prefix, page.after(), page.to_read())
            .await?;
        let end = page.cut(&mut policies, |policy| policy.name.clone());
        let policies = policies.into_iter().map(Into::into).collect();
        Ok(AttachedPolicies {
            attached_policies: policies,
            end,
        })
    }
}
