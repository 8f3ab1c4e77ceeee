//! What is put right from time to time, on every node and in any order.
//!
//! A round takes no input and may be cut off anywhere: the next one goes on.

use std::time::Duration;

use bonded_model::Timestamp;

use crate::Registry;
use crate::error::Result;

const HOUR: i64 = 60 * 60 * 1000;

/// How old the newest token key may be. The one before it stays valid for as long again, which is
/// longer than a token lives.
const TOKEN_KEY_AGE: i64 = 24 * HOUR;

/// How long an upload may rest before it is given up.
const UPLOAD_REST: i64 = 24 * HOUR;

/// How long a session is kept after its end, so that its decisions can be explained.
const SESSION_KEPT: i64 = 24 * HOUR;

impl Registry {
    /// How long to wait between two rounds.
    pub const RECONCILE_INTERVAL: Duration = Duration::from_secs(10 * 60);

    /// One round: a new token key when the last is a day old; sessions that ended, uploads that
    /// rest and what interrupted deletions of repositories left are removed, a bounded number of
    /// each; images that were pushed by a version without facts of images get theirs.
    ///
    /// # Errors
    /// Rows or objects cannot be written; the rest of the round is left to the next.
    pub async fn reconcile(&self) -> Result<()> {
        let now = self.clock().now();
        let ago = |millis: i64| Timestamp::from_millis(now.as_millis().saturating_sub(millis));
        let store = self.store();
        store.rotate_token_key(ago(TOKEN_KEY_AGE), now).await?;
        store.collect_sessions(ago(SESSION_KEPT)).await?;
        store.collect_uploads(ago(UPLOAD_REST)).await?;
        store.collect_deleted_repositories().await?;
        while store.fill_image_facts().await? {}
        Ok(())
    }
}
