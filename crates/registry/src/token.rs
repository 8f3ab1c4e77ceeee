//! Authorization tokens: the password of `docker login`.
//!
//! A [signed text](crate::signed_text) of `CREDENTIAL.EXPIRY`: an access key id (long-term or of a
//! session) and seconds since the epoch. It names the credential and carries no rights: every
//! request with it is decided by the policies of that moment, and it ends with its credential. No
//! `:` stands in it, because clients split `AWS:TOKEN` there.

use std::time::Duration;

use bonded_model::{Secret, Timestamp};

use crate::access::Allowed;
use crate::error::{Result, Unauthenticated};
use crate::signed_text::Kind;
use crate::target::Everything;
use crate::{Error, Registry};

/// How long a token lives at most: ECR's 12 hours.
const LIFETIME: Duration = Duration::from_hours(12);

/// A token for `docker login`, user name `AWS`.
pub struct AuthorizationToken {
    /// The password.
    pub password: Secret,
    /// When it ends: 12 hours on, or with the session it was asked with.
    pub expires_at: Timestamp,
}

impl Registry {
    /// A token that names the caller's credential.
    ///
    /// # Errors
    /// The token keys cannot be read.
    pub async fn authorization_token(
        &self,
        allowed: &Allowed<Everything>,
    ) -> Result<AuthorizationToken> {
        let caller = allowed.caller();
        let full = caller.time().after(LIFETIME);
        let expires_at = caller
            .session()
            .map_or(full, |session| full.min(session.expires_at));
        let fields = format!("{}.{}", caller.key_id(), expires_at.as_seconds());
        let password = self.sign_text(Kind::AuthorizationToken, &fields).await?;
        Ok(AuthorizationToken {
            password: Secret::new(password),
            expires_at,
        })
    }

    /// The access key id that `token` names, if we made it and `now` is before its end.
    pub(crate) async fn verify_token(&self, token: &str, now: Timestamp) -> Result<String> {
        let unknown = || Error::from(Unauthenticated::UnknownCredential);
        let fields = self.verify_text(Kind::AuthorizationToken, token).await?;
        let fields = fields.ok_or_else(unknown)?;
        let (credential, expiry) = fields.split_once('.').ok_or_else(unknown)?;
        let expiry: i64 = expiry.parse().map_err(|_| unknown())?;
        if let Ok(past) = u64::try_from(now.as_seconds().saturating_sub(expiry)) {
            return Err(Unauthenticated::TokenExpired(Duration::from_secs(past)).into());
        }
        Ok(credential.to_owned())
    }
}
