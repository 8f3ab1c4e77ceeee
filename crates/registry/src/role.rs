//! IAM's roles and their trust policies.

use bonded_iam::PolicyKind;
use bonded_model::{PolicyArn, ResourceTags};
use bonded_store::{PolicyVersion, Role, StoreError};

use crate::Registry;
use crate::access::Allowed;
use crate::error::{Error, Result};
use crate::inline_policy::validated;
use crate::quota;
use crate::random;
use crate::service_linked_role::PROTECTED_PATH;
use crate::target::{Everything, RoleNamed};

/// What a new role is made with.
pub struct RoleSettings {
    /// Who may assume it, as text.
    pub trust_policy: String,
    /// A description for people.
    pub description: Option<String>,
    /// How long its sessions may last at most, 3,600 to 43,200 seconds.
    pub max_session_seconds: u32,
    /// Its tags.
    pub tags: ResourceTags,
    /// The managed policy that bounds what its sessions may do.
    pub boundary: Option<PolicyArn>,
}

impl Allowed<RoleNamed> {
    /// The role that was judged.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`].
    pub fn role(&self) -> Result<&Role> {
        self.found()
            .as_ref()
            .ok_or_else(|| no_role(&self.target().name))
    }

    /// The role that was judged, unless it belongs to a service, which alone may change it.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`]; [`Error::UnmodifiableEntity`].
    pub(crate) fn own_role(&self) -> Result<&Role> {
        let role = self.role()?;
        if role.path.starts_with(PROTECTED_PATH) {
            return Err(Error::UnmodifiableEntity(format!(
                "Cannot perform the operation on the protected role '{}' - this role is only modifiable by AWS",
                role.name
            )));
        }
        Ok(role)
    }
}

pub(crate) fn no_role(name: &str) -> Error {
    Error::NoSuchEntity(format!("The role with name {name} cannot be found."))
}

impl Registry {
    /// Makes a role. Users and roles that its trust policy names are kept by their unique ids.
    ///
    /// # Errors
    /// [`Error::MalformedPolicyDocument`] for its trust policy; [`Error::EntityAlreadyExists`];
    /// [`Error::NoSuchEntity`] for the boundary; [`Error::LimitExceeded`].
    pub async fn create_role(
        &self,
        allowed: &Allowed<RoleNamed>,
        settings: RoleSettings,
    ) -> Result<Role> {
        let RoleNamed {
            account,
            name,
            path,
        } = allowed.target().clone();
        if path.starts_with(PROTECTED_PATH) {
            return Err(Error::Validation(format!(
                "The path '{path}' is kept for the roles of services; choose another, or call CreateServiceLinkedRole"
            )));
        }
        let trust = self.trust_policy(&settings.trust_policy).await?;
        self.check_quota(&account, &quota::ROLES, |counts| counts.roles)
            .await?;
        if let Some(boundary) = &settings.boundary {
            self.attachable(boundary, &account).await?;
        }
        let role = Role {
            id: random::unique_id("AROA")?,
            account,
            name,
            path,
            created_at: allowed.caller().time(),
            description: settings.description,
            max_session_seconds: settings.max_session_seconds,
            trust: PolicyVersion {
                id: String::new(),
                text: trust,
            },
            tags: settings.tags,
            boundary: settings.boundary.as_ref().map(PolicyArn::to_string),
            last_used: None,
        };
        match self.store().create_role(&role, &allowed.change()).await {
            Err(StoreError::Conflict) => Err(Error::EntityAlreadyExists(format!(
                "Role with name {} already exists.",
                role.name
            ))),
            other => Ok(other?),
        }
    }

    /// The text of a trust policy as it is saved.
    async fn trust_policy(&self, text: &str) -> Result<String> {
        let policy = validated(text, PolicyKind::Trust)?;
        let bound = self.bind_principals(text, &policy).await?;
        bound.map_err(|e| Error::MalformedPolicyDocument(e.to_string()))
    }

    /// A page of at most `limit` roles whose path begins with `path_prefix`, after the name `after`.
    ///
    /// # Errors
    /// Rows cannot be read.
    pub async fn list_roles(
        &self,
        allowed: &Allowed<Everything>,
        path_prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Role>> {
        Ok(self
            .store()
            .list_roles(&allowed.target().0, path_prefix, after, limit)
            .await?)
    }

    /// Changes description and longest session of the role; what is `None` stays.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`]; [`Error::UnmodifiableEntity`] for a service's role.
    pub async fn update_role(
        &self,
        allowed: &Allowed<RoleNamed>,
        description: Option<&str>,
        max_session_seconds: Option<u32>,
    ) -> Result<Role> {
        let mut role = allowed.own_role()?.clone();
        if let Some(description) = description {
            role.description = Some(description.to_owned());
        }
        role.max_session_seconds = max_session_seconds.unwrap_or(role.max_session_seconds);
        let found = self
            .store()
            .update_role(
                &role.id,
                role.description.as_deref(),
                role.max_session_seconds,
                &allowed.change(),
            )
            .await?;
        found.then_some(()).ok_or_else(|| no_role(&role.name))?;
        Ok(role)
    }

    /// Replaces the trust policy of the role. Its sessions stay.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`]; [`Error::MalformedPolicyDocument`];
    /// [`Error::UnmodifiableEntity`] for a service's role.
    pub async fn update_trust_policy(
        &self,
        allowed: &Allowed<RoleNamed>,
        text: &str,
    ) -> Result<()> {
        let role = allowed.own_role()?;
        let trust = self.trust_policy(text).await?;
        let set = self
            .store()
            .set_role_trust(&role.id, &role.account, &trust, &allowed.change())
            .await;
        match set {
            Err(StoreError::Conflict) => Err(no_role(&role.name)),
            other => Ok(other?),
        }
    }

    /// Deletes the role; its sessions and tokens end with it.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`]; [`Error::DeleteConflict`] while it has policies or is in an
    /// instance profile; [`Error::UnmodifiableEntity`] for a service's role.
    pub async fn delete_role(&self, allowed: &Allowed<RoleNamed>) -> Result<()> {
        let role = allowed.own_role()?;
        let deleted = self
            .store()
            .delete_role(&role.id, &allowed.change())
            .await??;
        deleted.then_some(()).ok_or_else(|| no_role(&role.name))
    }
}
