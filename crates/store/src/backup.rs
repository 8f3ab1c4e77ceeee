//! A copy of everything, made while the registry serves.
//!
//! A backup is a data directory: the database of one moment, every object that has a row in it, the
//! audit log and the advisories. The key ring is never in it. Objects are written once and never change, so a later
//! backup into the same directory copies only what is new, and the one before stays whole until its
//! database is replaced.
//! ```text
//! BACKUP/backup.json    made last: without it this is no backup
//!        bonded.db      unfinished uploads taken out
//!        objects/…      as in the data directory
//!        audit/… advisories/…
//! ```

use std::collections::HashSet;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use bonded_model::Timestamp;
use rusqlite::{Connection, OpenFlags};
use serde::{Deserialize, Serialize};

use crate::Store;
use crate::advance::{Unit, Watched, Watcher};
use crate::blobs::{Blobs, Copied, Disk, ObjectId};
use crate::error::{Result, StoreError};
use crate::meta::{self, Meta};

/// What marks a directory as a backup.
const MARK: &str = "backup.json";

/// What a backup has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Backup {
    /// The moment of its rows, in milliseconds since the epoch.
    pub taken_at: i64,
    /// How many objects it has.
    pub objects: u64,
    /// Their bytes in clear.
    pub bytes: u64,
    /// How many of them were not there before.
    pub copied: u64,
    /// How many could not be copied, because their bytes are missing or cut: what was damaged stays so.
    pub lost: u64,
    /// How many went that were there before.
    pub removed: u64,
}

/// What was found of the objects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// How many have the digest that their row says.
    pub objects: u64,
    /// Their bytes in clear.
    pub bytes: u64,
    /// The digests of those that are missing or damaged.
    pub damaged: Vec<String>,
}

fn refused(problem: impl Into<String>) -> StoreError {
    StoreError::Backup(problem.into())
}

fn io_error(what: &str, path: &Path) -> impl FnOnce(io::Error) -> StoreError + use<> {
    StoreError::io(format!("cannot {what} '{}'", path.display()))
}

impl Store {
    /// Copies everything into the directory `to`, which does not exist, is empty, or is an earlier
    /// backup, and tells `watcher` how far it is. While it runs no object's bytes are deleted.
    ///
    /// # Errors
    /// [`StoreError::Backup`] for a place that cannot be used, and for rows in PostgreSQL or objects
    /// in a bucket, which have means of their own; [`StoreError::Io`]. What was a backup before still
    /// is one.
    pub async fn back_up(&self, to: &Path, now: Timestamp, watcher: &Watcher) -> Result<Backup> {
        let (Meta::Sqlite(_), Blobs::Disk(disk)) = (self.meta(), self.blobs()) else {
            return Err(refused(
                "only SQLite with objects on the disk is backed up by this command; back up the \
                 database with pg_dump first and then the bucket, as the guide says",
            ));
        };
        let _bytes_stay = self.bytes_stay().write().await;
        let (store, disk, to) = (self.clone(), disk.clone(), to.to_owned());
        let watcher = watcher.clone();
        let copied = tokio::task::spawn_blocking(move || {
            let Meta::Sqlite(sqlite) = store.meta() else {
                return Err(refused("the database is not SQLite"));
            };
            let copy = Copy::begin(&disk, &to)?;
            let step = watcher.begin("rows", None, Unit::Count);
            sqlite.copy_to(&copy.database())?;
            step.end();
            copy.finish(&store, now, &watcher)
        });
        let copied = copied.await;
        copied
            .map_err(|e| refused(format!("the copy ended: {e}")))?
            .map_err(|error| match error {
                // It is not the server's own disk that is full.
                StoreError::Full(problem) => refused(format!(
                    "there is no room for the backup: {problem}; add space where it is to be, or name another \
                     directory"
                )),
                other => other,
            })
    }

    /// Reads every object and compares its digest with its row, and tells `watcher` how far it is.
    /// Takes about a second for each GiB.
    ///
    /// # Errors
    /// Rows cannot be read; a missing or damaged object is no error but in the answer.
    pub async fn verify_objects(&self, watcher: &Watcher) -> Result<Verified> {
        const SQL: &str =
            "SELECT id, sha256, size FROM objects WHERE id > $1 ORDER BY id LIMIT 500";
        let all = self.statistics().await?.object_bytes;
        let mut step = watcher.begin("verify", Some(all), Unit::Bytes);
        let mut verified = Verified::default();
        let mut after = String::new();
        loop {
            let rows = self.meta().all(SQL, &[(&after).into()]).await?;
            if rows.is_empty() {
                step.end();
                return Ok(verified);
            }
            for mut row in rows {
                after = row.text()?;
                let object = after.parse().map_err(|_| meta::malformed("no object id"))?;
                let (digest, size) = (row.text()?, row.size()?);
                if self.has_digest(object, size, &digest, &mut step).await? {
                    verified.objects += 1;
                    verified.bytes += size;
                } else {
                    verified.damaged.push(digest);
                }
            }
        }
    }

    async fn has_digest(
        &self,
        object: ObjectId,
        size: u64,
        stated: &str,
        step: &mut Watched<'_>,
    ) -> Result<bool> {
        use futures_util::StreamExt as _;
        use sha2::Digest as _;
        let mut stream = match self.read_object(object, size, 0..size).await {
            Ok(stream) => stream,
            Err(StoreError::Corrupt(_)) => return Ok(false),
            Err(other) => return Err(other),
        };
        let mut hash = sha2::Sha256::new();
        while let Some(piece) = stream.next().await {
            match piece {
                Ok(piece) => {
                    hash.update(&piece);
                    step.add(piece.len() as u64);
                }
                Err(_) => return Ok(false),
            }
        }
        Ok(format!("sha256:{}", hex::encode(hash.finalize())) == stated)
    }
}

/// A backup that is being made.
struct Copy<'a> {
    disk: &'a Disk,
    to: PathBuf,
}

impl<'a> Copy<'a> {
    fn begin(disk: &'a Disk, to: &Path) -> Result<Self> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(to)
            .map_err(io_error("create", to))?;
        let to = to.canonicalize().map_err(io_error("use", to))?;
        if to.starts_with(disk.data()) || disk.data().starts_with(&to) {
            return Err(refused(format!(
                "'{}' and the data directory lie in one another; choose a place on another disk",
                to.display()
            )));
        }
        let empty = fs::read_dir(&to)
            .map_err(io_error("list", &to))?
            .next()
            .is_none();
        if !empty && !to.join(MARK).exists() {
            return Err(refused(format!(
                "'{}' is neither empty nor an earlier backup; name another directory",
                to.display()
            )));
        }
        let copy = Self { disk, to };
        remove(&copy.database())?;
        Ok(copy)
    }

    /// Where the rows are put first.
    fn database(&self) -> PathBuf {
        self.to.join("bonded.db.new")
    }

    /// Copies what the rows name, and makes it the backup.
    fn finish(self, store: &Store, now: Timestamp, watcher: &Watcher) -> Result<Backup> {
        let rows = self.database();
        let objects = objects_in(&rows)?;
        let mut backup = Backup {
            taken_at: now.as_millis(),
            objects: objects.len() as u64,
            bytes: objects.iter().map(|(_, size)| size).sum(),
            copied: 0,
            lost: 0,
            removed: 0,
        };
        let place = Disk::open(&self.to)?;
        let mut step = watcher.begin("blobs", Some(backup.bytes), Unit::Bytes);
        for (object, size) in &objects {
            match self.disk.copy(*object, *size, &place)? {
                Copied::Before => {}
                Copied::Now => backup.copied += 1,
                Copied::Lost => backup.lost += 1,
            }
            step.add(*size);
        }
        step.end();
        let step = watcher.begin("files", None, Unit::Count);
        copy_files(store.audit().directory(), &self.to.join("audit"))?;
        copy_files(&store.advisories(), &self.to.join("advisories"))?;
        let database = self.to.join("bonded.db");
        for companion in ["bonded.db-wal", "bonded.db-shm"] {
            remove(&self.to.join(companion))?;
        }
        sync(&rows)?;
        fs::rename(&rows, &database).map_err(io_error("replace", &database))?;
        let mark = self.to.join(MARK);
        let text = serde_json::to_vec(&backup).map_err(|e| refused(e.to_string()))?;
        fs::write(&mark, text).map_err(io_error("write", &mark))?;
        sync(&mark)?;
        sync(&self.to)?;
        let kept: HashSet<ObjectId> = objects.into_iter().map(|(object, _)| object).collect();
        backup.removed = remove_others(&place, &kept)?;
        step.end();
        Ok(backup)
    }
}

/// The objects that have a row, after the unfinished uploads, whose objects are not copied, went.
fn objects_in(database: &Path) -> Result<Vec<(ObjectId, u64)>> {
    let connection = Connection::open_with_flags(
        database,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    );
    let failed = |error: rusqlite::Error| StoreError::Database(error.to_string());
    let connection = connection.map_err(failed)?;
    connection
        .execute("DELETE FROM uploads", [])
        .map_err(failed)?;
    let mut statement = connection
        .prepare("SELECT id, size FROM objects ORDER BY id")
        .map_err(failed)?;
    let rows = statement
        .query_map([], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))
        })
        .map_err(failed)?;
    let mut objects = Vec::new();
    for row in rows {
        let (id, size) = row.map_err(failed)?;
        let id = id.parse().map_err(|_| meta::malformed("no object id"))?;
        objects.push((id, u64::try_from(size).unwrap_or(0)));
    }
    Ok(objects)
}

fn remove_others(place: &Disk, kept: &HashSet<ObjectId>) -> Result<u64> {
    let mut removed = 0;
    let mut after = None;
    loop {
        let found = place.list(after, 1000)?;
        let Some((last, _)) = found.last() else {
            return Ok(removed);
        };
        after = Some(*last);
        for (object, _) in found {
            if !kept.contains(&object) {
                place.delete(object)?;
                removed += 1;
            }
        }
    }
}

/// Copies the files of one directory, each whole or not at all.
fn copy_files(from: &Path, to: &Path) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(to)
        .map_err(io_error("create", to))?;
    let entries = match fs::read_dir(from) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(io_error("list", from))?,
    };
    for entry in entries {
        let entry = entry.map_err(io_error("list", from))?;
        if !entry.path().is_file() {
            continue;
        }
        let target = to.join(entry.file_name());
        let new = to.join(".new");
        fs::copy(entry.path(), &new).map_err(io_error("write", &new))?;
        sync(&new)?;
        fs::rename(&new, &target).map_err(io_error("replace", &target))?;
    }
    sync(to)
}

fn sync(path: &Path) -> Result<()> {
    let synced = File::open(path).and_then(|file| file.sync_all());
    synced.map_err(io_error("sync", path))
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(io_error("remove", path)(e)),
        _ => Ok(()),
    }
}
