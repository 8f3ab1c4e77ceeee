//! Access keys of users.

use bonded_registry::target::UserNamed;
use bonded_registry::{Action, Allowed, Caller, Checks, Registry, Result};
use serde::{Deserialize, Serialize};

use super::shapes::{NoAnswer, access_key_id, user};
use crate::aws::Operation;

/// `statusType`.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) enum Status {
    Active,
    Inactive,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct AccessKeyShape {
    user_name: String,
    access_key_id: String,
    status: Status,
    secret_access_key: String,
    create_date: String,
}

/// `CreateAccessKeyResponse`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateAccessKeyAnswer {
    access_key: AccessKeyShape,
}

/// `CreateAccessKey`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateAccessKey {
    user_name: Option<String>,
}

impl Operation for CreateAccessKey {
    const NAME: &'static str = "CreateAccessKey";
    const ACTION: Action = Action::new("iam:CreateAccessKey");
    const EXAMPLE: &'static str = r#"{"UserName":"alice"}"#;
    type Target = UserNamed;
    type Output = CreateAccessKeyAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<UserNamed>> {
        Ok(Checks::new(
            Self::ACTION,
            user(caller, self.user_name.as_deref())?,
        ))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<UserNamed>,
    ) -> Result<CreateAccessKeyAnswer> {
        let made = registry.create_access_key(&allowed).await?;
        Ok(CreateAccessKeyAnswer {
            access_key: AccessKeyShape {
                user_name: allowed.user()?.name.clone(),
                access_key_id: made.key.id,
                status: Status::Active,
                secret_access_key: made.secret.expose().to_owned(),
                create_date: made.key.created_at.to_string(),
            },
        })
    }
}

/// `UpdateAccessKey`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateAccessKey {
    user_name: Option<String>,
    access_key_id: String,
    status: Status,
}

impl Operation for UpdateAccessKey {
    const NAME: &'static str = "UpdateAccessKey";
    const ACTION: Action = Action::new("iam:UpdateAccessKey");
    const EXAMPLE: &'static str =
        r#"{"UserName":"alice","AccessKeyId":"AKIAIOSFODNN7EXAMPLE","Status":"Inactive"}"#;
    type Target = UserNamed;
    type Output = NoAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<UserNamed>> {
        access_key_id(&self.access_key_id)?;
        Ok(Checks::new(
            Self::ACTION,
            user(caller, self.user_name.as_deref())?,
        ))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<UserNamed>) -> Result<NoAnswer> {
        let active = matches!(self.status, Status::Active);
        registry
            .update_access_key(&allowed, &self.access_key_id, active)
            .await?;
        Ok(NoAnswer {})
    }
}

/// `DeleteAccessKey`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteAccessKey {
    user_name: Option<String>,
    access_key_id: String,
}

impl Operation for DeleteAccessKey {
    const NAME: &'static str = "DeleteAccessKey";
    const ACTION: Action = Action::new("iam:DeleteAccessKey");
    const EXAMPLE: &'static str = r#"{"UserName":"alice","AccessKeyId":"AKIAIOSFODNN7EXAMPLE"}"#;
    type Target = UserNamed;
    type Output = NoAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<UserNamed>> {
        access_key_id(&self.access_key_id)?;
        Ok(Checks::new(
            Self::ACTION,
            user(caller, self.user_name.as_deref())?,
        ))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<UserNamed>) -> Result<NoAnswer> {
        registry
            .delete_access_key(&allowed, &self.access_key_id)
            .await?;
        Ok(NoAnswer {})
    }
}
