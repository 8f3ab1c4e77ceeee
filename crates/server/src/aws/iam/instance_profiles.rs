//! Instance profiles, as far as AWS's tools need them to keep their state.

use bonded_registry::target::{Everything, InstanceProfileNamed, RoleNamed};
use bonded_registry::{Action, Allowed, Caller, Checks, InstanceProfile, Registry, Result};
use serde::{Deserialize, Serialize};

use super::deletion::Deletable;
use super::families::Call;
use super::named::{Named, OfInstanceProfile, OfRole};
use super::page::{Page, PageEnd, PageRequest};
use super::path_lists::Listed;
use super::roles::RoleShape;
use super::shapes::{NoAnswer, Tag, name, path, some_tags, tags};
use crate::aws::Operation;
use crate::aws::query::List;

/// `InstanceProfile`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ProfileShape {
    path: String,
    instance_profile_name: String,
    instance_profile_id: String,
    arn: String,
    create_date: String,
    roles: List<RoleShape>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<List<Tag>>,
}

impl ProfileShape {
    /// With its role, which is read.
    async fn new(registry: &Registry, profile: &InstanceProfile) -> Result<Self> {
        let mut roles = Vec::new();
        if let Some(role) = registry.role_of_instance_profile(profile).await? {
            let trust = registry.shown_trust_policy(&role).await?;
            roles.push(RoleShape::created(&role, &trust));
        }
        Ok(Self {
            path: profile.path.clone(),
            instance_profile_name: profile.name.clone(),
            instance_profile_id: profile.id.clone(),
            arn: profile.arn(),
            create_date: profile.created_at.to_string(),
            roles: roles.into(),
            tags: some_tags(&profile.tags),
        })
    }

    /// Each with its role.
    pub(super) async fn all(
        registry: &Registry,
        profiles: &[InstanceProfile],
    ) -> Result<List<Self>> {
        let mut shown = Vec::with_capacity(profiles.len());
        for profile in profiles {
            shown.push(Self::new(registry, profile).await?);
        }
        Ok(shown.into())
    }
}

/// `{InstanceProfile}`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ProfileAnswer {
    instance_profile: ProfileShape,
}

/// `{InstanceProfiles}` with the end of their page.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ProfilesAnswer {
    instance_profiles: List<ProfileShape>,
    #[serde(flatten)]
    end: PageEnd,
}

/// `CreateInstanceProfile`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateInstanceProfile {
    instance_profile_name: String,
    path: Option<String>,
    #[serde(default)]
    tags: Vec<Tag>,
}

impl Operation for CreateInstanceProfile {
    const NAME: &'static str = "CreateInstanceProfile";
    const ACTION: Action = Action::new("iam:CreateInstanceProfile");
    const EXAMPLE: &'static str = r#"{"InstanceProfileName":"node"}"#;
    type Target = InstanceProfileNamed;
    type Output = ProfileAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<InstanceProfileNamed>> {
        let target = InstanceProfileNamed {
            account: caller.account().clone(),
            name: name("instanceProfileName", &self.instance_profile_name, 128)?,
            path: path(self.path.as_deref())?,
        };
        let tags = tags(&self.tags)?;
        let tag = Action::new("iam:TagInstanceProfile");
        Ok(Checks::new(Self::ACTION, target).tagged(tag, &tags))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<InstanceProfileNamed>,
    ) -> Result<ProfileAnswer> {
        let made = registry
            .create_instance_profile(&allowed, tags(&self.tags)?)
            .await?;
        Ok(ProfileAnswer {
            instance_profile: ProfileShape::new(registry, &made).await?,
        })
    }
}

/// `GetInstanceProfile`.
#[derive(Debug, Deserialize)]
pub(super) struct GetInstanceProfile {
    #[serde(flatten)]
    profile: OfInstanceProfile,
}

impl Operation for GetInstanceProfile {
    const NAME: &'static str = "GetInstanceProfile";
    const ACTION: Action = Action::new("iam:GetInstanceProfile");
    const EXAMPLE: &'static str = r#"{"InstanceProfileName":"node"}"#;
    type Target = InstanceProfileNamed;
    type Output = ProfileAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<InstanceProfileNamed>> {
        Ok(Checks::new(Self::ACTION, self.profile.target(caller)?))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<InstanceProfileNamed>,
    ) -> Result<ProfileAnswer> {
        let profile = allowed.instance_profile()?;
        Ok(ProfileAnswer {
            instance_profile: ProfileShape::new(registry, profile).await?,
        })
    }
}

impl Listed for OfInstanceProfile {
    const LISTING: Call = Call::new("ListInstanceProfiles", "iam:ListInstanceProfiles", "{}");
    type Answer = ProfilesAnswer;

    async fn list(
        registry: &Registry,
        allowed: &Allowed<Everything>,
        path_prefix: &str,
        page: &Page,
    ) -> Result<ProfilesAnswer> {
        let mut profiles = registry
            .list_instance_profiles(allowed, path_prefix, page.after(), page.to_read())
            .await?;
        let end = page.cut(&mut profiles, |profile| profile.name.clone());
        Ok(ProfilesAnswer {
            instance_profiles: ProfileShape::all(registry, &profiles).await?,
            end,
        })
    }
}

/// `ListInstanceProfilesForRole`.
#[derive(Debug, Deserialize)]
pub(super) struct ListInstanceProfilesForRole {
    #[serde(flatten)]
    role: OfRole,
    #[serde(flatten)]
    page: PageRequest,
}

impl Operation for ListInstanceProfilesForRole {
    const NAME: &'static str = "ListInstanceProfilesForRole";
    const ACTION: Action = Action::new("iam:ListInstanceProfilesForRole");
    const EXAMPLE: &'static str = r#"{"RoleName":"ci"}"#;
    type Target = RoleNamed;
    type Output = ProfilesAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<RoleNamed>> {
        self.page.read(Self::NAME)?;
        Ok(Checks::new(Self::ACTION, self.role.target(caller)?))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<RoleNamed>) -> Result<ProfilesAnswer> {
        let page = self.page.read(Self::NAME)?;
        let mut profiles = registry
            .list_role_instance_profiles(&allowed, page.after(), page.to_read())
            .await?;
        let end = page.cut(&mut profiles, |profile| profile.name.clone());
        Ok(ProfilesAnswer {
            instance_profiles: ProfileShape::all(registry, &profiles).await?,
            end,
        })
    }
}

/// An instance profile, and the role that goes into it or out of it.
#[derive(Debug, Deserialize)]
struct RoleOfProfile {
    #[serde(flatten)]
    profile: OfInstanceProfile,
    #[serde(flatten)]
    role: OfRole,
}

impl Named for RoleOfProfile {
    type Target = InstanceProfileNamed;

    fn target(&self, caller: &Caller) -> Result<InstanceProfileNamed> {
        self.role.target(caller)?;
        self.profile.target(caller)
    }
}

/// `AddRoleToInstanceProfile`.
#[derive(Debug, Deserialize)]
pub(super) struct AddRoleToInstanceProfile(RoleOfProfile);

impl Operation for AddRoleToInstanceProfile {
    const NAME: &'static str = "AddRoleToInstanceProfile";
    const ACTION: Action = Action::new("iam:AddRoleToInstanceProfile");
    const EXAMPLE: &'static str = r#"{"InstanceProfileName":"node","RoleName":"ci"}"#;
    type Target = InstanceProfileNamed;
    type Output = NoAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<InstanceProfileNamed>> {
        Ok(Checks::new(Self::ACTION, self.0.target(caller)?))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<InstanceProfileNamed>,
    ) -> Result<NoAnswer> {
        registry
            .add_role_to_instance_profile(&allowed, &self.0.role.role_name)
            .await?;
        Ok(NoAnswer {})
    }
}

/// `RemoveRoleFromInstanceProfile`.
#[derive(Debug, Deserialize)]
pub(super) struct RemoveRoleFromInstanceProfile(RoleOfProfile);

impl Operation for RemoveRoleFromInstanceProfile {
    const NAME: &'static str = "RemoveRoleFromInstanceProfile";
    const ACTION: Action = Action::new("iam:RemoveRoleFromInstanceProfile");
    const EXAMPLE: &'static str = r#"{"InstanceProfileName":"node","RoleName":"ci"}"#;
    type Target = InstanceProfileNamed;
    type Output = NoAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<InstanceProfileNamed>> {
        Ok(Checks::new(Self::ACTION, self.0.target(caller)?))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<InstanceProfileNamed>,
    ) -> Result<NoAnswer> {
        registry
            .remove_role_from_instance_profile(&allowed, &self.0.role.role_name)
            .await?;
        Ok(NoAnswer {})
    }
}

impl Deletable for OfInstanceProfile {
    const DELETION: Call = Call::new(
        "DeleteInstanceProfile",
        "iam:DeleteInstanceProfile",
        r#"{"InstanceProfileName":"node"}"#,
    );

    async fn delete(registry: &Registry, allowed: &Allowed<InstanceProfileNamed>) -> Result<()> {
        registry.delete_instance_profile(allowed).await
    }
}
