//! The tags an image bears: its own, and those of the indexes that lead to it.

use std::collections::BTreeMap;

use bonded_model::{Digest, Tag};

use super::{DEPTH, LIMIT};
use crate::error::Result;
use crate::meta::{Tx, Value, malformed};
use crate::page::page;

/// How many tags are looked at for a page of images.
const PAGE_TAGS_LIMIT: u32 = 10_000;

/// The tags of an image and of the indexes that lead to it; `None` if there are too many.
pub(super) async fn tags_of(
    tx: &mut Tx<'_>,
    repository: &str,
    digest: &Digest,
) -> Result<Option<Vec<Tag>>> {
    const SQL: &str = "WITH RECURSIVE up (image, depth) AS (\
         SELECT CAST($1 AS TEXT), CAST(0 AS BIGINT) \
         UNION SELECT c.image, u.depth + 1 FROM up u \
         JOIN image_children c ON c.repository = $2 AND c.child = u.image WHERE u.depth <= $3) \
         SELECT u.depth, t.tag FROM up u LEFT JOIN tags t \
         ON t.repository = $2 AND t.digest = u.image LIMIT $4";
    let values: [Value; 4] = [
        digest.as_str().into(),
        repository.into(),
        DEPTH.into(),
        page(LIMIT + 1),
    ];
    let rows = tx.all(SQL, &values).await?;
    if rows.len() > LIMIT as usize {
        return Ok(None);
    }
    let mut found = Tags::default();
    for mut row in rows {
        found.add(row.int()?, row.opt_text()?)?;
    }
    Ok(found.known())
}

/// The tags that were found for an image.
#[derive(Default)]
pub(super) struct Tags {
    tags: Vec<Tag>,
    too_deep: bool,
}

impl Tags {
    fn add(&mut self, depth: i64, tag: Option<String>) -> Result<()> {
        self.too_deep |= depth > DEPTH;
        let tag = tag.map(|tag| tag.parse()).transpose();
        let invalid = |e: bonded_model::InvalidTag| malformed(&e.to_string());
        self.tags.extend(tag.map_err(invalid)?);
        Ok(())
    }

    pub(super) fn known(mut self) -> Option<Vec<Tag>> {
        self.tags.sort_unstable();
        self.tags.dedup();
        (!self.too_deep && self.tags.len() <= LIMIT as usize).then_some(self.tags)
    }
}

/// The tags of each image with the blob in a range, as [`tags_of`] finds them for one.
pub(super) async fn tags_with_layer(
    tx: &mut Tx<'_>,
    repository: &str,
    layer: &Digest,
    (after, last): (&str, &str),
) -> Result<Option<BTreeMap<Digest, Tags>>> {
    const SQL: &str = "WITH RECURSIVE up (origin, image, depth) AS (\
         SELECT image, image, CAST(0 AS BIGINT) FROM image_blobs \
         WHERE repository = $1 AND blob = $2 AND image > $3 AND image <= $4 \
         UNION SELECT u.origin, c.image, u.depth + 1 FROM up u \
         JOIN image_children c ON c.repository = $1 AND c.child = u.image WHERE u.depth <= $5) \
         SELECT u.origin, u.depth, t.tag FROM up u LEFT JOIN tags t \
         ON t.repository = $1 AND t.digest = u.image LIMIT $6";
    let values = [
        repository.into(),
        layer.as_str().into(),
        after.into(),
        last.into(),
        DEPTH.into(),
        (PAGE_TAGS_LIMIT + 1).into(),
    ];
    let rows = tx.all(SQL, &values).await?;
    if rows.len() > PAGE_TAGS_LIMIT as usize {
        return Ok(None);
    }
    let mut found: BTreeMap<Digest, Tags> = BTreeMap::new();
    for mut row in rows {
        let origin = row.parse()?;
        let tags = found.entry(origin).or_default();
        tags.add(row.int()?, row.opt_text()?)?;
    }
    Ok(Some(found))
}
