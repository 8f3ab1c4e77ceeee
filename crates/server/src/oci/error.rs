//! The wire form of each error at the OCI door: one exhaustive `match`.
//!
//! Codes are those of distribution-spec 1.1, "Error Codes"; texts are ECR's where it has one.

use std::time::Duration;

use bonded_model::{InvalidRepositoryName, RepositoryName};
use bonded_registry::{Error, Outage, Unauthenticated};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::json;

use super::route::NoRoute;
use crate::door::Reply;

/// A request that was not carried out.
pub(super) struct Refused {
    pub(super) error: Error,
    /// What to do where a repository is not there.
    pub(super) advice: Option<Advice>,
}

/// What to do where a repository is not there.
pub(super) enum Advice {
    /// Name this one, which was meant.
    Meant(RepositoryName),
    /// Make it: something is pushed to it.
    Create,
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self {
            error,
            advice: None,
        }
    }
}

/// The answer for a request that was refused, at the registry the client calls `authority`.
pub(super) fn reply(refused: &Refused, authority: &str) -> Reply {
    let error = &refused.error;
    let (status, code) = wire(error);
    let mut reply = body(status, code, &told(refused, authority));
    if status == 401 {
        let challenge =
            format!("Basic realm=\"https://{authority}/\",service=\"ecr.amazonaws.com\"");
        // A host name that cannot stand in a header cannot be the realm either.
        let challenge = HeaderValue::from_str(&challenge).unwrap_or(HeaderValue::from_static(
            "Basic realm=\"registry\",service=\"ecr.amazonaws.com\"",
        ));
        reply
            .0
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, challenge);
    }
    if let Error::UploadOffset { offset } = error
        && let Ok(range) = HeaderValue::from_str(&format!("0-{}", offset.saturating_sub(1)))
    {
        reply.0.headers_mut().insert(header::RANGE, range);
    }
    if let Error::TooManyAttempts(seconds) = error {
        let seconds = HeaderValue::from(*seconds);
        reply.0.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    if let Error::RangeNotSatisfiable(size) = error
        && let Ok(range) = HeaderValue::from_str(&format!("bytes */{size}"))
    {
        reply.0.headers_mut().insert(header::CONTENT_RANGE, range);
    }
    reply
}

/// The same for `HEAD` of a blob. A refusal would have no text there, and podman, buildah and skopeo
/// end a push with its bare status; told that the blob is absent, which is all that may be said, they
/// begin an upload, and its refusal they show in full.
pub(super) fn reply_to_blob_head(refused: &Refused, authority: &str) -> Reply {
    match wire(&refused.error) {
        (403, _) => body(404, "BLOB_UNKNOWN", &told(refused, authority)),
        _ => reply(refused, authority),
    }
}

/// What people read: the clients show it word for word, so it says what to do next.
fn told(refused: &Refused, authority: &str) -> String {
    let error = &refused.error;
    match (error, &refused.advice) {
        (Error::RepositoryNotFound(_), Some(Advice::Meant(near))) => {
            format!("{error}. Did you mean '{near}'?")
        }
        (Error::RepositoryNotFound(missing), Some(Advice::Create)) => {
            let name = &missing.name;
            format!("{error} (create it first: aws ecr create-repository --repository-name {name})")
        }
        (Error::ImageTagAlreadyExists { existing, .. }, _) => {
            format!("{error} (it names {existing}; push under another tag)")
        }
        (Error::Unauthenticated(unauthenticated), _) => match unauthenticated {
            Unauthenticated::Missing => {
                format!("not logged in to {authority}; run: bonded login {authority}")
            }
            Unauthenticated::TokenExpired(past) => {
                let past = ago(*past);
                format!("{error} (expired {past} ago; run: bonded login {authority})")
            }
            Unauthenticated::UnknownCredential | Unauthenticated::SessionExpired => {
                format!("{error} (run: bonded login {authority})")
            }
            Unauthenticated::Incomplete(_)
            | Unauthenticated::Signature(_)
            | Unauthenticated::ServiceTokenExpired
            | Unauthenticated::TicketExpired => error.to_string(),
        },
        _ => error.to_string(),
    }
}

/// A duration in its largest whole unit.
fn ago(past: Duration) -> String {
    match past.as_secs() {
        seconds @ ..60 => format!("{seconds} s"),
        seconds @ ..3_600 => format!("{} min", seconds / 60),
        seconds @ ..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

/// The answer for a request without a route.
pub(super) fn no_route(why: NoRoute) -> Reply {
    match why {
        NoRoute::Path => body(
            404,
            "NAME_UNKNOWN",
            "nothing is served at this path under /v2/",
        ),
        NoRoute::Method => body(405, "UNSUPPORTED", "this method is not served at this path"),
    }
}

/// The error of a malformed repository name.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(super) fn invalid_name(error: InvalidRepositoryName) -> Error {
    Error::InvalidName(error.to_string())
}

fn body(status: u16, code: &str, message: &str) -> Reply {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let text = json!({ "errors": [{ "code": code, "message": message }] }).to_string();
    let mut headers = HeaderMap::new();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    Reply::text(status, headers, text)
}

fn wire(error: &Error) -> (u16, &'static str) {
    match error.outage() {
        // Clients show the words of this status, and none of them tries again at once.
        Some(Outage::Full) => return (507, "UNAVAILABLE"),
        Some(Outage::Unavailable) => return (503, "UNAVAILABLE"),
        None => {}
    }
    match error {
        Error::Unauthenticated(unauthenticated) => match unauthenticated {
            Unauthenticated::Missing
            | Unauthenticated::Incomplete(_)
            | Unauthenticated::Signature(_)
            | Unauthenticated::UnknownCredential
            | Unauthenticated::SessionExpired
            | Unauthenticated::ServiceTokenExpired
            | Unauthenticated::TicketExpired => (401, "UNAUTHORIZED"),
            // As ECR.
            Unauthenticated::TokenExpired(_) => (403, "DENIED"),
        },
        Error::Denied(_) | Error::RegistryNotAddressed(_) | Error::OutOfReach { .. } => {
            (403, "DENIED")
        }
        Error::InvalidName(_) => (400, "NAME_INVALID"),
        Error::RepositoryNotFound(_) => (404, "NAME_UNKNOWN"),
        Error::ImageNotFound => (404, "MANIFEST_UNKNOWN"),
        Error::BlobNotFound(_) => (404, "BLOB_UNKNOWN"),
        Error::UploadNotFound => (404, "BLOB_UPLOAD_UNKNOWN"),
        Error::UploadBusy => (409, "BLOB_UPLOAD_INVALID"),
        Error::UploadOffset { .. } => (416, "BLOB_UPLOAD_INVALID"),
        // The distribution's code; the specification has none for a read.
        Error::RangeNotSatisfiable(_) => (416, "RANGE_INVALID"),
        Error::BodyIncomplete(_) => (400, "BLOB_UPLOAD_INVALID"),
        Error::BlobDigestMismatch { .. }
        | Error::ManifestDigestMismatch { .. }
        | Error::InvalidDigest(_) => (400, "DIGEST_INVALID"),
        Error::InvalidManifest(_) => (400, "MANIFEST_INVALID"),
        Error::LayersNotFound(..) | Error::ReferencedImagesNotFound(..) => {
            (400, "MANIFEST_BLOB_UNKNOWN")
        }
        Error::ImageTagAlreadyExists { .. } | Error::InvalidTag(_) => (400, "TAG_INVALID"),
        Error::BodyTooLarge(_) => (413, "SIZE_INVALID"),
        // The specification's status for a delete that is refused.
        Error::ImageReferencedByManifestList(_)
        | Error::BlobReferenced(_)
        | Error::UnknownOperation(_) => (405, "UNSUPPORTED"),
        Error::LimitExceeded(_) | Error::TooManyAttempts(_) => (429, "TOOMANYREQUESTS"),
        Error::InvalidParameter(_) => (400, "UNSUPPORTED"),
        // Of the AWS APIs; no route under /v2 answers them.
        Error::InvalidTagParameter(_)
        | Error::TooManyTags
        | Error::RepositoryAlreadyExists(_)
        | Error::RepositoryNotEmpty(_)
        | Error::RepositoryPolicyNotFound(_)
        | Error::NoSuchEntity(_)
        | Error::EntityAlreadyExists(_)
        | Error::DeleteConflict(_)
        | Error::UnmodifiableEntity(_)
        | Error::PolicyNotAttachable(_)
        | Error::InvalidInput(_)
        | Error::ServiceNotSupported(_)
        | Error::MalformedPolicyDocument(_)
        | Error::Validation(_)
        | Error::InvalidParameterValue(_)
        | Error::InvalidIdentityToken(_)
        | Error::IdentityTokenExpired { .. }
        | Error::IdentityProviderUnreachable
        | Error::AccountAlreadyExists(_)
        | Error::DecisionNotFound(_)
        | Error::ImageIdNotFound { .. }
        | Error::ScanNotFound { .. }
        | Error::UnsupportedImageType { .. }
        | Error::AdvisoriesRefused(_)
        | Error::ImageAlreadyExists { .. }
        | Error::InvalidLayerPart { .. }
        | Error::EmptyUpload { .. }
        | Error::LayerPartTooSmall { .. }
        | Error::InvalidLayer
        | Error::LayerAlreadyExists { .. }
        | Error::LayerInaccessible { .. } => (400, "UNSUPPORTED"),
        Error::Unwritable(_) | Error::Unreadable(..) | Error::Random | Error::Store(_) => {
            (500, "UNKNOWN")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_past_is_told_in_its_largest_unit() {
        let cases = [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3_599, "59 min"),
            (3_600, "1 h"),
            (172_799, "47 h"),
            (172_800, "2 days"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(ago(Duration::from_secs(seconds)), expected);
        }
    }
}
