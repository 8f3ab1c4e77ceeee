//! Roles.

use bonded_registry::target::RoleNamed;
use bonded_registry::{
    Action, Allowed, Caller, Checks, Error, Registry, Result, Role, RoleSettings, of_request_tags,
};
use serde::{Deserialize, Serialize};

use super::shapes::{Tag, document, encoded, name, path, tag_list, tags};
use crate::aws::Operation;
use crate::aws::query::{List, number};

/// `Role`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct RoleShape {
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
    tags: Option<List<Tag>>,
}

impl RoleShape {
    /// As `CreateRole` shows it.
    fn created(role: &Role) -> Self {
        Self {
            path: role.path.clone(),
            role_name: role.name.clone(),
            role_id: role.id.clone(),
            arn: role.arn(),
            create_date: role.created_at.to_string(),
            assume_role_policy_document: encoded(&role.trust.text),
            description: role.description.clone(),
            max_session_duration: None,
            tags: (!role.tags.is_empty()).then(|| tag_list(&role.tags).into()),
        }
    }

    /// As `GetRole` shows it.
    fn whole(role: &Role) -> Self {
        Self {
            max_session_duration: Some(role.max_session_seconds),
            ..Self::created(role)
        }
    }
}

/// `{Role}`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RoleAnswer {
    role: RoleShape,
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
        if self.permissions_boundary.is_some() {
            return Err(Error::Validation(
                "permissions boundaries are not supported yet".to_owned(),
            ));
        }
        let max_session_seconds = self.max_session_duration.unwrap_or(SESSION_DURATION);
        if !(3600..=43_200).contains(&max_session_seconds) {
            return Err(Error::Validation(format!(
                "1 validation error detected: Value '{max_session_seconds}' at 'maxSessionDuration' failed to satisfy constraint: Member must have value between 3600 and 43200"
            )));
        }
        let printable = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{a1}'..='\u{ff}');
        if self
            .description
            .as_ref()
            .is_some_and(|text| !text.chars().all(printable))
        {
            return Err(Error::Validation(
                "1 validation error detected: Value at 'description' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\u0009\\u000A\\u000D\\u0020-\\u007E\\u00A1-\\u00FF]*".to_owned(),
            ));
        }
        if self
            .description
            .as_ref()
            .is_some_and(|text| text.chars().count() > 1000)
        {
            return Err(Error::Validation(
                "1 validation error detected: Value at 'description' failed to satisfy constraint: Member must have length less than or equal to 1000".to_owned(),
            ));
        }
        Ok(RoleSettings {
            trust_policy: document(
                "assumeRolePolicyDocument",
                &self.assume_role_policy_document,
            )?
            .to_owned(),
            description: self.description.clone(),
            max_session_seconds,
            tags: tags(&self.tags)?,
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
        let create = Checks::new(Self::ACTION, target).with(of_request_tags(&tags));
        Ok(if tags.is_empty() {
            create
        } else {
            create
                .and(Action::new("iam:TagRole"))
                .with(of_request_tags(&tags))
        })
    }

    async fn run(self, registry: &Registry, allowed: Allowed<RoleNamed>) -> Result<RoleAnswer> {
        let made = registry.create_role(&allowed, self.settings()?).await?;
        Ok(RoleAnswer {
            role: RoleShape::created(&made),
        })
    }
}

/// `GetRole`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetRole {
    role_name: String,
}

impl Operation for GetRole {
    const NAME: &'static str = "GetRole";
    const ACTION: Action = Action::new("iam:GetRole");
    const EXAMPLE: &'static str = r#"{"RoleName":"ci"}"#;
    type Target = RoleNamed;
    type Output = RoleAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<RoleNamed>> {
        let target = RoleNamed {
            account: caller.account().clone(),
            name: name("roleName", &self.role_name, 64)?,
            path: "/".to_owned(),
        };
        Ok(Checks::new(Self::ACTION, target))
    }

    async fn run(self, _: &Registry, allowed: Allowed<RoleNamed>) -> Result<RoleAnswer> {
        Ok(RoleAnswer {
            role: RoleShape::whole(allowed.role()?),
        })
    }
}
