//! A file as memory: the one place with unsafe code.

use std::fs::File;
use std::io;

use memmap2::Mmap;

/// The bytes of a file of advisories.
pub(super) enum Bytes {
    Mapped(Mmap),
    Owned(Vec<u8>),
}

impl Bytes {
    /// Maps a file, which nobody may change while it is mapped.
    #[expect(
        unsafe_code,
        reason = "mapping a file is sound as long as it does not change: files of advisories are \
                  written anew under another name and renamed, never changed in place"
    )]
    pub(super) fn map(file: &File) -> io::Result<Self> {
        // SAFETY: see the reason above. The mapping is private and read-only, and every row that is
        // read from it is checked against its length, so that wrong bytes give wrong answers at
        // worst, never a read outside.
        let mapped = unsafe { Mmap::map(file) }?;
        Ok(Self::Mapped(mapped))
    }
}

impl std::ops::Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(mapped) => mapped,
            Self::Owned(bytes) => bytes,
        }
    }
}
