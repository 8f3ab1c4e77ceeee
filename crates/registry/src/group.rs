//! IAM's groups and the users in them.

use bonded_store::{Group, StoreError, User};

use crate::Registry;
use crate::access::Allowed;
use crate::error::{Error, Result};
use crate::quota;
use crate::random;
use crate::target::{Everything, GroupNamed, UserNamed};
use crate::user::no_user;

impl Allowed<GroupNamed> {
    /// The group that was judged.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`].
    pub fn group(&self) -> Result<&Group> {
        self.found()
            .as_ref()
            .ok_or_else(|| no_group(&self.target().name))
    }
}

pub(crate) fn no_group(name: &str) -> Error {
    Error::NoSuchEntity(format!("The group with name {name} cannot be found."))
}

impl Registry {
    /// Makes a group without users or policies.
    ///
    /// # Errors
    /// [`Error::EntityAlreadyExists`] if the name, ignoring case, is taken;
    /// [`Error::LimitExceeded`].
    pub async fn create_group(&self, allowed: &Allowed<GroupNamed>) -> Result<Group> {
        let GroupNamed {
            account,
            name,
            path,
        } = allowed.target().clone();
        self.check_quota(&account, &quota::GROUPS, |counts| counts.groups)
            .await?;
        let group = Group {
            id: random::unique_id("AGPA")?,
            account,
            name,
            path,
            created_at: allowed.caller().time(),
        };
        let made = self.store().create_group(&group, &allowed.change()).await;
        made.map_err(|e| taken(e, &group.name))?;
        Ok(group)
    }

    /// A page of at most `limit` groups whose path begins with `path_prefix`, after the name
    /// `after`.
    ///
    /// # Errors
    /// Rows cannot be read.
    pub async fn list_groups(
        &self,
        allowed: &Allowed<Everything>,
        path_prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Group>> {
        Ok(self
            .store()
            .list_groups(&allowed.target().0, path_prefix, after, limit)
            .await?)
    }

    /// Gives the group another name, another path, or both.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`]; [`Error::EntityAlreadyExists`] if the name is taken.
    pub async fn update_group(
        &self,
        allowed: &Allowed<GroupNamed>,
        new_name: Option<&str>,
        new_path: Option<&str>,
    ) -> Result<()> {
        let group = allowed.group()?;
        let name = new_name.unwrap_or(&group.name);
        let path = new_path.unwrap_or(&group.path);
        let renamed = self
            .store()
            .rename_group(&group.id, name, path, &allowed.change())
            .await;
        let found = renamed.map_err(|e| taken(e, name))?;
        found.then_some(()).ok_or_else(|| no_group(&group.name))
    }

    /// Deletes the group.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`]; [`Error::DeleteConflict`] while it has users or policies.
    pub async fn delete_group(&self, allowed: &Allowed<GroupNamed>) -> Result<()> {
        let group = allowed.group()?;
        let deleted = self
            .store()
            .delete_group(&group.id, &allowed.change())
            .await??;
        deleted.then_some(()).ok_or_else(|| no_group(&group.name))
    }

    /// A page of at most `limit` users of the group, after the name `after`.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`].
    pub async fn list_group_users(
        &self,
        allowed: &Allowed<GroupNamed>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<User>> {
        let group = allowed.group()?;
        Ok(self
            .store()
            .list_group_users(&group.id, after, limit)
            .await?)
    }

    /// A page of at most `limit` groups of the user, after the name `after`.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`].
    pub async fn list_user_groups(
        &self,
        allowed: &Allowed<UserNamed>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Group>> {
        let user = allowed.user()?;
        Ok(self
            .store()
            .list_user_groups(&user.id, after, limit)
            .await?)
    }

    /// Puts the user called `user` into the group, where it may be already. The group's policies
    /// hold for it from the next request on.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`]; [`Error::LimitExceeded`] if it is in 10 others.
    pub async fn add_user_to_group(&self, allowed: &Allowed<GroupNamed>, user: &str) -> Result<()> {
        let group = allowed.group()?;
        let member = self.member(group, user).await?;
        let limit = quota::GROUPS_PER_USER.limit;
        let added = self
            .store()
            .add_to_group(&group.id, &member.id, limit, &allowed.change())
            .await;
        match added {
            Err(StoreError::Conflict) => Err(no_user(user)),
            other => other?.map_err(|_| quota::GROUPS_PER_USER.exceeded()),
        }
    }

    /// Takes the user called `user` out of the group.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`], also if it is not in it.
    pub async fn remove_user_from_group(
        &self,
        allowed: &Allowed<GroupNamed>,
        user: &str,
    ) -> Result<()> {
        let group = allowed.group()?;
        let member = self.member(group, user).await?;
        let removed = self
            .store()
            .remove_from_group(&group.id, &member.id, &allowed.change())
            .await?;
        removed.then_some(()).ok_or_else(|| {
            Error::NoSuchEntity(format!("User {user} is not in group {}.", group.name))
        })
    }

    async fn member(&self, group: &Group, user: &str) -> Result<User> {
        let found = self.store().find_user(&group.account, user).await?;
        found.ok_or_else(|| no_user(user))
    }
}

fn taken(error: StoreError, name: &str) -> Error {
    match error {
        StoreError::Conflict => {
            Error::EntityAlreadyExists(format!("Group with name {name} already exists."))
        }
        other => other.into(),
    }
}
