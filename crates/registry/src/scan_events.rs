//! The log of what scans have found out, for the operator of the host.

use bonded_store::StoreError;

use crate::Registry;
use crate::error::{Error, Result};

impl Registry {
    /// Events in the order of time, at most `limit`: those behind the one with the id `after`.
    ///
    /// # Errors
    /// [`Error::Validation`] if there is none of that id; the store's.
    pub async fn scan_events(
        &self,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<serde_json::Value>> {
        let store = self.store();
        let position = match after {
            None => None,
            Some(id) => {
                let at = store.scan_event_time(id).await?.ok_or_else(|| {
                    Error::Validation(format!(
                        "there is no event '{}': it is kept for 90 days; leave out '--after' to \
                         begin with the oldest",
                        bonded_model::shown(id)
                    ))
                })?;
                Some((at, id))
            }
        };
        let events = store.scan_events(position, limit).await?.into_iter();
        let parsed = events.map(|event| {
            let corrupt = |e| StoreError::Corrupt(format!("the event '{}': {e}", event.id));
            Ok(serde_json::from_slice(&event.body).map_err(corrupt)?)
        });
        parsed.collect()
    }
}
