//! IAM's users.
//!
//! Limits and texts are those of the IAM API reference; the recorded ones are in
//! `contracts/iam.md` §6 and §11.

use bonded_model::{PolicyArn, ResourceTags};
use bonded_store::{StoreError, User};

use crate::Registry;
use crate::access::Allowed;
use crate::error::{Error, Result};
use crate::quota;
use crate::random;
use crate::target::{Everything, UserNamed};

impl Allowed<UserNamed> {
    /// The user that was judged.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`].
    pub fn user(&self) -> Result<&User> {
        self.found()
            .as_ref()
            .ok_or_else(|| no_user(&self.target().name))
    }
}

pub(crate) fn no_user(name: &str) -> Error {
    Error::NoSuchEntity(format!("The user with name {name} cannot be found."))
}

impl Registry {
    /// Makes a user without rights, keys or password.
    ///
    /// # Errors
    /// [`Error::EntityAlreadyExists`] if the name, ignoring case, is taken;
    /// [`Error::NoSuchEntity`] for the boundary; [`Error::LimitExceeded`].
    pub async fn create_user(
        &self,
        allowed: &Allowed<UserNamed>,
        tags: ResourceTags,
        boundary: Option<&PolicyArn>,
    ) -> Result<User> {
        let UserNamed {
            account,
            name,
            path,
        } = allowed.target().clone();
        self.check_quota(&account, &quota::USERS, |counts| counts.users)
            .await?;
        if let Some(boundary) = boundary {
            self.attachable(boundary, &account).await?;
        }
        let user = User {
            id: random::unique_id("AIDA")?,
            account,
            name,
            path,
            created_at: allowed.caller().time(),
            tags,
            boundary: boundary.map(PolicyArn::to_string),
        };
        let made = self.store().create_user(&user, &allowed.change()).await;
        made.map_err(|e| taken(e, &user.name))?;
        Ok(user)
    }

    /// A page of at most `limit` users whose path begins with `path_prefix`, after the name `after`.
    ///
    /// # Errors
    /// Rows cannot be read.
    pub async fn list_users(
        &self,
        allowed: &Allowed<Everything>,
        path_prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<User>> {
        Ok(self
            .store()
            .list_users(&allowed.target().0, path_prefix, after, limit)
            .await?)
    }

    /// Gives the user that was judged another name, another path, or both.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`]; [`Error::EntityAlreadyExists`] if the name is taken.
    pub async fn update_user(
        &self,
        allowed: &Allowed<UserNamed>,
        new_name: Option<&str>,
        new_path: Option<&str>,
    ) -> Result<()> {
        let user = allowed.user()?;
        let name = new_name.unwrap_or(&user.name);
        let path = new_path.unwrap_or(&user.path);
        let renamed = self
            .store()
            .rename_user(&user.id, name, path, &allowed.change())
            .await;
        let found = renamed.map_err(|e| taken(e, name))?;
        found.then_some(()).ok_or_else(|| no_user(&user.name))
    }

    /// Deletes the user; its sessions and tokens end with it.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`]; [`Error::DeleteConflict`] while it has keys, policies or groups.
    pub async fn delete_user(&self, allowed: &Allowed<UserNamed>) -> Result<()> {
        let user = allowed.user()?;
        let deleted = self
            .store()
            .delete_user(&user.id, &allowed.change())
            .await??;
        deleted.then_some(()).ok_or_else(|| no_user(&user.name))
    }
}

fn taken(error: StoreError, name: &str) -> Error {
    match error {
        StoreError::Conflict => {
            Error::EntityAlreadyExists(format!("User with name {name} already exists."))
        }
        other => other.into(),
    }
}
