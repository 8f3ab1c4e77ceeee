//! Instance profiles, as far as AWS's tools need them to keep their state.

use bonded_model::ResourceTags;
use bonded_store::{InstanceProfile, Role, StoreError};

use crate::Registry;
use crate::access::Allowed;
use crate::error::{Error, Result};
use crate::quota;
use crate::random;
use crate::role::no_role;
use crate::target::{Everything, InstanceProfileNamed, RoleNamed};

impl Allowed<InstanceProfileNamed> {
    /// The instance profile that was judged.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`].
    pub fn instance_profile(&self) -> Result<&InstanceProfile> {
        self.found()
            .as_ref()
            .ok_or_else(|| no_profile(&self.target().name))
    }
}

fn no_profile(name: &str) -> Error {
    Error::NoSuchEntity(format!("Instance Profile {name} cannot be found."))
}

impl Registry {
    /// Makes an instance profile without a role.
    ///
    /// # Errors
    /// [`Error::EntityAlreadyExists`] if the name, ignoring case, is taken;
    /// [`Error::LimitExceeded`].
    pub async fn create_instance_profile(
        &self,
        allowed: &Allowed<InstanceProfileNamed>,
        tags: ResourceTags,
    ) -> Result<InstanceProfile> {
        let InstanceProfileNamed {
            account,
            name,
            path,
        } = allowed.target().clone();
        self.check_quota(&account, &quota::INSTANCE_PROFILES, |counts| {
            counts.instance_profiles
        })
        .await?;
        let profile = InstanceProfile {
            id: random::unique_id("AIPA")?,
            account,
            name,
            path,
            created_at: allowed.caller().time(),
            role: None,
            tags,
        };
        let made = self
            .store()
            .create_instance_profile(&profile, &allowed.change())
            .await;
        match made {
            Err(StoreError::Conflict) => Err(Error::EntityAlreadyExists(format!(
                "Instance Profile {} already exists.",
                profile.name
            ))),
            other => {
                other?;
                Ok(profile)
            }
        }
    }

    /// A page of at most `limit` instance profiles whose path begins with `path_prefix`, after the
    /// name `after`.
    ///
    /// # Errors
    /// Rows cannot be read.
    pub async fn list_instance_profiles(
        &self,
        allowed: &Allowed<Everything>,
        path_prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<InstanceProfile>> {
        Ok(self
            .store()
            .list_instance_profiles(&allowed.target().0, path_prefix, after, limit)
            .await?)
    }

    /// A page of at most `limit` instance profiles that the role is in, after the name `after`.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`].
    pub async fn list_role_instance_profiles(
        &self,
        allowed: &Allowed<RoleNamed>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<InstanceProfile>> {
        let role = allowed.role()?;
        Ok(self
            .store()
            .list_role_instance_profiles(&role.id, after, limit)
            .await?)
    }

    /// The role in an instance profile.
    ///
    /// # Errors
    /// Rows cannot be read.
    pub async fn role_of_instance_profile(
        &self,
        profile: &InstanceProfile,
    ) -> Result<Option<Role>> {
        match &profile.role {
            Some(id) => Ok(self.store().find_role_by_id(id).await?),
            None => Ok(None),
        }
    }

    /// Puts the role called `role` into the instance profile.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`]; [`Error::LimitExceeded`] if there is one in it.
    pub async fn add_role_to_instance_profile(
        &self,
        allowed: &Allowed<InstanceProfileNamed>,
        role: &str,
    ) -> Result<()> {
        let (profile, member) = self.profile_and_role(allowed, role).await?;
        let added = self
            .store()
            .add_role_to_instance_profile(&profile.id, &member.id, &allowed.change())
            .await;
        match added {
            Err(StoreError::Conflict) => Err(no_role(role)),
            other => other?.then_some(()).ok_or_else(|| {
                Error::LimitExceeded(
                    "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1".to_owned(),
                )
            }),
        }
    }

    /// Takes the role called `role` out of the instance profile.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`], also if it is not in it.
    pub async fn remove_role_from_instance_profile(
        &self,
        allowed: &Allowed<InstanceProfileNamed>,
        role: &str,
    ) -> Result<()> {
        let (profile, member) = self.profile_and_role(allowed, role).await?;
        let removed = self
            .store()
            .remove_role_from_instance_profile(&profile.id, &member.id, &allowed.change())
            .await?;
        removed.then_some(()).ok_or_else(|| no_role(role))
    }

    /// Deletes the instance profile.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`]; [`Error::DeleteConflict`] while it has a role.
    pub async fn delete_instance_profile(
        &self,
        allowed: &Allowed<InstanceProfileNamed>,
    ) -> Result<()> {
        let profile = allowed.instance_profile()?;
        let deleted = self
            .store()
            .delete_instance_profile(&profile.id, &allowed.change())
            .await??;
        deleted
            .then_some(())
            .ok_or_else(|| no_profile(&profile.name))
    }

    async fn profile_and_role<'a>(
        &self,
        allowed: &'a Allowed<InstanceProfileNamed>,
        role: &str,
    ) -> Result<(&'a InstanceProfile, Role)> {
        let profile = allowed.instance_profile()?;
        let found = self.store().find_role(&profile.account, role).await?;
        Ok((profile, found.ok_or_else(|| no_role(role))?))
    }
}
