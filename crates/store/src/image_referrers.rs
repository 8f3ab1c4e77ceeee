//! The images about another image: those whose manifests name it as their subject.

use std::collections::BTreeMap;
use std::sync::Arc;

use bonded_model::Digest;

use crate::Store;
use crate::error::Result;
use crate::image::manifest_place;
use crate::meta::{Body, Row, Tx, Value};
use crate::page::page;
use crate::repository::RepositoryId;

/// How many bytes of manifests a page may be made of, beside its first.
const BYTES_LIMIT: u64 = 4 * 1024 * 1024;

/// An image that is about another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Referrer {
    /// Its digest.
    pub digest: Digest,
    /// The media type of its manifest.
    pub media_type: String,
    /// Its artifact type, else the media type of its config; `None` for a plain index.
    pub artifact_type: Option<String>,
    /// Whether this server made it of its subject ([`Store::attach_generated`]). Everything else was
    /// pushed by somebody, whatever it says of itself.
    pub generated: bool,
    /// Its manifest.
    pub bytes: Vec<u8>,
}

/// Part of the images about another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferrersPage {
    /// In byte order of their digests.
    pub referrers: Vec<Referrer>,
    /// Whether there are more behind the last.
    pub more: bool,
}

/// One page, as it is asked for.
struct Asked {
    repository: String,
    subject: String,
    /// Empty for all.
    artifact_types: Vec<String>,
    after: String,
    limit: u32,
}

/// A referrer whose manifest was not read yet.
struct Found {
    media_type: String,
    artifact_type: Option<String>,
    size: u64,
    generated: bool,
}

impl Store {
    /// A page of the images of a repository whose subject is `subject`, which need not exist:
    /// those behind `after`, of one of `artifact_types` if there are any. At most `limit`, never
    /// more than 1,000, and no more than 4 MiB of manifests beside the first.
    ///
    /// # Errors
    /// As every read.
    pub async fn referrers(
        &self,
        repository: &RepositoryId,
        subject: &Digest,
        artifact_types: &[String],
        after: Option<&Digest>,
        limit: u32,
    ) -> Result<ReferrersPage> {
        let asked = Arc::new(Asked {
            repository: repository.0.clone(),
            subject: subject.to_string(),
            artifact_types: artifact_types.to_vec(),
            after: after.map_or_else(String::new, Digest::to_string),
            limit,
        });
        let body: Body<_> = Box::new(move |tx| {
            let asked = Arc::clone(&asked);
            Box::pin(async move { read_page(tx, &asked).await })
        });
        let (sealed, more) = self.meta().read(body).await?;
        let open = |(digest, found, sealed): (Digest, Found, Vec<u8>)| {
            let place = manifest_place(&repository.0, &digest);
            Ok(Referrer {
                bytes: self.keys().open_row(&place, &sealed)?.to_vec(),
                digest,
                media_type: found.media_type,
                artifact_type: found.artifact_type,
                generated: found.generated,
            })
        };
        let referrers = sealed.into_iter().map(open).collect::<Result<_>>()?;
        Ok(ReferrersPage { referrers, more })
    }
}

/// The page with manifests as they are kept, and whether more follows.
async fn read_page(
    tx: &mut Tx<'_>,
    asked: &Asked,
) -> Result<(Vec<(Digest, Found, Vec<u8>)>, bool)> {
    const MANIFEST: &str = "SELECT sealed_bytes FROM images WHERE repository = $1 AND digest = $2";
    let mut found = find(tx, asked).await?;
    let mut sealed = Vec::new();
    let mut bytes = 0_u64;
    while let Some((digest, referrer)) = found.pop_first() {
        bytes = bytes.saturating_add(referrer.size);
        let full = sealed.len() >= asked.limit as usize || bytes > BYTES_LIMIT;
        if full && !sealed.is_empty() {
            return Ok((sealed, true));
        }
        let key = [(&asked.repository).into(), digest.as_str().into()];
        let manifest = tx.one(MANIFEST, &key).await?.bytes()?;
        sealed.push((digest, referrer, manifest));
    }
    Ok((sealed, false))
}

/// Those that may stand on the page and one more, in order: each type is a range of the index.
async fn find(tx: &mut Tx<'_>, asked: &Asked) -> Result<BTreeMap<Digest, Found>> {
    const ALL: &str = "SELECT digest, media_type, artifact_type, size, generated FROM images \
         WHERE repository = $1 AND subject = $2 AND digest > $3 ORDER BY digest LIMIT $4";
    const OF_TYPE: &str = "SELECT digest, media_type, artifact_type, size, generated FROM images \
         WHERE repository = $1 AND subject = $2 AND digest > $3 AND artifact_type = $4 \
         ORDER BY digest LIMIT $5";
    let key: [Value; 3] = [
        (&asked.repository).into(),
        (&asked.subject).into(),
        (&asked.after).into(),
    ];
    let limit = page(asked.limit.saturating_add(1));
    let mut rows = Vec::new();
    if asked.artifact_types.is_empty() {
        rows = tx.all(ALL, &[&key[..], &[limit]].concat()).await?;
    } else {
        for artifact_type in &asked.artifact_types {
            let more = [artifact_type.into(), limit.clone()];
            rows.extend(tx.all(OF_TYPE, &[&key[..], &more].concat()).await?);
        }
    }
    let referrer = |mut row: Row| {
        let found = (
            row.parse()?,
            Found {
                media_type: row.text()?,
                artifact_type: row.opt_text()?,
                size: row.size()?,
                generated: row.boolean()?,
            },
        );
        Ok(found)
    };
    rows.into_iter().map(referrer).collect()
}
