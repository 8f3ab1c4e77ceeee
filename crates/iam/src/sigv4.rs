//! AWS Signature Version 4 in the `Authorization` header or in the query: verifying what clients
//! send, and signing what we send (iam.md §6, rules 1 to 8).
//!
//! The canonical form is that of every service except S3: the path is normalized and encoded once
//! more. SigV4A is not handled here. Which access keys exist, and that the
//! session token belongs to the key, is the caller's to check; for an unknown key, verify against
//! any secret all the same, so that the time spent says nothing.

mod canonical;
mod error;
mod query;

use aws_lc_rs::{constant_time, digest, hmac};
use bonded_model::{Secret, Timestamp, shown};

pub use canonical::SignedRequest;
pub use error::SigV4Error;
pub use query::{is_signed_query, is_signing_parameter, parse_query};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const TERMINATOR: &str = "aws4_request";
/// More signed headers than any client has.
const SIGNED_HEADERS_LIMIT: usize = 64;

/// What stands in place of the digest of a body that is not signed.
pub const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// A signature with what it says of itself. Not verified yet.
#[derive(Clone)]
pub struct Authorization {
    /// `AKIA…` or `ASIA…`
    pub access_key_id: String,
    /// The day of the scope, `YYYYMMDD`.
    pub date: String,
    /// The region of the scope.
    pub region: String,
    /// The service of the scope.
    pub service: String,
    /// The names of the signed headers, lower case.
    pub signed_headers: Vec<String>,
    /// The signature. Not shown: whoever sees it can repeat the request for a while.
    signature: Vec<u8>,
    place: Place,
}

/// Where a signature stands.
#[derive(Clone)]
enum Place {
    /// In the `Authorization` header; the date is a header too.
    Header,
    /// In the query.
    Query {
        signed_at: Timestamp,
        lifetime_ms: i64,
        session_token: Option<Secret>,
    },
}

impl std::fmt::Debug for Authorization {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authorization")
            .field("access_key_id", &self.access_key_id)
            .field("date", &self.date)
            .field("region", &self.region)
            .field("service", &self.service)
            .field("signed_headers", &self.signed_headers)
            .finish_non_exhaustive()
    }
}

/// Reads the value of an `Authorization` header.
///
/// # Errors
/// [`SigV4Error::Missing`] if it is empty, [`SigV4Error::Incomplete`] if it is not of this
/// algorithm or lacks a part, [`SigV4Error::WrongScope`] if the scope does not end as it must.
pub fn parse_authorization(header: &str) -> Result<Authorization, SigV4Error> {
    let header = header.trim();
    if header.is_empty() {
        return Err(SigV4Error::Missing);
    }
    let (algorithm, parameters) = header.split_once(' ').unwrap_or((header, ""));
    if algorithm != ALGORITHM {
        return Err(unsupported(algorithm));
    }
    let (mut credential, mut signed_headers, mut signature) = (None, None, None);
    for parameter in parameters.split(',') {
        let (name, value) = parameter.trim().split_once('=').unwrap_or_default();
        let place = match name {
            "Credential" => &mut credential,
            "SignedHeaders" => &mut signed_headers,
            "Signature" => &mut signature,
            _ => return Err(incomplete("a parameter that is not known")),
        };
        if value.is_empty() || place.replace(value).is_some() {
            return Err(incomplete("a parameter that is empty or stands twice"));
        }
    }
    let required = |value: Option<&'_ str>, name| {
        let text = || format!("Authorization header requires '{name}' parameter.");
        value
            .map(str::to_owned)
            .ok_or_else(|| SigV4Error::Incomplete(text()))
    };
    let credential = required(credential, "Credential")?;
    let signature = required(signature, "Signature")?;
    let signed_headers = signed_header_names(&required(signed_headers, "SignedHeaders")?)?;
    let [access_key_id, date, region, service] = credential_scope(&credential)?;
    Ok(Authorization {
        access_key_id,
        date,
        region,
        service,
        signed_headers,
        signature: hex::decode(signature).map_err(|_| SigV4Error::SignatureMismatch)?,
        place: Place::Header,
    })
}

fn unsupported(algorithm: &str) -> SigV4Error {
    let algorithm: String = algorithm.chars().take(32).collect();
    let text = format!("Unsupported AWS 'algorithm': '{}'.", shown(&algorithm));
    SigV4Error::Incomplete(text)
}

fn bad_date(text: &str) -> SigV4Error {
    let text = shown(text);
    SigV4Error::Incomplete(format!(
        "Date must be in ISO-8601 'basic format'. Got '{text}'."
    ))
}

/// Key id, day, region and service of `KEY/DAY/REGION/SERVICE/aws4_request`.
fn credential_scope(credential: &str) -> Result<[String; 4], SigV4Error> {
    let parts: Vec<&str> = credential.split('/').collect();
    let [access_key_id, date, region, service, terminator] = parts[..] else {
        return Err(SigV4Error::Incomplete(format!(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{}'",
            shown(credential)
        )));
    };
    if terminator != TERMINATOR {
        return Err(SigV4Error::WrongScope(format!(
            "Credential should be scoped with a valid terminator: '{TERMINATOR}', not '{}'.",
            shown(terminator)
        )));
    }
    Ok([access_key_id, date, region, service].map(str::to_owned))
}

fn incomplete(what: &str) -> SigV4Error {
    SigV4Error::Incomplete(format!("Authorization header has {what}."))
}

/// `host;x-amz-date` as names in order.
fn signed_header_names(list: &str) -> Result<Vec<String>, SigV4Error> {
    let mut names: Vec<String> = list.split(';').map(str::to_ascii_lowercase).collect();
    names.sort_unstable();
    names.dedup();
    if names.len() > SIGNED_HEADERS_LIMIT {
        return Err(incomplete("too many signed headers"));
    }
    Ok(names)
}

impl Authorization {
    /// Checks that the request was signed for this region and this service.
    ///
    /// # Errors
    /// [`SigV4Error::WrongScope`]
    pub fn check_scope(&self, regions: &[&str], service: &str) -> Result<(), SigV4Error> {
        if !regions.contains(&self.region.as_str()) {
            let region = shown(&self.region);
            let served = regions.join(", ");
            let text = format!(
                "Credential should be scoped to a valid region, not '{region}'. (served here: {served})"
            );
            return Err(SigV4Error::WrongScope(text));
        }
        if self.service != service {
            let text = format!("Credential should be scoped to correct service: '{service}'.");
            return Err(SigV4Error::WrongScope(text));
        }
        Ok(())
    }

    /// Whether the signature covers the header `name`, given in lower case.
    #[must_use]
    pub fn signs(&self, name: &str) -> bool {
        self.signed_headers.iter().any(|signed| signed == name)
    }

    /// The session token in the query of a presigned request; that of another request is a header.
    #[must_use]
    pub fn session_token(&self) -> Option<&Secret> {
        match &self.place {
            Place::Header => None,
            Place::Query { session_token, .. } => session_token.as_ref(),
        }
    }
}

/// Verifies that whoever holds `secret` signed `request` at most `skew_ms` before or after `now`;
/// a presigned request holds from its date as long as it says.
///
/// Region and service are whatever the signature says: see [`Authorization::check_scope`].
///
/// # Errors
/// Every kind of [`SigV4Error`] except [`SigV4Error::Missing`]. The signature is compared in
/// constant time, and last.
pub fn verify(
    authorization: &Authorization,
    request: &SignedRequest<'_>,
    secret: &[u8],
    now: Timestamp,
    skew_ms: i64,
) -> Result<(), SigV4Error> {
    request.check_signed(&authorization.signed_headers)?;
    let (signed_at, oldest_ms) = match authorization.place {
        Place::Header => {
            request.check_one_signature()?;
            (request.date()?, skew_ms)
        }
        Place::Query {
            signed_at,
            lifetime_ms,
            ..
        } => (signed_at, lifetime_ms),
    };
    let stamp = signed_at.to_amz_date();
    if stamp.get(..8) != Some(&authorization.date) {
        return Err(SigV4Error::WrongScope(format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{}' != '{}', from '{stamp}'.",
            shown(&authorization.date),
            stamp.get(..8).unwrap_or_default(),
        )));
    }
    check_time(signed_at, now, oldest_ms, skew_ms)?;
    let key = signing_key(
        secret,
        &authorization.date,
        &authorization.region,
        &authorization.service,
    );
    let matches = |unsigned: &[&str]| {
        let text = string_to_sign(request, authorization, &stamp, unsigned)?;
        let expected = hmac::sign(&key, text.as_bytes());
        constant_time::verify_slices_are_equal(expected.as_ref(), &authorization.signature)
            .map_err(|_| SigV4Error::SignatureMismatch)
    };
    match &authorization.place {
        Place::Header => matches(&[]),
        // Some clients add the session token to a query that they have signed before.
        Place::Query {
            session_token: Some(_),
            ..
        } => matches(&["X-Amz-Signature"])
            .or_else(|_| matches(&["X-Amz-Signature", "X-Amz-Security-Token"])),
        Place::Query { .. } => matches(&["X-Amz-Signature"]),
    }
}

/// Whether what was signed at `signed_at` holds: for `oldest_ms`, and from `skew_ms` before.
fn check_time(
    signed_at: Timestamp,
    now: Timestamp,
    oldest_ms: i64,
    skew_ms: i64,
) -> Result<(), SigV4Error> {
    let shifted = |by: i64| Timestamp::from_millis(now.as_millis().saturating_add(by));
    let (earliest, latest) = (shifted(oldest_ms.saturating_neg()), shifted(skew_ms));
    if signed_at < earliest {
        let minutes = oldest_ms / 60_000;
        return Err(SigV4Error::Expired {
            signed_at,
            earliest,
            now,
            minutes,
        });
    }
    if signed_at > latest {
        let minutes = skew_ms / 60_000;
        return Err(SigV4Error::NotYetValid {
            signed_at,
            latest,
            now,
            minutes,
        });
    }
    Ok(())
}

/// Signs `request` and gives the value of its `Authorization` header.
///
/// All headers of `request` are signed; `host` and `x-amz-date` (with the date of `at`) must be
/// among them, and `x-amz-security-token` for temporary credentials.
///
/// # Errors
/// As [`verify`] for a request without `host` or without a date that can be read.
pub fn sign(
    request: &SignedRequest<'_>,
    access_key_id: &str,
    secret: &[u8],
    region: &str,
    service: &str,
) -> Result<String, SigV4Error> {
    let names: Vec<&str> = request.headers.iter().map(|(name, _)| *name).collect();
    let stamp = request.date()?.to_amz_date();
    let mut authorization = Authorization {
        access_key_id: access_key_id.to_owned(),
        date: stamp.get(..8).unwrap_or_default().to_owned(),
        region: region.to_owned(),
        service: service.to_owned(),
        signed_headers: signed_header_names(&names.join(";"))?,
        signature: Vec::new(),
        place: Place::Header,
    };
    request.check_signed(&authorization.signed_headers)?;
    let key = signing_key(secret, &authorization.date, region, service);
    let text = string_to_sign(request, &authorization, &stamp, &[])?;
    authorization.signature = hmac::sign(&key, text.as_bytes()).as_ref().to_vec();
    Ok(format!(
        "{ALGORITHM} Credential={access_key_id}/{}, SignedHeaders={}, Signature={}",
        scope(&authorization),
        authorization.signed_headers.join(";"),
        hex::encode(&authorization.signature),
    ))
}

fn scope(authorization: &Authorization) -> String {
    let Authorization {
        date,
        region,
        service,
        ..
    } = authorization;
    format!("{date}/{region}/{service}/{TERMINATOR}")
}

/// `unsigned`: the parameters of the query that the signature does not cover.
fn string_to_sign(
    request: &SignedRequest<'_>,
    authorization: &Authorization,
    stamp: &str,
    unsigned: &[&str],
) -> Result<String, SigV4Error> {
    let canonical = request.canonical(&authorization.signed_headers, unsigned)?;
    let hash = digest::digest(&digest::SHA256, canonical.as_bytes());
    let scope = scope(authorization);
    Ok(format!(
        "{ALGORITHM}\n{stamp}\n{scope}\n{}",
        hex::encode(hash)
    ))
}

fn signing_key(secret: &[u8], date: &str, region: &str, service: &str) -> hmac::Key {
    let mut key = hmac::Key::new(hmac::HMAC_SHA256, &[b"AWS4", secret].concat());
    for part in [date, region, service, TERMINATOR] {
        let tag = hmac::sign(&key, part.as_bytes());
        key = hmac::Key::new(hmac::HMAC_SHA256, tag.as_ref());
    }
    key
}

#[cfg(test)]
mod tests;
