//! The files of a tar archive that holds an image: `docker save`, an OCI layout in one file.

use std::collections::HashMap;
use std::io::{self, BufRead, Read, Write};
use std::ops::Range;

use super::archive::{Archive, ArchiveError, EntryKind};
use super::expand::{Expanded, Stop, stop_of};
use super::{LayerLimits, LayerProblem};
use crate::counted::Counted;
use crate::path::{clean, join, split};

/// The most files that such an archive may have.
const FILES_LIMIT: usize = 100_000;

/// How many links may lead from one to the next.
const LINKS_LIMIT: usize = 8;

/// Where the files of an archive are in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ArchiveFiles(HashMap<String, Place>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Bytes(Range<u64>),
    Link(String),
}

/// The archive cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidArchive {
    /// Its bytes cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// They are no archive, or one with more than is followed.
    #[error("{0}")]
    Malformed(String),
}

impl ArchiveFiles {
    /// Reads a plain tar archive to its end. Of files with one name the last counts.
    ///
    /// # Errors
    /// [`InvalidArchive`].
    pub fn read(input: impl BufRead) -> Result<Self, InvalidArchive> {
        let mut archive = Archive::new(Counted::new(input));
        let mut files = HashMap::new();
        while let Some(entry) = archive.next()? {
            let path = clean(&entry.name);
            let place = match entry.kind {
                EntryKind::File if !entry.sparse => {
                    let from = archive.input().at();
                    Place::Bytes(from..from.saturating_add(entry.size))
                }
                EntryKind::Symlink => Place::Link(clean(&join(split(&path).0, &entry.target))),
                EntryKind::HardLink => Place::Link(clean(&entry.target)),
                _ => continue,
            };
            if files.len() >= FILES_LIMIT {
                let text = format!("it has more than {FILES_LIMIT} files");
                return Err(InvalidArchive::Malformed(text));
            }
            files.insert(path, place);
        }
        Ok(Self(files))
    }

    /// Where the bytes of a file are, through the links within the archive.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<Range<u64>> {
        let mut path = clean(path);
        for _ in 0..LINKS_LIMIT {
            match self.0.get(&path)? {
                Place::Bytes(range) => return Some(range.clone()),
                Place::Link(target) => path.clone_from(target),
            }
        }
        None
    }
}

impl From<ArchiveError> for InvalidArchive {
    fn from(error: ArchiveError) -> Self {
        match error {
            ArchiveError::Io(error) => Self::Io(error),
            ArchiveError::Malformed(reason) => Self::Malformed(reason.to_owned()),
            ArchiveError::TooMany(what) => Self::Malformed(format!("it has too many {what}")),
        }
    }
}

/// Writes the expanded bytes of an archive that may be compressed, as layers are, to `out`.
///
/// # Errors
/// [`InvalidArchive`]; what `out` fails with is [`InvalidArchive::Io`].
pub fn expand_archive(
    reader: impl Read,
    limits: &LayerLimits,
    out: &mut impl Write,
) -> Result<(), InvalidArchive> {
    let problem = |problem: LayerProblem| InvalidArchive::Malformed(problem.to_string());
    let stopped = |stop: Stop| match stop {
        Stop::Source(error) => InvalidArchive::Io(error),
        Stop::Problem(stopped) => problem(stopped),
    };
    let mut expanded = Expanded::new(reader, *limits).map_err(stopped)?;
    let mut buffer = vec![0; 128 * 1024];
    loop {
        let read = match expanded.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(stopped(stop_of(error))),
        };
        out.write_all(&buffer[..read])?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive() -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        let mut file = |name: &str, content: &[u8]| {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            builder.append_data(&mut header, name, content).unwrap();
        };
        file("a/layer.tar", b"one");
        file(&"long/".repeat(60), b"");
        file("./b", &[7; 1000]);
        file("a/layer.tar", b"three");
        let mut link = |name: &str, target: &str, kind| {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(kind);
            header.set_size(0);
            builder.append_link(&mut header, name, target).unwrap();
        };
        link("c/layer.tar", "../a/layer.tar", tar::EntryType::Symlink);
        link("d", "a/layer.tar", tar::EntryType::Link);
        link("out", "../../../etc/passwd", tar::EntryType::Symlink);
        link("loop", "loop", tar::EntryType::Symlink);
        builder.into_inner().unwrap()
    }

    #[test]
    fn files_are_found_by_path_and_through_links() {
        let bytes = archive();
        let files = ArchiveFiles::read(bytes.as_slice()).unwrap();
        let content = |path: &str| {
            let range = files.find(path)?;
            Some(&bytes[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()])
        };
        for path in ["a/layer.tar", "./a/../a/layer.tar", "c/layer.tar", "d"] {
            assert_eq!(content(path), Some(&b"three"[..]), "{path}");
        }
        assert_eq!(content("b"), Some(&[7; 1000][..]));
        for path in ["out", "loop", "a", ""] {
            assert_eq!(content(path), None, "{path}");
        }
    }

    #[test]
    fn what_is_cut_is_refused() {
        let bytes = archive();
        for end in [100, 514, 1100] {
            assert!(ArchiveFiles::read(&bytes[..end]).is_err(), "{end}");
        }
    }
}
