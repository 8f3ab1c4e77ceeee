//! Tar archives, read once from front to back, as container runtimes read them.
//!
//! Docker, containerd and podman all unpack with Go's `archive/tar`; a reader that takes an archive
//! for something else scans other files than the ones that run. So the rules here are Go's: what
//! has no data has none whatever its size says, PAX overrides the header, GNU's long names override
//! both, names of extensions are at most 1 MiB, and what Go refuses is refused.

mod header;
mod pax;

use std::io::{self, BufRead, Read};

use header::{Block, Kind};
use pax::Pax;

/// The most that is read of an extension, in bytes: Go's limit.
const EXTENSION_LIMIT: u64 = 1 << 20;

const BLOCK: usize = 512;

/// An entry of an archive. Its data is read from the archive before the next entry is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// As it is written.
    pub(super) name: String,
    /// The target of a link, as it is written.
    pub(super) target: String,
    pub(super) kind: EntryKind,
    /// The bytes of data in the archive.
    pub(super) size: u64,
    /// The data is a map of holes and what lies between them.
    pub(super) sparse: bool,
}

/// What an entry makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EntryKind {
    File,
    HardLink,
    Symlink,
    Directory,
    /// A device or a pipe.
    Special,
    /// Nothing: it speaks of the whole archive.
    Global,
}

/// The archive cannot be read on.
#[derive(Debug)]
pub(super) enum ArchiveError {
    /// Its bytes cannot.
    Io(io::Error),
    /// They are not an archive.
    Malformed(&'static str),
    /// It has more of something than is kept.
    TooMany(&'static str),
}

impl From<io::Error> for ArchiveError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// An archive at one of its entries.
pub(super) struct Archive<R> {
    input: R,
    /// What is left of the current entry's data.
    data: u64,
    /// The zeros after it.
    padding: u64,
    /// Headers so far, those of extensions too.
    headers: u64,
}

impl<R: BufRead> Archive<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            data: 0,
            padding: 0,
            headers: 0,
        }
    }

    /// How many headers have been read.
    pub(super) fn headers(&self) -> u64 {
        self.headers
    }

    /// What the archive is read from.
    pub(super) fn input(&self) -> &R {
        &self.input
    }

    /// What the archive is read from, at the place that was read last.
    pub(super) fn into_inner(self) -> R {
        self.input
    }

    /// The next entry; `None` at the end of the archive.
    pub(super) fn next(&mut self) -> Result<Option<Entry>, ArchiveError> {
        let mut extensions = Extensions::default();
        loop {
            let Some(block) = self.header()? else {
                return Ok(None);
            };
            let size = block.size()?;
            match block.kind() {
                Kind::Pax => extensions.pax = Pax::parse(&self.extension(size)?)?,
                Kind::LongName => extensions.name = header::text(&self.extension(size)?),
                Kind::LongTarget => extensions.target = header::text(&self.extension(size)?),
                Kind::Sparse => {
                    self.skip_sparse_map(&block)?;
                    let entry = extensions.apply(&block, EntryKind::File, size);
                    self.begin_data(entry.size)?;
                    return Ok(Some(Entry {
                        sparse: true,
                        ..entry
                    }));
                }
                Kind::Entry(kind) => {
                    let entry = extensions.apply(&block, kind, size);
                    self.begin_data(entry.size)?;
                    return Ok(Some(entry));
                }
                Kind::Unknown => {
                    return Err(ArchiveError::Malformed("an entry is of no known type"));
                }
            }
        }
    }

    /// The next header; `None` at the end: two blocks of zeros, or no bytes at all.
    fn header(&mut self) -> Result<Option<Block>, ArchiveError> {
        self.skip_data()?;
        let Some(bytes) = self.block()? else {
            return Ok(None);
        };
        if bytes.iter().all(|byte| *byte == 0) {
            return match self.block()? {
                Some(second) if second.iter().any(|byte| *byte != 0) => Err(
                    ArchiveError::Malformed("one block of zeros is followed by something else"),
                ),
                _ => Ok(None),
            };
        }
        self.headers += 1;
        Block::parse(bytes).map(Some)
    }

    /// The next 512 bytes; `None` if there are none.
    fn block(&mut self) -> Result<Option<[u8; BLOCK]>, ArchiveError> {
        let mut bytes = [0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            let read = self.input.read(&mut bytes[filled..])?;
            if read == 0 {
                return match filled {
                    0 => Ok(None),
                    _ => Err(ArchiveError::Malformed("it ends within a header")),
                };
            }
            filled += read;
        }
        Ok(Some(bytes))
    }

    /// The data of an extension, as a whole.
    fn extension(&mut self, size: u64) -> Result<Vec<u8>, ArchiveError> {
        if size > EXTENSION_LIMIT {
            return Err(ArchiveError::Malformed(
                "a name or an extended header is longer than 1 MiB",
            ));
        }
        self.begin_data(size)?;
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes)?;
        match bytes.len() as u64 == size {
            true => Ok(bytes),
            false => Err(ArchiveError::Malformed("it ends within a name")),
        }
    }

    fn begin_data(&mut self, size: u64) -> Result<(), ArchiveError> {
        let blocks = size.checked_next_multiple_of(BLOCK as u64);
        let blocks = blocks.ok_or(ArchiveError::Malformed("an entry has an impossible size"))?;
        self.data = size;
        self.padding = blocks - size;
        Ok(())
    }

    /// Goes past the data of the current entry.
    fn skip_data(&mut self) -> Result<(), ArchiveError> {
        let mut left = self.data.saturating_add(self.padding);
        while left > 0 {
            let available = self.input.fill_buf()?.len() as u64;
            if available == 0 {
                // Go leaves out the padding of the last entry.
                return match left <= self.padding {
                    true => Ok(()),
                    false => Err(ArchiveError::Malformed("it ends within a file")),
                };
            }
            let step = available.min(left);
            self.input
                .consume(usize::try_from(step).unwrap_or(usize::MAX));
            left -= step;
        }
        (self.data, self.padding) = (0, 0);
        Ok(())
    }

    /// The blocks that continue the map of an old sparse file.
    fn skip_sparse_map(&mut self, block: &Block) -> Result<(), ArchiveError> {
        let mut more = block.has_sparse_map();
        while more {
            self.headers += 1;
            let bytes = self.block()?;
            let bytes = bytes.ok_or(ArchiveError::Malformed("it ends within a sparse file"))?;
            more = bytes[504] != 0;
        }
        Ok(())
    }
}

/// The data of the current entry.
impl<R: BufRead> Read for Archive<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.data).unwrap_or(usize::MAX);
        let most = most.min(buffer.len());
        let read = self.input.read(&mut buffer[..most])?;
        self.data -= read as u64;
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Archive<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let most = usize::try_from(self.data).unwrap_or(usize::MAX);
        if most == 0 {
            return Ok(&[]);
        }
        let bytes = self.input.fill_buf()?;
        Ok(&bytes[..most.min(bytes.len())])
    }

    fn consume(&mut self, amount: usize) {
        self.input.consume(amount);
        self.data -= amount as u64;
    }
}

/// What the headers before that of an entry say about it. Empty names say nothing.
#[derive(Default)]
struct Extensions {
    pax: Pax,
    name: String,
    target: String,
}

impl Extensions {
    fn apply(self, block: &Block, kind: EntryKind, size: u64) -> Entry {
        let first = |texts: [String; 3]| texts.into_iter().find(|text| !text.is_empty());
        let name = first([self.name, self.pax.path, block.name()]);
        let name = name.unwrap_or_default();
        let target = first([self.target, self.pax.target, block.target()]);
        let kind = match kind {
            // Archives older than POSIX have no type for directories.
            EntryKind::File if block.is_of_no_type() && name.ends_with('/') => EntryKind::Directory,
            kind => kind,
        };
        Entry {
            name: match self.pax.sparse_name.is_empty() {
                true => name,
                false => self.pax.sparse_name,
            },
            target: target.unwrap_or_default(),
            kind,
            size: match kind {
                EntryKind::File | EntryKind::Global => self.pax.size.unwrap_or(size),
                // Whatever the headers say, no data follows.
                _ => 0,
            },
            sparse: self.pax.sparse,
        }
    }
}

#[cfg(test)]
mod tests;
