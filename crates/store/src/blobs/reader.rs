//! Reading an object: any range of it, without the rest, in pieces of 256 KiB.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::task::{Context, Poll};

use aws_lc_rs::aead::LessSafeKey;
use bytes::Bytes;
use futures_util::Stream;

use super::frame::{FRAME, FRAMES_AT_ONCE, HEADER_LEN, Header, count, offset, sealed_len, unseal};
use super::{Blobs, ObjectId};
use crate::error::{Result, StoreError};
use crate::keys::OVERHEAD;

/// The plain bytes of a range of an object. Each piece is authenticated before it is given; bytes
/// that are not what was written end the stream with an error. Reads happen inline, by large
/// `pread`s, on the thread that polls.
pub struct ObjectStream {
    file: File,
    object: ObjectId,
    key: LessSafeKey,
    /// Plain bytes of the whole object.
    size: u64,
    /// What is still to be given.
    range: Range<u64>,
    /// The first piece, read when the stream was opened.
    first: Option<Bytes>,
    /// Ciphertext of one piece.
    sealed: Vec<u8>,
}

/// A finished object's file and header, not decrypted yet.
pub(crate) struct ObjectFile {
    file: File,
    object: ObjectId,
    header: Header,
}

impl Blobs {
    /// Opens a finished object of `size` plain bytes.
    pub(crate) fn open_finished(&self, object: ObjectId, size: u64) -> Result<ObjectFile> {
        let io = |e| StoreError::io(format!("cannot read the object '{object}'"))(e);
        let Self::Disk(disk) = self;
        let file = disk.open_object(object)?;
        if file.metadata().map_err(io)?.len() != sealed_len(size) {
            return Err(StoreError::Corrupt(format!(
                "the object '{object}' does not have the length it was written with"
            )));
        }
        let mut header = [0; HEADER_LEN];
        file.read_exact_at(&mut header, 0).map_err(io)?;
        Ok(ObjectFile {
            file,
            object,
            header: Header::from_bytes(&header, object)?,
        })
    }
}

impl ObjectFile {
    /// Its header.
    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    /// The bytes `range` of the object of `size` bytes, cut to what there is; the first piece is
    /// read and authenticated now. An empty range authenticates the frame it stands in.
    pub(crate) fn read(
        self,
        key: LessSafeKey,
        size: u64,
        range: Range<u64>,
    ) -> Result<ObjectStream> {
        let end = range.end.min(size);
        let mut stream = ObjectStream {
            file: self.file,
            object: self.object,
            key,
            size,
            range: range.start.min(end)..end,
            first: None,
            sealed: Vec::new(),
        };
        let first = stream.read_piece().map_err(|e| match e.kind() {
            io::ErrorKind::InvalidData => StoreError::Corrupt(e.to_string()),
            _ => StoreError::io(format!("cannot read the object '{}'", stream.object))(e),
        })?;
        stream.first = Some(first).filter(|bytes| !bytes.is_empty());
        Ok(stream)
    }
}

/// Blocks; for threads that may.
impl io::Read for ObjectStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut piece = self.next_piece()?;
        let length = piece.len().min(buffer.len());
        buffer[..length].copy_from_slice(&piece[..length]);
        bytes::Buf::advance(&mut piece, length);
        self.first = Some(piece).filter(|rest| !rest.is_empty());
        Ok(length)
    }
}

impl ObjectStream {
    /// How many bytes are still to come.
    #[must_use]
    pub fn remaining(&self) -> u64 {
        let first = self.first.as_ref().map_or(0, Bytes::len);
        self.range.end - self.range.start + first as u64
    }

    /// The next piece without the machinery of a stream; empty at the end. Blocks.
    pub(crate) fn next_piece(&mut self) -> io::Result<Bytes> {
        match self.first.take() {
            Some(first) => Ok(first),
            None if self.range.is_empty() => Ok(Bytes::new()),
            None => self.read_piece(),
        }
    }

    /// Reads and opens the frames that hold the next bytes, at most [`FRAMES_AT_ONCE`].
    fn read_piece(&mut self) -> io::Result<Bytes> {
        let frame = FRAME as u64;
        let frames = count(self.size);
        let first = (self.range.start / frame).min(frames - 1);
        let wanted = self.range.end.div_ceil(frame).max(first + 1) - first;
        let number = wanted.min(FRAMES_AT_ONCE as u64);
        let start = first * frame;
        let end = self.size.min(start + number * frame);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "at most FRAMES_AT_ONCE frames"
        )]
        let (plain_len, number) = ((end - start) as usize, number as usize);
        self.sealed.resize(plain_len + number * OVERHEAD, 0);
        self.file.read_exact_at(&mut self.sealed, offset(first))?;
        let mut plain = vec![0; plain_len];
        let mut rest = self.sealed.as_slice();
        let mut out = plain.as_mut_slice();
        for i in 0..number {
            let index = first + i as u64;
            let length = out.len().min(FRAME);
            let (now, later) = std::mem::take(&mut out).split_at_mut(length);
            let (sealed, behind) = rest.split_at(length + OVERHEAD);
            let last = index + 1 == frames;
            unseal(now, &self.key, self.object, index, last, sealed)
                .ok_or_else(|| self.damaged(index))?;
            (out, rest) = (later, behind);
        }
        let until = self.range.end.min(end);
        #[expect(clippy::cast_possible_truncation, reason = "positions in one piece")]
        let slice = (self.range.start - start) as usize..(until - start) as usize;
        self.range.start = until;
        Ok(Bytes::from(plain).slice(slice))
    }

    fn damaged(&self, index: u64) -> io::Error {
        let what = format!(
            "frame {index} of the object '{}' is not what was written",
            self.object
        );
        io::Error::new(io::ErrorKind::InvalidData, what)
    }
}

impl Stream for ObjectStream {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let stream = self.get_mut();
        Poll::Ready(match stream.next_piece() {
            Ok(bytes) if bytes.is_empty() => None,
            Ok(bytes) => Some(Ok(bytes)),
            Err(e) => {
                stream.range.start = stream.range.end;
                Some(Err(e))
            }
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let pieces = self.remaining().div_ceil((FRAME * FRAMES_AT_ONCE) as u64);
        let upper = usize::try_from(pieces).ok().and_then(|n| n.checked_add(1));
        (usize::from(pieces > 0), upper)
    }
}
