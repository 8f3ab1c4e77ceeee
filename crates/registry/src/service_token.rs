//! Service tokens: IAM's service-specific credentials for ECR, the password of machines that can
//! renew none.
//!
//! `bonded_ACCA…_SECRET`: a prefix that secret scanners can look for, the id, 40 characters of
//! base 62 (238 random bits) and 6 more that are a checksum of all before them. It may do what its
//! user may do within the bounds it was made with, which the policy engine reads as a session
//! policy that denies everything else. Decision 0018.

use std::time::Duration;

use bonded_iam::PolicyKind;
use bonded_model::Secret;
use bonded_store::{FoundToken, Holder, ServiceToken, TokenBounds};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::Registry;
use crate::access::Allowed;
use crate::caller::{Caller, Facts};
use crate::error::{Error, Result, Unauthenticated};
use crate::inline_policy::validated;
use crate::quota;
use crate::random;
use crate::target::UserNamed;

/// What every token begins with.
const PREFIX: &str = "bonded_";

/// The characters behind the id: 40 random ones and the checksum.
const SECRET_LENGTH: usize = 40;
const CHECKSUM_LENGTH: usize = 6;

/// What a token is asked with; the door has checked lengths and characters.
pub struct TokenRequest {
    /// What it is for.
    pub description: String,
    /// How long it lives; `None` for ever.
    pub lifetime: Option<Duration>,
    /// Patterns of ECR's actions; empty for all.
    pub actions: Vec<String>,
    /// Patterns of names of the account's repositories, or of ARNs; empty for all.
    pub repositories: Vec<String>,
    /// Networks it may be used from; empty for all.
    pub networks: Vec<String>,
}

/// A new token, or one with a new password, which is shown this once.
pub struct NewServiceToken {
    /// The token.
    pub token: ServiceToken,
    /// The password.
    pub password: Secret,
}

impl Registry {
    /// Makes a token for the user.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`]; [`Error::MalformedPolicyDocument`] for bounds that are no patterns
    /// or networks; [`Error::LimitExceeded`].
    pub async fn create_service_token(
        &self,
        allowed: &Allowed<UserNamed>,
        request: TokenRequest,
    ) -> Result<NewServiceToken> {
        let user = allowed.user()?;
        let now = allowed.caller().time();
        let repository = |pattern: &String| match pattern.strip_prefix("arn:") {
            Some(_) => pattern.clone(),
            None => format!("arn:aws:ecr:*:{}:repository/{pattern}", user.account),
        };
        let token = ServiceToken {
            id: random::unique_id("ACCA")?,
            user_id: user.id.clone(),
            active: true,
            created_at: now,
            expires_at: request.lifetime.map(|lifetime| now.after(lifetime)),
            description: request.description,
            bounds: TokenBounds {
                actions: request.actions,
                repositories: request.repositories.iter().map(repository).collect(),
                networks: request.networks,
            },
            last_used: None,
        };
        validated(&bounds_policy(&token.bounds), PolicyKind::Session)?;
        let password = new_password(&token.id)?;
        let made = self
            .store()
            .create_service_token(
                &user.account,
                &token,
                digest(&password),
                quota::SERVICE_TOKENS.limit,
                &allowed.change(),
            )
            .await?;
        made.map_err(|_| quota::SERVICE_TOKENS.exceeded())?;
        Ok(NewServiceToken { token, password })
    }

    /// A page of the user's tokens, or of all tokens of the account if `all`, with the names of
    /// their users, in the order of their ids: those behind the id `after`, at most `limit`.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`].
    pub async fn list_service_tokens(
        &self,
        allowed: &Allowed<UserNamed>,
        all: bool,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<(String, ServiceToken)>> {
        let account = &allowed.target().account;
        let user_id = if all {
            None
        } else {
            Some(&*allowed.user()?.id)
        };
        let after = after.unwrap_or_default();
        let store = self.store();
        Ok(store
            .list_service_tokens(account, user_id, after, limit)
            .await?)
    }

    /// Switches a token of the user on or off, from the next request on.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`].
    pub async fn update_service_token(
        &self,
        allowed: &Allowed<UserNamed>,
        id: &str,
        active: bool,
    ) -> Result<()> {
        let user = allowed.user()?;
        let change = allowed.change();
        let found = self
            .store()
            .set_service_token_active(&user.id, id, active, &change)
            .await?;
        found.then_some(()).ok_or_else(|| no_token(id))
    }

    /// Gives a token of the user another password; the one before is void from the next request
    /// on. Bounds and end stay.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`].
    pub async fn reset_service_token(
        &self,
        allowed: &Allowed<UserNamed>,
        id: &str,
    ) -> Result<NewServiceToken> {
        let user = allowed.user()?;
        let found = self.store().find_service_token(id).await?;
        let found = found.filter(|found| found.user.id == user.id);
        let token = found.ok_or_else(|| no_token(id))?.token;
        let password = new_password(id)?;
        let change = allowed.change();
        let reset = self
            .store()
            .reset_service_token(&user.id, id, digest(&password), &change)
            .await?;
        reset.then_some(()).ok_or_else(|| no_token(id))?;
        Ok(NewServiceToken { token, password })
    }

    /// Deletes a token of the user.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`].
    pub async fn delete_service_token(&self, allowed: &Allowed<UserNamed>, id: &str) -> Result<()> {
        let user = allowed.user()?;
        let change = allowed.change();
        let found = self
            .store()
            .delete_service_token(&user.id, id, &change)
            .await?;
        found.then_some(()).ok_or_else(|| no_token(id))
    }

    /// The caller whose service token `password` is. An unknown one costs what a wrong one does.
    pub(crate) async fn authenticate_service_token(
        &self,
        password: &Secret,
        facts: Facts,
    ) -> Result<Caller> {
        let id = service_token_id(password).ok_or(Unauthenticated::UnknownCredential)?;
        let found = self.store().find_service_token(id).await?;
        let kept = found.as_ref().map_or([0; 32], |found| found.secret_sha256);
        let right = subtle::ConstantTimeEq::ct_eq(&digest(password)[..], &kept[..]);
        let found = found.filter(|found| bool::from(right) && found.token.active);
        let FoundToken {
            token, user, epoch, ..
        } = found.ok_or(Unauthenticated::UnknownCredential)?;
        let now = self.clock().now();
        if token.expires_at.is_some_and(|end| end <= now) {
            return Err(Unauthenticated::ServiceTokenExpired.into());
        }
        let (id, noted) = (
            token.id.clone(),
            token.last_used.as_ref().map(|used| used.at),
        );
        let holder = Holder::ServiceToken { user, token };
        let caller = Caller::new(holder, id, epoch, now, facts);
        self.note_use(&caller, noted, "ecr").await;
        Ok(caller)
    }
}

/// Whether a password is to be read as a service token.
pub(crate) fn is_service_token(password: &Secret) -> bool {
    password.expose().starts_with(PREFIX)
}

/// The session policy that holds a token to its bounds. It denies what is outside, so that no
/// policy of a resource can grant it either.
pub(crate) fn bounds_policy(bounds: &TokenBounds) -> String {
    let mut statements = vec![json!({
        "Sid": "WhatTheUserMay", "Effect": "Allow", "Action": "*", "Resource": "*",
    })];
    let mut deny = |sid: &str, listed: &[String], what: Value| {
        if !listed.is_empty() {
            let mut statement = json!({ "Sid": sid, "Effect": "Deny" });
            if let (Some(statement), Value::Object(what)) = (statement.as_object_mut(), what) {
                statement.extend(what);
            }
            statements.push(statement);
        }
    };
    deny(
        "OnlyTheseActions",
        &bounds.actions,
        json!({ "NotAction": bounds.actions, "Resource": "*" }),
    );
    deny(
        "OnlyTheseRepositories",
        &bounds.repositories,
        json!({ "Action": "*", "NotResource": bounds.repositories }),
    );
    let elsewhere = json!({ "NotIpAddress": { "aws:SourceIp": bounds.networks } });
    deny(
        "OnlyFromTheseNetworks",
        &bounds.networks,
        json!({ "Action": "*", "Resource": "*", "Condition": elsewhere }),
    );
    json!({ "Version": "2012-10-17", "Statement": statements }).to_string()
}

fn new_password(id: &str) -> Result<Secret> {
    let text = format!("{PREFIX}{id}_{}", random::base62::<SECRET_LENGTH>()?);
    let checksum = checksum(&text);
    Ok(Secret::new(text + &checksum))
}

/// The id in a service token whose form and checksum are right.
#[must_use]
pub fn service_token_id(password: &Secret) -> Option<&str> {
    let text = password.expose();
    let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
    let word = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric());
    let formed = secret.len() == SECRET_LENGTH + CHECKSUM_LENGTH && id.len() <= 32;
    if !formed || !word(id) || !word(secret) {
        return None;
    }
    let (signed, given) = text.split_at(text.len() - CHECKSUM_LENGTH);
    (checksum(signed) == given).then_some(id)
}

/// The first 32 bits of the SHA-256 digest in base 62. It tells a mistyped token from a wrong one
/// without asking the database, and keeps nothing secret.
fn checksum(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let mut rest = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
    let mut letters = [0; CHECKSUM_LENGTH];
    for letter in letters.iter_mut().rev() {
        *letter = random::BASE62[rest as usize % 62];
        rest /= 62;
    }
    letters.into_iter().map(char::from).collect()
}

/// What is kept of a password. It is random enough that nothing slower is needed.
fn digest(password: &Secret) -> [u8; 32] {
    Sha256::digest(password.expose().as_bytes()).into()
}

fn no_token(id: &str) -> Error {
    Error::NoSuchEntity(format!(
        "The service specific credential with id {id} cannot be found."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_names_its_token_and_a_changed_one_names_none() {
        let id = random::unique_id("ACCA").unwrap();
        let password = new_password(&id).unwrap();
        let text = password.expose();
        assert_eq!(service_token_id(&password), Some(&*id));
        assert_eq!(text.len(), "bonded_".len() + 21 + 1 + 46);
        assert!(is_service_token(&password));
        for i in 0..text.len() {
            let mut changed = text.to_owned().into_bytes();
            changed[i] = if changed[i] == b'x' { b'y' } else { b'x' };
            let changed = Secret::new(String::from_utf8(changed).unwrap());
            assert_eq!(service_token_id(&changed), None, "byte {i}");
        }
        for other in [
            "",
            "bonded_",
            "bonded__",
            "bonded_ACCA_",
            &text[..text.len() - 1],
        ] {
            assert_eq!(
                service_token_id(&Secret::new(other.to_owned())),
                None,
                "{other}"
            );
        }
        // The form must never change: passwords are kept for years.
        assert_eq!(checksum("bonded_ACCAEXAMPLE_x"), "3ZaKzN");
    }

    #[test]
    fn bounds_are_a_session_policy() {
        let list = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let bounds = TokenBounds {
            actions: list(&["ecr:BatchGetImage"]),
            repositories: list(&["arn:aws:ecr:*:111122223333:repository/team/*"]),
            networks: list(&["10.0.0.0/8", "fd00::/8"]),
        };
        assert!(validated(&bounds_policy(&bounds), PolicyKind::Session).is_ok());
        assert!(validated(&bounds_policy(&TokenBounds::default()), PolicyKind::Session).is_ok());
        for (field, text) in [
            (0, "BatchGetImage"),
            (1, "team/*"),
            (2, "10.0.0.0/33"),
            (2, "x"),
        ] {
            let mut wrong = bounds.clone();
            let lists = [
                &mut wrong.actions,
                &mut wrong.repositories,
                &mut wrong.networks,
            ];
            lists[field].push(text.to_owned());
            let found = validated(&bounds_policy(&wrong), PolicyKind::Session);
            assert!(found.is_err(), "{text}");
        }
    }
}
