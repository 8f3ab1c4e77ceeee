//! Access keys of users.

use bonded_registry::target::{AccessKeyNamed, UserNamed};
use bonded_registry::{Action, Allowed, Caller, Checks, Registry, Result};
use serde::{Deserialize, Serialize};

use super::page::{PageEnd, PageRequest};
use super::shapes::{NoAnswer, access_key_id, user};
use crate::aws::Operation;
use crate::aws::query::List;

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

/// `ListAccessKeys`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListAccessKeys {
    user_name: Option<String>,
    #[serde(flatten)]
    page: PageRequest,
}

/// `AccessKeyMetadata`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct AccessKeyMetadata {
    user_name: String,
    access_key_id: String,
    status: Status,
    create_date: String,
}

/// `ListAccessKeysResponse`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListAccessKeysAnswer {
    access_key_metadata: List<AccessKeyMetadata>,
    #[serde(flatten)]
    end: PageEnd,
}

impl Operation for ListAccessKeys {
    const NAME: &'static str = "ListAccessKeys";
    const ACTION: Action = Action::new("iam:ListAccessKeys");
    const EXAMPLE: &'static str = r#"{"UserName":"alice"}"#;
    type Target = UserNamed;
    type Output = ListAccessKeysAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<UserNamed>> {
        self.page.read(Self::NAME)?;
        let target = user(caller, self.user_name.as_deref())?;
        Ok(Checks::new(Self::ACTION, target))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<UserNamed>,
    ) -> Result<ListAccessKeysAnswer> {
        let mut keys = registry.list_access_keys(&allowed).await?;
        let page = self.page.read(Self::NAME)?;
        let end = page.cut_whole(&mut keys, |key| key.id.clone());
        let user_name = &allowed.user()?.name;
        let keys: Vec<AccessKeyMetadata> = keys
            .into_iter()
            .map(|key| AccessKeyMetadata {
                user_name: user_name.clone(),
                access_key_id: key.id,
                status: if key.active {
                    Status::Active
                } else {
                    Status::Inactive
                },
                create_date: key.created_at.to_string(),
            })
            .collect();
        Ok(ListAccessKeysAnswer {
            access_key_metadata: keys.into(),
            end,
        })
    }
}

/// `GetAccessKeyLastUsed`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetAccessKeyLastUsed {
    access_key_id: String,
}

/// `AccessKeyLastUsed`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct LastUsedShape {
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_date: Option<String>,
    service_name: String,
    region: String,
}

/// `GetAccessKeyLastUsedResponse`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetAccessKeyLastUsedAnswer {
    user_name: String,
    access_key_last_used: LastUsedShape,
}

impl Operation for GetAccessKeyLastUsed {
    const NAME: &'static str = "GetAccessKeyLastUsed";
    const ACTION: Action = Action::new("iam:GetAccessKeyLastUsed");
    const EXAMPLE: &'static str = r#"{"AccessKeyId":"AKIAIOSFODNN7EXAMPLE"}"#;
    type Target = AccessKeyNamed;
    type Output = GetAccessKeyLastUsedAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<AccessKeyNamed>> {
        let target = AccessKeyNamed {
            account: caller.account().clone(),
            id: access_key_id(&self.access_key_id)?.to_owned(),
        };
        Ok(Checks::new(Self::ACTION, target))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<AccessKeyNamed>,
    ) -> Result<GetAccessKeyLastUsedAnswer> {
        // The reference has "N/A" for what was never used.
        let never = || "N/A".to_owned();
        let (user_name, used) = registry.access_key_last_used(&allowed)?;
        let service = used.and_then(|used| used.service.clone());
        Ok(GetAccessKeyLastUsedAnswer {
            user_name: user_name.to_owned(),
            access_key_last_used: LastUsedShape {
                last_used_date: used.map(|used| used.at.to_string()),
                service_name: service.unwrap_or_else(never),
                region: used.map_or_else(never, |used| used.region.clone()),
            },
        })
    }
}
