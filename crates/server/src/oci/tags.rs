//! Tags: distribution-spec 1.1, "Listing Tags".

use bonded_registry::{Error, Result};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::json;

use super::{Call, value};
use crate::door::Reply;

/// The longest page, and the one a request without `n` gets.
const PAGE: u32 = 1000;

/// `GET`: tags in byte order, at most `n` of them, after `last`.
pub(super) async fn list(call: Call<'_>) -> Result<Reply> {
    let limit = page_size(call.parameter("n").as_deref())?;
    let last = call
        .parameter("last")
        .map(|last| last.parse())
        .transpose()
        .map_err(|e: bonded_model::InvalidTag| Error::InvalidTag(e.to_string()))?;
    let allowed = call.authorize().await?;
    // One more than the page tells whether there is another.
    let mut tags = call
        .registry
        .list_tags(&allowed, last.as_ref(), limit + 1)
        .await?;
    let more = tags.len() > limit as usize;
    tags.truncate(limit as usize);
    let mut headers = HeaderMap::new();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    let name = &call.repository.name;
    if let Some(last) = tags.last().filter(|_| more) {
        let next = format!("</v2/{name}/tags/list?n={limit}&last={last}>; rel=\"next\"");
        headers.insert(header::LINK, value(next)?);
    }
    Ok(Reply::text(
        StatusCode::OK,
        headers,
        json!({ "name": name, "tags": tags }).to_string(),
    ))
}

/// How many tags a page has for `n` as the query states it: at most 1,000, which is also what it
/// has without.
///
/// # Errors
/// [`Error::InvalidParameter`]: not a whole number.
pub fn page_size(n: Option<&str>) -> Result<u32> {
    let Some(n) = n else { return Ok(PAGE) };
    let digits = !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit());
    if digits {
        // A number too long for us asks for more than a page.
        Ok(n.parse().unwrap_or(PAGE).min(PAGE))
    } else {
        Err(Error::parameter("n", "a whole number is expected"))
    }
}
