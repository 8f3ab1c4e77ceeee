//! What is put right from time to time, on every node and in any order.
//!
//! A round takes no input and may be cut off anywhere: the next one goes on.

use std::time::Duration;

use crate::Registry;
use crate::error::Result;

/// How old the newest token key may be. The one before it stays valid for as long again, which is
/// longer than a token lives.
const TOKEN_KEY_AGE: Duration = Duration::from_hours(24);

/// How long a session is kept after its end, so that its decisions can be explained.
const SESSION_KEPT: Duration = Duration::from_hours(24);

impl Registry {
    /// How long to wait between two rounds.
    pub const RECONCILE_INTERVAL: Duration = Duration::from_mins(10);

    /// One round: a new token key when the last is a day old; sessions that ended are removed, and
    /// what nothing refers to any more is collected, parts of given-up uploads in a bucket too, and
    /// layers are led away from objects that were replaced, a bounded number of each; images that were pushed by a version without facts of images get theirs.
    ///
    /// # Errors
    /// Rows or objects cannot be written; the rest of the round is left to the next.
    pub async fn reconcile(&self) -> Result<()> {
        let now = self.clock().now();
        let store = self.store();
        store
            .rotate_token_key(now.before(TOKEN_KEY_AGE), now)
            .await?;
        store.collect_sessions(now.before(SESSION_KEPT)).await?;
        while store.fill_image_facts().await? {}
        store.relink_replaced().await?;
        self.collect_round().await?;
        store.abort_stale_multiparts().await?;
        Ok(())
    }
}
