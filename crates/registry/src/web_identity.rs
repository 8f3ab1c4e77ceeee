//! Web identities: whoever holds a token of an identity provider that an account has registered,
//! as OpenID Connect and AWS's `AssumeRoleWithWebIdentity` have it.
//!
//! A verified token makes a [`Caller`] that has no policies of its own. The one thing it can do is
//! assume a role whose trust policy names its provider.

use std::collections::BTreeMap;
use std::sync::Arc;

use bonded_iam::jwt::{ClaimValue, Claims, JwtError, KeySet, Token};
use bonded_model::{AccountId, ResourceTag, ResourceTags, Secret, TAGS_LIMIT};
use bonded_store::{OidcProvider, StoreError};
use serde_json::Value;

use crate::Registry;
use crate::caller::{Caller, Facts};
use crate::context::{ContextFacts, Fact};
use crate::error::{Error, Result};
use crate::issuer_keys::NoKeys;
use crate::target::OidcProviderNamed;

/// The claims by which a provider sets session tags and the source identity (IAM user guide,
/// "Passing session tags using AssumeRoleWithWebIdentity").
const TAGS: &str = "https://aws.amazon.com/tags";
const SOURCE_IDENTITY: &str = "https://aws.amazon.com/source_identity";

/// AWS's own first parts of condition keys, and ours, under which no provider may speak.
const RESERVED: [&str; 6] = ["aws", "bonded", "ecr", "iam", "sts", "saml"];

/// A token that was verified.
#[derive(Debug, Clone)]
pub struct WebIdentity {
    /// The provider that the account has registered.
    provider: OidcProvider,
    claims: Claims,
    /// Those of its audiences that the provider is registered with, at least one.
    audiences: Vec<String>,
    tags: ResourceTags,
    transitive_keys: Vec<String>,
    source_identity: Option<String>,
}

impl WebIdentity {
    fn new(provider: OidcProvider, claims: Claims) -> Result<Self> {
        let registered = |audience: &&String| provider.client_ids.contains(audience);
        let audiences: Vec<String> = claims
            .audiences
            .iter()
            .filter(registered)
            .cloned()
            .collect();
        if audiences.is_empty() {
            return Err(invalid("Incorrect token audience"));
        }
        let (tags, transitive_keys) = session_tags(&claims)?;
        let source_identity = match claims.all.get(SOURCE_IDENTITY) {
            None => None,
            Some(Value::String(text)) if is_word(text) => Some(text.clone()),
            Some(_) => {
                return Err(invalid(&format!(
                    "the claim '{SOURCE_IDENTITY}' must be a text of 2 to 64 characters of [\\w+=,.@-]"
                )));
            }
        };
        Ok(Self {
            provider,
            claims,
            audiences,
            tags,
            transitive_keys,
            source_identity,
        })
    }

    /// The ARN of the provider.
    #[must_use]
    pub fn provider(&self) -> String {
        self.provider.arn()
    }

    /// Whom the token is about.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.claims.subject
    }

    /// The audience for which it was taken.
    #[must_use]
    pub fn audience(&self) -> &str {
        self.audiences.first().map_or("", String::as_str)
    }

    /// The session tags that the token asks for.
    #[must_use]
    pub fn tags(&self) -> &ResourceTags {
        &self.tags
    }

    /// The keys of those tags that go on to further sessions.
    #[must_use]
    pub fn transitive_keys(&self) -> &[String] {
        &self.transitive_keys
    }

    /// The source identity that it asks for.
    #[must_use]
    pub fn source_identity(&self) -> Option<&str> {
        self.source_identity.as_deref()
    }

    pub(crate) fn account(&self) -> &AccountId {
        &self.provider.account
    }

    /// The context keys of the request that assumes a role: every claim as `URL:CLAIM`.
    pub(crate) fn facts(&self) -> ContextFacts {
        let url = &self.provider.url;
        let mut facts = ContextFacts::new();
        for (name, value) in self.claims.values() {
            let fact = match value {
                ClaimValue::One(value) => Fact::One(value),
                ClaimValue::Many(values) => Fact::Many(values),
            };
            facts.insert(format!("{url}:{name}"), fact);
        }
        // A token may be for others as well; what counts is that it is for us.
        let audience = match &self.audiences[..] {
            [one] => Fact::One(one.clone()),
            several => Fact::Many(several.to_vec()),
        };
        facts.insert(format!("{url}:aud"), audience);
        facts.insert(
            "aws:FederatedProvider".to_owned(),
            Fact::One(self.provider()),
        );
        facts
    }

    /// The context keys that every request of the session has.
    pub(crate) fn session_context(&self) -> BTreeMap<String, String> {
        let url = &self.provider.url;
        BTreeMap::from([
            ("aws:FederatedProvider".to_owned(), self.provider()),
            (format!("{url}:sub"), self.subject().to_owned()),
            (format!("{url}:aud"), self.audience().to_owned()),
        ])
    }
}

impl Registry {
    /// The caller that `token` proves, for a role of `account`, in the order in which AWS judges:
    /// the token's form, its provider, signature, time and audience.
    ///
    /// # Errors
    /// [`Error::InvalidIdentityToken`], [`Error::IdentityTokenExpired`],
    /// [`Error::IdentityProviderUnreachable`].
    pub async fn authenticate_web_identity(
        &self,
        token: &Secret,
        account: &AccountId,
        facts: Facts,
    ) -> Result<Caller> {
        // The SDKs send what is in the token's file, with the end of line that 'echo' writes.
        let token = Token::parse(token.expose().trim()).map_err(|e| refused(&e))?;
        let provider = self.provider_of(account, token.issuer()).await?;
        let claims = self.verified(&token, &provider).await?;
        let identity = WebIdentity::new(provider, claims)?;
        Ok(Caller::of_web_identity(identity, self.clock().now(), facts))
    }

    /// The provider that `account` has registered for an issuer, which is told like AWS: whoever
    /// has a token knows its issuer.
    async fn provider_of(&self, account: &AccountId, issuer: &str) -> Result<OidcProvider> {
        let unknown = || {
            let shown: String = issuer
                .chars()
                .take(256)
                .flat_map(char::escape_debug)
                .collect();
            invalid(&format!(
                "No OpenIDConnect provider found in your account for {shown}"
            ))
        };
        let url = issuer.strip_prefix("https://").ok_or_else(unknown)?;
        let url = url.strip_suffix('/').unwrap_or(url).to_owned();
        let named = OidcProviderNamed {
            account: account.clone(),
            url,
        };
        let found = self
            .store()
            .find_trusted_oidc_provider(&named.arn())
            .await?;
        found.ok_or_else(unknown)
    }

    async fn verified(&self, token: &Token, provider: &OidcProvider) -> Result<Claims> {
        let now = self.clock().now();
        if let Some(jwks) = &provider.jwks {
            let keys = KeySet::parse(jwks.as_bytes()).map_err(|e| {
                StoreError::Corrupt(format!("the keys of '{}': {e}", provider.arn()))
            })?;
            return token.verify(&keys, now).map_err(|e| refused(&e));
        }
        let keys = self.issuer_keys(token, false).await?;
        match token.verify(&keys, now) {
            // Its keys may have been rotated since they were fetched.
            Err(JwtError::UnknownKey | JwtError::Signature) => {
                let keys = self.issuer_keys(token, true).await?;
                token.verify(&keys, now).map_err(|e| refused(&e))
            }
            verified => verified.map_err(|e| refused(&e)),
        }
    }

    async fn issuer_keys(&self, token: &Token, anew: bool) -> Result<Arc<KeySet>> {
        let keys = &self.0.issuer_keys;
        let found = keys.get(self.fetch(), self.clock(), token.issuer(), anew);
        found
            .await
            .map_err(|NoKeys| Error::IdentityProviderUnreachable)
    }
}

/// Whether a provider at this URL would speak under the names of AWS's or our own keys.
pub(crate) fn is_reserved(url: &str) -> bool {
    RESERVED.iter().any(|name| url.eq_ignore_ascii_case(name))
}

fn invalid(text: &str) -> Error {
    Error::InvalidIdentityToken(text.to_owned())
}

/// AWS's texts for a token that proves nothing.
fn refused(error: &JwtError) -> Error {
    match *error {
        JwtError::Expired { now, expires } => Error::IdentityTokenExpired { now, expires },
        JwtError::Malformed(problem) => invalid(&format!(
            "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token): {problem}"
        )),
        JwtError::Claim(name) => invalid(&format!("Missing a required claim: {name}")),
        JwtError::UnknownKey => invalid(
            "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements",
        ),
        JwtError::Algorithm(_) | JwtError::Signature | JwtError::NotYetValid => {
            invalid(&format!("the ID token cannot be trusted: {error}"))
        }
    }
}

/// The tags that the token asks for and which of them are transitive, in AWS's nested form
/// (`{"principal_tags": {"team": ["a"]}, "transitive_tag_keys": ["team"]}`) or its flat one.
fn session_tags(claims: &Claims) -> Result<(ResourceTags, Vec<String>)> {
    let wrong = |problem: &str| invalid(&format!("the claim '{TAGS}' {problem}"));
    let mut named: Vec<(&str, &Value)> = Vec::new();
    let mut transitive = Vec::new();
    match claims.all.get(TAGS) {
        None => {}
        Some(Value::Object(members)) => {
            for (name, value) in members {
                match (name.as_str(), value) {
                    ("principal_tags", Value::Object(tags)) => {
                        named.extend(tags.iter().map(|(key, value)| (key.as_str(), value)));
                    }
                    ("transitive_tag_keys", value) => transitive.push(value),
                    _ => return Err(wrong("has members that are not understood")),
                }
            }
        }
        Some(_) => return Err(wrong("is not an object")),
    }
    let flat = format!("{TAGS}/principal_tags/");
    let flat = claims
        .all
        .iter()
        .filter_map(|(name, value)| Some((name.strip_prefix(&flat)?, value)));
    named.extend(flat);
    transitive.extend(claims.all.get(&format!("{TAGS}/transitive_tag_keys")));
    let mut tags = ResourceTags::new();
    for (key, value) in named {
        let value = match value {
            Value::String(text) => text.as_str(),
            Value::Array(items) => match &items[..] {
                [Value::String(text)] => text.as_str(),
                _ => return Err(wrong("has a tag without exactly one value")),
            },
            _ => return Err(wrong("has a tag without exactly one value")),
        };
        let tag = ResourceTag::new(key.to_owned(), value.to_owned())
            .map_err(|error| wrong(&format!("has a tag that cannot be: {error}")))?;
        if tags
            .keys()
            .any(|other| other.to_lowercase() == key.to_lowercase())
        {
            return Err(wrong("has two tags whose keys differ in case only"));
        }
        tags.insert(tag.key().to_owned(), tag.value().to_owned());
    }
    if tags.len() > TAGS_LIMIT {
        return Err(wrong(&format!("has more than {TAGS_LIMIT} tags")));
    }
    let mut keys = Vec::new();
    for list in transitive {
        let items = list.as_array().map(Vec::as_slice).unwrap_or_default();
        let texts: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
        let known = texts
            .filter(|texts| list.is_array() && texts.iter().all(|key| tags.contains_key(*key)));
        let known = known.ok_or_else(|| wrong("has transitive keys that are not those of tags"))?;
        keys.extend(known.into_iter().map(str::to_owned));
    }
    Ok((tags, keys))
}

/// What a source identity may be.
fn is_word(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    (2..=64).contains(&text.len()) && text.chars().all(allowed)
}

#[cfg(test)]
mod tests;
