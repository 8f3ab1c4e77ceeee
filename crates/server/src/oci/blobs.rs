//! Blobs: distribution-spec 1.1, "Pulling blobs".

use bonded_model::Digest;
use bonded_registry::{Error, Layer, Result};
use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;

use super::manifests::CONTENT_DIGEST;
use super::{Call, deleted, range, value};
use crate::door::Reply;

pub(super) fn parse(digest: &str) -> Result<Digest> {
    digest
        .parse()
        .map_err(|e: bonded_model::InvalidDigest| Error::InvalidDigest(e.to_string()))
}

/// `HEAD`: whether the repository has the blob, and its length.
pub(super) async fn head(call: Call<'_>, digest: &str) -> Result<Reply> {
    let digest = parse(digest)?;
    let allowed = call.authorize().await?;
    let layer = call.registry.layer(&allowed, &digest).await?;
    let mut headers = headers(&layer)?;
    headers.insert(header::CONTENT_LENGTH, layer.size.into());
    Ok(Reply::whole(StatusCode::OK, headers, Bytes::new()))
}

/// `GET`: the blob, or the range of it that the request asks for.
pub(super) async fn get(call: Call<'_>, digest: &str) -> Result<Reply> {
    let digest = parse(digest)?;
    let allowed = call.authorize().await?;
    let layer = call.registry.layer(&allowed, &digest).await?;
    let asked = call.head.header(header::RANGE);
    let partial = asked
        .and_then(|text| range::parse(text, layer.size))
        .transpose()?;
    let range = partial.clone().unwrap_or(0..layer.size);
    let mut headers = headers(&layer)?;
    headers.insert(header::CONTENT_LENGTH, (range.end - range.start).into());
    let status = if let Some(range) = partial {
        let content_range = format!("bytes {}-{}/{}", range.start, range.end - 1, layer.size);
        headers.insert(header::CONTENT_RANGE, value(content_range)?);
        StatusCode::PARTIAL_CONTENT
    } else {
        StatusCode::OK
    };
    let bytes = call.registry.read_layer(&layer, range).await?;
    let body = StreamBody::new(bytes.map(|piece| piece.map(Frame::data))).boxed_unsync();
    Ok(Reply::with(status, headers, body))
}

/// `DELETE`: takes the blob from the repository, unless an image there refers to it.
pub(super) async fn delete(call: Call<'_>, digest: &str) -> Result<Reply> {
    let digest = parse(digest)?;
    let allowed = call.authorize().await?;
    call.registry.delete_layer(&allowed, &digest).await?;
    Ok(deleted())
}

/// Whatever a blob holds, it is bytes to be saved, never something to show.
fn headers(layer: &Layer) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    headers.insert(
        header::CONTENT_DISPOSITION,
        HeaderValue::from_static("attachment"),
    );
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(CONTENT_DIGEST, value(layer.digest.as_str())?);
    Ok(headers)
}
