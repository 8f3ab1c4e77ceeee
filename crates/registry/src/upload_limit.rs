//! How much of an upload is taken: a principal's unfinished uploads are bounded together, and
//! uploads end before the disk is full.
//!
//! What uploads have is in rows, but only as of the last request of each that ended. So while a
//! principal uploads, this node counts: from the sum of the rows when the first request began, and
//! on with every piece. Another node's pieces count when that sum is taken anew.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use bonded_store::Store;

use crate::Registry;
use crate::error::{Error, Result};

/// After how many bytes of a body the disk is asked again for room.
const ROOM_STEP: u64 = 1024 * 1024;

/// What uploads are held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UploadLimits {
    /// How many bytes the unfinished uploads of a principal may have together.
    pub unfinished_bytes: u64,
    /// How long a client may send nothing in the middle of a body.
    pub stall: Duration,
}

impl Default for UploadLimits {
    /// 256 GiB, 60 seconds.
    fn default() -> Self {
        Self {
            unfinished_bytes: 256 * 1024 * 1024 * 1024,
            stall: Duration::from_mins(1),
        }
    }
}

/// The counts of the principals that upload now.
#[derive(Default)]
pub(crate) struct Unfinished(Mutex<HashMap<String, Weak<AtomicU64>>>);

impl Unfinished {
    /// The count of `principal`; `None` if it does not upload now.
    fn find(&self, principal: &str) -> Option<Arc<AtomicU64>> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.get(principal).and_then(Weak::upgrade)
    }

    /// The count of `principal`, begun at `recorded` if there is none.
    fn begin(&self, principal: &str, recorded: u64) -> Arc<AtomicU64> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get(principal).and_then(Weak::upgrade) {
            return count;
        }
        counts.retain(|_, count| count.strong_count() > 0);
        let count = Arc::new(AtomicU64::new(recorded));
        counts.insert(principal.to_owned(), Arc::downgrade(&count));
        count
    }
}

/// What one request may write to an upload. Dropped, it gives back what was taken.
pub(crate) struct Allowance {
    store: Store,
    limit: u64,
    unfinished: Arc<AtomicU64>,
    /// How much this request has taken.
    taken: u64,
    /// How much of that since the disk was asked for room; `None` if it was not asked yet.
    unasked: Option<u64>,
}

impl Allowance {
    /// Takes the next `length` bytes.
    ///
    /// # Errors
    /// [`Error::LimitExceeded`] if the principal would have too many, [`Error::Store`] with
    /// [`bonded_store::StoreError::Full`] if the disk has no room. The bytes must not be written.
    pub(crate) fn take(&mut self, length: usize) -> Result<()> {
        let length = length as u64;
        if self.unasked.is_none_or(|unasked| unasked >= ROOM_STEP) {
            self.store.check_room()?;
            self.unasked = Some(0);
        }
        if let Some(unasked) = &mut self.unasked {
            *unasked += length;
        }
        self.taken += length;
        let before = self.unfinished.fetch_add(length, Ordering::Relaxed);
        check(before.saturating_add(length), self.limit)
    }

    /// The bytes stay, in an upload that is not finished.
    pub(crate) fn keep(mut self) {
        self.taken = 0;
    }

    /// The upload is finished; it had `before` bytes when the request began.
    pub(crate) fn finish(mut self, before: u64) {
        self.taken = self.taken.saturating_add(before);
    }
}

impl Drop for Allowance {
    fn drop(&mut self) {
        let less = |count: u64| Some(count.saturating_sub(self.taken));
        // It never fails: there is always a number to set.
        let _ = self
            .unfinished
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }
}

fn check(unfinished: u64, limit: u64) -> Result<()> {
    if unfinished <= limit {
        return Ok(());
    }
    Err(Error::LimitExceeded(format!(
        "your unfinished uploads would have more than {limit} bytes, which is the limit; finish or cancel some, or wait a day"
    )))
}

impl Registry {
    /// What a request of `principal` may write now.
    pub(crate) async fn allowance(&self, principal: &str) -> Result<Allowance> {
        let unfinished = match self.0.unfinished.find(principal) {
            Some(unfinished) => unfinished,
            None => {
                let recorded = self.store().unfinished_bytes(principal).await?;
                self.0.unfinished.begin(principal, recorded)
            }
        };
        Ok(Allowance {
            store: self.store().clone(),
            limit: self.0.uploads.unfinished_bytes,
            unfinished,
            taken: 0,
            unasked: None,
        })
    }

    /// Refuses a new upload for which there is no room.
    pub(crate) async fn check_allowance(&self, principal: &str) -> Result<()> {
        self.store().check_room()?;
        let limit = self.0.uploads.unfinished_bytes;
        let unfinished = match self.0.unfinished.find(principal) {
            Some(unfinished) => unfinished.load(Ordering::Relaxed),
            None => self.store().unfinished_bytes(principal).await?,
        };
        // With nothing left not one byte could follow.
        check(unfinished.saturating_add(1), limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_principal_has_one_count_while_it_uploads() {
        let unfinished = Unfinished::default();
        assert!(unfinished.find("a").is_none());
        let first = unfinished.begin("a", 5);
        let second = unfinished.begin("a", 100);
        second.fetch_add(1, Ordering::Relaxed);
        assert_eq!(first.load(Ordering::Relaxed), 6);
        assert!(unfinished.find("b").is_none());
        drop((first, second));
        assert!(unfinished.find("a").is_none());
        let anew = unfinished.begin("a", 100);
        assert_eq!(anew.load(Ordering::Relaxed), 100);
        drop(anew);
        drop(unfinished.begin("b", 1));
        let left = unfinished.begin("c", 1);
        assert_eq!(unfinished.0.lock().unwrap().len(), 1);
        drop(left);
    }
}
