//! What scans have found out, as the operator reads it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Host, Operation};
use crate::cli::with_sources;

/// Events of scans in the order of time.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListEvents {
    /// Those behind this one; from the oldest on without.
    pub(crate) after: Option<String>,
    /// At most this many.
    pub(crate) limit: u32,
}

impl Operation for ListEvents {
    const NAME: &'static str = "ListEvents";
    const TIME_LIMIT: Duration = Duration::from_mins(1);
    type Output = Vec<serde_json::Value>;

    async fn run(self, host: &Host) -> Result<Vec<serde_json::Value>, String> {
        let events = host.registry.scan_events(self.after.as_deref(), self.limit);
        events.await.map_err(|error| with_sources(&error))
    }
}
