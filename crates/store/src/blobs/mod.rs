//! Bytes: encrypted objects, on the local disk.
//!
//! An object has a random id made when its upload begins, is written once under that id and never
//! renamed, overwritten or used again; rows say which digest it has and who may read it. So an
//! object without rows is unreadable by construction, and one layout serves disk and bucket.
//!
//! | file | subject |
//! |---|---|
//! | `frame` | the form of an object, wherever it is |
//! | `writer`, `reader` | writing and reading one |
//! | `disk` | objects as files |

mod disk;
mod frame;
mod reader;
mod writer;

use std::fmt;
use std::fs::File;
use std::path::Path;
use std::str::FromStr;

use bonded_model::Timestamp;
use disk::Disk;

pub(crate) use frame::Header;
pub use reader::ObjectStream;
pub(crate) use writer::{ObjectWriter, WriterState};

use crate::error::Result;
use crate::random;
use crate::thread::blocking;

/// The name of an object: 128 random bits, in text 32 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId([u8; 16]);

/// The text is not the id of an object.
#[derive(Debug, thiserror::Error)]
#[error("an object id is not 32 hex digits")]
pub struct InvalidObjectId;

impl ObjectId {
    /// An id that no object has.
    pub(crate) fn random() -> Result<Self> {
        random::bytes().map(Self)
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl FromStr for ObjectId {
    type Err = InvalidObjectId;

    fn from_str(text: &str) -> Result<Self, InvalidObjectId> {
        let mut id = [0; 16];
        hex::decode_to_slice(text, &mut id).map_err(|_| InvalidObjectId)?;
        Ok(Self(id))
    }
}

/// The name that everything outside the database has: the only place where paths are made, relative
/// to the data directory or to the prefix in the bucket, with `/` between their parts.
#[derive(Debug, Clone, Copy)]
enum Key {
    /// The directory of all objects.
    Objects,
    /// One object.
    Object(ObjectId),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Objects => f.write_str("objects"),
            Self::Object(id) => write!(f, "objects/{}/{id}", hex::encode(&id.0[..1])),
        }
    }
}

/// Where objects are kept.
pub(crate) enum Blobs {
    /// As files in the data directory.
    Disk(Disk),
}

impl Blobs {
    /// Opens the objects in the data directory.
    pub(crate) fn open(data: &Path) -> Result<Self> {
        Disk::open(data).map(Self::Disk)
    }

    /// The file of an object that is being written, for this writer alone until it is dropped. It
    /// is created if need be; the flag says so.
    ///
    /// # Errors
    /// [`crate::StoreError::Conflict`] if another writer, of this or another process, has it.
    pub(crate) fn stage(&self, id: ObjectId) -> Result<(File, bool)> {
        match self {
            Self::Disk(disk) => disk.stage(id),
        }
    }

    /// Makes the name of an object durable; its bytes are the writer's business.
    pub(crate) fn sync_name(&self, id: ObjectId) -> Result<()> {
        match self {
            Self::Disk(disk) => disk.sync_name(id),
        }
    }

    /// Deletes an object; one that is not there is deleted already.
    pub(crate) async fn delete(&self, id: ObjectId) -> Result<()> {
        match self {
            Self::Disk(disk) => disk.delete(id),
        }
    }

    /// Up to `limit` objects behind `after`, in the order of their ids, with the time of their last
    /// change: finished ones, those that are being written, and what was left behind. What comes
    /// and goes meanwhile may be in it or not.
    pub(crate) async fn list(
        &self,
        after: Option<ObjectId>,
        limit: usize,
    ) -> Result<Vec<(ObjectId, Timestamp)>> {
        match self {
            Self::Disk(disk) => {
                let disk = disk.clone();
                blocking(move || disk.list(after, limit)).await
            }
        }
    }
}
