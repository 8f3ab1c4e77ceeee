//! What a request says before anybody knows who sends it.

use bonded_model::{Digest, RepositoryName, Tag};
use bonded_server::aws::query;
use bonded_server::challenge::{self, Challenge};
use bonded_server::forwarded;
use bonded_server::oci::{self, Route};
use bonded_server::range;
use http::{HeaderMap, HeaderValue, Method, Uri};
use ipnet::IpNet;
use serde_json::Value;

use super::{can_be_shown, first_line};

/// An `X-Forwarded-For` header a line, by a proxy that is trusted.
pub(super) fn forwarded_for(data: &[u8]) {
    let proxies: Vec<IpNet> = ["10.0.0.0/8", "fd00::/8"]
        .map(|net| net.parse().unwrap())
        .into();
    let peer = "10.0.0.1".parse().unwrap();
    let mut headers = HeaderMap::new();
    // What a client writes of itself, and what proxies add to it.
    let mut spoofed = HeaderMap::new();
    spoofed.append(
        "x-forwarded-for",
        HeaderValue::from_static("127.0.0.1, 10.0.0.2"),
    );
    for line in data.split(|byte| *byte == b'\n').take(100) {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append("x-forwarded-for", value.clone());
            spoofed.append("x-forwarded-for", value);
        }
    }
    let found = forwarded::client(&headers, peer, &proxies);
    let is_proxy = found.is_ok_and(|client| proxies.iter().any(|net| net.contains(&client)));
    if !is_proxy {
        assert_eq!(found, forwarded::client(&spoofed, peer, &proxies));
    }
    if let Err(text) = found {
        can_be_shown(&text);
    }
}

/// The first line is a `WWW-Authenticate` header, the rest the answer of the token server.
pub(super) fn challenge(data: &[u8]) {
    let (header, answer) = first_line(data);
    if let Some(challenge) = Challenge::parse(header) {
        assert!(header.contains(&format!("\"{}\"", challenge.realm)));
        let path = challenge.path("/token", "team/app");
        assert!(
            path.parse::<Uri>().is_ok() && path.starts_with("/token?"),
            "{path}"
        );
    }
    let token = challenge::token(answer);
    assert!(token.is_none_or(|token| token.len() <= answer.len()));
}

/// The first line is the size of a blob, the rest a header of ranges.
pub(super) fn range(data: &[u8]) {
    let (size, header) = first_line(data);
    let (size, header) = (
        size.parse().unwrap_or(2048),
        String::from_utf8_lossy(header),
    );
    match range::parse(&header, size) {
        Some(Ok(range)) => assert!(range.start < range.end && range.end <= size, "{range:?}"),
        Some(Err(error)) => can_be_shown(&error),
        None => {}
    }
    match range::content_range(&header) {
        Ok(range) => assert!(range.start < range.end, "{range:?}"),
        Err(error) => can_be_shown(&error),
    }
}

/// The first line is the method, the rest the path.
pub(super) fn route(data: &[u8]) {
    let (method, path) = first_line(data);
    let Ok(method) = method.parse::<Method>() else {
        return;
    };
    let path = String::from_utf8_lossy(path);
    let Ok(route) = Route::parse(&method, &path) else {
        return;
    };
    // Every byte of the path is accounted for.
    let written = match &route {
        Route::Ping => "/v2/".to_owned(),
        Route::GetManifest { name, reference }
        | Route::PutManifest { name, reference }
        | Route::DeleteManifest { name, reference } => format!("/v2/{name}/manifests/{reference}"),
        Route::ListReferrers { name, digest } => format!("/v2/{name}/referrers/{digest}"),
        Route::HeadBlob { name, digest }
        | Route::GetBlob { name, digest }
        | Route::DeleteBlob { name, digest } => format!("/v2/{name}/blobs/{digest}"),
        Route::StartUpload { name } => format!("/v2/{name}/blobs/uploads/"),
        Route::UploadStatus { name, id }
        | Route::UploadPart { name, id }
        | Route::FinishUpload { name, id }
        | Route::CancelUpload { name, id } => format!("/v2/{name}/blobs/uploads/{id}"),
        Route::ListTags { name } => format!("/v2/{name}/tags/list"),
    };
    assert!(
        written == path || written == format!("{path}/"),
        "{path:?}: {route:?}"
    );
    assert_eq!(route.action().is_none(), route == Route::Ping);
}

/// A query of `/v2`, with the parameters that its routes read.
pub(super) fn upload_query(data: &[u8]) {
    let query = String::from_utf8_lossy(data);
    for name in ["digest", "mount"] {
        for text in oci::parameters(&query, name) {
            text.parse::<Digest>()
                .map_or_else(|e| can_be_shown(&e), drop);
        }
    }
    for text in oci::parameters(&query, "from") {
        text.parse::<RepositoryName>()
            .map_or_else(|e| can_be_shown(&e), drop);
    }
    for name in ["tag", "last"] {
        for text in oci::parameters(&query, name) {
            text.parse::<Tag>().map_or_else(|e| can_be_shown(&e), drop);
        }
    }
    for text in oci::parameters(&query, "n") {
        oci::page_size(Some(&text)).map_or_else(|e| can_be_shown(&e), |n| assert!(n <= 1000));
    }
}

/// A form of the Query protocol.
pub(super) fn query_form(data: &[u8]) {
    match query::parse(data) {
        Ok(form) => {
            let leaves = leaves(&form.parameters, 0);
            let separators = data.iter().filter(|b| **b == b'&').count();
            assert!(leaves <= separators + 1, "{leaves} of {separators}");
        }
        Err(error) => can_be_shown(&error),
    }
}

/// How many scalars are in `value`; each must be a text.
fn leaves(value: &Value, depth: usize) -> usize {
    assert!(depth <= 8, "deeper than a parameter's name may go");
    match value {
        Value::String(_) => 1,
        Value::Array(items) => items.iter().map(|item| leaves(item, depth + 1)).sum(),
        Value::Object(members) => members.values().map(|item| leaves(item, depth + 1)).sum(),
        other => panic!("{other} was not sent"),
    }
}
