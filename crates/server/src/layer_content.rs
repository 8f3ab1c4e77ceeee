//! The bytes of a layer as an answer, at whichever door it was asked for.

use bonded_registry::{Error, Layer, Registry, Result};
use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;

use crate::door::{Head, Reply};
use crate::range;

/// The digest of what is served or stored.
pub(crate) const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// The answer to `HEAD`: the length alone.
///
/// # Errors
/// None that a stored layer can cause.
pub(crate) fn head(layer: &Layer) -> Result<Reply> {
    let mut headers = headers(layer)?;
    headers.insert(header::CONTENT_LENGTH, layer.size.into());
    Ok(Reply::whole(StatusCode::OK, headers, Bytes::new()))
}

/// The answer to `GET`: the layer, or the range of it that the request asks for.
///
/// # Errors
/// [`Error::RangeNotSatisfiable`]; the object cannot be read or is not what was written.
pub(crate) async fn get(registry: &Registry, request: &Head, layer: &Layer) -> Result<Reply> {
    let asked = request.header(header::RANGE);
    let partial = asked
        .and_then(|text| range::parse(text, layer.size))
        .transpose()?;
    let range = partial.clone().unwrap_or(0..layer.size);
    let mut headers = headers(layer)?;
    headers.insert(header::CONTENT_LENGTH, (range.end - range.start).into());
    let status = if let Some(range) = partial {
        let content_range = format!("bytes {}-{}/{}", range.start, range.end - 1, layer.size);
        headers.insert(header::CONTENT_RANGE, value(&content_range)?);
        StatusCode::PARTIAL_CONTENT
    } else {
        StatusCode::OK
    };
    let bytes = registry.read_layer(layer, range).await?;
    let body = StreamBody::new(bytes.map(|piece| piece.map(Frame::data))).boxed_unsync();
    Ok(Reply::with(status, headers, body))
}

/// Whatever a layer holds, it is bytes to be saved, never something to show.
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

/// A header value of text that is visible ASCII by its construction.
fn value(text: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(text).map_err(|e| Error::Unwritable(e.to_string()))
}
