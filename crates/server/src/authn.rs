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
        b"ecr" => Duration::from_secs(5 * 60),
        _ => Duration::from_secs(15 * 60),
    }
}

/// The caller who signed a request to `service`.
///
/// # Errors
/// [`Unauthenticated`].
pub(crate) async fn signed(
    registry: &Registry,
    head: &Head,
    body: &[u8],
    service: &str,
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
    let authorization = head.header(header::AUTHORIZATION).unwrap_or_default();
    let authorization = sigv4::parse_authorization(authorization).map_err(unauthenticated)?;
    let mut headers: Vec<(&str, &str)> = Vec::with_capacity(head.parts.headers.len() + 1);
    for (name, value) in &head.parts.headers {
        let value = value.to_str().map_err(|_| {
            Unauthenticated::Incomplete(format!("The header '{name}' is not visible ASCII."))
        })?;
        headers.push((name.as_str(), value));
    }
    // HTTP/2 carries the host name in `:authority`, which clients sign as `host`.
    if !head.parts.headers.contains_key(header::HOST) {
        headers.push(("host", &head.authority));
    }
    let digest = bonded_model::Digest::sha256(body);
    let request = SignedRequest {
        method: head.parts.method.as_str(),
        path: head.parts.uri.path(),
        query: head.parts.uri.query().unwrap_or_default(),
        headers: &headers,
        body_sha256_hex: digest.as_str().trim_start_matches("sha256:"),
    };
    let token = head
        .header("x-amz-security-token")
        .map(|token| Secret::new(token.to_owned()));
    let region: Region = authorization.region.parse().map_err(|_| {
        Unauthenticated::Signature("Credential should be scoped to a valid region.".to_owned())
    })?;
    let scope = SignatureScope {
        service,
        skew: skew(service),
    };
    registry
        .authenticate_signature(
            &authorization,
            &request,
            token.as_ref(),
            &scope,
            head.facts(region),
        )
        .await
}

/// The caller whose authorization token a request to `/v2` carries: as Basic with the user name
/// `AWS`, or as Bearer, there also in the form `GetAuthorizationToken` returns.
///
/// # Errors
/// [`Unauthenticated`].
pub(crate) async fn token(registry: &Registry, head: &Head, region: Region) -> Result<Caller> {
    let value = head
        .header(header::AUTHORIZATION)
        .ok_or(Unauthenticated::Missing)?;
    let (scheme, credential) = value
        .split_once(' ')
        .ok_or(Unauthenticated::UnknownCredential)?;
    let credential = credential.trim();
    let password = if scheme.eq_ignore_ascii_case("basic") {
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
