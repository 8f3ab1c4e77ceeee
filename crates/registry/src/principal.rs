//! IAM's principals: users with their access keys, and roles.
//!
//! Limits and texts are those of the IAM API reference; the recorded ones are in
//! `contracts/iam.md` §6 and §11.

use bonded_iam::{MalformedPolicy, PolicyKind};
use bonded_model::{ResourceTags, Secret};
use bonded_store::{AccessKey, PolicyVersion, Role, StoreError, User};

use crate::Registry;
use crate::access::Allowed;
use crate::error::{Error, Result};
use crate::inline_policy::validated;
use crate::random;
use crate::target::{Everything, RoleNamed, UserNamed};

/// IAM's quota of access keys for one user.
const ACCESS_KEYS_LIMIT: u32 = 2;

/// A new access key with its secret, which is shown this once.
pub struct NewAccessKey {
    /// The key.
    pub key: AccessKey,
    /// Its secret.
    pub secret: Secret,
}

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
}

impl Allowed<UserNamed> {
    /// The user that was judged.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`].
    pub fn user(&self) -> Result<&User> {
        let missing = || {
            let name = &self.target().name;
            Error::NoSuchEntity(format!("The user with name {name} cannot be found."))
        };
        self.found().as_ref().ok_or_else(missing)
    }
}

impl Allowed<RoleNamed> {
    /// The role that was judged.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`].
    pub fn role(&self) -> Result<&Role> {
        let missing = || {
            let name = &self.target().name;
            Error::NoSuchEntity(format!("The role with name {name} cannot be found."))
        };
        self.found().as_ref().ok_or_else(missing)
    }
}

impl Registry {
    /// Makes a user without rights, keys or password.
    ///
    /// # Errors
    /// [`Error::EntityAlreadyExists`] if the name, ignoring case, is taken.
    pub async fn create_user(
        &self,
        allowed: &Allowed<UserNamed>,
        tags: ResourceTags,
    ) -> Result<User> {
        let UserNamed {
            account,
            name,
            path,
        } = allowed.target().clone();
        let created_at = allowed.caller().time();
        let user = User {
            id: random::unique_id("AIDA")?,
            account,
            name,
            path,
            created_at,
            tags,
        };
        match self.store().create_user(&user, &allowed.change()).await {
            Err(StoreError::Conflict) => Err(Error::EntityAlreadyExists(format!(
                "User with name {} already exists.",
                user.name
            ))),
            other => {
                other?;
                Ok(user)
            }
        }
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

    /// Makes an access key for the user.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`]; [`Error::LimitExceeded`] if the user has two.
    pub async fn create_access_key(&self, allowed: &Allowed<UserNamed>) -> Result<NewAccessKey> {
        let user = allowed.user()?;
        let secret = random::secret_access_key()?;
        let id = random::access_key_id("AKIA")?;
        let made = self
            .store()
            .create_access_key(
                &user.account,
                &user.id,
                &id,
                &secret,
                allowed.caller().time(),
                ACCESS_KEYS_LIMIT,
                &allowed.change(),
            )
            .await?;
        let limit = |_| {
            Error::LimitExceeded(format!(
                "Cannot exceed quota for AccessKeysPerUser: {ACCESS_KEYS_LIMIT}"
            ))
        };
        Ok(NewAccessKey {
            key: made.map_err(limit)?,
            secret,
        })
    }

    /// Switches an access key of the user on or off, from the next request on.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`].
    pub async fn update_access_key(
        &self,
        allowed: &Allowed<UserNamed>,
        id: &str,
        active: bool,
    ) -> Result<()> {
        let user = allowed.user()?;
        let found = self
            .store()
            .set_access_key_active(&user.id, id, active, &allowed.change())
            .await?;
        found.then_some(()).ok_or_else(|| no_access_key(id))
    }

    /// Deletes an access key of the user.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`].
    pub async fn delete_access_key(&self, allowed: &Allowed<UserNamed>, id: &str) -> Result<()> {
        let user = allowed.user()?;
        let found = self
            .store()
            .delete_access_key(&user.id, id, &allowed.change())
            .await?;
        found.then_some(()).ok_or_else(|| no_access_key(id))
    }

    /// Makes a role.
    ///
    /// # Errors
    /// [`Error::MalformedPolicyDocument`] for its trust policy; [`Error::EntityAlreadyExists`].
    pub async fn create_role(
        &self,
        allowed: &Allowed<RoleNamed>,
        settings: RoleSettings,
    ) -> Result<Role> {
        let policy = validated(&settings.trust_policy, PolicyKind::Trust)?;
        if let Some(principal) = self.missing_principal(&policy).await? {
            let malformed = MalformedPolicy::unknown_principal(&principal);
            return Err(Error::MalformedPolicyDocument(malformed.to_string()));
        }
        let RoleNamed {
            account,
            name,
            path,
        } = allowed.target().clone();
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
                text: settings.trust_policy,
            },
            tags: settings.tags,
        };
        match self.store().create_role(&role, &allowed.change()).await {
            Err(StoreError::Conflict) => Err(Error::EntityAlreadyExists(format!(
                "Role with name {} already exists.",
                role.name
            ))),
            other => Ok(other?),
        }
    }
}

fn no_access_key(id: &str) -> Error {
    Error::NoSuchEntity(format!("The Access Key with id {id} cannot be found."))
}
