//! Bytes: encrypted objects on the local disk.
//!
//! An object has a random id made when its upload begins, is written once under that id and never
//! renamed, overwritten or used again; rows say which digest it has and who may read it. So an
//! object without rows is unreadable by construction, and one layout serves disk and bucket.
//! ```text
//! DATA/objects/                    made, with its 256 directories, when the store is opened
//!              3f/                 the first byte of the id
//!                 3f0c…(32 hex)    header, then frames: see `frame`
//! ```
//! What is above the path ([`Key`]) and the frames does not know that there is a disk.

mod frame;
mod reader;
mod writer;

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;

pub(crate) use frame::Header;
pub use reader::ObjectStream;
pub(crate) use writer::{ObjectWriter, WriterState};

use crate::error::{Result, StoreError};
use crate::random;

/// The name of an object: 128 random bits, in text 32 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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

/// Everything that is kept outside the database; the only place where paths are made.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Key {
    Object(ObjectId),
}

impl Key {
    /// Where this is kept, relative to the data directory.
    fn path(self) -> PathBuf {
        match self {
            Self::Object(id) => {
                let name = id.to_string();
                [OBJECTS, &name[..2], &name].iter().collect()
            }
        }
    }
}

const OBJECTS: &str = "objects";

/// The objects under one data directory.
pub(crate) struct Blobs {
    data: PathBuf,
}

impl Blobs {
    /// Opens the directory, and makes what is missing of it durably, so that finishing an object
    /// has only its own directory to sync.
    pub(crate) fn open(data: &Path) -> Result<Self> {
        let objects = data.join(OBJECTS);
        let io = |e| StoreError::io(format!("cannot create '{}'", objects.display()))(e);
        if !objects.join("ff").exists() {
            for shard in 0..=255_u8 {
                DirBuilder::new()
                    .recursive(true)
                    .mode(0o700)
                    .create(objects.join(hex::encode([shard])))
                    .map_err(io)?;
            }
            File::open(&objects)
                .and_then(|d| d.sync_all())
                .map_err(io)?;
            File::open(data).and_then(|d| d.sync_all()).map_err(io)?;
        }
        Ok(Self {
            data: data.to_owned(),
        })
    }

    fn path(&self, id: ObjectId) -> PathBuf {
        self.data.join(Key::Object(id).path())
    }

    /// The file of an object that is being written, for this writer alone until it is dropped. It
    /// is created if need be; the flag says so.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if another writer, of this or another process, has it.
    pub(crate) fn stage(&self, id: ObjectId) -> Result<(File, bool)> {
        let path = self.path(id);
        let io = |e| StoreError::io(format!("cannot write '{}'", path.display()))(e);
        let mut options = OpenOptions::new();
        options.read(true).write(true).mode(0o600);
        let (file, created) = match options.open(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                (options.create_new(true).open(&path), true)
            }
            opened => (opened, false),
        };
        let file = file.map_err(|e| match e.kind() {
            io::ErrorKind::AlreadyExists => StoreError::Conflict,
            _ => io(e),
        })?;
        match file.try_lock() {
            Ok(()) => Ok((file, created)),
            Err(TryLockError::WouldBlock) => Err(StoreError::Conflict),
            Err(TryLockError::Error(e)) => Err(io(e)),
        }
    }

    /// Makes the name of an object durable; its bytes are the writer's business.
    pub(crate) fn sync_name(&self, id: ObjectId) -> Result<()> {
        let path = self.path(id);
        let directory = path.parent().unwrap_or(&self.data);
        File::open(directory)
            .and_then(|d| d.sync_all())
            .map_err(StoreError::io(format!(
                "cannot sync '{}'",
                directory.display()
            )))
    }

    /// The file of a finished object.
    fn open_object(&self, id: ObjectId) -> Result<File> {
        File::open(self.path(id)).map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => StoreError::Corrupt(format!("the object '{id}' is missing")),
            _ => StoreError::io(format!("cannot read the object '{id}'"))(e),
        })
    }

    /// Deletes an object; one that is not there is deleted already.
    pub(crate) fn delete(&self, id: ObjectId) -> Result<()> {
        match fs::remove_file(self.path(id)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(StoreError::io(format!(
                "cannot delete the object '{id}'"
            ))(e)),
            _ => Ok(()),
        }
    }
}
