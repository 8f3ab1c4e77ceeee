//! Manifests: distribution-spec 1.1, "Pulling manifests" and "Pushing Manifests".

use bonded_model::{InvalidTag, MANIFEST_LIMIT, Reference, Tag};
use bonded_registry::target::{ImageIn, ImageToPut};
use bonded_registry::{Checks, Error, Result};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, StatusCode, header};

use super::{Call, deleted, value};
use crate::door::{Incoming, Reply};
use crate::layer_content::CONTENT_DIGEST;

/// The digest of the subject of a stored manifest.
const SUBJECT: HeaderName = HeaderName::from_static("oci-subject");

/// A tag that a manifest got beside its digest.
const TAG: HeaderName = HeaderName::from_static("oci-tag");

/// How many tags one push by digest may name. The answer has a header for each, and clients such as
/// Python's read no more than 100.
const TAGS_LIMIT: usize = 50;

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

/// The tags of `?tag=a&tag=b`, which a push by digest may name.
fn tags(call: &Call<'_>, reference: &Reference) -> Result<Vec<Tag>> {
    let parse = |tag: String| {
        tag.parse()
            .map_err(|e: InvalidTag| Error::InvalidTag(e.to_string()))
    };
    let mut tags = Vec::new();
    for tag in call.parameters("tag") {
        let tag = parse(tag)?;
        if !tags.contains(&tag) {
            tags.push(tag);
        }
        if tags.len() > TAGS_LIMIT {
            let expected = format!("at most {TAGS_LIMIT} tags are accepted at once");
            return Err(Error::parameter("tag", expected));
        }
    }
    if !tags.is_empty() && matches!(reference, Reference::Tag(_)) {
        let expected = "tags are accepted here with a digest in the path only";
        return Err(Error::parameter("tag", expected));
    }
    Ok(tags)
}

/// `PUT`: stores the manifest under a tag, or by its digest and under the tags of the query.
pub(super) async fn put(call: Call<'_>, reference: &str) -> Result<Reply> {
    let reference = parse(reference)?;
    let tags = tags(&call, &reference)?;
    let Call {
        registry,
        caller,
        head,
        body,
        action,
        repository,
    } = call;
    let request = Incoming {
        id: String::new(),
        head,
        body,
    };
    // Its digest and its media type are facts that the push is judged by.
    let (head, bytes) = request.read(MANIFEST_LIMIT).await?;
    let media_type = head.header(header::CONTENT_TYPE);
    let image = ImageToPut::new(
        repository.clone(),
        Some(reference),
        tags.clone(),
        media_type,
        bytes.to_vec(),
    );
    let push = registry.authorize_push(&caller, &repository, image, action, &[]);
    let pushed = registry.put_image(&push.await?).await?;
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
    for tag in &tags {
        headers.append(TAG, value(tag.as_str())?);
    }
    Ok(Reply::whole(StatusCode::CREATED, headers, Bytes::new()))
}

/// `DELETE`: the image with all its tags by its digest, or a tag alone.
pub(super) async fn delete(call: Call<'_>, reference: &str) -> Result<Reply> {
    let target = ImageIn {
        repository: call.repository.clone(),
        reference: parse(reference)?,
    };
    let allowed = call.authorize_all(Checks::new(call.action, target)).await?;
    call.registry.delete_image(&allowed).await?;
    Ok(deleted())
}
