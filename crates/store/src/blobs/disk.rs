//! Objects as files of the data directory.
//! ```text
//! DATA/objects/                    made, with its 256 directories, when the store is opened
//!              3f/                 the first byte of the id
//!                 3f0c…(32 hex)    header, then frames
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use bonded_model::Timestamp;

use super::frame::sealed_len;
use super::{Key, ObjectId, missing};
use crate::error::{Result, StoreError};

/// How a copy of an object ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Copied {
    /// It was there.
    Before,
    /// It was made.
    Now,
    /// There is nothing to copy, or not all of it.
    Lost,
}

/// The objects under one data directory.
#[derive(Clone)]
pub(crate) struct Disk {
    data: PathBuf,
}

impl Disk {
    /// Opens the directory, and makes what is missing of it durably, so that finishing an object
    /// has only its own directory to sync.
    pub(crate) fn open(data: &Path) -> Result<Self> {
        let objects = data.join(Key::Objects.to_string());
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

    /// The data directory.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// Copies an object of `size` plain bytes to another place, durably but for its name. An object
    /// of that length that is there already is the same: none ever changes.
    pub(crate) fn copy(&self, id: ObjectId, size: u64, to: &Self) -> Result<Copied> {
        let (from, target) = (self.path(id), to.path(id));
        let length = |path: &Path| fs::metadata(path).map(|found| found.len()).ok();
        let whole = Some(sealed_len(size));
        if length(&target) == whole {
            return Ok(Copied::Before);
        }
        if length(&from) != whole {
            return Ok(Copied::Lost);
        }
        let new = target.with_extension("new");
        let copied = fs::copy(&from, &new)
            .and_then(|_| File::open(&new)?.sync_all())
            .and_then(|()| fs::rename(&new, &target));
        let failed = StoreError::io(format!("cannot write '{}'", target.display()));
        copied.map(|()| Copied::Now).map_err(failed)
    }

    fn path(&self, id: ObjectId) -> PathBuf {
        self.data.join(Key::Object(id).to_string())
    }

    /// The file of an object that is being written, for this writer alone until it is dropped. It
    /// is created if need be; the flag says so.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if another writer, of this or another process, has it.
    pub(crate) fn stage(&self, id: ObjectId) -> Result<(StagedFile, bool)> {
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
            Ok(()) => Ok((
                StagedFile {
                    file,
                    path,
                    position: 0,
                },
                created,
            )),
            Err(TryLockError::WouldBlock) => Err(StoreError::Conflict),
            Err(TryLockError::Error(e)) => Err(io(e)),
        }
    }

    /// The file of a finished object.
    pub(super) fn open_object(&self, id: ObjectId) -> Result<File> {
        File::open(self.path(id)).map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => missing(id),
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

    /// How many bytes an object has; `None` if there is none.
    pub(super) fn size(&self, id: ObjectId) -> Result<Option<u64>> {
        match fs::metadata(self.path(id)) {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(StoreError::io(format!("cannot find the object '{id}'"))(e)),
        }
    }

    /// Up to `limit` objects behind `after`, in the order of their ids, and when they were changed
    /// last. Files that are no objects are left out. Reads one directory of the 256 at a time.
    pub(crate) fn list(
        &self,
        after: Option<ObjectId>,
        limit: usize,
    ) -> Result<Vec<(ObjectId, Timestamp)>> {
        let mut found = Vec::new();
        for shard in after.map_or(0, |id| id.0[0])..=255 {
            let directory = self
                .data
                .join(Key::Objects.to_string())
                .join(hex::encode([shard]));
            let io = |e| StoreError::io(format!("cannot list '{}'", directory.display()))(e);
            let mut ids = Vec::new();
            for entry in fs::read_dir(&directory).map_err(io)? {
                let name = entry.map_err(io)?.file_name();
                let id = name.to_str().and_then(|name| name.parse::<ObjectId>().ok());
                ids.extend(id.filter(|id| id.0[0] == shard && after.is_none_or(|a| *id > a)));
            }
            ids.sort_unstable();
            for id in ids {
                if found.len() == limit {
                    return Ok(found);
                }
                match fs::metadata(self.path(id)).and_then(|metadata| metadata.modified()) {
                    Ok(modified) => found.push((id, timestamp(modified))),
                    Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                    Err(e) => return Err(io(e)),
                }
            }
        }
        Ok(found)
    }
}

/// The file of an object that is being written, locked.
pub(crate) struct StagedFile {
    file: File,
    path: PathBuf,
    /// Where the next bytes go.
    position: u64,
}

impl StagedFile {
    /// Drops what stands behind `position`; the next bytes go there.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if the file does not reach so far.
    pub(super) fn cut(&mut self, position: u64) -> Result<()> {
        if self.file.metadata().map_err(self.failed())?.len() < position {
            return Err(StoreError::Corrupt(format!(
                "'{}' does not hold what its upload recorded",
                self.path.display()
            )));
        }
        self.position = position;
        self.file.set_len(position).map_err(self.failed())
    }

    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.file
            .write_all_at(bytes, self.position)
            .map_err(self.failed())?;
        self.position += bytes.len() as u64;
        Ok(())
    }

    /// Fills `out` from what stands at `position`; `false` if that is not all there.
    pub(super) fn read(&self, out: &mut [u8], position: u64) -> bool {
        self.file.read_exact_at(out, position).is_ok()
    }

    /// Waits until the bytes and the name are on the disk.
    pub(super) fn sync(&self) -> Result<()> {
        self.file.sync_all().map_err(self.failed())?;
        let directory = self.path.parent().unwrap_or(&self.path);
        File::open(directory)
            .and_then(|d| d.sync_all())
            .map_err(StoreError::io(format!(
                "cannot sync '{}'",
                directory.display()
            )))
    }

    fn failed(&self) -> impl FnOnce(io::Error) -> StoreError + use<> {
        StoreError::io(format!("cannot write '{}'", self.path.display()))
    }
}

/// A file's time as rows have it.
fn timestamp(time: std::time::SystemTime) -> Timestamp {
    let millis = match time.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(_) => 0,
    };
    Timestamp::from_millis(millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_listed_in_pages_in_the_order_of_their_ids() {
        let data = tempfile::tempdir().unwrap();
        let disk = Disk::open(data.path()).unwrap();
        let mut ids: Vec<ObjectId> = (0..40_u8)
            .map(|n| {
                ObjectId([
                    if n < 20 { 7 } else { n },
                    n ^ 5,
                    n,
                    0,
                    1,
                    2,
                    3,
                    4,
                    5,
                    6,
                    7,
                    8,
                    9,
                    1,
                    2,
                    3,
                ])
            })
            .collect();
        for id in &ids {
            disk.stage(*id).unwrap();
        }
        ids.sort_unstable();
        let shard = data.path().join("objects/07");
        fs::write(shard.join("notes.txt"), "").unwrap();
        // In a directory where it is not looked for.
        fs::write(shard.join(ObjectId([8; 16]).to_string()), "").unwrap();
        for limit in [1, 7, 20, 39, 40, 100] {
            let mut listed = Vec::new();
            loop {
                let page = disk.list(listed.last().copied(), limit).unwrap();
                assert!(page.len() <= limit);
                assert!(page.iter().all(|(_, modified)| modified.as_millis() > 0));
                listed.extend(page.iter().map(|(id, _)| *id));
                if page.len() < limit {
                    break;
                }
            }
            assert_eq!(listed, ids, "{limit}");
        }
        disk.delete(ids[3]).unwrap();
        disk.delete(ids[3]).unwrap();
        let listed = disk.list(Some(ids[2]), 1).unwrap();
        assert_eq!(listed[0].0, ids[4]);
    }
}
