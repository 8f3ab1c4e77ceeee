//! Faults of ours that pass, without a restart: a full disk, a database that cannot be reached.

use bonded_store::StoreError;

use crate::error::Error;

/// A fault of ours that passes, without a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outage {
    /// There is no room for what was to be written.
    Full,
    /// The database or the storage cannot be used now.
    Unavailable,
}

/// What the caller is told of a fault of the store.
pub(crate) fn told(error: &StoreError) -> &'static str {
    match outage(error) {
        Some(Outage::Full) => {
            "the registry has no room for this; delete images, have its operator run 'bonded gc', or try again when there is room"
        }
        Some(Outage::Unavailable) => {
            "the registry cannot use its database or its storage now; try again in a moment"
        }
        None => "internal error",
    }
}

const fn outage(error: &StoreError) -> Option<Outage> {
    match error {
        StoreError::Full(_) => Some(Outage::Full),
        StoreError::Unavailable(_)
        | StoreError::Bucket(_)
        | StoreError::Busy
        | StoreError::Closed => Some(Outage::Unavailable),
        StoreError::Conflict
        | StoreError::Database(_)
        | StoreError::Io { .. }
        | StoreError::Corrupt(_)
        | StoreError::Schema(_)
        | StoreError::KeyRing(_)
        | StoreError::Backup(_) => None,
    }
}

impl Error {
    /// Whether the fault is ours and passes: the same request may be carried out later.
    #[must_use]
    pub const fn outage(&self) -> Option<Outage> {
        match self {
            Self::Store(error) => outage(error),
            _ => None,
        }
    }
}
