//! A directory that is the root of a file system: of an unpacked image, a virtual machine, this
//! machine.
//!
//! It is read as a layer would be: its files stream by as an archive that is never written down.
//! Links are entries, never followed; every directory is opened below the one that was opened
//! before it, so that nobody who changes the tree meanwhile leads out of it. What is on another
//! file system is not looked at.

use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use bonded_model::Digest;
use bonded_scan::{
    ImageInventory, LayerInventory, LayerLimits, Problem, ProblemCode, Subject, inspect_layer,
    merge,
};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, openat, readlinkat, statat};
use sha2::{Digest as _, Sha256};

use crate::cli::progress::Progress;
use crate::cli::{Failure, Status};

/// How deep directories may lie in each other.
const DEPTH: usize = 500;

/// Files of containers that lie over those of the image, from another file system.
const OVERLAID: [&str; 3] = ["etc/hosts", "etc/hostname", "etc/resolv.conf"];

/// Where the kernel shows itself, which is no part of an image.
const OF_THE_KERNEL: [&str; 4] = ["proc", "sys", "dev", "run"];

/// A directory to be scanned.
pub(super) struct RootFileSystem {
    path: PathBuf,
}

impl RootFileSystem {
    pub(super) fn open(path: PathBuf) -> Result<Self, Failure> {
        match path.is_dir() {
            true => Ok(Self { path }),
            false => Err(Failure::new(
                Status::NotFound,
                format!("'{}' is no directory", path.display()),
            )),
        }
    }

    /// What is in it. Its digest is that of its files' names and contents, without times and owners.
    pub(super) fn look_into(
        &self,
        progress: &Progress,
    ) -> Result<(Subject, ImageInventory), Failure> {
        let failed = |error: &io::Error| {
            Failure::failed(format!("cannot read '{}': {error}", self.path.display()))
        };
        let (reader, writer) = io::pipe().map_err(|error| failed(&error))?;
        let name = self.path.display().to_string();
        let mut step = progress.step("directory", &name, (1, 1), None);
        let (walked, inspected) = std::thread::scope(|scope| {
            let walking = scope.spawn(|| walk(&self.path, writer));
            let inspected = inspect(step.reading(reader));
            (walking.join(), inspected)
        });
        step.done();
        let unread = match walked {
            Ok(walked) => walked.map_err(|error| failed(&error))?,
            Err(_) => return Err(failed(&io::Error::other("the search broke off"))),
        };
        let (inventory, digest) = inspected.map_err(|error| failed(&error))?;
        let mut image = merge(&[(digest.clone(), &inventory)]);
        image.problems.extend(unread.problems());
        let subject = Subject {
            name: Some(name),
            digest,
            platform: None,
            created: None,
        };
        Ok((subject, image))
    }
}

/// Inspects an archive and hashes all of it.
fn inspect(reader: impl Read) -> io::Result<(LayerInventory, Digest)> {
    struct Hashed<R>(R, Sha256);
    impl<R: Read> Read for Hashed<R> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let read = self.0.read(buffer)?;
            self.1.update(&buffer[..read]);
            Ok(read)
        }
    }
    let mut hashed = Hashed(reader, Sha256::new());
    let limits = LayerLimits {
        // Nothing of it was compressed, and files may have holes.
        expanded: u64::MAX,
        ..LayerLimits::default()
    };
    let inventory = inspect_layer(&mut hashed, &limits)?;
    io::copy(&mut hashed, &mut io::sink())?;
    let hash = hashed.1.finalize();
    let digest = Digest::from_hash(bonded_model::Algorithm::Sha256, &hash);
    Ok((inventory, digest))
}

/// What was not looked at.
#[derive(Default)]
struct Unread {
    /// Files that may not be read, or have gone.
    files: Missed,
    /// Directories and files of other file systems.
    mounts: Missed,
}

/// How many there are, and the first.
#[derive(Default)]
struct Missed {
    count: u64,
    first: Option<(String, String)>,
}

impl Missed {
    fn add(&mut self, path: &str, why: &dyn ToString) {
        self.count += 1;
        self.first
            .get_or_insert_with(|| (path.to_owned(), why.to_string()));
    }

    fn problem(self, what: &str) -> Option<Problem> {
        let (path, why) = self.first?;
        Some(Problem {
            code: ProblemCode::Layer,
            message: format!("{} {what}, this one first: {why}", self.count),
            layer: Some(0),
            path: Some(path),
        })
    }
}

impl Unread {
    fn problems(self) -> impl Iterator<Item = Problem> {
        let files = self.files.problem("files cannot be read");
        let mounts = self.mounts.problem("mount points are not looked at");
        files.into_iter().chain(mounts)
    }
}

/// Writes the tree below `root` as an archive.
fn walk(root: &Path, out: impl Write) -> io::Result<Unread> {
    let directory = File::open(root)?;
    let device = rustix::fs::fstat(&directory)?.st_dev;
    let mut walk = Walk {
        archive: tar::Builder::new(io::BufWriter::with_capacity(128 * 1024, out)),
        device,
        unread: Unread::default(),
    };
    let done = walk.directory(&directory.into(), "", 0);
    let finished = done.and_then(|()| walk.archive.into_inner()?.flush());
    match finished {
        // Whoever reads has seen enough, and says why.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(walk.unread),
        Err(error) => Err(error),
        Ok(()) => Ok(walk.unread),
    }
}

struct Walk<W: Write> {
    archive: tar::Builder<W>,
    device: u64,
    unread: Unread,
}

impl<W: Write> Walk<W> {
    fn directory(&mut self, directory: &OwnedFd, path: &str, depth: usize) -> io::Result<()> {
        let mut names: Vec<CString> = Vec::new();
        for entry in Dir::read_from(directory)? {
            let name = entry?.file_name().to_owned();
            if !matches!(name.as_bytes(), b"." | b"..") {
                names.push(name);
            }
        }
        // The same tree gives the same bytes.
        names.sort();
        for name in names {
            self.entry(directory, &name, path, depth)?;
        }
        Ok(())
    }

    fn entry(
        &mut self,
        directory: &OwnedFd,
        name: &CString,
        above: &str,
        depth: usize,
    ) -> io::Result<()> {
        let bytes = name.as_bytes();
        let shown = String::from_utf8_lossy(bytes);
        let path = match above {
            "" => shown.into_owned(),
            above => format!("{above}/{shown}"),
        };
        let status = match statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(status) => status,
            Err(error) => {
                self.unread.files.add(&path, &error);
                return Ok(());
            }
        };
        if status.st_dev != self.device {
            let is_known = OVERLAID.contains(&path.as_str())
                || OF_THE_KERNEL.contains(&path.split('/').next().unwrap_or_default());
            if !is_known {
                let why = "it is another file system, scan it by itself";
                self.unread.mounts.add(&path, &why);
            }
            return Ok(());
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        match FileType::from_raw_mode(status.st_mode) {
            FileType::Directory => {
                self.header(&path, tar::EntryType::Directory, 0, None)?;
                if depth >= DEPTH {
                    self.unread.files.add(&path, &"it lies too deep");
                    return Ok(());
                }
                match openat(directory, name, flags | OFlags::DIRECTORY, Mode::empty()) {
                    Ok(below) => self.directory(&below, &path, depth + 1),
                    Err(error) => {
                        self.unread.files.add(&path, &error);
                        Ok(())
                    }
                }
            }
            FileType::Symlink => {
                match readlinkat(directory, name, Vec::new()) {
                    Ok(target) => {
                        let target = PathBuf::from(OsStr::from_bytes(target.as_bytes()));
                        self.header(&path, tar::EntryType::Symlink, 0, Some(&target))?;
                    }
                    Err(error) => self.unread.files.add(&path, &error),
                }
                Ok(())
            }
            FileType::RegularFile => match openat(directory, name, flags, Mode::empty()) {
                Ok(file) => self.file(&path, File::from(file)),
                Err(error) => {
                    self.unread.files.add(&path, &error);
                    Ok(())
                }
            },
            // Devices, pipes and sockets hold nothing.
            _ => Ok(()),
        }
    }

    /// A file of the length it had when it was opened, whatever becomes of it.
    fn file(&mut self, path: &str, file: File) -> io::Result<()> {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Ok(());
        }
        let size = metadata.len();
        self.header(path, tar::EntryType::Regular, size, None)?;
        let out = self.archive.get_mut();
        let copied = copy(file, size, out)?;
        if let Some(error) = copied.error {
            self.unread.files.add(path, &error);
        }
        let padding = size.next_multiple_of(512) - copied.bytes;
        io::copy(&mut io::repeat(0).take(padding), out)?;
        Ok(())
    }

    fn header(
        &mut self,
        path: &str,
        kind: tar::EntryType,
        size: u64,
        target: Option<&Path>,
    ) -> io::Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_mode(0o644);
        match target {
            Some(target) => self.archive.append_link(&mut header, path, target),
            // The data is written behind it.
            None => self.archive.append_data(&mut header, path, io::empty()),
        }
    }
}

struct Copied {
    bytes: u64,
    error: Option<io::Error>,
}

/// Copies at most `size` bytes; what the file fails with is told apart from what `out` does.
fn copy(file: File, size: u64, out: &mut impl Write) -> io::Result<Copied> {
    let mut file = file.take(size);
    let mut buffer = vec![0; 64 * 1024];
    let mut bytes = 0;
    loop {
        let read = match file.read(&mut buffer) {
            Ok(0) => {
                let error = (bytes < size).then(|| io::Error::other("it was cut meanwhile"));
                return Ok(Copied { bytes, error });
            }
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                let error = Some(error);
                return Ok(Copied { bytes, error });
            }
        };
        out.write_all(&buffer[..read])?;
        bytes += read as u64;
    }
}
