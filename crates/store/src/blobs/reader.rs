//! Reading an object: any range of it, without the rest, in pieces of some frames.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use aws_lc_rs::aead::LessSafeKey;
use bytes::Bytes;
use futures_util::{FutureExt as _, Stream, StreamExt as _};
use tokio::runtime::Handle;
use tokio::task::{JoinHandle, block_in_place};

use super::bucket::{Bucket, Got};
use super::frame::{FRAME, FRAMES_AT_ONCE, HEADER_LEN, Header, count, offset, sealed_len, unseal};
use super::{Blobs, ObjectId, cut, unreadable};
use crate::error::{Result, StoreError};
use crate::keys::OVERHEAD;

/// How many frames one request to a bucket gets: 2 MiB of plain bytes.
const FRAMES_A_REQUEST: u64 = 32;

/// How many requests to a bucket are made ahead of what is read: 8 MiB in memory.
const REQUESTS_AHEAD: usize = 4;

/// The plain bytes of a range of an object. Each piece is authenticated before it is given; bytes
/// that are not what was written end the stream with an error. A file is read inline, by large
/// `pread`s, on the thread that polls; a bucket by requests for some MiB each, a few ahead.
pub struct ObjectStream {
    source: Source,
    frames: Frames,
    /// What is still to be given.
    range: Range<u64>,
    /// The first piece, opened when the stream was.
    first: Option<Bytes>,
    /// Is told, once, when bytes are not what was written.
    on_damage: Option<Box<dyn FnOnce() + Send + Sync>>,
}

/// Where the ciphertext comes from.
enum Source {
    File {
        file: File,
        /// Ciphertext of one piece.
        sealed: Vec<u8>,
    },
    Bucket {
        bucket: Bucket,
        runtime: Handle,
        /// Pieces that were asked for, in order.
        coming: VecDeque<JoinHandle<Result<Got>>>,
        /// The frame to ask for next.
        next: u64,
    },
}

/// How to open the frames of one object.
struct Frames {
    object: ObjectId,
    key: LessSafeKey,
    /// Plain bytes of the whole object.
    size: u64,
}

/// An object with its header and, of a bucket, the ciphertext of the first piece; not decrypted
/// yet.
pub(crate) struct SealedObject {
    source: Source,
    object: ObjectId,
    header: Header,
    size: u64,
    range: Range<u64>,
    first: Option<Bytes>,
}

impl Blobs {
    /// Opens a finished object of `size` plain bytes, to read `range` of it, cut to what there is.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if it is missing, of another length, or has no header.
    pub(crate) async fn open_object(
        &self,
        object: ObjectId,
        size: u64,
        range: Range<u64>,
    ) -> Result<SealedObject> {
        let end = range.end.min(size);
        let range = range.start.min(end)..end;
        let opened = |source, header: &[u8], first| {
            Ok(SealedObject {
                source,
                object,
                header: Header::from_bytes(header, object)?,
                size,
                range: range.clone(),
                first,
            })
        };
        match self {
            Self::Disk(disk) => {
                let io = |e| StoreError::io(format!("cannot read the object '{object}'"))(e);
                let file = disk.open_object(object)?;
                if file.metadata().map_err(io)?.len() != sealed_len(size) {
                    return Err(cut(object));
                }
                let mut header = [0; HEADER_LEN];
                file.read_exact_at(&mut header, 0).map_err(io)?;
                let sealed = Vec::new();
                opened(Source::File { file, sealed }, &header, None)
            }
            Self::Bucket(bucket) => {
                let frames = frames_of(&range, size, FRAMES_AT_ONCE as u64);
                let place = sealed_place(&frames, size);
                let header_place = 0..HEADER_LEN as u64;
                let (header, first) = if frames.start == 0 {
                    let got = bucket.get(object, 0..place.end).await?;
                    let Got { mut bytes, whole } = got;
                    (
                        Got {
                            bytes: bytes.split_to(HEADER_LEN),
                            whole,
                        },
                        Got { bytes, whole },
                    )
                } else {
                    let header = bucket.get(object, header_place);
                    futures_util::try_join!(header, bucket.get(object, place))?
                };
                if header.whole != sealed_len(size) || first.whole != header.whole {
                    return Err(cut(object));
                }
                let source = Source::Bucket {
                    bucket: bucket.clone(),
                    runtime: Handle::current(),
                    coming: VecDeque::new(),
                    next: frames.end,
                };
                opened(source, &header.bytes, Some(first.bytes))
            }
        }
    }
}

impl SealedObject {
    /// Its header.
    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    /// The bytes of the range; the first piece is authenticated now. An empty range authenticates
    /// the frame it stands in.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if the first piece is not what was written.
    pub(crate) fn read(self, key: LessSafeKey) -> Result<ObjectStream> {
        let (object, size) = (self.object, self.size);
        let mut stream = ObjectStream {
            source: self.source,
            frames: Frames { object, key, size },
            range: self.range,
            first: None,
            on_damage: None,
        };
        let first = match self.first {
            Some(sealed) => stream.open_piece(&sealed, FRAMES_AT_ONCE as u64),
            None => stream.read_file(),
        };
        let first = first.map_err(|e| unreadable(object, e))?;
        stream.first = Some(first).filter(|bytes| !bytes.is_empty());
        Ok(stream)
    }
}

/// The frames that hold the first bytes of `range`, at most `limit`; one at least.
fn frames_of(range: &Range<u64>, size: u64, limit: u64) -> Range<u64> {
    let frame = FRAME as u64;
    let first = (range.start / frame).min(count(size) - 1);
    let behind = range.end.div_ceil(frame).max(first + 1);
    first..behind.min(first + limit)
}

/// Where `frames` stand in the object.
fn sealed_place(frames: &Range<u64>, size: u64) -> Range<u64> {
    offset(frames.start)..offset(frames.end).min(sealed_len(size))
}

/// Blocks; for threads that may.
impl io::Read for ObjectStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let next = match &self.source {
            Source::File { .. } => self.next().now_or_never().flatten(),
            Source::Bucket { runtime, .. } => {
                let runtime = runtime.clone();
                block_in_place(|| runtime.block_on(self.next()))
            }
        };
        let mut piece = next.transpose()?.unwrap_or_default();
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

    /// Has `tell` called if bytes turn out not to be what was written.
    pub(crate) fn on_damage(&mut self, tell: impl FnOnce() + Send + Sync + 'static) {
        self.on_damage = Some(Box::new(tell));
    }

    /// Reads and opens the frames that hold the next bytes, at most [`FRAMES_AT_ONCE`], of a file.
    fn read_file(&mut self) -> io::Result<Bytes> {
        let limit = FRAMES_AT_ONCE as u64;
        let frames = frames_of(&self.range, self.frames.size, limit);
        let place = sealed_place(&frames, self.frames.size);
        let Source::File { file, sealed } = &mut self.source else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        let mut sealed = std::mem::take(sealed);
        sealed.resize(length(&place), 0);
        file.read_exact_at(&mut sealed, place.start)?;
        let piece = self.open_piece(&sealed, limit);
        if let Source::File { sealed: kept, .. } = &mut self.source {
            *kept = sealed;
        }
        piece
    }

    /// The next piece of a bucket; asks for those behind it.
    fn poll_bucket(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        let size = self.frames.size;
        let Source::Bucket {
            bucket,
            runtime,
            coming,
            next,
        } = &mut self.source
        else {
            return Poll::Ready(Err(io::ErrorKind::Unsupported.into()));
        };
        let behind = self.range.end.div_ceil(FRAME as u64);
        while coming.len() < REQUESTS_AHEAD && *next < behind {
            let frames = *next..behind.min(*next + FRAMES_A_REQUEST);
            *next = frames.end;
            let (bucket, object) = (bucket.clone(), self.frames.object);
            coming.push_back(
                runtime.spawn(async move { bucket.get(object, sealed_place(&frames, size)).await }),
            );
        }
        let Some(front) = coming.front_mut() else {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        };
        let got = ready!(front.poll_unpin(context));
        coming.pop_front();
        let got = got
            .map_err(io::Error::other)?
            .map_err(|error| match error {
                StoreError::Corrupt(_) => io::Error::new(io::ErrorKind::InvalidData, error),
                _ => io::Error::other(error),
            })?;
        Poll::Ready(self.open_piece(&got.bytes, FRAMES_A_REQUEST))
    }

    /// Opens the ciphertext of the frames that hold the next bytes, at most `limit`.
    fn open_piece(&mut self, sealed: &[u8], limit: u64) -> io::Result<Bytes> {
        let frames = frames_of(&self.range, self.frames.size, limit);
        let start = frames.start * FRAME as u64;
        let plain = self.frames.open(frames, sealed)?;
        let until = self.range.end.min(start + plain.len() as u64);
        let slice = length(&(start..self.range.start))..length(&(start..until));
        self.range.start = until;
        Ok(Bytes::from(plain).slice(slice))
    }
}

impl Frames {
    /// The plain bytes of `frames`, of which `sealed` is the ciphertext.
    fn open(&self, frames: Range<u64>, mut sealed: &[u8]) -> io::Result<Vec<u8>> {
        let damaged = |index: u64| {
            let object = self.object;
            let what = format!("frame {index} of the object '{object}' is not what was written");
            io::Error::new(io::ErrorKind::InvalidData, what)
        };
        let number = length(&frames);
        let plain = sealed.len().checked_sub(number * OVERHEAD);
        let mut plain = vec![0; plain.ok_or_else(|| damaged(frames.start))?];
        let mut out = plain.as_mut_slice();
        for index in frames {
            let here = out.len().min(FRAME);
            let (now, later) = std::mem::take(&mut out).split_at_mut(here);
            let (frame, behind) = sealed.split_at(here + OVERHEAD);
            let last = index + 1 == count(self.size);
            unseal(now, &self.key, self.object, index, last, frame)
                .ok_or_else(|| damaged(index))?;
            (out, sealed) = (later, behind);
        }
        Ok(plain)
    }
}

/// The length of a range within one piece.
#[expect(clippy::cast_possible_truncation, reason = "positions in one piece")]
fn length(range: &Range<u64>) -> usize {
    (range.end - range.start) as usize
}

impl Stream for ObjectStream {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let stream = self.get_mut();
        if let Some(first) = stream.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        if stream.range.is_empty() {
            return Poll::Ready(None);
        }
        let piece = match stream.source {
            Source::File { .. } => stream.read_file(),
            Source::Bucket { .. } => ready!(stream.poll_bucket(context)),
        };
        if let Err(error) = &piece {
            stream.range.start = stream.range.end;
            let damaged = error.kind() == io::ErrorKind::InvalidData;
            if let Some(tell) = stream.on_damage.take().filter(|_| damaged) {
                tell();
            }
        }
        Poll::Ready(Some(piece))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let pieces = self.remaining().div_ceil((FRAME * FRAMES_AT_ONCE) as u64);
        let upper = usize::try_from(pieces).ok().and_then(|n| n.checked_add(1));
        (usize::from(pieces > 0), upper)
    }
}
