//! The inline policies of users and roles.

use bonded_registry::target::{RoleNamed, UserNamed};
use bonded_registry::{Action, Allowed, Caller, Checks, Registry, Result};
use serde::{Deserialize, Serialize};

use super::shapes::{NoAnswer, document, encoded, name, user};
use crate::aws::Operation;

fn role(caller: &Caller, role_name: &str) -> Result<RoleNamed> {
    let name = name("roleName", role_name, 64)?;
    Ok(RoleNamed {
        account: caller.account().clone(),
        name,
        path: "/".to_owned(),
    })
}

/// `PutUserPolicy`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutUserPolicy {
    user_name: String,
    policy_name: String,
    policy_document: String,
}

impl Operation for PutUserPolicy {
    const NAME: &'static str = "PutUserPolicy";
    const ACTION: Action = Action::new("iam:PutUserPolicy");
    const EXAMPLE: &'static str = r#"{"UserName":"alice","PolicyName":"pull","PolicyDocument":"{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"ecr:*\",\"Resource\":\"*\"}}"}"#;
    type Target = UserNamed;
    type Output = NoAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<UserNamed>> {
        name("policyName", &self.policy_name, 128)?;
        document("policyDocument", &self.policy_document)?;
        Ok(Checks::new(
            Self::ACTION,
            user(caller, Some(&self.user_name))?,
        ))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<UserNamed>) -> Result<NoAnswer> {
        registry
            .put_inline_policy(&allowed, &self.policy_name, &self.policy_document)
            .await?;
        Ok(NoAnswer {})
    }
}

/// `GetUserPolicy`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetUserPolicy {
    user_name: String,
    policy_name: String,
}

/// `GetUserPolicyResponse`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UserPolicyAnswer {
    user_name: String,
    policy_name: String,
    policy_document: String,
}

impl Operation for GetUserPolicy {
    const NAME: &'static str = "GetUserPolicy";
    const ACTION: Action = Action::new("iam:GetUserPolicy");
    const EXAMPLE: &'static str = r#"{"UserName":"alice","PolicyName":"pull"}"#;
    type Target = UserNamed;
    type Output = UserPolicyAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<UserNamed>> {
        name("policyName", &self.policy_name, 128)?;
        Ok(Checks::new(
            Self::ACTION,
            user(caller, Some(&self.user_name))?,
        ))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<UserNamed>,
    ) -> Result<UserPolicyAnswer> {
        let text = registry.inline_policy(&allowed, &self.policy_name).await?;
        Ok(UserPolicyAnswer {
            user_name: allowed.user()?.name.clone(),
            policy_name: self.policy_name,
            policy_document: encoded(&text),
        })
    }
}

/// `DeleteUserPolicy`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteUserPolicy {
    user_name: String,
    policy_name: String,
}

impl Operation for DeleteUserPolicy {
    const NAME: &'static str = "DeleteUserPolicy";
    const ACTION: Action = Action::new("iam:DeleteUserPolicy");
    const EXAMPLE: &'static str = r#"{"UserName":"alice","PolicyName":"pull"}"#;
    type Target = UserNamed;
    type Output = NoAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<UserNamed>> {
        name("policyName", &self.policy_name, 128)?;
        Ok(Checks::new(
            Self::ACTION,
            user(caller, Some(&self.user_name))?,
        ))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<UserNamed>) -> Result<NoAnswer> {
        registry
            .delete_inline_policy(&allowed, &self.policy_name)
            .await?;
        Ok(NoAnswer {})
    }
}

/// `PutRolePolicy`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutRolePolicy {
    role_name: String,
    policy_name: String,
    policy_document: String,
}

impl Operation for PutRolePolicy {
    const NAME: &'static str = "PutRolePolicy";
    const ACTION: Action = Action::new("iam:PutRolePolicy");
    const EXAMPLE: &'static str = r#"{"RoleName":"ci","PolicyName":"pull","PolicyDocument":"{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"ecr:*\",\"Resource\":\"*\"}}"}"#;
    type Target = RoleNamed;
    type Output = NoAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<RoleNamed>> {
        name("policyName", &self.policy_name, 128)?;
        document("policyDocument", &self.policy_document)?;
        Ok(Checks::new(Self::ACTION, role(caller, &self.role_name)?))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<RoleNamed>) -> Result<NoAnswer> {
        registry
            .put_inline_policy(&allowed, &self.policy_name, &self.policy_document)
            .await?;
        Ok(NoAnswer {})
    }
}

/// `GetRolePolicy`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetRolePolicy {
    role_name: String,
    policy_name: String,
}

/// `GetRolePolicyResponse`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RolePolicyAnswer {
    role_name: String,
    policy_name: String,
    policy_document: String,
}

impl Operation for GetRolePolicy {
    const NAME: &'static str = "GetRolePolicy";
    const ACTION: Action = Action::new("iam:GetRolePolicy");
    const EXAMPLE: &'static str = r#"{"RoleName":"ci","PolicyName":"pull"}"#;
    type Target = RoleNamed;
    type Output = RolePolicyAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<RoleNamed>> {
        name("policyName", &self.policy_name, 128)?;
        Ok(Checks::new(Self::ACTION, role(caller, &self.role_name)?))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<RoleNamed>,
    ) -> Result<RolePolicyAnswer> {
        let text = registry.inline_policy(&allowed, &self.policy_name).await?;
        Ok(RolePolicyAnswer {
            role_name: allowed.role()?.name.clone(),
            policy_name: self.policy_name,
            policy_document: encoded(&text),
        })
    }
}

/// `DeleteRolePolicy`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteRolePolicy {
    role_name: String,
    policy_name: String,
}

impl Operation for DeleteRolePolicy {
    const NAME: &'static str = "DeleteRolePolicy";
    const ACTION: Action = Action::new("iam:DeleteRolePolicy");
    const EXAMPLE: &'static str = r#"{"RoleName":"ci","PolicyName":"pull"}"#;
    type Target = RoleNamed;
    type Output = NoAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<RoleNamed>> {
        name("policyName", &self.policy_name, 128)?;
        Ok(Checks::new(Self::ACTION, role(caller, &self.role_name)?))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<RoleNamed>) -> Result<NoAnswer> {
        registry
            .delete_inline_policy(&allowed, &self.policy_name)
            .await?;
        Ok(NoAnswer {})
    }
}
