//! Groups.

use bonded_registry::target::{Everything, GroupNamed};
use bonded_registry::{Action, Allowed, Caller, Checks, Group, Registry, Result};
use serde::{Deserialize, Serialize};

use super::deletion::Deletable;
use super::families::Call;
use super::named::{Named as _, OfGroup};
use super::page::{Page, PageEnd, PageRequest};
use super::path_lists::Listed;
use super::shapes::{NoAnswer, name, path};
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
        let groups = groups.iter().map(GroupShape::new).collect();
        Self { groups, end }
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
        let page = self.page.read(Self::NAME)?;
        let mut users = registry
            .list_group_users(&allowed, page.after(), page.to_read())
            .await?;
        let end = page.cut(&mut users, |user| user.name.clone());
        let users = users.iter().map(UserShape::listed).collect();
        Ok(GetGroupAnswer {
            group: GroupShape::new(allowed.group()?),
            users,
            end,
        })
    }
}

impl Listed for OfGroup {
    const LISTING: Call = Call::new("ListGroups", "iam:ListGroups", "{}");
    type Answer = GroupsAnswer;

    async fn list(
        registry: &Registry,
        allowed: &Allowed<Everything>,
        path_prefix: &str,
        page: &Page,
    ) -> Result<GroupsAnswer> {
        let mut groups = registry
            .list_groups(allowed, path_prefix, page.after(), page.to_read())
            .await?;
        let end = page.cut(&mut groups, |group| group.name.clone());
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

impl Deletable for OfGroup {
    const DELETION: Call = Call::new("DeleteGroup", "iam:DeleteGroup", r#"{"GroupName":"devs"}"#);

    async fn delete(registry: &Registry, allowed: &Allowed<GroupNamed>) -> Result<()> {
        registry.delete_group(allowed).await
    }
}
