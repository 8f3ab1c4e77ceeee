//! Uploads: distribution-spec 1.1, "Pushing blobs".
//!
//! Each request that carries bytes runs as a task of its own, so that a client that goes away in
//! the middle leaves an upload with what came, not one that is held for ever.

use std::ops::Range;

use bonded_model::{Digest, RepositoryArn, shown};
use bonded_registry::{Action, Allowed, Checks, Error, Layer, Registry, Result, UploadId};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use http::{HeaderMap, HeaderName, StatusCode, header};

use super::{Call, blobs, value};
use crate::door::{Head, Reply, RequestBody, data};
use crate::layer_content::CONTENT_DIGEST;
use crate::range;

/// The upload's id, as Docker's clients log it.
const UPLOAD_ID: HeaderName = HeaderName::from_static("docker-upload-uuid");

const UPLOAD_PART: Action = Action::new("ecr:UploadLayerPart");
const COMPLETE: Action = Action::new("ecr:CompleteLayerUpload");

/// An id we did not make is an upload we do not have.
fn parse(id: &str) -> Result<UploadId> {
    id.parse().map_err(|_| Error::UploadNotFound)
}

/// `POST`: begins an upload; with `?digest=` the body is the whole blob, with `?mount=` the
/// registry may have it.
pub(super) async fn start(call: Call<'_>) -> Result<Reply> {
    let digest_in = |name| {
        let text = call.parameter(name);
        text.map(|digest| blobs::parse(&digest)).transpose()
    };
    if let Some(digest) = digest_in("mount")? {
        return mount(call, &digest).await;
    }
    let Some(digest) = digest_in("digest")? else {
        let allowed = call.authorize_push(&[]).await?;
        return begin(&call, &allowed).await;
    };
    let allowed = call.authorize_push(&[UPLOAD_PART, COMPLETE]).await?;
    let id = call.registry.start_upload(&allowed).await?;
    let repository = call.repository.clone();
    let registry = call.registry.clone();
    let body = call.body;
    let layer = task(async move {
        let done = registry
            .finish_upload(&allowed, &id, None, &digest, data(body))
            .await;
        if matches!(done, Err(Error::BodyIncomplete(_))) {
            // Nobody was told its id, so nobody can go on with it.
            registry.cancel_upload(&allowed, &id).await?;
        }
        done
    })
    .await?;
    finished(&repository, &layer)
}

async fn begin(call: &Call<'_>, allowed: &Allowed<RepositoryArn>) -> Result<Reply> {
    let id = call.registry.start_upload(allowed).await?;
    progress(StatusCode::ACCEPTED, &call.repository, &id, 0)
}

/// `POST ?mount=`: the blob of another repository, of the one that `from` names if it is there; an
/// upload begins if that cannot be.
async fn mount(call: Call<'_>, digest: &Digest) -> Result<Reply> {
    let allowed = call.authorize_push(&[UPLOAD_PART, COMPLETE]).await?;
    let registry = call.registry;
    let mounted = match call.parameter("from") {
        None => registry.mount_from_any(&allowed, digest).await?,
        // No repository has a malformed name.
        Some(from) => match from.parse() {
            Ok(from) => registry.mount_from(&allowed, from, digest).await?,
            Err(_) => None,
        },
    };
    match mounted {
        Some(layer) => finished(&call.repository, &layer),
        None => begin(&call, &allowed).await,
    }
}

/// `GET`: how many bytes the upload has.
pub(super) async fn status(call: Call<'_>, id: &str) -> Result<Reply> {
    let id = parse(id)?;
    let allowed = call.authorize().await?;
    let offset = call.registry.upload_offset(&allowed, &id).await?;
    progress(StatusCode::NO_CONTENT, &call.repository, &id, offset)
}

/// `PATCH`: appends the body, at the place `Content-Range` states if it does.
pub(super) async fn part(call: Call<'_>, id: &str) -> Result<Reply> {
    let id = parse(id)?;
    let range = stated_range(&call.head)?;
    let allowed = call.authorize().await?;
    let repository = call.repository.clone();
    let Call { registry, body, .. } = call;
    let registry = registry.clone();
    let (id, offset) = task(async move {
        let first = range.as_ref().map(|range| range.start);
        let offset = registry
            .append_upload(&allowed, &id, first, data_of(body, range.as_ref()))
            .await?;
        Ok((id, offset))
    })
    .await?;
    progress(StatusCode::ACCEPTED, &repository, &id, offset)
}

/// `PUT`: appends the body, if there is one, and makes the upload a blob.
pub(super) async fn finish(call: Call<'_>, id: &str) -> Result<Reply> {
    let id = parse(id)?;
    let digest = call.parameter("digest").ok_or_else(|| {
        Error::InvalidDigest(
            "the parameter 'digest' is missing; the request must end with ?digest=ALGORITHM:HEX"
                .to_owned(),
        )
    })?;
    let digest = blobs::parse(&digest)?;
    let range = stated_range(&call.head)?;
    let mut checks = Checks::new(call.action, call.repository.clone());
    if call.head.header(header::CONTENT_LENGTH) != Some("0") {
        checks = checks.and(UPLOAD_PART);
    }
    let allowed = call.authorize_all(checks).await?;
    let repository = call.repository.clone();
    let Call { registry, body, .. } = call;
    let layer = finish_task(registry.clone(), allowed, id, range, digest, body).await?;
    finished(&repository, &layer)
}

async fn finish_task(
    registry: Registry,
    allowed: Allowed<RepositoryArn>,
    id: UploadId,
    range: Option<Range<u64>>,
    digest: Digest,
    body: RequestBody,
) -> Result<Layer> {
    task(async move {
        let first = range.as_ref().map(|range| range.start);
        registry
            .finish_upload(&allowed, &id, first, &digest, data_of(body, range.as_ref()))
            .await
    })
    .await
}

/// `DELETE`: gives the upload up.
pub(super) async fn cancel(call: Call<'_>, id: &str) -> Result<Reply> {
    let id = parse(id)?;
    let allowed = call.authorize().await?;
    call.registry.cancel_upload(&allowed, &id).await?;
    Ok(Reply::whole(
        StatusCode::NO_CONTENT,
        HeaderMap::new(),
        Bytes::new(),
    ))
}

/// Runs to its end even if the connection does not.
async fn task<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    tokio::spawn(work)
        .await
        .map_err(|e| Error::Unwritable(e.to_string()))?
}

/// What of the blob the body is by `Content-Range: FIRST-LAST`; `None` without one. If the request
/// says how long the body is, that must be the length of the range.
fn stated_range(head: &Head) -> Result<Option<Range<u64>>> {
    if !head.parts.headers.contains_key(header::CONTENT_RANGE) {
        return Ok(None);
    }
    // One that stands twice, or is no text, is malformed too.
    let text = head.header(header::CONTENT_RANGE).unwrap_or_default();
    let range = range::content_range(text)?;
    let length = range.end - range.start;
    let body: Option<u64> = head
        .header(header::CONTENT_LENGTH)
        .and_then(|length| length.parse().ok());
    if let Some(body) = body.filter(|body| *body != length) {
        let text = shown(text);
        return Err(Error::InvalidParameter(format!(
            "the header 'Content-Range: {text}' is about {length} bytes, but the body has {body}"
        )));
    }
    Ok(Some(range))
}

/// The data of a body, which breaks off where it turns out not to be as long as `range`.
fn data_of(
    body: RequestBody,
    range: Option<&Range<u64>>,
) -> impl Stream<Item = std::result::Result<Bytes, String>> + Send + use<> {
    let length = range.map(|range| range.end - range.start);
    let begin = Some((Box::pin(data(body)), length));
    stream::unfold(begin, |state| async move {
        let (mut pieces, left) = state?;
        let error = |what| Some((Err(format!("it is {what} than its Content-Range")), None));
        match (pieces.next().await, left) {
            (None, Some(1..)) => error("shorter"),
            (None, _) => None,
            (Some(Ok(piece)), Some(left)) => match left.checked_sub(piece.len() as u64) {
                Some(left) => Some((Ok(piece), Some((pieces, Some(left))))),
                None => error("longer"),
            },
            (Some(piece), left) => Some((piece, Some((pieces, left)))),
        }
    })
}

fn progress(
    status: StatusCode,
    repository: &RepositoryArn,
    id: &UploadId,
    offset: u64,
) -> Result<Reply> {
    let mut headers = HeaderMap::new();
    headers.insert(
        header::LOCATION,
        value(format!(
            "/v2/{}/blobs/uploads/{}",
            repository.name,
            id.as_str()
        ))?,
    );
    headers.insert(
        header::RANGE,
        value(format!("0-{}", offset.saturating_sub(1)))?,
    );
    headers.insert(UPLOAD_ID, value(id.as_str())?);
    Ok(Reply::whole(status, headers, Bytes::new()))
}

fn finished(repository: &RepositoryArn, layer: &Layer) -> Result<Reply> {
    let mut headers = HeaderMap::new();
    headers.insert(
        header::LOCATION,
        value(format!("/v2/{}/blobs/{}", repository.name, layer.digest))?,
    );
    headers.insert(CONTENT_DIGEST, value(layer.digest.as_str())?);
    Ok(Reply::whole(StatusCode::CREATED, headers, Bytes::new()))
}
