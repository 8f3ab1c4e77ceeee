//! Users.

use bonded_registry::target::{Everything, UserNamed};
use bonded_registry::{
    Action, Allowed, Caller, Checks, ContextFacts, Registry, Result, User, of_boundary,
    of_request_tags,
};
use serde::{Deserialize, Serialize};

use super::boundaries::BoundaryShape;
use super::named::{Named as _, OfUser};
use super::page::{PageEnd, PageRequest};
use super::shapes::{NoAnswer, Tag, name, path, path_prefix, policy_arn, tag_list, tags, user};
use crate::aws::Operation;
use crate::aws::query::List;

/// `User`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UserShape {
    path: String,
    user_name: String,
    user_id: String,
    arn: String,
    create_date: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    permissions_boundary: Option<BoundaryShape>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<List<Tag>>,
}

impl UserShape {
    /// Without boundary and tags, as lists show it.
    pub(super) fn listed(user: &User) -> Self {
        Self {
            path: user.path.clone(),
            user_name: user.name.clone(),
            user_id: user.id.clone(),
            arn: user.arn(),
            create_date: user.created_at.to_string(),
            permissions_boundary: None,
            tags: None,
        }
    }

    /// With boundary and tags.
    pub(super) fn whole(user: &User) -> Self {
        let tags = (!user.tags.is_empty()).then(|| tag_list(&user.tags).into());
        Self {
            permissions_boundary: user.boundary.as_deref().map(BoundaryShape::new),
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
        let target = UserNamed {
            account: caller.account().clone(),
            name: name("userName", &self.user_name, 64)?,
            path: path(self.path.as_deref())?,
        };
        let tags = tags(&self.tags)?;
        let mut facts: ContextFacts = of_request_tags(&tags);
        if let Some(boundary) = &self.permissions_boundary {
            policy_arn(boundary)?;
            facts.extend(of_boundary(boundary));
        }
        let create = Checks::new(Self::ACTION, target).with(facts);
        Ok(if tags.is_empty() {
            create
        } else {
            create
                .and(Action::new("iam:TagUser"))
                .with(of_request_tags(&tags))
        })
    }

    async fn run(self, registry: &Registry, allowed: Allowed<UserNamed>) -> Result<UserAnswer> {
        let boundary = self.permissions_boundary.as_deref().map(policy_arn);
        let boundary = boundary.transpose()?;
        let made = registry
            .create_user(&allowed, tags(&self.tags)?, boundary.as_ref())
            .await?;
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
    #[serde(flatten)]
    page: PageRequest,
}

/// `ListUsersResponse`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListUsersAnswer {
    users: List<UserShape>,
    #[serde(flatten)]
    end: PageEnd,
}

impl Operation for ListUsers {
    const NAME: &'static str = "ListUsers";
    const ACTION: Action = Action::new("iam:ListUsers");
    const EXAMPLE: &'static str = "{}";
    type Target = Everything;
    type Output = ListUsersAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<Everything>> {
        self.page.read(Self::NAME)?;
        path_prefix(self.path_prefix.as_deref())?;
        let target = Everything(caller.account().clone());
        Ok(Checks::new(Self::ACTION, target))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<Everything>,
    ) -> Result<ListUsersAnswer> {
        let (after, limit) = self.page.read(Self::NAME)?;
        let prefix = path_prefix(self.path_prefix.as_deref())?;
        let mut users = registry
            .list_users(&allowed, prefix, after.as_deref(), limit + 1)
            .await?;
        let end = self
            .page
            .cut(Self::NAME, &mut users, |user| user.name.clone())?;
        let users: Vec<UserShape> = users.iter().map(UserShape::listed).collect();
        Ok(ListUsersAnswer {
            users: users.into(),
            end,
        })
    }
}

/// `UpdateUser`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateUser {
    #[serde(flatten)]
    user: OfUser,
    new_path: Option<String>,
    new_user_name: Option<String>,
}

impl Operation for UpdateUser {
    const NAME: &'static str = "UpdateUser";
    const ACTION: Action = Action::new("iam:UpdateUser");
    const EXAMPLE: &'static str = r#"{"UserName":"alice"}"#;
    type Target = UserNamed;
    type Output = NoAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<UserNamed>> {
        if let Some(new) = &self.new_user_name {
            name("newUserName", new, 64)?;
        }
        path(self.new_path.as_deref())?;
        Ok(Checks::new(Self::ACTION, self.user.target(caller)?))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<UserNamed>) -> Result<NoAnswer> {
        let (name, path) = (self.new_user_name.as_deref(), self.new_path.as_deref());
        registry.update_user(&allowed, name, path).await?;
        Ok(NoAnswer {})
    }
}

/// `DeleteUser`.
#[derive(Debug, Deserialize)]
pub(super) struct DeleteUser {
    #[serde(flatten)]
    user: OfUser,
}

impl Operation for DeleteUser {
    const NAME: &'static str = "DeleteUser";
    const ACTION: Action = Action::new("iam:DeleteUser");
    const EXAMPLE: &'static str = r#"{"UserName":"alice"}"#;
    type Target = UserNamed;
    type Output = NoAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<UserNamed>> {
        Ok(Checks::new(Self::ACTION, self.user.target(caller)?))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<UserNamed>) -> Result<NoAnswer> {
        registry.delete_user(&allowed).await?;
        Ok(NoAnswer {})
    }
}
