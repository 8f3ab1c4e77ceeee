//! Paging: how long a page is, and where a list of images goes on.

use bonded_registry::{Error, ImageKey, Registry, Result};

/// ECR's default page.
pub(super) const PAGE: u32 = 100;

/// The longest page of most lists.
pub(super) const PAGE_LIMIT: u32 = 1000;

/// The length of a page: `maxResults`, else `default`; from 1 to `most`.
pub(super) fn limit(max_results: Option<u32>, default: u32, most: u32) -> Result<u32> {
    let limit = max_results.unwrap_or(default);
    if limit == 0 {
        return Err(Error::parameter(
            "maxResults",
            "Member must have value greater than or equal to 1",
        ));
    }
    if limit > most {
        return Err(Error::parameter(
            "maxResults",
            format!("Member must have value less than or equal to {most}"),
        ));
    }
    Ok(limit)
}

/// The key of an image in the token `token` of `list`.
pub(super) async fn read(
    registry: &Registry,
    list: &str,
    token: Option<&str>,
) -> Result<Option<ImageKey>> {
    let Some(token) = token else {
        return Ok(None);
    };
    let position = registry.read_page_token(list, token).await?;
    let (digest, tag) = position
        .split_once(' ')
        .map_or((position.as_str(), None), |(digest, tag)| {
            (digest, Some(tag))
        });
    let invalid = || Error::parameter("nextToken", "Invalid token");
    let tag = tag.map(str::parse).transpose().map_err(|_| invalid())?;
    let digest = digest.parse().map_err(|_| invalid())?;
    Ok(Some(ImageKey { digest, tag }))
}

/// The token of the page behind `key`, if there is one.
pub(super) async fn write(
    registry: &Registry,
    list: &str,
    key: Option<&ImageKey>,
) -> Result<Option<String>> {
    let Some(ImageKey { digest, tag }) = key else {
        return Ok(None);
    };
    let position = match tag {
        Some(tag) => format!("{digest} {tag}"),
        None => digest.to_string(),
    };
    registry.page_token(list, &position).await.map(Some)
}
