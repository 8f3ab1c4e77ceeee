//! The bytes of a layer, expanded within limits. What they are is told by their first bytes, never
//! by the media type.

use std::cell::{Cell, RefCell};
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::rc::Rc;

use bonded_model::shown;
use flate2::bufread::MultiGzDecoder;
use zstd::stream::read::Decoder;

use super::frames::{Frames, Skipped};
use super::{LayerLimits, LayerProblem};

/// How much is read at once, in bytes.
const BUFFER: usize = 128 * 1024;

/// How many first bytes tell the format: a header of tar.
const HEAD: u64 = 512;

/// Failures of the reader that was handed over are passed through everything that expands, and
/// told from damage by this wrapper.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct SourceFailed(io::Error);

/// Stops what expands too far.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct TooFar(String);

/// The stored bytes, counted.
struct Source<R> {
    inner: R,
    read: Rc<Cell<u64>>,
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.inner.read(buffer) {
            Ok(read) => {
                self.read.set(self.read.get() + read as u64);
                Ok(read)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => Err(io::Error::other(SourceFailed(error))),
        }
    }
}

/// What stops the reading of a layer.
pub(super) enum Stop {
    /// The reader failed: nothing is known of the layer.
    Source(io::Error),
    /// The layer is at fault.
    Problem(LayerProblem),
}

/// What an error of [`Expanded`] is, whatever it went through.
pub(super) fn stop_of(error: io::Error) -> Stop {
    let error = match error.downcast::<SourceFailed>() {
        Ok(failed) => return Stop::Source(failed.0),
        Err(error) => error,
    };
    match error.downcast::<TooFar>() {
        Ok(far) => Stop::Problem(LayerProblem::Bomb(far.0)),
        Err(error) => Stop::Problem(LayerProblem::Damaged(shown(&error.to_string()))),
    }
}

/// A layer's bytes, expanded.
pub(super) struct Expanded<'r> {
    input: Box<dyn Read + 'r>,
    limits: LayerLimits,
    expanded: u64,
    stored: Rc<Cell<u64>>,
    skipped: Rc<RefCell<Skipped>>,
}

impl<'r> Expanded<'r> {
    pub(super) fn new(reader: impl Read + 'r, limits: LayerLimits) -> Result<Self, Stop> {
        let stored = Rc::new(Cell::new(0));
        let skipped = Rc::new(RefCell::new(Skipped::default()));
        let mut source = BufReader::with_capacity(
            BUFFER,
            Source {
                inner: reader,
                read: Rc::clone(&stored),
            },
        );
        let mut head = Vec::new();
        let read = (&mut source).take(HEAD).read_to_end(&mut head);
        read.map_err(stop_of)?;
        let format = Format::of(&head).map_err(Stop::Problem)?;
        let source = BufReader::with_capacity(BUFFER, Cursor::new(head).chain(source));
        let input: Box<dyn Read + 'r> = match format {
            Format::Plain => Box::new(source),
            Format::Gzip => Box::new(MultiGzDecoder::new(source)),
            Format::Zstd => {
                let frames = Frames::new(source, Rc::clone(&skipped));
                let frames = BufReader::with_capacity(BUFFER, frames);
                Box::new(Decoder::with_buffer(frames).map_err(stop_of)?)
            }
        };
        Ok(Self {
            input,
            limits,
            expanded: 0,
            stored,
            skipped,
        })
    }

    /// How many bytes have come out.
    pub(super) fn expanded(&self) -> u64 {
        self.expanded
    }

    /// What zstd skips: complete when everything has been read.
    pub(super) fn into_skipped(self) -> Skipped {
        self.skipped.take()
    }

    fn check(&self) -> Result<(), TooFar> {
        let limits = &self.limits;
        if self.expanded > limits.expanded {
            return Err(TooFar(format!("{} bytes", limits.expanded)));
        }
        let most = self.stored.get().saturating_mul(limits.ratio);
        if self.expanded > limits.ratio_from && self.expanded > most {
            return Err(TooFar(format!("{} times its size", limits.ratio)));
        }
        Ok(())
    }
}

impl Read for Expanded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.expanded = self.expanded.saturating_add(read as u64);
        self.check().map_err(io::Error::other)?;
        Ok(read)
    }
}

/// How a layer is stored.
enum Format {
    Plain,
    Gzip,
    Zstd,
}

impl Format {
    fn of(head: &[u8]) -> Result<Self, LayerProblem> {
        let other = |name: &str| Err(LayerProblem::Compression(name.to_owned()));
        match head {
            [0x1f, 0x8b, ..] => Ok(Self::Gzip),
            // A frame, or one that is skipped.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Ok(Self::Zstd),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => other("xz"),
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => other("bzip2"),
            [0x04, 0x22, 0x4d, 0x18, ..] => other("lz4"),
            [0x1f, 0x9d | 0xa0, ..] => other("compress"),
            [0x5d, 0, 0, ..] => other("lzma"),
            [b'L', b'Z', b'I', b'P', ..] => other("lzip"),
            [0xff, 6, 0, 0, b's', b'N', ..] => other("snappy"),
            // No entries at all, or the header of one: whether it is one is found out by reading.
            [] => Ok(Self::Plain),
            _ if head.len() as u64 == HEAD && is_header(head) => Ok(Self::Plain),
            _ => Err(LayerProblem::NotAnArchive),
        }
    }
}

/// Whether a block is zeros or has the checksum of a tar header.
fn is_header(block: &[u8]) -> bool {
    if block.iter().all(|byte| *byte == 0) {
        return true;
    }
    let digits = block[148..156].iter().filter(|byte| byte.is_ascii_digit());
    let stated = digits.fold(0_i64, |sum, digit| sum * 8 + i64::from(digit & 7));
    let mut sum: i64 = 8 * i64::from(b' ');
    let mut signed = sum;
    for (index, byte) in block.iter().enumerate() {
        if !(148..156).contains(&index) {
            sum += i64::from(*byte);
            signed += i64::from(byte.cast_signed());
        }
    }
    stated == sum || stated == signed
}

/// Reads to the end: whether there is anything but zeros.
pub(super) fn drain(input: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let bytes = input.fill_buf()?;
        if bytes.is_empty() {
            return Ok(false);
        }
        if bytes.iter().any(|byte| *byte != 0) {
            return Ok(true);
        }
        let read = bytes.len();
        input.consume(read);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn expand(bytes: &[u8], limits: LayerLimits) -> Result<Vec<u8>, Stop> {
        let mut expanded = Expanded::new(bytes, limits)?;
        let mut all = Vec::new();
        expanded.read_to_end(&mut all).map_err(stop_of)?;
        Ok(all)
    }

    fn problem(bytes: &[u8], limits: LayerLimits) -> LayerProblem {
        match expand(bytes, limits) {
            Err(Stop::Problem(problem)) => problem,
            _ => panic!("a problem is expected"),
        }
    }

    #[test]
    fn every_member_and_frame_is_read() {
        let limits = LayerLimits::default();
        let members = [gzip(b"one "), gzip(b"two")].concat();
        assert!(matches!(expand(&members, limits), Ok(all) if all == b"one two"));
        let skipped = [&[0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 7, 7][..]].concat();
        let frame = |text: &[u8]| zstd::encode_all(text, 3).unwrap();
        let frames = [frame(b"one "), skipped, frame(b"two")].concat();
        assert!(matches!(expand(&frames, limits), Ok(all) if all == b"one two"));
        let zeros = [0; 1024];
        assert!(matches!(expand(&zeros, limits), Ok(all) if all == zeros));
        assert!(matches!(expand(b"", limits), Ok(all) if all.is_empty()));
    }

    #[test]
    fn other_formats_are_named() {
        let limits = LayerLimits::default();
        let xz = LayerProblem::Compression("xz".to_owned());
        assert_eq!(problem(b"\xfd7zXZ\0rest", limits), xz);
        assert_eq!(problem(b"{\"a\": 1}", limits), LayerProblem::NotAnArchive);
        assert_eq!(problem(&[7; 2000], limits), LayerProblem::NotAnArchive);
    }

    #[test]
    fn bombs_are_stopped_by_size_and_by_ratio() {
        let bomb = gzip(&vec![0; 4 << 20]);
        let size = LayerLimits {
            expanded: 1 << 20,
            ..LayerLimits::default()
        };
        let ratio = LayerLimits {
            ratio: 50,
            ratio_from: 1 << 20,
            ..LayerLimits::default()
        };
        for limits in [size, ratio] {
            assert!(matches!(problem(&bomb, limits), LayerProblem::Bomb(_)));
        }
        assert!(expand(&bomb, LayerLimits::default()).is_ok());
    }

    #[test]
    fn damage_is_told_from_a_reader_that_fails() {
        let limits = LayerLimits::default();
        for bytes in [
            gzip(b"some text"),
            zstd::encode_all(&b"text"[..], 3).unwrap(),
        ] {
            let cut = &bytes[..bytes.len() - 3];
            assert!(matches!(problem(cut, limits), LayerProblem::Damaged(_)));
            let mut trailing = bytes.clone();
            trailing.extend(b"garbage");
            assert!(matches!(
                problem(&trailing, limits),
                LayerProblem::Damaged(_)
            ));
        }
        struct Fails;
        impl Read for Fails {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::ConnectionReset.into())
            }
        }
        for first in [gzip(b"some text"), vec![0; 600]] {
            let reader = first.as_slice()[..first.len() - 8].chain(Fails);
            let stop = Expanded::new(reader, limits)
                .and_then(|mut expanded| expanded.read_to_end(&mut Vec::new()).map_err(stop_of));
            let Err(Stop::Source(error)) = stop else {
                panic!("the reader's own failure is expected")
            };
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        }
    }
}
