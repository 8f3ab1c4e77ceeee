//! Where HTTP/1 messages begin and end, read strictly.
//!
//! hyper serves a message that has both `Content-Length` and `Transfer-Encoding` and forgets one
//! of them before a service sees the headers. We refuse such a message (RFC 9112 §6.1, §6.3), so
//! the framing is read here first. Whatever hyper would refuse anyway may pass.

/// How many bytes a request line with its headers may have.
pub(super) const HEAD_LIMIT: usize = 64 * 1024;

/// The length of the message cannot be told, or could be told in two ways.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ambiguous;

/// The end of the head that `bytes` begins with: the index after its empty line, if it is there.
/// `scanned` bytes were searched before.
pub(super) fn head_end(bytes: &[u8], scanned: usize) -> Option<usize> {
    let from = scanned.saturating_sub(2);
    let newlines = bytes.get(from..)?.iter().enumerate();
    newlines
        .filter(|(_, byte)| **byte == b'\n')
        .find_map(|(i, _)| match &bytes[from + i + 1..] {
            [b'\n', ..] => Some(from + i + 2),
            [b'\r', b'\n', ..] => Some(from + i + 3),
            _ => None,
        })
}

/// What of a body is still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// Nothing: the next byte begins a head.
    Done,
    /// So many bytes, at least one.
    Length(u64),
    /// Chunks (RFC 9112 §7.1).
    Chunked(Chunk),
}

/// A place inside a chunked body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chunk {
    /// In the hex digits of a size.
    Size(u64),
    /// In what follows a size on its line.
    Extension(u64),
    /// Before the line feed that ends the line of a size.
    SizeEnd(u64),
    /// In the data, so many bytes before its end.
    Data(u64),
    /// Before the line feed after the data; the carriage return came if `true`.
    DataEnd(bool),
    /// At the begin of a trailer line.
    Trailers,
    /// In a trailer line.
    Trailer,
    /// Before the line feed that ends the body.
    End,
}

impl Body {
    /// The body that follows `head`, which ends with its empty line.
    ///
    /// # Errors
    /// More than one length, a length beside a transfer coding, a coding other than one
    /// `chunked`, a length that is no number, or a folded line.
    pub(super) fn after(head: &[u8]) -> Result<Self, Ambiguous> {
        let mut length = None;
        let mut chunked = false;
        for line in head.split(|byte| *byte == b'\n').skip(1) {
            if line.first().is_some_and(|b| matches!(b, b' ' | b'\t')) {
                return Err(Ambiguous);
            }
            let Some(colon) = line.iter().position(|byte| *byte == b':') else {
                continue;
            };
            let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
            if name.eq_ignore_ascii_case(b"content-length") {
                if length.replace(number(value).ok_or(Ambiguous)?).is_some() {
                    return Err(Ambiguous);
                }
            } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
                if chunked || !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(Ambiguous);
                }
                chunked = true;
            }
        }
        match (length, chunked) {
            (Some(_), true) => Err(Ambiguous),
            (None, true) => Ok(Self::Chunked(Chunk::Size(0))),
            (None | Some(0), false) => Ok(Self::Done),
            (Some(length), false) => Ok(Self::Length(length)),
        }
    }

    /// Takes the bytes of this body off the front of `bytes` and gives their number: all of them,
    /// or fewer when the body ends, and then it is [`Body::Done`].
    ///
    /// # Errors
    /// Not the form of a chunk.
    pub(super) fn follow(&mut self, bytes: &[u8]) -> Result<usize, Ambiguous> {
        let mut taken = 0;
        while taken < bytes.len() {
            let rest = &bytes[taken..];
            let skip = |left: u64| usize::try_from(left).map_or(rest.len(), |n| n.min(rest.len()));
            match *self {
                Self::Done => break,
                Self::Length(left) => {
                    let n = skip(left);
                    *self = match left - n as u64 {
                        0 => Self::Done,
                        left => Self::Length(left),
                    };
                    taken += n;
                }
                Self::Chunked(Chunk::Data(left)) => {
                    let n = skip(left);
                    *self = Self::Chunked(match left - n as u64 {
                        0 => Chunk::DataEnd(false),
                        left => Chunk::Data(left),
                    });
                    taken += n;
                }
                Self::Chunked(chunk) => {
                    *self = chunk.next(rest[0])?.map_or(Self::Done, Self::Chunked);
                    taken += 1;
                }
            }
        }
        Ok(taken)
    }
}

impl Chunk {
    /// The place after `byte`; `None` when it ended the body.
    fn next(self, byte: u8) -> Result<Option<Self>, Ambiguous> {
        let next = match (self, byte) {
            (Self::Size(size) | Self::Extension(size), b'\r') => Self::SizeEnd(size),
            (Self::Size(size), b' ' | b'\t' | b';') => Self::Extension(size),
            (Self::Size(size), digit) => {
                let digit = char::from(digit).to_digit(16).ok_or(Ambiguous)?;
                let size = size.checked_mul(16).ok_or(Ambiguous)?;
                Self::Size(size + u64::from(digit))
            }
            (Self::Extension(_), b'\n') => return Err(Ambiguous),
            (Self::Extension(size), _) => Self::Extension(size),
            (Self::SizeEnd(0), b'\n') => Self::Trailers,
            (Self::SizeEnd(size), b'\n') => Self::Data(size),
            (Self::DataEnd(false), b'\r') => Self::DataEnd(true),
            (Self::DataEnd(true), b'\n') => Self::Size(0),
            (Self::Trailers, b'\r') => Self::End,
            (Self::Trailers, _) => Self::Trailer,
            (Self::Trailer, b'\n') => Self::Trailers,
            (Self::Trailer, _) => Self::Trailer,
            (Self::End, b'\n') => return Ok(None),
            (Self::SizeEnd(_) | Self::Data(_) | Self::DataEnd(_) | Self::End, _) => {
                return Err(Ambiguous);
            }
        };
        Ok(Some(next))
    }
}

/// A decimal number of ASCII digits only: no sign, no list.
fn number(text: &[u8]) -> Option<u64> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    digits.then(|| std::str::from_utf8(text).ok()?.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_ends_with_its_empty_line() {
        for (text, end) in [
            ("GET / HTTP/1.1\r\n\r\nx", Some(18)),
            ("GET / HTTP/1.1\n\nx", Some(16)),
            ("GET / HTTP/1.1\r\nA: b\r\n\r", None),
            ("GET / HTTP/1.1\r\nA: b\r\n", None),
            ("", None),
        ] {
            assert_eq!(head_end(text.as_bytes(), 0), end, "{text:?}");
        }
        let text = b"GET / HTTP/1.1\r\nA: b\r\n\r\n";
        for scanned in 0..text.len() {
            assert_eq!(head_end(text, scanned), Some(text.len()), "{scanned}");
        }
    }

    #[test]
    fn a_length_is_given_once_and_in_one_way() {
        let chunked = Ok(Body::Chunked(Chunk::Size(0)));
        for (headers, body) in [
            ("", Ok(Body::Done)),
            ("Content-Length: 0\r\n", Ok(Body::Done)),
            ("content-length:\t7 \r\n", Ok(Body::Length(7))),
            ("Transfer-Encoding: Chunked\r\n", chunked),
            ("Content-Length: 7\r\nContent-Length: 7\r\n", Err(Ambiguous)),
            ("Content-Length: 7\r\nContent-Length: 8\r\n", Err(Ambiguous)),
            (
                "Content-Length: 7\r\nTransfer-Encoding: chunked\r\n",
                Err(Ambiguous),
            ),
            (
                "Transfer-Encoding: chunked\r\nContent-Length: 7\r\n",
                Err(Ambiguous),
            ),
            (
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                Err(Ambiguous),
            ),
            ("Transfer-Encoding: gzip, chunked\r\n", Err(Ambiguous)),
            ("Transfer-Encoding: xchunked\r\n", Err(Ambiguous)),
            ("Content-Length: 7, 7\r\n", Err(Ambiguous)),
            ("Content-Length: +7\r\n", Err(Ambiguous)),
            ("Content-Length: -7\r\n", Err(Ambiguous)),
            ("Content-Length: \r\n", Err(Ambiguous)),
            ("Content-Length: 99999999999999999999\r\n", Err(Ambiguous)),
            ("Transfer-Encoding:\r\n chunked\r\n", Err(Ambiguous)),
        ] {
            for newline in ["\r\n", "\n"] {
                let head = format!("PUT / HTTP/1.1\r\nHost: a\r\n{headers}\r\n");
                let head = head.replace("\r\n", newline);
                assert_eq!(Body::after(head.as_bytes()), body, "{head:?}");
            }
        }
    }

    #[test]
    fn a_body_ends_where_its_framing_says_however_it_is_cut() {
        let chunked = Body::Chunked(Chunk::Size(0));
        for (body, text) in [
            (Body::Length(3), "abc"),
            (chunked, "0\r\n\r\n"),
            (chunked, "3\r\nabc\r\n0\r\n\r\n"),
            (
                chunked,
                "A;x=y\r\n0123456789\r\n1 \r\n\n\r\n00\r\nT: 1\r\n\r\n",
            ),
        ] {
            let all = format!("{text}GET /");
            let mut whole = body;
            assert_eq!(whole.follow(all.as_bytes()), Ok(text.len()), "{text:?}");
            assert_eq!(whole, Body::Done);
            let mut cut = body;
            let taken = all.bytes().map(|b| cut.follow(&[b]).unwrap());
            assert_eq!(taken.sum::<usize>(), text.len(), "{text:?}");
        }
    }

    #[test]
    fn a_malformed_chunk_is_an_error() {
        for text in [
            "x\r\n",
            "-1\r\n",
            "3\nabc",
            "3\r\nabcd\r\n",
            "3;\n",
            "0\r\n\rx",
            "11111111111111111\r\n",
        ] {
            let mut body = Body::Chunked(Chunk::Size(0));
            assert_eq!(body.follow(text.as_bytes()), Err(Ambiguous), "{text:?}");
        }
    }
}
