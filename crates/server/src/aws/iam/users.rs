//! Users.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bonded_registry::target::{Everything, UserNamed};
use bonded_registry::{
    Action, Allowed, Caller, Checks, Error, Registry, Result, User, of_request_tags,
};
use serde::{Deserialize, Serialize};

use super::shapes::{Tag, name, path, tag_list, tags, user};
use crate::aws::Operation;
use crate::aws::query::{List, number};

/// `User`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct UserShape {
    path: String,
    user_name: String,
    user_id: String,
    arn: String,
    create_date: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<List<Tag>>,
}

impl UserShape {
    /// Without tags, as lists show it.
    fn listed(user: &User) -> Self {
        Self {
            path: user.path.clone(),
            user_name: user.name.clone(),
            user_id: user.id.clone(),
            arn: user.arn(),
            create_date: user.created_at.to_string(),
            tags: None,
        }
    }

    fn whole(user: &User) -> Self {
        let tags = (!user.tags.is_empty()).then(|| tag_list(&user.tags).into());
        Self {
            tags,
            ..Self::listed(user)
        }
    }
}

/// `{User}`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UserAnswer {
    user: UserShape,
}

/// `CreateUser`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateUser {
    path: Option<String>,
    user_name: String,
    permissions_boundary: Option<String>,
    #[serde(default)]
    tags: Vec<Tag>,
}

impl Operation for CreateUser {
    const NAME: &'static str = "CreateUser";
    const ACTION: Action = Action::new("iam:CreateUser");
    const EXAMPLE: &'static str = r#"{"UserName":"alice"}"#;
    type Target = UserNamed;
    type Output = UserAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<UserNamed>> {
        if self.permissions_boundary.is_some() {
            return Err(Error::Validation(
                "permissions boundaries are not supported yet".to_owned(),
            ));
        }
        let target = UserNamed {
            account: caller.account().clone(),
            name: name("userName", &self.user_name, 64)?,
            path: path(self.path.as_deref())?,
        };
        let tags = tags(&self.tags)?;
        let create = Checks::new(Self::ACTION, target).with(of_request_tags(&tags));
        Ok(if tags.is_empty() {
            create
        } else {
            create
                .and(Action::new("iam:TagUser"))
                .with(of_request_tags(&tags))
        })
    }

    async fn run(self, registry: &Registry, allowed: Allowed<UserNamed>) -> Result<UserAnswer> {
        let made = registry.create_user(&allowed, tags(&self.tags)?).await?;
        Ok(UserAnswer {
            user: UserShape::whole(&made),
        })
    }
}

/// `GetUser`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetUser {
    user_name: Option<String>,
}

impl Operation for GetUser {
    const NAME: &'static str = "GetUser";
    const ACTION: Action = Action::new("iam:GetUser");
    const EXAMPLE: &'static str = r#"{"UserName":"alice"}"#;
    type Target = UserNamed;
    type Output = UserAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<UserNamed>> {
        Ok(Checks::new(
            Self::ACTION,
            user(caller, self.user_name.as_deref())?,
        ))
    }

    async fn run(self, _: &Registry, allowed: Allowed<UserNamed>) -> Result<UserAnswer> {
        Ok(UserAnswer {
            user: UserShape::whole(allowed.user()?),
        })
    }
}

/// `ListUsers`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListUsers {
    path_prefix: Option<String>,
    marker: Option<String>,
    #[serde(default, deserialize_with = "number")]
    max_items: Option<u32>,
}

/// `ListUsersResponse`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListUsersAnswer {
    users: List<UserShape>,
    is_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    marker: Option<String>,
}

/// IAM's default page.
const PAGE: u32 = 100;

impl ListUsers {
    /// The name after which the page begins and its length.
    fn page(&self) -> Result<(Option<String>, u32)> {
        let limit = self.max_items.unwrap_or(PAGE);
        if !(1..=1000).contains(&limit) {
            return Err(Error::Validation(format!(
                "1 validation error detected: Value '{limit}' at 'maxItems' failed to satisfy constraint: Member must have value between 1 and 1000"
            )));
        }
        let after = self.marker.as_deref().map(read_marker).transpose()?;
        Ok((after, limit))
    }
}

fn read_marker(marker: &str) -> Result<String> {
    let bytes = URL_SAFE_NO_PAD.decode(marker).ok();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    let after = text
        .as_deref()
        .and_then(|text| text.strip_prefix("users-after:"))
        .map(str::to_owned);
    after.ok_or_else(|| Error::Validation("Invalid Marker.".to_owned()))
}

fn write_marker(last: &User) -> String {
    URL_SAFE_NO_PAD.encode(format!("users-after:{}", last.name))
}

impl Operation for ListUsers {
    const NAME: &'static str = "ListUsers";
    const ACTION: Action = Action::new("iam:ListUsers");
    const EXAMPLE: &'static str = "{}";
    type Target = Everything;
    type Output = ListUsersAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<Everything>> {
        self.page()?;
        Ok(Checks::new(
            Self::ACTION,
            Everything(caller.account().clone()),
        ))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<Everything>,
    ) -> Result<ListUsersAnswer> {
        let (after, limit) = self.page()?;
        let prefix = self.path_prefix.as_deref().unwrap_or("/");
        // One more than the page tells whether there is another.
        let mut users = registry
            .list_users(&allowed, prefix, after.as_deref(), limit + 1)
            .await?;
        let is_truncated = users.len() > limit as usize;
        users.truncate(limit as usize);
        let marker = users.last().filter(|_| is_truncated).map(write_marker);
        let users: Vec<UserShape> = users.iter().map(UserShape::listed).collect();
        Ok(ListUsersAnswer {
            users: users.into(),
            is_truncated,
            marker,
        })
    }
}
