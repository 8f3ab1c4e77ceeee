//! Sessions of users: as themselves (`GetSessionToken`), and for someone they vouch for
//! (`GetFederationToken`).

use std::collections::BTreeMap;
use std::time::Duration;

use bonded_model::{AccountId, PolicyArn, ResourceTags, Secret, Timestamp};
use bonded_store::{Session, SessionKind, User};

use crate::Registry;
use crate::access::Allowed;
use crate::caller::{Caller, Identity};
use crate::error::{Error, Result};
use crate::random;
use crate::target::{Everything, FederatedUserNamed};

/// What `GetFederationToken` is asked with; the door has checked lengths and characters.
pub struct FederationRequest {
    /// An inline session policy. Without any policy the federated user may do nothing by the
    /// user's own.
    pub policy: Option<String>,
    /// Managed policies of the account that narrow it likewise.
    pub policy_arns: Vec<PolicyArn>,
    /// How long it shall last.
    pub duration: Duration,
    /// Session tags.
    pub tags: ResourceTags,
}

/// A new session of a user with its credentials, which are shown this once.
pub struct NewUserSession {
    /// The session.
    pub session: Session,
    /// The secret access key of the session.
    pub secret: Secret,
    /// The session token that goes with the key.
    pub token: Secret,
}

impl Registry {
    /// Makes a session of the calling user.
    ///
    /// # Errors
    /// [`Error::Validation`] if the caller is no user with a key of its own.
    pub async fn session_token(
        &self,
        allowed: &Allowed<Everything>,
        duration: Duration,
    ) -> Result<NewUserSession> {
        let caller = allowed.caller();
        let user = calling_user(caller)?;
        let session = session(user, caller, SessionKind::User, String::new(), duration)?;
        let (secret, token) = self.write_session(&session, &allowed.change()).await?;
        Ok(NewUserSession {
            session,
            secret,
            token,
        })
    }

    /// Makes a session of the calling user under the name that was judged.
    ///
    /// # Errors
    /// [`Error::Validation`] if the caller is no user with a key of its own;
    /// [`Error::MalformedPolicyDocument`].
    pub async fn federation_token(
        &self,
        allowed: &Allowed<FederatedUserNamed>,
        request: FederationRequest,
    ) -> Result<NewUserSession> {
        let caller = allowed.caller();
        let user = calling_user(caller)?;
        let policies = self
            .texts_for_session(request.policy, &request.policy_arns, &user.account)
            .await?;
        let name = allowed.target().name.clone();
        let mut session = session(user, caller, SessionKind::Federated, name, request.duration)?;
        session.policies = policies;
        session.tags = request.tags;
        let (secret, token) = self.write_session(&session, &allowed.change()).await?;
        Ok(NewUserSession {
            session,
            secret,
            token,
        })
    }

    /// The account that an access key belongs to, long-term or of a session. AWS tells it to
    /// whoever has the id.
    ///
    /// # Errors
    /// [`Error::Validation`] if there is no such key.
    pub async fn account_of_access_key(
        &self,
        _: &Allowed<Everything>,
        key_id: &str,
    ) -> Result<AccountId> {
        let found = self.store().find_credential(key_id).await?;
        let account = found.map(|credential| credential.account().clone());
        account.ok_or_else(|| {
            Error::Validation(format!("the access key '{key_id}' is not known here"))
        })
    }
}

/// The user whose own key the caller has: sessions make no sessions of users.
fn calling_user(caller: &Caller) -> Result<&User> {
    match caller.identity() {
        Identity::User(user) => Ok(user),
        Identity::Session { .. }
        | Identity::UserSession { .. }
        | Identity::ServiceToken { .. }
        | Identity::Web(_) => Err(Error::Validation(
            "Cannot make a session of a user with session credentials".to_owned(),
        )),
    }
}

fn session(
    user: &User,
    caller: &Caller,
    kind: SessionKind,
    name: String,
    duration: Duration,
) -> Result<Session> {
    let issued_at = Timestamp::from_millis(caller.time().as_seconds() * 1000);
    Ok(Session {
        id: random::access_key_id("ASIA")?,
        account: user.account.clone(),
        principal: user.id.clone(),
        kind,
        name,
        issued_at,
        expires_at: issued_at.after(duration),
        policies: Vec::new(),
        tags: ResourceTags::new(),
        transitive_keys: Vec::new(),
        source_identity: None,
        context: BTreeMap::new(),
    })
}
