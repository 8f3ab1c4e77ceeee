//! Bytes: encrypted objects, on the local disk or in a bucket.
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
//! | `bucket`, `parts`, `bucket_error` | objects in a bucket of an S3-compatible server |

mod bucket;
mod bucket_error;
mod disk;
mod frame;
mod parts;
mod reader;
mod writer;

use std::fmt;
use std::io;
use std::path::Path;
use std::str::FromStr;

use bonded_model::Timestamp;

pub(crate) use bucket::Bucket;
pub use bucket::BucketSettings;
pub(crate) use disk::{Copied, Disk};
pub(crate) use frame::Header;
pub(crate) use parts::{Announce, PartsState, StagedParts};
pub use reader::ObjectStream;
pub(crate) use writer::{ObjectWriter, WriterState};

use crate::error::{Result, StoreError};
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
    /// The directory of the files of advisories that nodes share.
    Advisories,
    /// What is written and deleted to see whether that is allowed.
    Probe,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Objects => f.write_str("objects"),
            Self::Advisories => f.write_str("advisories"),
            Self::Probe => f.write_str("probe"),
            Self::Object(id) => write!(f, "objects/{}/{id}", hex::encode(&id.0[..1])),
        }
    }
}

/// Where the deployment keeps its objects.
#[derive(Clone)]
pub enum Objects {
    /// As files in the data directory.
    Disk,
    /// In a bucket.
    Bucket(BucketSettings),
}

/// The objects of the deployment.
pub(crate) enum Blobs {
    /// Files: the writer of one holds a lock on it.
    Disk(Disk),
    /// A bucket, which other nodes may write to as well.
    Bucket(Bucket),
}

impl Blobs {
    /// Opens the place that `objects` names, `data` being the data directory.
    ///
    /// # Errors
    /// [`crate::StoreError::Bucket`] if the bucket cannot be used.
    pub(crate) async fn open(objects: &Objects, data: &Path) -> Result<Self> {
        match objects {
            Objects::Disk => Disk::open(data).map(Self::Disk),
            Objects::Bucket(settings) => Bucket::open(settings).await.map(Self::Bucket),
        }
    }

    /// The bucket, if objects are in one, and so other nodes may see them.
    pub(crate) const fn bucket(&self) -> Option<&Bucket> {
        match self {
            Self::Disk(_) => None,
            Self::Bucket(bucket) => Some(bucket),
        }
    }

    /// Deletes an object; one that is not there is deleted already.
    pub(crate) async fn delete(&self, id: ObjectId) -> Result<()> {
        match self {
            Self::Disk(disk) => disk.delete(id),
            Self::Bucket(bucket) => bucket.delete(id).await,
        }
    }

    /// Up to `limit` objects behind `after`, in the order of their ids, with the time of their last
    /// change: finished ones, on the disk those that are being written, and what was left behind.
    /// What comes and goes meanwhile may be in it or not. Less than `limit` are the last.
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
            Self::Bucket(bucket) => bucket.list(after, limit).await,
        }
    }

    /// Whether there is an object that has the length of one of `size` plain bytes.
    pub(crate) async fn has(&self, id: ObjectId, size: u64) -> Result<bool> {
        let found = match self {
            Self::Disk(disk) => disk.size(id)?,
            Self::Bucket(bucket) => bucket.size(id).await?,
        };
        Ok(found == Some(frame::sealed_len(size)))
    }

    /// Drops the parts of an object that came under the name `upload` and will not be completed; on
    /// the disk there are none.
    pub(crate) async fn abort(&self, id: ObjectId, upload: &str) -> Result<()> {
        match self {
            Self::Disk(_) => Ok(()),
            Self::Bucket(bucket) => bucket.abort(id, upload).await,
        }
    }
}

fn missing(id: ObjectId) -> StoreError {
    StoreError::Corrupt(format!("the object '{id}' is missing"))
}

fn cut(id: ObjectId) -> StoreError {
    StoreError::Corrupt(format!(
        "the object '{id}' does not have the length it was written with"
    ))
}

/// The error of a stream that broke off: damage stays damage.
pub(crate) fn unreadable(id: ObjectId, error: io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::InvalidData => StoreError::Corrupt(error.to_string()),
        _ => StoreError::io(format!("cannot read the object '{id}'"))(error),
    }
}
