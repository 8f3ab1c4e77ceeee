//! Manifests: distribution-spec 1.1, "Pulling manifests" and "Pushing Manifests".

use bonded_model::{MANIFEST_LIMIT, Reference};
use bonded_registry::target::ImageIn;
use bonded_registry::{Checks, Error, Result};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, StatusCode, header};

use super::{Call, value};
use crate::door::{Incoming, Reply};

/// The digest of what is served or stored.
pub(super) const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// The digest of the subject of a stored manifest.
const SUBJECT: HeaderName = HeaderName::from_static("oci-subject");

fn parse(reference: &str) -> Result<Reference> {
    reference
        .parse()
        .map_err(|e: bonded_model::InvalidReference| match e {
            bonded_model::InvalidReference::Digest(e) => Error::InvalidDigest(e.to_string()),
            bonded_model::InvalidReference::Tag(e) => Error::InvalidTag(e.to_string()),
        })
}

/// `GET` and `HEAD`: the bytes that were pushed, or their length.
pub(super) async fn get(call: Call<'_>, reference: &str) -> Result<Reply> {
    let target = ImageIn {
        repository: call.repository.clone(),
        reference: parse(reference)?,
    };
    let allowed = call.authorize_all(Checks::new(call.action, target)).await?;
    let manifest = call.registry.manifest(&allowed).await?;
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, value(&manifest.media_type)?);
    headers.insert(header::CONTENT_LENGTH, manifest.bytes.len().into());
    headers.insert(CONTENT_DIGEST, value(manifest.digest.as_str())?);
    let body = if call.head.parts.method == Method::HEAD {
        Bytes::new()
    } else {
        manifest.bytes.into()
    };
    Ok(Reply::whole(StatusCode::OK, headers, body))
}

/// `PUT`: stores the manifest under a tag or by its digest.
pub(super) async fn put(call: Call<'_>, reference: &str) -> Result<Reply> {
    let reference = parse(reference)?;
    let allowed = call.authorize().await?;
    let Call {
        registry,
        head,
        body,
        repository,
        ..
    } = call;
    let request = Incoming {
        id: String::new(),
        head,
        body,
    };
    let (head, bytes) = request.read(MANIFEST_LIMIT).await?;
    let media_type = head.header(header::CONTENT_TYPE);
    let pushed = registry
        .put_image(&allowed, &reference, media_type, &bytes)
        .await?;
    let mut headers = HeaderMap::new();
    headers.insert(
        header::LOCATION,
        value(format!(
            "/v2/{}/manifests/{}",
            repository.name, pushed.digest
        ))?,
    );
    headers.insert(CONTENT_DIGEST, value(pushed.digest.as_str())?);
    if let Some(subject) = pushed.subject {
        headers.insert(SUBJECT, value(subject.as_str())?);
    }
    Ok(Reply::whole(StatusCode::CREATED, headers, Bytes::new()))
}
