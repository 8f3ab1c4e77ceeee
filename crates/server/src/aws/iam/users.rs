//! Users.

use bonded_registry::target::{Everything, UserNamed};
use bonded_registry::{Action, Allowed, Caller, Checks, Registry, Result, User, of_boundary};
use serde::{Deserialize, Serialize};

use super::boundaries::BoundaryShape;
use super::deletion::Deletable;
use super::families::Call;
use super::named::{Named as _, OfUser};
use super::page::{Page, PageEnd};
use super::path_lists::Listed;
use super::shapes::{NoAnswer, Tag, name, path, policy_arn, some_tags, tags, user};
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
        let tags = some_tags(&user.tags);
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
        let mut create = Checks::new(Self::ACTION, target);
        if let Some(boundary) = &self.permissions_boundary {
            policy_arn(boundary)?;
            create = create.with(of_boundary(boundary));
        }
        Ok(create.tagged(Action::new("iam:TagUser"), &tags))
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

/// `ListUsersResponse`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListUsersAnswer {
    users: List<UserShape>,
    #[serde(flatten)]
    end: PageEnd,
}

impl Listed for OfUser {
    const LISTING: Call = Call::new("ListUsers", "iam:ListUsers", "{}");
    type Answer = ListUsersAnswer;

    async fn list(
        registry: &Registry,
        allowed: &Allowed<Everything>,
        path_prefix: &str,
        page: &Page,
    ) -> Result<ListUsersAnswer> {
        let mut users = registry
            .list_users(allowed, path_prefix, page.after(), page.to_read())
            .await?;
        let end = page.cut(&mut users, |user| user.name.clone());
        let users = users.iter().map(UserShape::listed).collect();
        Ok(ListUsersAnswer { users, end })
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

impl Deletable for OfUser {
    const DELETION: Call = Call::new("DeleteUser", "iam:DeleteUser", r#"{"UserName":"alice"}"#);

    async fn delete(registry: &Registry, allowed: &Allowed<UserNamed>) -> Result<()> {
        registry.delete_user(allowed).await
    }
}
