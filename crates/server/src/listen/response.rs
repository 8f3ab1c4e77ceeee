//! What is said of a request whatever it asks.

use std::convert::Infallible;

use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::Body as _;

use super::ResponseBody;

/// What answers a HEAD: the length of what a GET would bring, and nothing of it. Over HTTP/1 hyper sees
/// to that; over HTTP/2 it would send the body, which clients take for an error of the protocol.
pub(super) fn without_body(response: Response<ResponseBody>) -> Response<ResponseBody> {
    let (mut parts, body) = response.into_parts();
    if let Some(length) = body.size_hint().exact().filter(|length| *length > 0) {
        let length = HeaderValue::from(length);
        parts
            .headers
            .entry(header::CONTENT_LENGTH)
            .or_insert(length);
    }
    let nothing = Empty::new().map_err(|never: Infallible| match never {});
    Response::from_parts(parts, nothing.boxed_unsync())
}

/// An error in the form of the OCI distribution specification that closes the connection.
pub(super) fn json_error(status: StatusCode, code: &str, message: &str) -> Response<ResponseBody> {
    let body = serde_json::json!({"errors": [{"code": code, "message": message}]}).to_string();
    let body = Full::from(body).map_err(|never: Infallible| match never {});
    let mut response = Response::new(body.boxed_unsync());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}
