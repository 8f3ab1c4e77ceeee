//! The frames of a zstd stream (RFC 8878). A decoder skips some of them in silence; but in those
//! zstd:chunked keeps a table of contents that lazy runtimes read instead of the archive, so they
//! are looked at too.

use std::cell::RefCell;
use std::io::{self, BufRead, Read};
use std::rc::Rc;

/// The most that is kept of all frames that a decoder skips, in bytes: a table of contents of a
/// million files, compressed, has less.
const KEPT: u64 = 64 << 20;

const ZSTD: u32 = 0xfd2f_b528;

/// The frames that a decoder skips.
#[derive(Default)]
pub(super) struct Skipped {
    /// What is in them.
    pub(super) frames: Vec<Vec<u8>>,
    /// There is more than is kept.
    pub(super) truncated: bool,
}

/// Where in the stream the next byte is.
enum At {
    Frame,
    /// Before a block; whether a checksum follows the last.
    Block {
        checksum: bool,
    },
    /// Within bytes that are passed on; then what comes.
    Data {
        left: u64,
        then: Then,
    },
}

#[derive(Clone, Copy)]
enum Then {
    Frame,
    Block { checksum: bool },
}

/// Passes a stream on as it is, and keeps a copy of what a decoder would skip.
pub(super) struct Frames<R> {
    input: R,
    at: At,
    /// Headers that have been read and not passed on.
    pending: Vec<u8>,
    passed: usize,
    skipped: Rc<RefCell<Skipped>>,
    kept: u64,
}

impl<R: BufRead> Frames<R> {
    pub(super) fn new(input: R, skipped: Rc<RefCell<Skipped>>) -> Self {
        Self {
            input,
            at: At::Frame,
            pending: Vec::new(),
            passed: 0,
            skipped,
            kept: 0,
        }
    }

    /// Reads `count` bytes of a header, to be passed on.
    fn header(&mut self, count: usize) -> io::Result<&[u8]> {
        let start = self.pending.len();
        self.pending.resize(start + count, 0);
        self.input.read_exact(&mut self.pending[start..])?;
        Ok(&self.pending[start..])
    }

    /// Goes on to the next bytes to pass on; false at the end.
    fn advance(&mut self) -> io::Result<bool> {
        self.pending.clear();
        self.passed = 0;
        match self.at {
            At::Frame => self.frame(),
            At::Block { checksum } => {
                let header = self.header(3)?;
                let header = u32::from_le_bytes([header[0], header[1], header[2], 0]);
                let (last, kind, size) = (header & 1 == 1, header >> 1 & 3, header >> 3);
                let left = match kind {
                    // One byte, repeated.
                    1 => 1,
                    3 => return Err(damaged("a block of zstd is of no known type")),
                    _ => u64::from(size),
                };
                self.at = match (last, checksum) {
                    (false, _) => At::Data {
                        left,
                        then: Then::Block { checksum },
                    },
                    (true, checksum) => At::Data {
                        left: left + if checksum { 4 } else { 0 },
                        then: Then::Frame,
                    },
                };
                Ok(true)
            }
            At::Data { left: 0, then } => {
                self.at = match then {
                    Then::Frame => At::Frame,
                    Then::Block { checksum } => At::Block { checksum },
                };
                self.advance()
            }
            At::Data { .. } => Ok(true),
        }
    }

    /// The header of a frame, after all those that are skipped.
    fn frame(&mut self) -> io::Result<bool> {
        loop {
            if self.input.fill_buf()?.is_empty() {
                return Ok(false);
            }
            let magic = self.header(4)?;
            let magic = u32::from_le_bytes([magic[0], magic[1], magic[2], magic[3]]);
            if magic & 0xffff_fff0 == 0x184d_2a50 {
                self.skip()?;
                self.pending.clear();
                continue;
            }
            if magic != ZSTD {
                return Err(damaged("something follows a frame of zstd that is none"));
            }
            let descriptor = self.header(1)?[0];
            let single = descriptor >> 5 & 1 == 1;
            let window = usize::from(!single);
            let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
            let content = match (descriptor >> 6, single) {
                (0, false) => 0,
                (0, true) => 1,
                (flag, _) => 1_usize << flag,
            };
            self.header(window + dictionary + content)?;
            self.at = At::Block {
                checksum: descriptor >> 2 & 1 == 1,
            };
            return Ok(true);
        }
    }

    /// Takes the content of a frame that a decoder skips.
    fn skip(&mut self) -> io::Result<()> {
        let size = self.header(4)?;
        let size = u64::from(u32::from_le_bytes([size[0], size[1], size[2], size[3]]));
        let mut frame = Vec::new();
        let mut content = (&mut self.input).take(size);
        let fits = self.kept + size <= KEPT;
        if fits {
            content.read_to_end(&mut frame)?;
        } else {
            io::copy(&mut content, &mut io::sink())?;
        }
        if content.limit() > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // An empty frame costs something too.
        self.kept += 64 + frame.len() as u64;
        let mut skipped = self.skipped.borrow_mut();
        if fits {
            skipped.frames.push(frame);
        } else {
            skipped.truncated = true;
        }
        Ok(())
    }
}

fn damaged(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if self.passed < self.pending.len() {
                let rest = &self.pending[self.passed..];
                let count = rest.len().min(buffer.len());
                buffer[..count].copy_from_slice(&rest[..count]);
                self.passed += count;
                return Ok(count);
            }
            if let At::Data { left, .. } = &mut self.at
                && *left > 0
            {
                let most = usize::try_from(*left).unwrap_or(usize::MAX);
                let most = most.min(buffer.len());
                let read = self.input.read(&mut buffer[..most])?;
                if read == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                *left -= read as u64;
                return Ok(read);
            }
            if !self.advance()? {
                return Ok(0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pass(bytes: &[u8]) -> io::Result<(Vec<u8>, Skipped)> {
        let skipped = Rc::new(RefCell::new(Skipped::default()));
        let mut passed = Vec::new();
        Frames::new(bytes, Rc::clone(&skipped)).read_to_end(&mut passed)?;
        Ok((passed, skipped.take()))
    }

    fn skippable(content: &[u8]) -> Vec<u8> {
        let mut frame = vec![0x5a, 0x2a, 0x4d, 0x18];
        frame.extend(u32::try_from(content.len()).unwrap().to_le_bytes());
        frame.extend(content);
        frame
    }

    #[test]
    fn frames_are_passed_on_and_skipped_ones_are_kept() {
        let random: Vec<u8> = (0..400_000_u32)
            .map(|n| (n.wrapping_mul(n) >> 7) as u8)
            .collect();
        let mut checked = zstd::Encoder::new(Vec::new(), 1).unwrap();
        checked.include_checksum(true).unwrap();
        io::copy(&mut random.as_slice(), &mut checked).unwrap();
        let frames = [
            zstd::encode_all(&random[..], 19).unwrap(),
            checked.finish().unwrap(),
            zstd::encode_all(&[0; 300_000][..], 3).unwrap(),
            zstd::encode_all(&b""[..], 3).unwrap(),
        ];
        let mut stream = skippable(b"first");
        for frame in &frames {
            stream.extend(frame);
            stream.extend(skippable(b"more"));
        }
        let (passed, skipped) = pass(&stream).unwrap();
        assert_eq!(passed, frames.concat());
        assert_eq!(skipped.frames[0], b"first");
        assert_eq!(skipped.frames.len(), 5);
        assert!(!skipped.truncated);
    }

    #[test]
    fn a_frame_that_ends_early_is_an_error() {
        let frame = zstd::encode_all(&b"some text"[..], 3).unwrap();
        assert!(pass(&frame[..frame.len() - 1]).is_err());
        let skipped = skippable(b"four");
        assert!(pass(&skipped[..skipped.len() - 1]).is_err());
        assert!(pass(b"what").is_err());
        assert!(pass(b"").is_ok());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..300),
            real: bool,
        ) {
            if real {
                bytes.splice(0..0, ZSTD.to_le_bytes());
            }
            let _ = pass(&bytes);
        }
    }
}
