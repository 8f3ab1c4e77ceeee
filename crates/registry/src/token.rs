//! Authorization tokens: the password of `docker login`.
//!
//! `1.KEY.CREDENTIAL.EXPIRY.MAC`: the version of this form, the token key's id, an access key id
//! (long-term or of a session), seconds since the epoch, and HMAC-SHA256 over all before it in
//! base64url. It names the credential and carries no rights: every request with it is decided by
//! the policies of that moment, and it ends with its credential. No `:` stands in it, because
//! clients split `AWS:TOKEN` there.

use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bonded_model::{Secret, Timestamp};
use bonded_store::TokenKey;

use crate::access::Allowed;
use crate::caller::Identity;
use crate::error::{Result, Unauthenticated};
use crate::target::Everything;
use crate::{Error, Registry};

/// How long a token lives at most: ECR's 12 hours.
const LIFETIME: Duration = Duration::from_secs(12 * 60 * 60);

/// Longer texts are no tokens of ours.
const LENGTH_LIMIT: usize = 512;

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
        let expires_at = match caller.identity() {
            Identity::User(_) => full,
            Identity::Session { session, .. } => full.min(session.expires_at),
        };
        let keys = self.store().token_keys().await?;
        let key = keys.first().ok_or(Error::Random)?;
        let signed = format!(
            "1.{}.{}.{}",
            key.id,
            caller.key_id(),
            expires_at.as_seconds()
        );
        let password = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac(key, &signed)));
        Ok(AuthorizationToken {
            password: Secret::new(password),
            expires_at,
        })
    }

    /// The access key id that `token` names, if we made it and `now` is before its end.
    pub(crate) async fn verify_token(&self, token: &str, now: Timestamp) -> Result<String> {
        let unknown = || Error::from(Unauthenticated::UnknownCredential);
        if token.len() > LENGTH_LIMIT {
            return Err(unknown());
        }
        let (signed, given) = token.rsplit_once('.').ok_or_else(unknown)?;
        let given = URL_SAFE_NO_PAD.decode(given).map_err(|_| unknown())?;
        let mut parts = signed.split('.');
        let (Some("1"), Some(key_id), Some(credential), Some(expiry), None) = (
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
        ) else {
            return Err(unknown());
        };
        let keys = self.store().token_keys().await?;
        let key = keys
            .iter()
            .find(|key| key.id == key_id)
            .ok_or_else(unknown)?;
        if !bool::from(subtle::ConstantTimeEq::ct_eq(
            mac(key, signed).as_ref(),
            &given[..],
        )) {
            return Err(unknown());
        }
        let expiry: i64 = expiry.parse().map_err(|_| unknown())?;
        if now.as_seconds() >= expiry {
            return Err(Unauthenticated::TokenExpired.into());
        }
        Ok(credential.to_owned())
    }
}

fn mac(key: &TokenKey, signed: &str) -> impl AsRef<[u8]> + use<> {
    hmac::sign(
        &hmac::Key::new(hmac::HMAC_SHA256, key.expose()),
        signed.as_bytes(),
    )
}
