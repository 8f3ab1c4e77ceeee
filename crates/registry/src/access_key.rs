//! The access keys of users.

use std::time::Duration;

use bonded_model::{Secret, Timestamp};
use bonded_store::{AccessKey, LastUsed};

use crate::Registry;
use crate::access::Allowed;
use crate::caller::{Caller, Identity};
use crate::error::{Error, Result};
use crate::quota;
use crate::random;
use crate::target::{AccessKeyNamed, UserNamed};

/// How exactly the last use of a credential is kept: noting it costs a write.
const LAST_USED_STEP: Duration = Duration::from_mins(1);

/// A new access key with its secret, which is shown this once.
pub struct NewAccessKey {
    /// The key.
    pub key: AccessKey,
    /// Its secret.
    pub secret: Secret,
}

impl Registry {
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
                quota::ACCESS_KEYS.limit,
                &allowed.change(),
            )
            .await?;
        Ok(NewAccessKey {
            key: made.map_err(|_| quota::ACCESS_KEYS.exceeded())?,
            secret,
        })
    }

    /// The access keys of the user, in the order they were created.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`].
    pub async fn list_access_keys(&self, allowed: &Allowed<UserNamed>) -> Result<Vec<AccessKey>> {
        Ok(self.store().list_access_keys(&allowed.user()?.id).await?)
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

    /// Deletes an access key of the user; sessions made with it stay, as they do in AWS.
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

    /// The name of the user whose key was judged, and when the key was used last.
    ///
    /// # Errors
    /// [`Error::Validation`]: the API's model has no other for a key that is not there.
    pub fn access_key_last_used<'a>(
        &self,
        allowed: &'a Allowed<AccessKeyNamed>,
    ) -> Result<(&'a str, Option<&'a LastUsed>)> {
        let (key, user) = allowed
            .found()
            .as_ref()
            .ok_or_else(|| Error::Validation(no_access_key(&allowed.target().id).to_string()))?;
        Ok((&user.name, key.last_used.as_ref()))
    }

    /// Notes that the caller's credential was used for `service`, if that was not noted within the
    /// last minute. Nothing depends on it.
    pub(crate) async fn note_use(&self, caller: &Caller, noted: Option<Timestamp>, service: &str) {
        let now = caller.time();
        let step = i64::try_from(LAST_USED_STEP.as_millis()).unwrap_or(i64::MAX);
        let not_since = Timestamp::from_millis(now.as_millis().saturating_sub(step));
        if noted.is_some_and(|noted| noted > not_since) {
            return;
        }
        let last_used = LastUsed {
            at: now,
            region: caller.region().to_string(),
            service: Some(service.to_owned()),
        };
        let store = self.store();
        let done = match caller.identity() {
            Identity::User(_) => {
                store
                    .note_access_key_use(caller.key_id(), &last_used, not_since)
                    .await
            }
            Identity::Session { role, .. } => {
                store.note_role_use(&role.id, &last_used, not_since).await
            }
            Identity::ServiceToken { token, .. } => {
                store
                    .note_service_token_use(&token.id, &last_used, not_since)
                    .await
            }
            Identity::UserSession { .. } | Identity::Web(_) => return,
        };
        // No reason to refuse the request: the next one notes it.
        drop(done);
    }
}

fn no_access_key(id: &str) -> Error {
    Error::NoSuchEntity(format!("The Access Key with id {id} cannot be found."))
}
