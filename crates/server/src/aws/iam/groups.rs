//! Groups.

use bonded_registry::target::{Everything, GroupNamed};
use bonded_registry::{Action, Allowed, Caller, Checks, Group, Registry, Result};
use serde::{Deserialize, Serialize};

use super::named::{Named as _, OfGroup};
use super::page::{PageEnd, PageRequest};
use super::shapes::{NoAnswer, name, path, path_prefix};
use super::users::UserShape;
use crate::aws::Operation;
use crate::aws::query::List;

/// `Group`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GroupShape {
    path: String,
    group_name: String,
    group_id: String,
    arn: String,
    create_date: String,
}

impl GroupShape {
    pub(super) fn new(group: &Group) -> Self {
        Self {
            path: group.path.clone(),
            group_name: group.name.clone(),
            group_id: group.id.clone(),
            arn: group.arn(),
            create_date: group.created_at.to_string(),
        }
    }
}

/// `{Group}`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GroupAnswer {
    group: GroupShape,
}

/// `{Groups}` with the end of their page.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GroupsAnswer {
    groups: List<GroupShape>,
    #[serde(flatten)]
    end: PageEnd,
}

impl GroupsAnswer {
    pub(super) fn new(groups: &[Group], end: PageEnd) -> Self {
        let groups: Vec<GroupShape> = groups.iter().map(GroupShape::new).collect();
        Self {
            groups: groups.into(),
            end,
        }
    }
}

/// `CreateGroup`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateGroup {
    path: Option<String>,
    group_name: String,
}

impl Operation for CreateGroup {
    const NAME: &'static str = "CreateGroup";
    const ACTION: Action = Action::new("iam:CreateGroup");
    const EXAMPLE: &'static str = r#"{"GroupName":"devs"}"#;
    type Target = GroupNamed;
    type Output = GroupAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<GroupNamed>> {
        let target = GroupNamed {
            account: caller.account().clone(),
            name: name("groupName", &self.group_name, 128)?,
            path: path(self.path.as_deref())?,
        };
        Ok(Checks::new(Self::ACTION, target))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<GroupNamed>) -> Result<GroupAnswer> {
        let made = registry.create_group(&allowed).await?;
        Ok(GroupAnswer {
            group: GroupShape::new(&made),
        })
    }
}

/// `GetGroup`.
#[derive(Debug, Deserialize)]
pub(super) struct GetGroup {
    #[serde(flatten)]
    group: OfGroup,
    #[serde(flatten)]
    page: PageRequest,
}

/// `GetGroupResponse`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetGroupAnswer {
    group: GroupShape,
    users: List<UserShape>,
    #[serde(flatten)]
    end: PageEnd,
}

impl Operation for GetGroup {
    const NAME: &'static str = "GetGroup";
    const ACTION: Action = Action::new("iam:GetGroup");
    const EXAMPLE: &'static str = r#"{"GroupName":"devs"}"#;
    type Target = GroupNamed;
    type Output = GetGroupAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<GroupNamed>> {
        self.page.read(Self::NAME)?;
        Ok(Checks::new(Self::ACTION, self.group.target(caller)?))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<GroupNamed>,
    ) -> Result<GetGroupAnswer> {
        let (after, limit) = self.page.read(Self::NAME)?;
        let mut users = registry
            .list_group_users(&allowed, after.as_deref(), limit + 1)
            .await?;
        let end = self
            .page
            .cut(Self::NAME, &mut users, |user| user.name.clone())?;
        let users: Vec<UserShape> = users.iter().map(UserShape::listed).collect();
        Ok(GetGroupAnswer {
            group: GroupShape::new(allowed.group()?),
            users: users.into(),
            end,
        })
    }
}

/// `ListGroups`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListGroups {
    path_prefix: Option<String>,
    #[serde(flatten)]
    page: PageRequest,
}

impl Operation for ListGroups {
    const NAME: &'static str = "ListGroups";
    const ACTION: Action = Action::new("iam:ListGroups");
    const EXAMPLE: &'static str = "{}";
    type Target = Everything;
    type Output = GroupsAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<Everything>> {
        self.page.read(Self::NAME)?;
        path_prefix(self.path_prefix.as_deref())?;
        let target = Everything(caller.account().clone());
        Ok(Checks::new(Self::ACTION, target))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<Everything>) -> Result<GroupsAnswer> {
        let (after, limit) = self.page.read(Self::NAME)?;
        let prefix = path_prefix(self.path_prefix.as_deref())?;
        let mut groups = registry
            .list_groups(&allowed, prefix, after.as_deref(), limit + 1)
            .await?;
        let end = self
            .page
            .cut(Self::NAME, &mut groups, |group| group.name.clone())?;
        Ok(GroupsAnswer::new(&groups, end))
    }
}

/// `UpdateGroup`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateGroup {
    #[serde(flatten)]
    group: OfGroup,
    new_path: Option<String>,
    new_group_name: Option<String>,
}

impl Operation for UpdateGroup {
    const NAME: &'static str = "UpdateGroup";
    const ACTION: Action = Action::new("iam:UpdateGroup");
    const EXAMPLE: &'static str = r#"{"GroupName":"devs"}"#;
    type Target = GroupNamed;
    type Output = NoAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<GroupNamed>> {
        if let Some(new) = &self.new_group_name {
            name("newGroupName", new, 128)?;
        }
        path(self.new_path.as_deref())?;
        Ok(Checks::new(Self::ACTION, self.group.target(caller)?))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<GroupNamed>) -> Result<NoAnswer> {
        let (name, path) = (self.new_group_name.as_deref(), self.new_path.as_deref());
        registry.update_group(&allowed, name, path).await?;
        Ok(NoAnswer {})
    }
}

/// `DeleteGroup`.
#[derive(Debug, Deserialize)]
pub(super) struct DeleteGroup {
    #[serde(flatten)]
    group: OfGroup,
}

impl Operation for DeleteGroup {
    const NAME: &'static str = "DeleteGroup";
    const ACTION: Action = Action::new("iam:DeleteGroup");
    const EXAMPLE: &'static str = r#"{"GroupName":"devs"}"#;
    type Target = GroupNamed;
    type Output = NoAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<GroupNamed>> {
        Ok(Checks::new(Self::ACTION, self.group.target(caller)?))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<GroupNamed>) -> Result<NoAnswer> {
        registry.delete_group(&allowed).await?;
        Ok(NoAnswer {})
    }
}
