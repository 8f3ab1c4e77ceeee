//! The users in groups.

use bonded_registry::target::{GroupNamed, UserNamed};
use bonded_registry::{Action, Allowed, Caller, Checks, Registry, Result};
use serde::Deserialize;

use super::groups::GroupsAnswer;
use super::named::{Named as _, OfGroup, OfUser};
use super::page::PageRequest;
use super::shapes::{NoAnswer, name};
use crate::aws::Operation;

/// `AddUserToGroup`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AddUserToGroup {
    #[serde(flatten)]
    group: OfGroup,
    user_name: String,
}

impl Operation for AddUserToGroup {
    const NAME: &'static str = "AddUserToGroup";
    const ACTION: Action = Action::new("iam:AddUserToGroup");
    const EXAMPLE: &'static str = r#"{"GroupName":"devs","UserName":"alice"}"#;
    type Target = GroupNamed;
    type Output = NoAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<GroupNamed>> {
        name("userName", &self.user_name, 128)?;
        Ok(Checks::new(Self::ACTION, self.group.target(caller)?))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<GroupNamed>) -> Result<NoAnswer> {
        registry
            .add_user_to_group(&allowed, &self.user_name)
            .await?;
        Ok(NoAnswer {})
    }
}

/// `RemoveUserFromGroup`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RemoveUserFromGroup {
    #[serde(flatten)]
    group: OfGroup,
    user_name: String,
}

impl Operation for RemoveUserFromGroup {
    const NAME: &'static str = "RemoveUserFromGroup";
    const ACTION: Action = Action::new("iam:RemoveUserFromGroup");
    const EXAMPLE: &'static str = r#"{"GroupName":"devs","UserName":"alice"}"#;
    type Target = GroupNamed;
    type Output = NoAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<GroupNamed>> {
        name("userName", &self.user_name, 128)?;
        Ok(Checks::new(Self::ACTION, self.group.target(caller)?))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<GroupNamed>) -> Result<NoAnswer> {
        registry
            .remove_user_from_group(&allowed, &self.user_name)
            .await?;
        Ok(NoAnswer {})
    }
}

/// `ListGroupsForUser`.
#[derive(Debug, Deserialize)]
pub(super) struct ListGroupsForUser {
    #[serde(flatten)]
    user: OfUser,
    #[serde(flatten)]
    page: PageRequest,
}

impl Operation for ListGroupsForUser {
    const NAME: &'static str = "ListGroupsForUser";
    const ACTION: Action = Action::new("iam:ListGroupsForUser");
    const EXAMPLE: &'static str = r#"{"UserName":"alice"}"#;
    type Target = UserNamed;
    type Output = GroupsAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<UserNamed>> {
        self.page.read(Self::NAME)?;
        Ok(Checks::new(Self::ACTION, self.user.target(caller)?))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<UserNamed>) -> Result<GroupsAnswer> {
        let (after, limit) = self.page.read(Self::NAME)?;
        let mut groups = registry
            .list_user_groups(&allowed, after.as_deref(), limit + 1)
            .await?;
        let end = self
            .page
            .cut(Self::NAME, &mut groups, |group| group.name.clone())?;
        Ok(GroupsAnswer::new(&groups, end))
    }
}
