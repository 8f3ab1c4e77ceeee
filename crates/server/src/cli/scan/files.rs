//! Files by path: of a directory, or of a tar archive, which is not unpacked for that.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use bonded_scan::{ArchiveFiles, InvalidArchive, LayerLimits, expand_archive};

use crate::cli::{Failure, Status};

/// Of `open`.
const NONBLOCK: i32 = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();

/// Where files are.
pub(super) enum Files {
    Directory(PathBuf),
    Archive(Archive),
}

/// A plain tar archive, with where its files are.
pub(super) struct Archive {
    shown: String,
    file: File,
    files: ArchiveFiles,
}

impl Files {
    /// The files of a tar archive, which may be compressed with gzip or zstd: its plain bytes are
    /// then kept in a temporary file. `-` is standard input.
    pub(super) fn of_archive(path: &Path) -> Result<Self, Failure> {
        let shown = path.display().to_string();
        let unusable = |error: &InvalidArchive| {
            let status = match error {
                InvalidArchive::Io(error) if error.kind() == io::ErrorKind::NotFound => {
                    Status::NotFound
                }
                _ => Status::Failed,
            };
            Failure::new(
                status,
                format!("cannot read the archive '{shown}': {error}"),
            )
        };
        let file = plain(path).map_err(|error| unusable(&error))?;
        let input = BufReader::with_capacity(128 * 1024, &file);
        let files = ArchiveFiles::read(input).map_err(|error| unusable(&error))?;
        Ok(Self::Archive(Archive { shown, file, files }))
    }

    /// The directory or archive, for people.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Directory(path) => path.display().to_string(),
            Self::Archive(archive) => archive.shown.clone(),
        }
    }

    /// Whether there is a file of this path.
    pub(super) fn has(&self, path: &str) -> bool {
        match self {
            Self::Directory(directory) => directory.join(path).is_file(),
            Self::Archive(archive) => archive.files.find(path).is_some(),
        }
    }

    /// The bytes of a file, and how many they are.
    pub(super) fn open(&self, path: &str) -> Result<(Box<dyn Read + '_>, u64), Failure> {
        match self {
            Self::Directory(directory) => {
                // A pipe of that name would have us wait for whoever writes.
                let mut options = File::options();
                let options = options.read(true).custom_flags(NONBLOCK);
                let file = options.open(directory.join(path));
                let file = file.map_err(|error| self.unreadable(path, &error))?;
                match file.metadata() {
                    Ok(metadata) if metadata.is_file() => Ok((Box::new(file), metadata.len())),
                    _ => Err(self.unreadable(path, &io::Error::other("it is no file"))),
                }
            }
            Self::Archive(archive) => {
                let range = archive.files.find(path);
                let range =
                    range.ok_or_else(|| self.unreadable(path, &io::ErrorKind::NotFound.into()))?;
                let reader = Part {
                    file: &archive.file,
                    at: range.start,
                    end: range.end,
                };
                Ok((Box::new(reader), range.end - range.start))
            }
        }
    }

    /// A whole file of at most `limit` bytes.
    pub(super) fn read(&self, path: &str, limit: u64) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        let (file, _) = self.open(path)?;
        let read = file.take(limit + 1).read_to_end(&mut bytes);
        read.map_err(|error| self.unreadable(path, &error))?;
        match bytes.len() as u64 > limit {
            true => Err(Failure::failed(format!(
                "'{path}' of '{}' is longer than {limit} bytes",
                self.shown()
            ))),
            false => Ok(bytes),
        }
    }

    pub(super) fn unreadable(&self, what: &str, error: &io::Error) -> Failure {
        let status = match error.kind() {
            io::ErrorKind::NotFound => Status::NotFound,
            _ => Status::Failed,
        };
        let place = self.shown();
        Failure::new(
            status,
            format!("cannot read '{what}' of '{place}': {error}"),
        )
    }
}

/// The archive as a file that is not compressed.
fn plain(path: &Path) -> Result<File, InvalidArchive> {
    if path == Path::new("-") {
        return spooled(io::stdin().lock());
    }
    let mut file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return spooled(file);
    }
    let mut magic = [0; 4];
    let read = file.read(&mut magic)?;
    file.rewind()?;
    let other = |name: &str| {
        let text =
            format!("it is compressed with {name}; gzip and zstd are read, decompress it first");
        Err(InvalidArchive::Malformed(text))
    };
    match &magic[..read] {
        [0x1f, 0x8b, ..] | [0x28, 0xb5, 0x2f, 0xfd] => spooled(file),
        // docker load takes these too.
        [0xfd, b'7', b'z', b'X'] => other("xz"),
        [b'B', b'Z', b'h', _] => other("bzip2"),
        _ => Ok(file),
    }
}

/// The expanded bytes in a temporary file without a name.
fn spooled(input: impl Read) -> Result<File, InvalidArchive> {
    let mut file = tempfile::tempfile()?;
    expand_archive(input, &LayerLimits::default(), &mut file)?;
    file.rewind()?;
    Ok(file)
}

/// A part of a file.
struct Part<'a> {
    file: &'a File,
    at: u64,
    end: u64,
}

impl Read for Part<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let most = left.min(buffer.len());
        let read = self.file.read_at(&mut buffer[..most], self.at)?;
        if read == 0 && most > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.at += read as u64;
        Ok(read)
    }
}
