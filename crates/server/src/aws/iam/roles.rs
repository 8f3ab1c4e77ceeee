//! Roles.

use bonded_registry::target::{Everything, RoleNamed};
use bonded_registry::{
    Action, Allowed, Caller, Checks, Registry, Result, Role, RoleSettings, of_boundary,
};
use serde::{Deserialize, Serialize};

use super::boundaries::BoundaryShape;
use super::deletion::Deletable;
use super::families::Call;
use super::named::{Named as _, OfRole};
use super::page::{Page, PageEnd};
use super::path_lists::Listed;
use super::shapes::{
    EmptyAnswer, NoAnswer, Tag, description, document, encoded, name, path, policy_arn,
    session_duration, some_tags, tags,
};
use crate::aws::Operation;
use crate::aws::query::{List, number};

/// `Role`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RoleShape {
    path: String,
    role_name: String,
    role_id: String,
    arn: String,
    create_date: String,
    assume_role_policy_document: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_session_duration: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    permissions_boundary: Option<BoundaryShape>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<List<Tag>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role_last_used: Option<RoleLastUsed>,
}

/// `RoleLastUsed`.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RoleLastUsed {
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
}

impl RoleLastUsed {
    pub(super) fn new(role: &Role) -> Self {
        role.last_used
            .as_ref()
            .map_or_else(Self::default, |used| Self {
                last_used_date: Some(used.at.to_string()),
                region: Some(used.region.clone()),
            })
    }
}

impl RoleShape {
    /// As lists show it: without boundary, tags and last use.
    pub(super) fn listed(role: &Role, trust: &str) -> Self {
        Self {
            path: role.path.clone(),
            role_name: role.name.clone(),
            role_id: role.id.clone(),
            arn: role.arn(),
            create_date: role.created_at.to_string(),
            assume_role_policy_document: encoded(trust),
            description: role.description.clone(),
            max_session_duration: Some(role.max_session_seconds),
            permissions_boundary: None,
            tags: None,
            role_last_used: None,
        }
    }

    /// As `CreateRole` shows it.
    pub(super) fn created(role: &Role, trust: &str) -> Self {
        Self {
            max_session_duration: None,
            permissions_boundary: role.boundary.as_deref().map(BoundaryShape::new),
            tags: some_tags(&role.tags),
            ..Self::listed(role, trust)
        }
    }

    /// As `GetRole` shows it.
    pub(super) fn whole(role: &Role, trust: &str) -> Self {
        Self {
            max_session_duration: Some(role.max_session_seconds),
            role_last_used: Some(RoleLastUsed::new(role)),
            ..Self::created(role, trust)
        }
    }
}

/// `{Role}`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RoleAnswer {
    pub(super) role: RoleShape,
}

/// `CreateRole`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateRole {
    path: Option<String>,
    role_name: String,
    assume_role_policy_document: String,
    description: Option<String>,
    #[serde(default, deserialize_with = "number")]
    max_session_duration: Option<u32>,
    permissions_boundary: Option<String>,
    #[serde(default)]
    tags: Vec<Tag>,
}

/// The default of `MaxSessionDuration`, in seconds.
const SESSION_DURATION: u32 = 3600;

impl CreateRole {
    fn settings(&self) -> Result<RoleSettings> {
        let trust = document(
            "assumeRolePolicyDocument",
            &self.assume_role_policy_document,
        )?;
        let boundary = self.permissions_boundary.as_deref().map(policy_arn);
        Ok(RoleSettings {
            trust_policy: trust.to_owned(),
            description: description(self.description.as_deref())?,
            max_session_seconds: session_duration(
                self.max_session_duration.unwrap_or(SESSION_DURATION),
            )?,
            tags: tags(&self.tags)?,
            boundary: boundary.transpose()?,
        })
    }
}

impl Operation for CreateRole {
    const NAME: &'static str = "CreateRole";
    const ACTION: Action = Action::new("iam:CreateRole");
    const EXAMPLE: &'static str = r#"{"RoleName":"ci","AssumeRolePolicyDocument":"{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"111122223333\"},\"Action\":\"sts:AssumeRole\"}}"}"#;
    type Target = RoleNamed;
    type Output = RoleAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<RoleNamed>> {
        let RoleSettings { tags, .. } = self.settings()?;
        let target = RoleNamed {
            account: caller.account().clone(),
            name: name("roleName", &self.role_name, 64)?,
            path: path(self.path.as_deref())?,
        };
        let mut create = Checks::new(Self::ACTION, target);
        if let Some(boundary) = &self.permissions_boundary {
            create = create.with(of_boundary(boundary));
        }
        Ok(create.tagged(Action::new("iam:TagRole"), &tags))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<RoleNamed>) -> Result<RoleAnswer> {
        let made = registry.create_role(&allowed, self.settings()?).await?;
        Ok(RoleAnswer {
            role: RoleShape::created(&made, &self.assume_role_policy_document),
        })
    }
}

/// `GetRole`.
#[derive(Debug, Deserialize)]
pub(super) struct GetRole {
    #[serde(flatten)]
    role: OfRole,
}

impl Operation for GetRole {
    const NAME: &'static str = "GetRole";
    const ACTION: Action = Action::new("iam:GetRole");
    const EXAMPLE: &'static str = r#"{"RoleName":"ci"}"#;
    type Target = RoleNamed;
    type Output = RoleAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<RoleNamed>> {
        Ok(Checks::new(Self::ACTION, self.role.target(caller)?))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<RoleNamed>) -> Result<RoleAnswer> {
        let role = allowed.role()?;
        let trust = registry.shown_trust_policy(role).await?;
        Ok(RoleAnswer {
            role: RoleShape::whole(role, &trust),
        })
    }
}

/// `ListRolesResponse`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListRolesAnswer {
    roles: List<RoleShape>,
    #[serde(flatten)]
    end: PageEnd,
}

impl Listed for OfRole {
    const LISTING: Call = Call::new("ListRoles", "iam:ListRoles", "{}");
    type Answer = ListRolesAnswer;

    async fn list(
        registry: &Registry,
        allowed: &Allowed<Everything>,
        path_prefix: &str,
        page: &Page,
    ) -> Result<ListRolesAnswer> {
        let mut roles = registry
            .list_roles(allowed, path_prefix, page.after(), page.to_read())
            .await?;
        let end = page.cut(&mut roles, |role| role.name.clone());
        let mut shown = Vec::with_capacity(roles.len());
        for role in &roles {
            let trust = registry.shown_trust_policy(role).await?;
            shown.push(RoleShape::listed(role, &trust));
        }
        Ok(ListRolesAnswer {
            roles: shown.into(),
            end,
        })
    }
}

/// `UpdateRole`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateRole {
    #[serde(flatten)]
    role: OfRole,
    description: Option<String>,
    #[serde(default, deserialize_with = "number")]
    max_session_duration: Option<u32>,
}

impl Operation for UpdateRole {
    const NAME: &'static str = "UpdateRole";
    const ACTION: Action = Action::new("iam:UpdateRole");
    const EXAMPLE: &'static str = r#"{"RoleName":"ci"}"#;
    type Target = RoleNamed;
    type Output = EmptyAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<RoleNamed>> {
        description(self.description.as_deref())?;
        if let Some(seconds) = self.max_session_duration {
            session_duration(seconds)?;
        }
        Ok(Checks::new(Self::ACTION, self.role.target(caller)?))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<RoleNamed>) -> Result<EmptyAnswer> {
        registry
            .update_role(
                &allowed,
                self.description.as_deref(),
                self.max_session_duration,
            )
            .await?;
        Ok(EmptyAnswer::default())
    }
}

/// `UpdateRoleDescription`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateRoleDescription {
    #[serde(flatten)]
    role: OfRole,
    description: String,
}

impl Operation for UpdateRoleDescription {
    const NAME: &'static str = "UpdateRoleDescription";
    const ACTION: Action = Action::new("iam:UpdateRoleDescription");
    const EXAMPLE: &'static str = r#"{"RoleName":"ci","Description":"builds"}"#;
    type Target = RoleNamed;
    type Output = RoleAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<RoleNamed>> {
        description(Some(&self.description))?;
        Ok(Checks::new(Self::ACTION, self.role.target(caller)?))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<RoleNamed>) -> Result<RoleAnswer> {
        let role = registry
            .update_role(&allowed, Some(&self.description), None)
            .await?;
        let trust = registry.shown_trust_policy(&role).await?;
        Ok(RoleAnswer {
            role: RoleShape::whole(&role, &trust),
        })
    }
}

/// `UpdateAssumeRolePolicy`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateAssumeRolePolicy {
    #[serde(flatten)]
    role: OfRole,
    policy_document: String,
}

impl Operation for UpdateAssumeRolePolicy {
    const NAME: &'static str = "UpdateAssumeRolePolicy";
    const ACTION: Action = Action::new("iam:UpdateAssumeRolePolicy");
    const EXAMPLE: &'static str = r#"{"RoleName":"ci","PolicyDocument":"{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"111122223333\"},\"Action\":\"sts:AssumeRole\"}}"}"#;
    type Target = RoleNamed;
    type Output = NoAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<RoleNamed>> {
        document("policyDocument", &self.policy_document)?;
        Ok(Checks::new(Self::ACTION, self.role.target(caller)?))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<RoleNamed>) -> Result<NoAnswer> {
        registry
            .update_trust_policy(&allowed, &self.policy_document)
            .await?;
        Ok(NoAnswer {})
    }
}

impl Deletable for OfRole {
    const DELETION: Call = Call::new("DeleteRole", "iam:DeleteRole", r#"{"RoleName":"ci"}"#);

    async fn delete(registry: &Registry, allowed: &Allowed<RoleNamed>) -> Result<()> {
        registry.delete_role(allowed).await
    }
}
