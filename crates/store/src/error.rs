//! Every way the store can fail.

use std::io;

/// The result of everything in this crate.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Why the store could not do what was asked. The texts are for the operator's log; callers of the
/// API see a request id instead.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The name is taken, the row is still in use, or another writer holds it.
    #[error("another request has created, changed or is using the same thing; read it again")]
    Conflict,
    /// Too many transactions met, or no connection came free in time.
    #[error("the database is too busy; try again")]
    Busy,
    /// [`crate::Store::close`] was called.
    #[error("the store is closed; start the server again")]
    Closed,
    /// The disk is full or nearly, or a quota of it is used up.
    #[error("there is no room: {0}; delete images and run 'bonded gc', or add space")]
    Full(String),
    /// The database cannot be reached, or the file system is read-only: nothing can be written now.
    #[error("cannot write or read now: {0}; check that the database runs and the disk is writable")]
    Unavailable(String),
    /// The database did not answer, or refused a statement.
    #[error("the database failed: {0}; check that it runs and has space, then try again")]
    Database(String),
    /// A file or directory could not be read or written.
    #[error("{what}: {source}; check its permissions and the free space")]
    Io {
        /// What was tried, with the path in quotes.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// The bucket cannot be used, or did not do what it was asked.
    #[error("{0}")]
    Bucket(String),
    /// A backup cannot be made there, or not of this deployment.
    #[error("{0}")]
    Backup(String),
    /// Stored bytes or rows are not what was written: they fail authentication or do not parse.
    #[error("stored data is damaged: {0}; restore it from a backup")]
    Corrupt(String),
    /// The database cannot be used by this version, or was made with the wrong settings.
    #[error("{0}")]
    Schema(String),
    /// The key ring is missing, unsafe, or not the one this database was sealed with.
    #[error("{0}")]
    KeyRing(String),
}

impl StoreError {
    /// An error of the system with the step that failed, for `map_err`.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::Full(format!("{what}: {source}"))
            }
            io::ErrorKind::ReadOnlyFilesystem => Self::Unavailable(format!("{what}: {source}")),
            _ => Self::Io { what, source },
        }
    }
}

/// There are as many as there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there are {0} already, which is the limit; delete one first")]
pub struct LimitExceeded(pub u32);
