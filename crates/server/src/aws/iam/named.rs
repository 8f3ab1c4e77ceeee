//! The users, groups, roles and other things that operations name in their inputs.

use bonded_registry::target::{
    GroupNamed, InstanceProfileNamed, OidcProviderNamed, PolicyNamed, RoleNamed, Target, UserNamed,
};
use bonded_registry::{Caller, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::shapes::{name, oidc_provider, policy_arn};

/// What an operation is about, by the members of its input that name it.
pub(super) trait Named: DeserializeOwned + Send + 'static {
    /// What is judged.
    type Target: Target;

    /// # Errors
    /// The name is malformed.
    fn target(&self, caller: &Caller) -> Result<Self::Target>;
}

/// A user, by the name in the input.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OfUser {
    pub(super) user_name: String,
}

/// A group, by the name in the input.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OfGroup {
    pub(super) group_name: String,
}

/// A role, by the name in the input.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OfRole {
    pub(super) role_name: String,
}

/// A managed policy, by its ARN.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OfPolicy {
    policy_arn: String,
}

/// An instance profile, by the name in the input.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OfInstanceProfile {
    instance_profile_name: String,
}

/// An OpenID Connect provider, by its ARN.
#[derive(Debug, Deserialize)]
pub(super) struct OfOidcProvider {
    #[serde(rename = "OpenIDConnectProviderArn")]
    arn: String,
}

impl Named for OfUser {
    type Target = UserNamed;

    fn target(&self, caller: &Caller) -> Result<UserNamed> {
        Ok(UserNamed {
            account: caller.account().clone(),
            name: name("userName", &self.user_name, 128)?,
            path: "/".to_owned(),
        })
    }
}

impl Named for OfGroup {
    type Target = GroupNamed;

    fn target(&self, caller: &Caller) -> Result<GroupNamed> {
        Ok(GroupNamed {
            account: caller.account().clone(),
            name: name("groupName", &self.group_name, 128)?,
            path: "/".to_owned(),
        })
    }
}

impl Named for OfRole {
    type Target = RoleNamed;

    fn target(&self, caller: &Caller) -> Result<RoleNamed> {
        Ok(RoleNamed {
            account: caller.account().clone(),
            name: name("roleName", &self.role_name, 64)?,
            path: "/".to_owned(),
        })
    }
}

impl Named for OfPolicy {
    type Target = PolicyNamed;

    fn target(&self, caller: &Caller) -> Result<PolicyNamed> {
        Ok(PolicyNamed {
            arn: policy_arn(&self.policy_arn)?,
            viewer: caller.account().clone(),
        })
    }
}

impl Named for OfInstanceProfile {
    type Target = InstanceProfileNamed;

    fn target(&self, caller: &Caller) -> Result<InstanceProfileNamed> {
        Ok(InstanceProfileNamed {
            account: caller.account().clone(),
            name: name("instanceProfileName", &self.instance_profile_name, 128)?,
            path: "/".to_owned(),
        })
    }
}

impl Named for OfOidcProvider {
    type Target = OidcProviderNamed;

    fn target(&self, caller: &Caller) -> Result<OidcProviderNamed> {
        oidc_provider(caller, &self.arn)
    }
}
