//! Managed policies of users, groups and roles: attached, and as their permissions boundary.

use bonded_model::PolicyArn;
use bonded_store::{Bounded, StoreError};

use crate::Registry;
use crate::access::Allowed;
use crate::error::{Error, Result};
use crate::policy_holder::PolicyHolder;
use crate::role::no_role;
use crate::target::{RoleNamed, UserNamed};
use crate::user::no_user;

impl Registry {
    /// Attaches a managed policy to the user, group or role; it may be attached already. It holds
    /// from the next request on.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`], [`Error::PolicyNotAttachable`]; [`Error::LimitExceeded`] if 10
    /// others are attached.
    pub async fn attach_policy(
        &self,
        allowed: &impl PolicyHolder,
        policy: &PolicyArn,
    ) -> Result<()> {
        let holder = allowed.changeable_holder()?;
        let policy = self.attachable(policy, holder.account).await?;
        let limit = holder.attached.limit;
        let attached = self
            .store()
            .attach_policy(holder.unique_id, &policy.id, limit, &allowed.change())
            .await;
        match attached {
            Err(StoreError::Conflict) => Err(holder.missing()),
            other => other?.map_err(|_| holder.attached.exceeded()),
        }
    }

    /// Detaches a managed policy from the user, group or role.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`], also if it is not attached.
    pub async fn detach_policy(
        &self,
        allowed: &impl PolicyHolder,
        policy: &PolicyArn,
    ) -> Result<()> {
        let holder = allowed.changeable_holder()?;
        let missing = || Error::NoSuchEntity(format!("Policy {policy} was not found."));
        let found = self
            .store()
            .find_managed_policy(policy, holder.account)
            .await?
            .ok_or_else(missing)?;
        let detached = self
            .store()
            .detach_policy(holder.unique_id, &found.id, &allowed.change())
            .await?;
        detached.then_some(()).ok_or_else(missing)
    }

    /// A page of at most `limit` managed policies attached to the user, group or role, after the
    /// name `after`.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`].
    pub async fn list_attached_policies(
        &self,
        allowed: &impl PolicyHolder,
        path_prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<PolicyArn>> {
        let holder = allowed.holder()?;
        Ok(self
            .store()
            .list_attached_policies(holder.unique_id, path_prefix, after, limit)
            .await?)
    }

    /// Sets the boundary of the user, or takes it away; what it does not allow the user may not do
    /// from the next request on.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`], also for the policy, or if there is no boundary to take away.
    pub async fn set_user_boundary(
        &self,
        allowed: &Allowed<UserNamed>,
        boundary: Option<&PolicyArn>,
    ) -> Result<()> {
        let user = allowed.user()?;
        match boundary {
            Some(policy) => drop(self.attachable(policy, &user.account).await?),
            None if user.boundary.is_none() => return Err(no_boundary("user", &user.name)),
            None => {}
        }
        let set = self
            .store()
            .set_boundary(Bounded::User, &user.id, boundary, &allowed.change())
            .await?;
        set.then_some(()).ok_or_else(|| no_user(&user.name))
    }

    /// As [`Registry::set_user_boundary`], of the role.
    ///
    /// # Errors
    /// As there; [`Error::UnmodifiableEntity`] for a service's role.
    pub async fn set_role_boundary(
        &self,
        allowed: &Allowed<RoleNamed>,
        boundary: Option<&PolicyArn>,
    ) -> Result<()> {
        let role = allowed.own_role()?;
        match boundary {
            Some(policy) => drop(self.attachable(policy, &role.account).await?),
            None if role.boundary.is_none() => return Err(no_boundary("role", &role.name)),
            None => {}
        }
        let set = self
            .store()
            .set_boundary(Bounded::Role, &role.id, boundary, &allowed.change())
            .await?;
        set.then_some(()).ok_or_else(|| no_role(&role.name))
    }
}

fn no_boundary(kind: &str, name: &str) -> Error {
    Error::NoSuchEntity(format!("{kind} {name} has no permission boundary."))
}
