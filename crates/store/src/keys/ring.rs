//! The key ring file: the root keys that everything else is wrapped by.
//!
//! JSON, readable by its owner alone, never under the data directory: who copies the data has no
//! key. The first root key is the current one; the others still open what they wrapped before. One
//! that is marked as the next was handed out to the nodes before it becomes the current one.
//! ```text
//! {"version":1,"roots":[{"id":"9f86d081884c7d65","key":"BASE64 OF 32 BYTES"}]}
//! ```
//! The id is derived from the key, so a wrong key cannot carry a right id. The file is replaced as a
//! whole, under a lock on its directory.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::aead::LessSafeKey;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::Digest as _;
use zeroize::{Zeroize, Zeroizing};

use super::seal::{KEY_LEN, KeyBytes, cipher, new_key};
use crate::error::{Result, StoreError};
use crate::random;

/// The longest ring file, in bytes: some hundred keys.
const FILE_LIMIT: u64 = 64 * 1024;

/// The root keys, current one first; never empty.
pub(crate) struct Ring {
    path: PathBuf,
    roots: Vec<Root>,
}

/// A root key.
pub(crate) struct Root {
    pub(crate) id: String,
    pub(crate) key: LessSafeKey,
    /// Not to be used before it is the current one.
    pub(crate) next: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RingFile {
    version: u32,
    roots: Vec<RootEntry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RootEntry {
    id: String,
    key: String,
    /// Left out unless it is true.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    next: bool,
}

impl RootEntry {
    fn new(next: bool) -> Result<Self> {
        let key = new_key()?;
        Ok(Self {
            id: fingerprint(&key),
            key: STANDARD.encode(*key),
            next,
        })
    }
}

impl Drop for RootEntry {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

impl Ring {
    /// Reads the ring at `path`; `None` if there is no such file.
    pub(crate) fn load(path: &Path) -> Result<Option<Self>> {
        let text = read(path)?;
        text.map(|text| Self::parse(path, &text)).transpose()
    }

    fn parse(path: &Path, text: &[u8]) -> Result<Self> {
        let file = RingFile::parse(path, text)?;
        let mut roots = Vec::with_capacity(file.roots.len());
        for entry in &file.roots {
            let bytes = STANDARD.decode(&entry.key).map(Zeroizing::new);
            let key = bytes
                .ok()
                .and_then(|b| <[u8; KEY_LEN]>::try_from(&**b).ok());
            let key = key
                .map(Zeroizing::new)
                .ok_or_else(|| refused(path, "holds a key that is not 32 bytes in base64"))?;
            if fingerprint(&key) != entry.id {
                let reason = format!("holds a key that is not the one named '{}'", entry.id);
                return Err(refused(path, &reason));
            }
            roots.push(Root {
                id: entry.id.clone(),
                key: cipher(&key),
                next: entry.next,
            });
        }
        if roots[0].next {
            return Err(refused(path, "has no current root key"));
        }
        Ok(Self {
            path: path.to_owned(),
            roots,
        })
    }

    /// Writes a ring with one new root key at `path`, atomically; gives the ring that is there
    /// afterwards, which another process may have written, and whether it is ours.
    pub(crate) fn create(path: &Path) -> Result<(Self, bool)> {
        let io = |e| StoreError::io(format!("cannot write the key ring '{}'", path.display()))(e);
        let directory = path.parent().unwrap_or(Path::new("/"));
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(io)?;
        let text = RingFile {
            version: 1,
            roots: vec![RootEntry::new(false)?],
        }
        .text()
        .map_err(io)?;
        let staged = directory.join(format!(".keyring-{}", random::uuid()?));
        let created = write_new(&staged, &text).and_then(|()| fs::hard_link(&staged, path));
        let removed = fs::remove_file(&staged);
        let created = match created {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => false,
            created => {
                created.map_err(io)?;
                true
            }
        };
        removed.map_err(io)?;
        File::open(directory)
            .and_then(|d| d.sync_all())
            .map_err(io)?;
        let ring = Self::load(path)?.ok_or_else(|| refused(path, "has vanished"))?;
        Ok((ring, created))
    }

    /// Makes a new root key, or the one marked as the next, the current one. With `prepare` it is
    /// added and only marked as the next.
    ///
    /// # Errors
    /// [`StoreError::KeyRing`] if one is marked already and another is to be prepared.
    pub(super) fn rotate(path: &Path, prepare: bool) -> Result<Self> {
        Self::change(path, |file| {
            let marked = file.roots.iter().position(|root| root.next);
            match (marked, prepare) {
                (Some(at), true) => {
                    let id = &file.roots[at].id;
                    return Err(refused(
                        path,
                        &format!("has the next root key '{id}' already; rotate to it"),
                    ));
                }
                (None, true) => file.roots.push(RootEntry::new(true)?),
                (None, false) => file.roots.insert(0, RootEntry::new(false)?),
                (Some(at), false) => {
                    let mut root = file.roots.remove(at);
                    root.next = false;
                    file.roots.insert(0, root);
                }
            }
            Ok(())
        })
    }

    /// Takes the root key `id` out of the file. Who calls it has made sure that it wraps nothing.
    ///
    /// # Errors
    /// [`StoreError::KeyRing`] if it is not there or the current one.
    pub(super) fn retire(path: &Path, id: &str) -> Result<Self> {
        Self::change(path, |file| {
            let at = file.roots.iter().position(|root| root.id == id);
            match at {
                None => Err(refused(path, &format!("does not hold the root key '{id}'"))),
                Some(0) => Err(refused(
                    path,
                    &format!("has '{id}' as its current root key; rotate first"),
                )),
                Some(at) => {
                    file.roots.remove(at);
                    Ok(())
                }
            }
        })
    }

    /// Replaces the file by what `change` makes of it, and gives the ring that is there then.
    fn change(path: &Path, change: impl FnOnce(&mut RingFile) -> Result<()>) -> Result<Self> {
        let io = |e| StoreError::io(format!("cannot write the key ring '{}'", path.display()))(e);
        let directory = path.parent().unwrap_or(Path::new("/"));
        let lock = File::open(directory).map_err(io)?;
        lock.lock().map_err(io)?;
        let text = read(path)?.ok_or_else(|| refused(path, "has vanished; restore it"))?;
        let mut file = RingFile::parse(path, &text)?;
        change(&mut file)?;
        let text = file.text().map_err(io)?;
        let changed = Self::parse(path, &text)?;
        let staged = directory.join(format!(".keyring-{}", random::uuid()?));
        let written = write_new(&staged, &text).and_then(|()| fs::rename(&staged, path));
        if let Err(error) = written {
            // The ring is as it was; what was staged may or may not be there.
            let _ = fs::remove_file(&staged);
            return Err(io(error));
        }
        lock.sync_all().map_err(io)?;
        Ok(changed)
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// All root keys, the current one first.
    pub(super) fn roots(&self) -> &[Root] {
        &self.roots
    }

    /// The root key that new key versions are wrapped by.
    pub(crate) fn current(&self) -> &Root {
        &self.roots[0]
    }

    /// The root key named `id`.
    ///
    /// # Errors
    /// [`StoreError::KeyRing`] if this ring does not hold it.
    pub(crate) fn root(&self, id: &str) -> Result<&Root> {
        let found = self.roots.iter().find(|root| root.id == id);
        found.ok_or_else(|| {
            let reason =
                format!("does not hold the root key '{id}' that this database is sealed with; restore the right ring");
            refused(&self.path, &reason)
        })
    }

    /// The error for a key version that does not open with the root key it names.
    pub(crate) fn wrong(&self, key_version: &str) -> StoreError {
        let reason = format!("does not open the key version '{key_version}'");
        refused(&self.path, &reason)
    }
}

impl RingFile {
    fn parse(path: &Path, text: &[u8]) -> Result<Self> {
        // The parser's message could repeat key material.
        let file: Self = serde_json::from_slice(text)
            .map_err(|_| refused(path, "is not a key ring; restore the right file"))?;
        if file.version != 1 || file.roots.is_empty() {
            let reason = "is of a version that is not known here, or empty";
            return Err(refused(path, reason));
        }
        Ok(file)
    }

    fn text(&self) -> io::Result<Zeroizing<Vec<u8>>> {
        Ok(serde_json::to_vec(self).map(Zeroizing::new)?)
    }
}

/// The text of the ring at `path`, which its owner alone may read; `None` if there is no such file.
fn read(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>> {
    let io = |e| StoreError::io(format!("cannot read the key ring '{}'", path.display()))(e);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(io(e)),
    };
    let metadata = file.metadata().map_err(io)?;
    if !metadata.is_file() {
        return Err(refused(path, "is not a file"));
    }
    if metadata.mode() & 0o077 != 0 {
        let reason = format!(
            "can be read or written by others (mode {:o}); run: chmod 600 {}",
            metadata.mode() & 0o777,
            path.display()
        );
        return Err(refused(path, &reason));
    }
    let mut text = Zeroizing::new(Vec::new());
    file.take(FILE_LIMIT + 1)
        .read_to_end(&mut text)
        .map_err(io)?;
    if text.len() as u64 > FILE_LIMIT {
        return Err(refused(path, "is too long to be one"));
    }
    Ok(Some(text))
}

/// The ids of the root keys in the ring file `path`, the current one first.
///
/// # Errors
/// [`StoreError::KeyRing`] if it is no ring, or others than its owner can read it.
pub fn key_ring_ids(path: &Path) -> Result<Vec<String>> {
    let ring = Ring::load(path)?.ok_or_else(|| refused(path, "does not exist"))?;
    Ok(ring.roots.into_iter().map(|root| root.id).collect())
}

/// Copies the ring file `from` to `to`, which must not exist, for its owner alone.
///
/// # Errors
/// As [`key_ring_ids`]; `to` exists or cannot be written.
pub fn export_key_ring(from: &Path, to: &Path) -> Result<()> {
    let text = read(from)?.ok_or_else(|| refused(from, "does not exist"))?;
    Ring::parse(from, &text)?;
    let what = format!("cannot write the copy of the key ring '{}'", to.display());
    write_new(to, &text).map_err(StoreError::io(what))
}

/// Refuses a ring path under the data directory, where every backup of the data would hold it.
pub(crate) fn check_place(ring: &Path, data: &Path) -> Result<()> {
    let io = |e| StoreError::io(format!("cannot find the key ring '{}'", ring.display()))(e);
    let refuse = || {
        Err(StoreError::KeyRing(format!(
            "the key ring '{}' lies under the data directory '{}'; set 'keyring' to another place",
            ring.display(),
            data.display()
        )))
    };
    if std::path::absolute(ring)
        .map_err(io)?
        .starts_with(std::path::absolute(data).map_err(io)?)
    {
        return refuse();
    }
    let data = fs::canonicalize(data).map_err(io)?;
    // The nearest part of the path that exists says where links lead.
    for part in ring.ancestors() {
        let part = if part.as_os_str().is_empty() {
            Path::new(".")
        } else {
            part
        };
        match fs::canonicalize(part) {
            Ok(real) if real.starts_with(&data) => return refuse(),
            Ok(_) => return Ok(()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(io(e)),
        }
    }
    Ok(())
}

fn write_new(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text)?;
    file.sync_all()
}

/// Names a key without saying anything about it.
fn fingerprint(key: &KeyBytes) -> String {
    let hash = sha2::Sha256::new()
        .chain_update(b"bonded root key")
        .chain_update(**key)
        .finalize();
    hex::encode(&hash[..8])
}

fn refused(path: &Path, reason: &str) -> StoreError {
    StoreError::KeyRing(format!("the key ring '{}' {reason}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_ring_is_made_once_and_for_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("etc/keyring");
        assert!(Ring::load(&path).unwrap().is_none());
        let (first, created) = Ring::create(&path).unwrap();
        assert!(created);
        let (second, created) = Ring::create(&path).unwrap();
        assert!(!created);
        assert_eq!(first.current().id, second.current().id);
        let mode = |p: &Path| fs::metadata(p).unwrap().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_ring_that_others_can_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keyring");
        Ring::create(&path).unwrap();
        for mode in [0o640, 0o604, 0o660] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert!(matches!(Ring::load(&path), Err(StoreError::KeyRing(_))));
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        assert!(Ring::load(&path).is_ok());
    }

    #[test]
    fn what_is_not_a_ring_is_refused() {
        let key = STANDARD.encode([7; KEY_LEN]);
        let id = fingerprint(&Zeroizing::new([7; KEY_LEN]));
        let ring = |text: &str| Ring::parse(Path::new("keyring"), text.as_bytes());
        assert!(
            ring(&format!(
                r#"{{"version":1,"roots":[{{"id":"{id}","key":"{key}"}}]}}"#
            ))
            .is_ok()
        );
        for text in [
            String::new(),
            "{}".to_owned(),
            r#"{"version":1,"roots":[]}"#.to_owned(),
            format!(r#"{{"version":2,"roots":[{{"id":"{id}","key":"{key}"}}]}}"#),
            format!(r#"{{"version":1,"roots":[{{"id":"0000000000000000","key":"{key}"}}]}}"#),
            format!(r#"{{"version":1,"roots":[{{"id":"{id}","key":"AAAA"}}]}}"#),
        ] {
            let Err(StoreError::KeyRing(message)) = ring(&text) else {
                panic!("{text}");
            };
            assert!(!message.contains(&key));
        }
    }

    #[test]
    fn a_ring_under_the_data_is_refused_also_through_links_and_dots() {
        let directory = tempfile::tempdir().unwrap();
        let (data, other) = (
            directory.path().join("data"),
            directory.path().join("other"),
        );
        fs::create_dir_all(&data).unwrap();
        fs::create_dir_all(&other).unwrap();
        std::os::unix::fs::symlink(&data, directory.path().join("link")).unwrap();
        for path in [
            data.join("keyring"),
            data.join("new/keyring"),
            other.join("../data/keyring"),
            directory.path().join("link/keyring"),
            directory.path().join("link/new/keyring"),
        ] {
            assert!(check_place(&path, &data).is_err(), "{}", path.display());
        }
        for path in [other.join("keyring"), directory.path().join("data-keyring")] {
            assert!(check_place(&path, &data).is_ok(), "{}", path.display());
        }
    }
}
