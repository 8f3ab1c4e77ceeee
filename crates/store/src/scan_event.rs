//! Events of scans: an append-only log of what changed about images and why, sealed as findings are.

use std::time::Duration;

use bonded_model::{AccountId, Digest, RepositoryArn, Timestamp};

use crate::Store;
use crate::error::Result;
use crate::keys::Place;
use crate::meta::{Tx, Value};
use crate::repository::RepositoryId;

/// How long events are kept.
const KEPT: Duration = Duration::from_hours(90 * 24);

/// How many old events one that is new takes with it.
const FORGOTTEN: i64 = 4;

/// The most events that are read at once.
const PAGE_LIMIT: u32 = 1000;

/// An event, as it is written and read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanEvent {
    /// A UUID.
    pub id: String,
    /// When it happened.
    pub at: Timestamp,
    /// Whose image it is about.
    pub account: AccountId,
    /// The event itself, JSON.
    pub body: Vec<u8>,
}

fn place(id: &str) -> Place {
    Place::new(&["scan_events", "sealed_event", id])
}

impl Store {
    /// The rows of new events, to be inserted by [`insert_events`].
    pub(crate) fn seal_events(&self, events: &[ScanEvent]) -> Result<Vec<[Value; 4]>> {
        let sealed = events.iter().map(|event| {
            let body = self.keys().seal_row(&place(&event.id), &event.body)?;
            Ok([
                (&event.id).into(),
                event.at.into(),
                event.account.as_str().into(),
                body.into(),
            ])
        });
        sealed.collect()
    }

    /// The events after the one that happened at the time and has the id of `after`, in the order of
    /// time; at most `limit` and never more than 1,000.
    ///
    /// # Errors
    /// As every read.
    pub async fn scan_events(
        &self,
        after: Option<(Timestamp, &str)>,
        limit: u32,
    ) -> Result<Vec<ScanEvent>> {
        const SQL: &str = "SELECT id, at, account, sealed_event FROM scan_events \
             WHERE at > $1 OR (at = $1 AND id > $2) ORDER BY at, id LIMIT $3";
        let (at, id) = after.unwrap_or((Timestamp::from_millis(i64::MIN), ""));
        let values = [at.into(), id.into(), limit.min(PAGE_LIMIT).into()];
        let rows = self.meta().all(SQL, &values).await?;
        let event = |mut row: crate::meta::Row| {
            let (id, at, account) = (row.text()?, row.time()?, row.parse()?);
            let body = self.keys().open_row(&place(&id), &row.bytes()?)?.to_vec();
            Ok(ScanEvent {
                id,
                at,
                account,
                body,
            })
        };
        rows.into_iter().map(event).collect()
    }

    /// When an event that is kept happened.
    ///
    /// # Errors
    /// As every read.
    pub async fn scan_event_time(&self, id: &str) -> Result<Option<Timestamp>> {
        const SQL: &str = "SELECT at FROM scan_events WHERE id = $1";
        let row = self.meta().optional(SQL, &[id.into()]).await?;
        row.map(|mut row| row.time()).transpose()
    }
}

impl Store {
    /// The ARN of the repository of an image, and the image's tags; `None` if it is gone.
    ///
    /// # Errors
    /// As every read.
    pub async fn scanned_image(
        &self,
        repository: &RepositoryId,
        image: &Digest,
    ) -> Result<Option<(RepositoryArn, Vec<String>)>> {
        const ARN: &str = "SELECT account, region, name FROM repositories WHERE id = $1";
        const TAGS: &str =
            "SELECT tag FROM tags WHERE repository = $1 AND digest = $2 ORDER BY tag LIMIT 100";
        let id: Value = (&repository.0).into();
        let Some(mut row) = self.meta().optional(ARN, std::slice::from_ref(&id)).await? else {
            return Ok(None);
        };
        let arn = RepositoryArn {
            account: row.parse()?,
            region: row.parse()?,
            name: row.parse()?,
        };
        let tags = self.meta().all(TAGS, &[id, image.as_str().into()]).await?;
        let tags: Result<Vec<String>> = tags.into_iter().map(|mut row| row.text()).collect();
        Ok(Some((arn, tags?)))
    }
}

/// Appends events, in the transaction that makes what they say true; old ones go.
pub(crate) async fn insert_events(
    tx: &mut Tx<'_>,
    events: &[[Value; 4]],
    now: Timestamp,
) -> Result<()> {
    const INSERT: &str =
        "INSERT INTO scan_events (id, at, account, sealed_event) VALUES ($1, $2, $3, $4)";
    const FORGET: &str = "DELETE FROM scan_events WHERE id IN \
         (SELECT id FROM scan_events WHERE at < $1 ORDER BY at, id LIMIT $2)";
    if events.is_empty() {
        return Ok(());
    }
    for event in events {
        tx.execute(INSERT, event).await?;
    }
    let kept = i64::try_from(KEPT.as_millis()).unwrap_or(i64::MAX);
    let before = now.as_millis().saturating_sub(kept);
    let most = FORGOTTEN.saturating_mul(i64::try_from(events.len()).unwrap_or(1));
    tx.execute(FORGET, &[before.into(), most.into()]).await?;
    Ok(())
}
