//! rpm's order: `rpmvercmp` over epoch, version and release (rpm-version(7), `rpmio/rpmvercmp.c`).
//!
//! `[epoch:]version[-release]`. A part is a sequence of runs of digits and runs of letters;
//! everything else only separates them, but `~` sorts before the end of the part and `^` right
//! after it.

use std::cmp::Ordering;

use super::Reason;
use super::digits::{self, Number};

/// A version of an rpm package, in its parts.
pub(super) struct Version<'a> {
    epoch: Number<'a>,
    version: &'a str,
    /// A version without a release is below the same with any.
    release: Option<&'a str>,
}

/// Splits as rpm's `parseEVR` does. Every text has an order: characters that are neither letters
/// nor digits of ASCII are separators.
pub(super) fn parse(text: &str) -> Result<Version<'_>, Reason> {
    let (epoch, rest) = match text.split_once(':') {
        Some((epoch, rest)) if epoch.bytes().all(|byte| byte.is_ascii_digit()) => (epoch, rest),
        _ => ("", text),
    };
    let (version, release) = match rest.rsplit_once('-') {
        Some((version, release)) => (version, Some(release)),
        None => (rest, None),
    };
    Ok(Version {
        epoch: Number::new(epoch),
        version,
        release,
    })
}

pub(super) fn compare(a: &Version<'_>, b: &Version<'_>) -> Ordering {
    a.epoch
        .cmp(&b.epoch)
        .then_with(|| compare_part(a.version, b.version))
        .then_with(|| match (a.release, b.release) {
            (Some(a), Some(b)) => compare_part(a, b),
            (a, b) => a.is_some().cmp(&b.is_some()),
        })
}

/// `rpmvercmp`.
fn compare_part(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (Segments(a), Segments(b));
    loop {
        let (left, right) = (a.next(), b.next());
        let order = left.cmp(&right);
        if order.is_ne() || left == Segment::End {
            return order;
        }
    }
}

/// A piece of a part; the variants are in their order.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Segment<'a> {
    Tilde,
    End,
    Caret,
    Letters(&'a str),
    Number(Number<'a>),
}

/// The rest of a part.
struct Segments<'a>(&'a str);

impl<'a> Segments<'a> {
    /// The next piece; at the end, `End` again and again.
    fn next(&mut self) -> Segment<'a> {
        let text = self.0.trim_start_matches(|character: char| {
            !character.is_ascii_alphanumeric() && character != '~' && character != '^'
        });
        let (segment, rest) = match text.bytes().next() {
            None => (Segment::End, text),
            Some(b'~') => (Segment::Tilde, &text[1..]),
            Some(b'^') => (Segment::Caret, &text[1..]),
            Some(byte) if byte.is_ascii_digit() => {
                let (number, rest) = digits::take(text);
                (Segment::Number(Number::new(number)), rest)
            }
            Some(_) => {
                let (letters, rest) = digits::take_while(text, |byte| byte.is_ascii_alphabetic());
                (Segment::Letters(letters), rest)
            }
        };
        self.0 = rest;
        segment
    }
}
