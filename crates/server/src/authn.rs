//! From a request's headers to a caller: SigV4 at the AWS door, Basic and Bearer at `/v2`.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bonded_iam::sigv4::{self, SignedRequest};
use bonded_model::{Region, Secret};
use bonded_registry::{Caller, Error, Registry, Result, SignatureScope, Unauthenticated};
use http::header;

use crate::door::Head;

/// How far a request's time may be from ours: AWS's windows for ECR, and for STS and IAM.
const fn skew(service: &str) -> Duration {
    match service.as_bytes() {
        b"ecr" => Duration::from_mins(5),
        _ => Duration::from_mins(15),
    }
}

/// Where the signature of a request may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignedIn {
    /// In the `Authorization` header.
    Header,
    /// There or in the URL, which may be handed on and hold for days.
    HeaderOrUrl,
}

/// The caller who signed a request to `service`.
///
/// # Errors
/// [`Unauthenticated`]; [`Error::TooManyAttempts`] in its place if this address has sent wrong
/// signatures too often.
pub(crate) async fn signed(
    registry: &Registry,
    head: &Head,
    body: &[u8],
    service: &str,
    place: SignedIn,
) -> Result<Caller> {
    let done = signer(registry, head, body, service, place).await;
    if let Err(Error::Unauthenticated(
        Unauthenticated::UnknownCredential | Unauthenticated::Signature(_),
    )) = &done
    {
        let claimed = authorization(head).map(|read| read.access_key_id);
        let claimed = claimed.unwrap_or_default();
        if let Some(seconds) = head.failed.count(head.source_ip, &claimed) {
            return Err(Error::TooManyAttempts(seconds));
        }
    }
    done
}

/// The signature, wherever it stands.
fn authorization(head: &Head) -> std::result::Result<sigv4::Authorization, sigv4::SigV4Error> {
    let query = head.parts.uri.query().unwrap_or_default();
    match head.header(header::AUTHORIZATION) {
        None if sigv4::is_signed_query(query) => sigv4::parse_query(query),
        header => sigv4::parse_authorization(header.unwrap_or_default()),
    }
}

async fn signer(
    registry: &Registry,
    head: &Head,
    body: &[u8],
    service: &str,
    place: SignedIn,
) -> Result<Caller> {
    let unauthenticated = |error: sigv4::SigV4Error| Error::Unauthenticated(error.into());
    if head
        .parts
        .headers
        .get_all(header::AUTHORIZATION)
        .iter()
        .count()
        > 1
    {
        return Err(Unauthenticated::Incomplete(
            "The request has more than one Authorization header.".to_owned(),
        )
        .into());
    }
    let query = head.parts.uri.query().unwrap_or_default();
    if place == SignedIn::Header && sigv4::is_signed_query(query) {
        // It would hold for days, and get a password or an access key each time.
        let text = "Any request but GetCallerIdentity is signed in its Authorization header, not in its URL.";
        return Err(Unauthenticated::Incomplete(text.to_owned()).into());
    }
    let authorization = authorization(head).map_err(unauthenticated)?;
    let mut headers: Vec<(&str, &str)> = Vec::with_capacity(head.parts.headers.len() + 1);
    for (name, value) in &head.parts.headers {
        match std::str::from_utf8(value.as_bytes()) {
            Ok(value) => headers.push((name.as_str(), value)),
            Err(_) if authorization.signs(name.as_str()) => {
                let text = format!("The signed header '{name}' is not UTF-8.");
                return Err(Unauthenticated::Incomplete(text).into());
            }
            // What is not signed is nothing to the signature.
            Err(_) => {}
        }
    }
    // HTTP/2 carries the host name in `:authority`, which clients sign as `host`.
    if !head.parts.headers.contains_key(header::HOST) {
        headers.push(("host", &head.authority));
    }
    let digest = bonded_model::Digest::sha256(body);
    let body_sha256_hex = match head.header("x-amz-content-sha256") {
        Some(sigv4::UNSIGNED_PAYLOAD) if head.secure => sigv4::UNSIGNED_PAYLOAD,
        Some(sigv4::UNSIGNED_PAYLOAD) => {
            let text = "A body that is not signed is taken over TLS only.".to_owned();
            return Err(Unauthenticated::Incomplete(text).into());
        }
        _ => digest.as_str().trim_start_matches("sha256:"),
    };
    let request = SignedRequest {
        method: head.parts.method.as_str(),
        path: head.parts.uri.path(),
        query,
        headers: &headers,
        body_sha256_hex,
    };
    let in_header = head
        .header("x-amz-security-token")
        .map(|token| Secret::new(token.to_owned()));
    let token = match (authorization.session_token(), &in_header) {
        (Some(_), Some(_)) => {
            let text = "The session token stands in the query and in a header.".to_owned();
            return Err(Unauthenticated::Incomplete(text).into());
        }
        (in_query, in_header) => in_query.or(in_header.as_ref()),
    };
    let region: Region = authorization.region.parse().map_err(|_| {
        Unauthenticated::Signature("Credential should be scoped to a valid region.".to_owned())
    })?;
    let scope = SignatureScope {
        service,
        skew: skew(service),
    };
    registry
        .authenticate_signature(&authorization, &request, token, &scope, head.facts(region))
        .await
}

/// What podman, buildah and skopeo send who have no password: `:` in base 64.
const NO_CREDENTIAL: &str = "Og==";

/// The caller whose authorization token a request to `/v2` carries: as Basic with the user name
/// `AWS`, or as Bearer, there also in the form `GetAuthorizationToken` returns.
///
/// # Errors
/// [`Unauthenticated`]; [`Error::TooManyAttempts`] in its place if this address has tried wrong
/// ones too often.
pub(crate) async fn token(registry: &Registry, head: &Head, region: Region) -> Result<Caller> {
    let done = token_holder(registry, head, region).await;
    if let Err(Error::Unauthenticated(Unauthenticated::UnknownCredential)) = &done
        && let Some(seconds) = head.failed.count(head.source_ip, &claimed(head))
    {
        return Err(Error::TooManyAttempts(seconds));
    }
    done
}

async fn token_holder(registry: &Registry, head: &Head, region: Region) -> Result<Caller> {
    let value = head
        .header(header::AUTHORIZATION)
        .ok_or(Unauthenticated::Missing)?;
    let (scheme, credential) = value
        .split_once(' ')
        .ok_or(Unauthenticated::UnknownCredential)?;
    let credential = credential.trim();
    let password = if scheme.eq_ignore_ascii_case("basic") && credential == NO_CREDENTIAL {
        return Err(Unauthenticated::Missing.into());
    } else if scheme.eq_ignore_ascii_case("basic") {
        password(credential).ok_or(Unauthenticated::UnknownCredential)?
    } else if scheme.eq_ignore_ascii_case("bearer") {
        password(credential).unwrap_or_else(|| Secret::new(credential.to_owned()))
    } else {
        return Err(Unauthenticated::Missing.into());
    };
    registry
        .authenticate_token(&password, head.facts(region))
        .await
}

/// The password in base 64 of `AWS:PASSWORD`.
fn password(credential: &str) -> Option<Secret> {
    let text = zeroize::Zeroizing::new(STANDARD.decode(credential).ok()?);
    let text = std::str::from_utf8(&text).ok()?;
    text.strip_prefix("AWS:")
        .map(|password| Secret::new(password.to_owned()))
}

/// In whose name a wrong credential came: the id of the access key or service token that stands in
/// it, or the user name. It is the client's word and serves to tell attempts apart.
fn claimed(head: &Head) -> String {
    let value = head.header(header::AUTHORIZATION).unwrap_or_default();
    let credential = value.split_once(' ').map_or(value, |(_, rest)| rest.trim());
    let decoded = STANDARD.decode(credential).ok();
    let text = decoded.and_then(|bytes| String::from_utf8(bytes).ok().map(zeroize::Zeroizing::new));
    let text = text.as_deref().map_or(credential, String::as_str);
    let (name, password) = text.split_once(':').unwrap_or(("", text));
    let mut parts = password.split(['.', '_']);
    let id = parts.find(|part| {
        let begins = ["AKIA", "ASIA", "ACCA"]
            .iter()
            .any(|prefix| part.starts_with(prefix));
        begins && (16..=128).contains(&part.len())
    });
    id.unwrap_or(name).chars().take(128).collect()
}
