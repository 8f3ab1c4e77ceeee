//! The inline policies of users, groups and roles.

use bonded_registry::{Action, Allowed, Caller, Checks, PolicyHolder, Registry, Result};
use serde::{Deserialize, Serialize};

use super::families::{Holder, HolderName};
use super::page::{PageEnd, PageRequest};
use super::shapes::{NoAnswer, document, encoded, name};
use crate::aws::Operation;
use crate::aws::query::List;

/// `PutUserPolicy`, `PutGroupPolicy`, `PutRolePolicy`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutPolicy<H> {
    #[serde(flatten)]
    holder: H,
    policy_name: String,
    policy_document: String,
}

impl<H: Holder> Operation for PutPolicy<H>
where
    Allowed<H::Target>: PolicyHolder,
{
    const NAME: &'static str = H::PUT.name;
    const ACTION: Action = H::PUT.action;
    const EXAMPLE: &'static str = H::PUT.example;
    type Target = H::Target;
    type Output = NoAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<H::Target>> {
        name("policyName", &self.policy_name, 128)?;
        document("policyDocument", &self.policy_document)?;
        Ok(Checks::new(Self::ACTION, self.holder.target(caller)?))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<H::Target>) -> Result<NoAnswer> {
        registry
            .put_inline_policy(&allowed, &self.policy_name, &self.policy_document)
            .await?;
        Ok(NoAnswer {})
    }
}

/// `GetUserPolicy`, `GetGroupPolicy`, `GetRolePolicy`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetPolicy<H> {
    #[serde(flatten)]
    holder: H,
    policy_name: String,
}

/// `GetUserPolicyResponse` and the others.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PolicyAnswer {
    #[serde(flatten)]
    holder: HolderName,
    policy_name: String,
    policy_document: String,
}

impl<H: Holder> Operation for GetPolicy<H>
where
    Allowed<H::Target>: PolicyHolder,
{
    const NAME: &'static str = H::GET.name;
    const ACTION: Action = H::GET.action;
    const EXAMPLE: &'static str = H::GET.example;
    type Target = H::Target;
    type Output = PolicyAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<H::Target>> {
        name("policyName", &self.policy_name, 128)?;
        Ok(Checks::new(Self::ACTION, self.holder.target(caller)?))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<H::Target>) -> Result<PolicyAnswer> {
        let text = registry.inline_policy(&allowed, &self.policy_name).await?;
        Ok(PolicyAnswer {
            holder: self.holder.shown(),
            policy_name: self.policy_name,
            policy_document: encoded(&text),
        })
    }
}

/// `DeleteUserPolicy`, `DeleteGroupPolicy`, `DeleteRolePolicy`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeletePolicy<H> {
    #[serde(flatten)]
    holder: H,
    policy_name: String,
}

impl<H: Holder> Operation for DeletePolicy<H>
where
    Allowed<H::Target>: PolicyHolder,
{
    const NAME: &'static str = H::DELETE.name;
    const ACTION: Action = H::DELETE.action;
    const EXAMPLE: &'static str = H::DELETE.example;
    type Target = H::Target;
    type Output = NoAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<H::Target>> {
        name("policyName", &self.policy_name, 128)?;
        Ok(Checks::new(Self::ACTION, self.holder.target(caller)?))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<H::Target>) -> Result<NoAnswer> {
        registry
            .delete_inline_policy(&allowed, &self.policy_name)
            .await?;
        Ok(NoAnswer {})
    }
}

/// `ListUserPolicies`, `ListGroupPolicies`, `ListRolePolicies`.
#[derive(Debug, Deserialize)]
pub(super) struct ListPolicies<H> {
    #[serde(flatten)]
    holder: H,
    #[serde(flatten)]
    page: PageRequest,
}

/// `ListUserPoliciesResponse` and the others.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PolicyNames {
    policy_names: List<String>,
    #[serde(flatten)]
    end: PageEnd,
}

impl<H: Holder> Operation for ListPolicies<H>
where
    Allowed<H::Target>: PolicyHolder,
{
    const NAME: &'static str = H::LIST.name;
    const ACTION: Action = H::LIST.action;
    const EXAMPLE: &'static str = H::LIST.example;
    type Target = H::Target;
    type Output = PolicyNames;

    fn checks(&self, caller: &Caller) -> Result<Checks<H::Target>> {
        self.page.read(Self::NAME)?;
        Ok(Checks::new(Self::ACTION, self.holder.target(caller)?))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<H::Target>) -> Result<PolicyNames> {
        let mut names = registry.list_inline_policies(&allowed).await?;
        let page = self.page.read(Self::NAME)?;
        let end = page.cut_whole(&mut names, String::clone);
        Ok(PolicyNames {
            policy_names: names.into(),
            end,
        })
    }
}
