//! STS: who am I, and sessions of roles.

use std::collections::BTreeMap;
use std::time::Duration;

use bonded_iam::PolicyKind;
use bonded_model::{AccountId, PolicyArn, ResourceTags, Secret, Timestamp};
use bonded_store::{Change, Role, Session, SessionKind};
use sha2::{Digest as _, Sha256};

use crate::Registry;
use crate::access::{Action, Allowed, Checks};
use crate::caller::{Caller, Identity};
use crate::context::{self, Fact};
use crate::error::{Error, Result};
use crate::inline_policy::validated;
use crate::random;
use crate::target::RoleToAssume;
use crate::web_identity::WebIdentity;

/// A session of a chain of roles lasts an hour at most (STS API reference, `AssumeRole`).
const CHAINED_LIMIT: Duration = Duration::from_hours(1);

/// What `AssumeRole` and its kin are asked with; the door has checked lengths and characters.
pub struct SessionRequest {
    /// The role.
    pub role: RoleToAssume,
    /// The name of the session, 2 to 64 characters.
    pub name: String,
    /// How long it shall last, 900 seconds or more.
    pub duration: Duration,
    /// An inline session policy, which narrows the role's own.
    pub policy: Option<String>,
    /// Managed policies of the role's account that narrow it likewise.
    pub policy_arns: Vec<PolicyArn>,
    /// What the role's owner and the caller agreed on.
    pub external_id: Option<String>,
    /// Session tags.
    pub tags: ResourceTags,
    /// Keys of `tags` that go on to further sessions.
    pub transitive_keys: Vec<String>,
    /// Who is behind the session.
    pub source_identity: Option<String>,
}

/// A new session with its credentials, which are shown this once.
pub struct NewSession {
    /// The session.
    pub session: Session,
    /// Its role.
    pub role: Role,
    /// The secret access key of the session.
    pub secret: Secret,
    /// The session token that goes with the key.
    pub token: Secret,
}

impl SessionRequest {
    /// The checks of this request: `action`, which assumes the role, and `sts:TagSession` and
    /// `sts:SetSourceIdentity` where tags or a source identity are passed or inherited.
    #[must_use]
    pub fn checks(&self, action: Action, caller: &Caller) -> Checks<RoleToAssume> {
        let (tags, transitive) = self.tags_of_session(caller);
        let source_identity = self.source_identity_of_session(caller);
        let mut facts = context::of_request_tags(&tags);
        facts.insert(
            "sts:RoleSessionName".to_owned(),
            Fact::One(self.name.clone()),
        );
        facts.insert("sts:TransitiveTagKeys".to_owned(), Fact::Many(transitive));
        if let Some(external_id) = &self.external_id {
            facts.insert("sts:ExternalId".to_owned(), Fact::One(external_id.clone()));
        }
        if let Some(source_identity) = &source_identity {
            facts.insert(
                "sts:SourceIdentity".to_owned(),
                Fact::One(source_identity.clone()),
            );
        }
        let mut more = Vec::new();
        if !tags.is_empty() {
            more.push(Action::new("sts:TagSession"));
        }
        if source_identity.is_some() {
            more.push(Action::new("sts:SetSourceIdentity"));
        }
        Checks::all(action, more, self.role.clone(), &facts)
    }

    /// The tags of the session and which of them are transitive: those passed and those that come
    /// with the caller's own session.
    fn tags_of_session(&self, caller: &Caller) -> (ResourceTags, Vec<String>) {
        let mut tags = self.tags.clone();
        let mut transitive = self.transitive_keys.clone();
        if let Some(session) = caller.session() {
            for key in &session.transitive_keys {
                if let Some(value) = session.tags.get(key) {
                    tags.insert(key.clone(), value.clone());
                    transitive.push(key.clone());
                }
            }
        }
        (tags, transitive)
    }

    fn source_identity_of_session(&self, caller: &Caller) -> Option<String> {
        let inherited = caller
            .session()
            .and_then(|session| session.source_identity.clone());
        inherited.or_else(|| self.source_identity.clone())
    }

    fn check(&self, caller: &Caller, role: &Role) -> Result<()> {
        let chained = matches!(caller.identity(), Identity::Session { .. });
        if self.duration > Duration::from_secs(role.max_session_seconds.into()) {
            return Err(Error::Validation(
                "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
                    .to_owned(),
            ));
        }
        if chained && self.duration > CHAINED_LIMIT {
            return Err(Error::Validation(
                "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.".to_owned(),
            ));
        }
        let Some(session) = caller.session() else {
            return Ok(());
        };
        let inherited = |key: &String| {
            session
                .transitive_keys
                .iter()
                .any(|own| own.to_lowercase() == key.to_lowercase())
        };
        if self.tags.keys().any(inherited) {
            return Err(Error::InvalidParameterValue(
                "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.".to_owned(),
            ));
        }
        if let (Some(own), Some(asked)) = (&session.source_identity, &self.source_identity)
            && own != asked
        {
            return Err(Error::Validation(
                "The source identity of the calling session cannot be changed.".to_owned(),
            ));
        }
        Ok(())
    }
}

impl Registry {
    /// Makes a session of the role that was judged.
    ///
    /// # Errors
    /// [`Error::Validation`] for a duration over the role's or the chain's limit;
    /// [`Error::MalformedPolicyDocument`]; [`Error::InvalidParameterValue`] for tags that clash.
    pub async fn assume_role(
        &self,
        allowed: &Allowed<RoleToAssume>,
        request: SessionRequest,
    ) -> Result<NewSession> {
        let caller = allowed.caller();
        // A role that does not exist has no trust policy, so nobody is allowed to assume it.
        let role = allowed.found().clone().ok_or_else(|| {
            Error::NoSuchEntity(format!(
                "The role with ARN {} cannot be found.",
                allowed.target().arn
            ))
        })?;
        request.check(caller, &role)?;
        let policies = self
            .texts_for_session(request.policy.clone(), &request.policy_arns, &role.account)
            .await?;
        let (tags, transitive_keys) = request.tags_of_session(caller);
        let source_identity = request.source_identity_of_session(caller);
        let issued_at = Timestamp::from_millis(caller.time().as_seconds() * 1000);
        let session = Session {
            id: random::access_key_id("ASIA")?,
            account: role.account.clone(),
            principal: role.id.clone(),
            kind: SessionKind::Role,
            name: request.name,
            issued_at,
            expires_at: issued_at.after(request.duration),
            policies,
            tags,
            transitive_keys,
            source_identity,
            context: caller
                .web_identity()
                .map_or_else(BTreeMap::new, WebIdentity::session_context),
        };
        let (secret, token) = self.write_session(&session, &allowed.change()).await?;
        Ok(NewSession {
            session,
            role,
            secret,
            token,
        })
    }

    /// The texts of the policies that narrow a session, as they are now: an inline one, and managed
    /// ones of `account`.
    pub(crate) async fn texts_for_session(
        &self,
        inline: Option<String>,
        managed: &[PolicyArn],
        account: &AccountId,
    ) -> Result<Vec<String>> {
        let mut texts = Vec::with_capacity(managed.len() + 1);
        if let Some(text) = inline {
            validated(&text, PolicyKind::Session)?;
            texts.push(text);
        }
        for arn in managed {
            // What is not there is a wrong parameter of STS, which has no other error for it.
            let policy = self.attachable(arn, account).await;
            let policy = policy.map_err(|e| Error::Validation(e.to_string()))?;
            let version = self
                .store()
                .find_managed_policy_version(&policy.id, policy.default_version)
                .await?;
            let version = version.ok_or_else(|| {
                Error::Validation(format!("Policy {arn} does not exist or is not attachable."))
            })?;
            texts.push(version.document.text);
        }
        Ok(texts)
    }

    /// Writes a session down; gives its secret access key and its token, which are shown this once.
    pub(crate) async fn write_session(
        &self,
        session: &Session,
        change: &Change,
    ) -> Result<(Secret, Secret)> {
        let secret = random::secret_access_key()?;
        let token = random::session_token()?;
        let token_sha256 = Sha256::digest(token.expose().as_bytes()).into();
        self.store()
            .create_session(session, &secret, &token_sha256, change)
            .await?;
        Ok((secret, token))
    }
}
