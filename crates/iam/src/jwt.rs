//! JSON Web Tokens of identity providers (RFC 7519) and the keys they are verified by.
//!
//! Pure: keys come in as bytes, the time as an argument. What is accepted is named, so nothing else
//! is: `none`, the HMAC family and whatever may be invented later do not exist here (RFC 8725). A
//! token is nothing until [`Token::verify`] has made [`Claims`] of it.

mod keys;

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bonded_model::{Timestamp, json};
use serde_json::{Map, Value};

use keys::Algorithm;
pub use keys::{InvalidKeySet, KEY_SET_LIMIT, KeySet};

/// The longest token that is read, in bytes: that of `AssumeRoleWithWebIdentity`.
pub const TOKEN_LIMIT: usize = 20_000;

/// How far the clock of an identity provider may be ahead of ours, in seconds. A token that has
/// ended by our clock has ended.
const LEEWAY: i64 = 60;

/// Why a token proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwtError {
    /// It is not a signed token, or says something twice.
    #[error("it is not a valid JWT: {0}")]
    Malformed(&'static str),
    /// Its algorithm is not one that is taken.
    #[error("the algorithm '{0}' is not taken")]
    Algorithm(String),
    /// A claim that must be there is missing or of the wrong type.
    #[error("the claim '{0}' is missing or of the wrong type")]
    Claim(&'static str),
    /// No key of the provider has the id, or the kind, that the token names.
    #[error("none of the provider's keys is the one that the token names")]
    UnknownKey,
    /// The signature is by another key.
    #[error("the signature is not by the provider's key")]
    Signature,
    /// It has ended.
    #[error("it ended at {expires} s, and it is {now} s")]
    Expired {
        /// Our time, in seconds since 1970.
        now: i64,
        /// The end of the token.
        expires: i64,
    },
    /// It is not valid yet.
    #[error("it is not valid yet")]
    NotYetValid,
}

/// A token that nobody has verified.
pub struct Token {
    algorithm: Algorithm,
    kid: Option<String>,
    claims: Map<String, Value>,
    issuer: String,
    /// Header and claims as they were signed.
    signed: String,
    signature: Vec<u8>,
}

/// What a verified token says.
#[derive(Debug, Clone, PartialEq)]
pub struct Claims {
    /// `iss`
    pub issuer: String,
    /// `sub`
    pub subject: String,
    /// `aud`, at least one.
    pub audiences: Vec<String>,
    /// All of them, the three above included.
    pub all: Map<String, Value>,
}

impl Token {
    /// Reads the compact form of a signed token.
    ///
    /// # Errors
    /// [`JwtError::Malformed`], [`JwtError::Algorithm`], [`JwtError::Claim`] if it has no issuer.
    pub fn parse(text: &str) -> Result<Self, JwtError> {
        if text.len() > TOKEN_LIMIT {
            return Err(JwtError::Malformed("it is too long"));
        }
        let parts = JwtError::Malformed("three parts in base64url are expected, separated by dots");
        let mut split = text.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (split.next(), split.next(), split.next(), split.next())
        else {
            return Err(parts);
        };
        let signed = format!("{header}.{payload}");
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| parts.clone());
        let signature = decode(signature)?;
        let header = object(&decode(header)?)?;
        let claims = object(&decode(payload)?)?;
        let text = |name: &str| header.get(name).and_then(Value::as_str);
        if header.contains_key("crit") {
            return Err(JwtError::Malformed("it demands an extension ('crit')"));
        }
        if !is_plain_type(&header) {
            return Err(JwtError::Malformed("its type ('typ') is not 'JWT'"));
        }
        let name = text("alg").ok_or(JwtError::Malformed("it names no algorithm ('alg')"))?;
        let shown = || name.chars().take(32).flat_map(char::escape_debug).collect();
        let algorithm = Algorithm::parse(name).ok_or_else(|| JwtError::Algorithm(shown()))?;
        let kid = match header.get("kid") {
            None => None,
            Some(Value::String(kid)) => Some(kid.clone()),
            Some(_) => return Err(JwtError::Malformed("its key id ('kid') is not text")),
        };
        Ok(Self {
            algorithm,
            kid,
            issuer: claim_text(&claims, "iss")?,
            claims,
            signed,
            signature,
        })
    }

    /// Who is said to have made it: only good for finding the keys that may prove it.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The claims, if one of `keys` signed them and they hold at `now`.
    ///
    /// # Errors
    /// [`JwtError::UnknownKey`], [`JwtError::Signature`], [`JwtError::Expired`],
    /// [`JwtError::NotYetValid`], [`JwtError::Claim`]; the signature is judged first.
    pub fn verify(&self, keys: &KeySet, now: Timestamp) -> Result<Claims, JwtError> {
        let signed = self.signed.as_bytes();
        match keys.verify(self.algorithm, self.kid.as_deref(), signed, &self.signature) {
            None => return Err(JwtError::UnknownKey),
            Some(false) => return Err(JwtError::Signature),
            Some(true) => {}
        }
        let now = now.as_seconds();
        let expires = time(&self.claims, "exp")?.ok_or(JwtError::Claim("exp"))?;
        if expires <= now {
            return Err(JwtError::Expired { now, expires });
        }
        for name in ["nbf", "iat"] {
            if time(&self.claims, name)?.is_some_and(|begins| begins > now + LEEWAY) {
                return Err(JwtError::NotYetValid);
            }
        }
        Ok(Claims {
            subject: claim_text(&self.claims, "sub")?,
            audiences: audiences(&self.claims)?,
            issuer: self.issuer.clone(),
            all: self.claims.clone(),
        })
    }
}

impl Claims {
    /// The claims that policies can ask for, by name: text, numbers and truth values as text, lists
    /// of them as several values. Objects are left out.
    #[must_use]
    pub fn values(&self) -> BTreeMap<&str, ClaimValue> {
        let named = self.all.iter();
        named
            .filter_map(|(name, value)| Some((name.as_str(), ClaimValue::of(value)?)))
            .collect()
    }
}

/// The value of a claim, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimValue {
    /// One value.
    One(String),
    /// A list, however long.
    Many(Vec<String>),
}

impl ClaimValue {
    fn of(value: &Value) -> Option<Self> {
        let Value::Array(items) = value else {
            return scalar(value).map(Self::One);
        };
        let items: Option<Vec<String>> = items.iter().map(scalar).collect();
        items.map(Self::Many)
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn object(bytes: &[u8]) -> Result<Map<String, Value>, JwtError> {
    match json::parse(bytes) {
        Ok(Value::Object(map)) => Ok(map),
        _ => Err(JwtError::Malformed(
            "its header and claims are not JSON objects that name everything once",
        )),
    }
}

/// A token of another kind, such as an access token (`at+jwt`), must not pass for an identity.
fn is_plain_type(header: &Map<String, Value>) -> bool {
    match header.get("typ") {
        None => true,
        Some(Value::String(name)) => name.eq_ignore_ascii_case("JWT"),
        Some(_) => false,
    }
}

fn claim_text(claims: &Map<String, Value>, name: &'static str) -> Result<String, JwtError> {
    let text = claims.get(name).and_then(Value::as_str);
    let text = text.filter(|text| !text.is_empty());
    text.map(str::to_owned).ok_or(JwtError::Claim(name))
}

/// The audiences: one text, or a list of them.
fn audiences(claims: &Map<String, Value>) -> Result<Vec<String>, JwtError> {
    let missing = JwtError::Claim("aud");
    let items = match claims.get("aud") {
        Some(Value::Array(items)) => items.as_slice(),
        Some(item) => std::slice::from_ref(item),
        None => return Err(missing),
    };
    let texts: Option<Vec<String>> = items
        .iter()
        .map(|item| item.as_str().map(str::to_owned))
        .collect();
    texts.filter(|texts| !texts.is_empty()).ok_or(missing)
}

/// A time in seconds since 1970, which may have a fraction.
fn time(claims: &Map<String, Value>, name: &'static str) -> Result<Option<i64>, JwtError> {
    /// The year 9999: beyond it sums could overflow, and nothing is meant.
    const LATEST: f64 = 253_402_300_799.0;
    let Some(value) = claims.get(name) else {
        return Ok(None);
    };
    match value.as_f64() {
        #[expect(clippy::cast_possible_truncation, reason = "it is in the range")]
        Some(seconds) if (0.0..=LATEST).contains(&seconds) => Ok(Some(seconds as i64)),
        _ => Err(JwtError::Claim(name)),
    }
}

#[cfg(test)]
mod tests;
