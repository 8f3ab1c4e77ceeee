//! The users in groups.

use bonded_registry::target::{GroupNamed, UserNamed};
use bonded_registry::{Action, Allowed, Caller, Checks, Registry, Result};
use serde::Deserialize;

use super::groups::GroupsAnswer;
use super::named::{Named, OfGroup, OfUser};
use super::page::PageRequest;
use super::shapes::{NoAnswer, name};
use crate::aws::Operation;

/// A group, and the user that goes into it or out of it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Membership {
    #[serde(flatten)]
    group: OfGroup,
    user_name: String,
}

impl Named for Membership {
    type Target = GroupNamed;

    fn target(&self, caller: &Caller) -> Result<GroupNamed> {
        name("userName", &self.user_name, 128)?;
        self.group.target(caller)
    }
}

/// `AddUserToGroup`.
#[derive(Debug, Deserialize)]
pub(super) struct AddUserToGroup(Membership);

impl Operation for AddUserToGroup {
    const NAME: &'static str = "AddUserToGroup";
    const ACTION: Action = Action::new("iam:AddUserToGroup");
    const EXAMPLE: &'static str = r#"{"GroupName":"devs","UserName":"alice"}"#;
    type Target = GroupNamed;
    type Output = NoAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<GroupNamed>> {
        Ok(Checks::new(Self::ACTION, self.0.target(caller)?))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<GroupNamed>) -> Result<NoAnswer> {
        registry
            .add_user_to_group(&allowed, &self.0.user_name)
            .await?;
        Ok(NoAnswer {})
    }
}

/// `RemoveUserFromGroup`.
#[derive(Debug, Deserialize)]
pub(super) struct RemoveUserFromGroup(Membership);

impl Operation for RemoveUserFromGroup {
    const NAME: &'static str = "RemoveUserFromGroup";
    const ACTION: Action = Action::new("iam:RemoveUserFromGroup");
    const EXAMPLE: &'static str = r#"{"GroupName":"devs","UserName":"alice"}"#;
    type Target = GroupNamed;
    type Output = NoAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<GroupNamed>> {
        Ok(Checks::new(Self::ACTION, self.0.target(caller)?))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<GroupNamed>) -> Result<NoAnswer> {
        registry
            .remove_user_from_group(&allowed, &self.0.user_name)
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
        let page = self.page.read(Self::NAME)?;
        let mut groups = registry
            .list_user_groups(&allowed, page.after(), page.to_read())
            .await?;
        let end = page.cut(&mut groups, |group| group.name.clone());
        Ok(GroupsAnswer::new(&groups, end))
    }
}
