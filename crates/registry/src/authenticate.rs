//! From a credential to a [`Caller`].
//!
//! Every request reads its credential's row, whatever the credential is, and with it the epoch of
//! the account: a disabled key, a deleted principal or an ended session holds from the next
//! request on. An unknown access key costs the same signature as a known one.

use std::time::Duration;

use bonded_iam::sigv4::{self, Authorization, SigV4Error, SignedRequest};
use bonded_model::{Region, Secret};
use bonded_store::{Credential, Holder};
use sha2::{Digest as _, Sha256};

use crate::Registry;
use crate::caller::{Caller, Facts};
use crate::error::{Error, Result, Unauthenticated};
use crate::service_token::is_service_token;

/// What a door asks of a signature beside its being right.
pub struct SignatureScope<'a> {
    /// The service in the credential scope: `ecr`, `sts` or `iam`.
    pub service: &'a str,
    /// How far the request's time may be from ours.
    pub skew: Duration,
}

impl Registry {
    /// The caller whose access key signed `request`.
    ///
    /// # Errors
    /// [`Unauthenticated`]: the signature is not the one we compute, is too old or made for
    /// another service or region; the key is unknown or inactive; the session has ended or its
    /// token is not the key's.
    pub async fn authenticate_signature(
        &self,
        authorization: &Authorization,
        request: &SignedRequest<'_>,
        session_token: Option<&Secret>,
        scope: &SignatureScope<'_>,
        facts: Facts,
    ) -> Result<Caller> {
        let now = self.clock().now();
        let credential = self
            .store()
            .find_credential(&authorization.access_key_id)
            .await?;
        let skew = i64::try_from(scope.skew.as_millis()).unwrap_or(i64::MAX);
        let nobody = Secret::new(String::new());
        let secret = credential.as_ref().map_or(&nobody, |found| &found.secret);
        let verified = sigv4::verify(
            authorization,
            request,
            secret.expose().as_bytes(),
            now,
            skew,
        );
        let credential = credential.ok_or(Unauthenticated::UnknownCredential)?;
        self.check_scope(authorization, scope)?;
        verified.map_err(|e| Error::Unauthenticated(e.into()))?;
        check_session_token(&credential, session_token)?;
        let noted = credential.last_used_at;
        let caller = self.admit(credential, facts)?;
        self.note_use(&caller, noted, scope.service).await;
        Ok(caller)
    }

    /// The caller whose credential the authorization token `token` names, or whose service token
    /// it is.
    ///
    /// # Errors
    /// [`Unauthenticated`]: the token is not ours or has ended, or its credential has.
    pub async fn authenticate_token(&self, token: &Secret, facts: Facts) -> Result<Caller> {
        if is_service_token(token) {
            return self.authenticate_service_token(token, facts).await;
        }
        let key_id = self
            .verify_token(token.expose(), self.clock().now())
            .await?;
        self.admit_credential(&key_id, facts).await
    }

    /// The caller whose access key id a text of ours names.
    pub(crate) async fn admit_credential(&self, key_id: &str, facts: Facts) -> Result<Caller> {
        let credential = self.store().find_credential(key_id).await?;
        let credential = credential.ok_or(Unauthenticated::UnknownCredential)?;
        let noted = credential.last_used_at;
        let caller = self.admit(credential, facts)?;
        self.note_use(&caller, noted, "ecr").await;
        Ok(caller)
    }

    fn check_scope(&self, authorization: &Authorization, scope: &SignatureScope<'_>) -> Result<()> {
        let regions: Vec<&str> = self.regions().iter().map(Region::as_str).collect();
        let right = authorization.check_scope(&regions, scope.service);
        right.map_err(|e| Error::Unauthenticated(e.into()))
    }

    fn admit(&self, credential: Credential, facts: Facts) -> Result<Caller> {
        let now = self.clock().now();
        if !credential.active {
            return Err(Unauthenticated::UnknownCredential.into());
        }
        if let Holder::Session { session, .. } | Holder::UserSession { session, .. } =
            &credential.holder
            && session.expires_at <= now
        {
            return Err(Unauthenticated::SessionExpired.into());
        }
        let Credential {
            key_id,
            epoch,
            holder,
            ..
        } = credential;
        Ok(Caller::new(holder, key_id, epoch, now, facts))
    }
}

/// A session's key comes with the session's token; a user's key comes with none.
fn check_session_token(credential: &Credential, given: Option<&Secret>) -> Result<()> {
    let right = match (&credential.holder, given) {
        (Holder::User(_), None) => true,
        (
            Holder::Session { token_sha256, .. } | Holder::UserSession { token_sha256, .. },
            Some(token),
        ) => {
            let hash = Sha256::digest(token.expose().as_bytes());
            bool::from(subtle::ConstantTimeEq::ct_eq(
                hash.as_slice(),
                token_sha256.as_slice(),
            ))
        }
        // A service token signs nothing.
        (Holder::ServiceToken { .. }, _)
        | (Holder::User(_), Some(_))
        | (Holder::Session { .. } | Holder::UserSession { .. }, None) => false,
    };
    if right {
        Ok(())
    } else {
        Err(Unauthenticated::UnknownCredential.into())
    }
}

impl From<SigV4Error> for Unauthenticated {
    fn from(error: SigV4Error) -> Self {
        match error {
            SigV4Error::Missing => Self::Missing,
            SigV4Error::Incomplete(_) => Self::Incomplete(error.to_string()),
            _ => Self::Signature(error.to_string()),
        }
    }
}
