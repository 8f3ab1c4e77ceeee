//! The files of advisories that scans use: copies of ours, so that nobody changes one while it is
//! read in place.
//! ```text
//! DATA/advisories/
//!                 3f0c…(64 hex)    by the sha256 digest of its contents, as it names itself
//! ```
//! Where objects are in a bucket they are there too, under the same names, for the other nodes.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use bonded_model::{Digest, Timestamp};

use crate::Store;
use crate::error::{Result, StoreError};
use crate::random;
use crate::thread::blocking;

const DIRECTORY: &str = "advisories";

/// A copy of a file of advisories that is not kept under its name yet.
pub struct AdvisoryCopy {
    file: File,
    path: PathBuf,
}

impl AdvisoryCopy {
    /// The copy, to be read in place.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for AdvisoryCopy {
    fn drop(&mut self) {
        // One that was kept is not there any more under this name.
        let _ = fs::remove_file(&self.path);
    }
}

fn hex(digest: &Digest) -> &str {
    digest.as_str().rsplit(':').next().unwrap_or_default()
}

impl Store {
    pub(crate) fn advisories(&self) -> PathBuf {
        self.data().join(DIRECTORY)
    }

    /// A file that is to be filled, and goes with the value unless it is kept.
    async fn new_advisories(&self) -> Result<AdvisoryCopy> {
        let directory = self.advisories();
        let path = directory.join(format!(".{}", random::uuid()?));
        blocking(move || {
            let unwritable = StoreError::io(format!("cannot write '{}'", path.display()));
            let file = (|| -> io::Result<File> {
                DirBuilder::new()
                    .recursive(true)
                    .mode(0o700)
                    .create(&directory)?;
                let mut options = OpenOptions::new();
                options.read(true).write(true).create_new(true).mode(0o600);
                options.open(&path)
            })();
            let file = file.map_err(unwritable)?;
            Ok(AdvisoryCopy { file, path })
        })
        .await
    }

    /// Copies the file at `path`, which the operator names.
    ///
    /// # Errors
    /// It cannot be read, or the copy not be written.
    pub async fn copy_advisories(&self, path: &Path) -> Result<AdvisoryCopy> {
        let mut copy = self.new_advisories().await?;
        let from = path.to_owned();
        blocking(move || {
            let unreadable = StoreError::io(format!("cannot read '{}'", from.display()));
            let mut source = File::open(&from).map_err(unreadable)?;
            let written = io::copy(&mut source, &mut copy.file).and_then(|_| copy.file.sync_all());
            let failed = StoreError::io(format!("cannot copy '{}'", from.display()));
            written.map_err(failed)?;
            Ok(copy)
        })
        .await
    }

    /// Copies the advisories `digest` from the bucket, where another node has put them; `None` if
    /// they are not there. Whether it is them has to be verified.
    ///
    /// # Errors
    /// The bucket cannot be read, or the copy not be written.
    pub async fn fetch_advisories(&self, digest: &Digest) -> Result<Option<AdvisoryCopy>> {
        let Some(bucket) = self.blobs().bucket() else {
            return Ok(None);
        };
        let copy = self.new_advisories().await?;
        let failed = || StoreError::io(format!("cannot write '{}'", copy.path.display()));
        let out = copy.file.try_clone().map_err(failed())?;
        match bucket.get_advisories(hex(digest), out).await? {
            true => {
                copy.file.sync_all().map_err(failed())?;
                Ok(Some(copy))
            }
            false => Ok(None),
        }
    }

    /// Puts the kept advisories `digest` where other nodes find them, if there can be any. Of those
    /// there before only `before` stay, and for an hour what another node may be about to use.
    ///
    /// # Errors
    /// The file cannot be read; the bucket not be written.
    pub async fn share_advisories(
        &self,
        digest: &Digest,
        before: Option<&Digest>,
        now: Timestamp,
    ) -> Result<()> {
        let (Some(bucket), Some(file)) = (self.blobs().bucket(), self.open_advisories(digest)?)
        else {
            return Ok(());
        };
        bucket.put_advisories(hex(digest), file).await?;
        let names: Vec<&str> = [Some(digest), before]
            .into_iter()
            .flatten()
            .map(hex)
            .collect();
        bucket.delete_other_advisories(&names, now).await
    }

    /// Keeps a copy as the advisories `digest`. Of those kept before only `before` stay, which
    /// results are compared with.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub async fn keep_advisories(
        &self,
        copy: AdvisoryCopy,
        digest: &Digest,
        before: Option<&Digest>,
    ) -> Result<()> {
        let (directory, name) = (self.advisories(), hex(digest).to_owned());
        let before = before.map(|digest| hex(digest).to_owned());
        blocking(move || {
            let failed = StoreError::io(format!("cannot write '{}'", directory.display()));
            (|| -> io::Result<()> {
                fs::rename(&copy.path, directory.join(&name))?;
                File::open(&directory)?.sync_all()?;
                for entry in fs::read_dir(&directory)? {
                    let entry = entry?;
                    let file = entry.file_name();
                    if file != name.as_str() && before.as_deref().is_none_or(|name| file != name) {
                        // What is mapped stays readable without its name.
                        fs::remove_file(entry.path())?;
                    }
                }
                Ok(())
            })()
            .map_err(failed)
        })
        .await
    }

    /// The kept advisories `digest`; `None` if there are none.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn open_advisories(&self, digest: &Digest) -> Result<Option<File>> {
        let path = self.advisories().join(hex(digest));
        match File::open(&path) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::io(format!("cannot read '{}'", path.display()))(
                error,
            )),
        }
    }
}
