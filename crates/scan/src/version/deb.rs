//! Debian's order: deb-version(7), as `dpkg --compare-versions` has it.
//!
//! `[epoch:]upstream[-revision]`. The parts are compared one after the other, each by alternating
//! runs of other characters and of digits; in the former `~` sorts before the end, the end before
//! letters, letters before everything else.

use std::cmp::Ordering;

use super::Reason;
use super::digits::{self, Number};

/// A version of a Debian package, in its parts.
pub(super) struct Version<'a> {
    epoch: Number<'a>,
    upstream: &'a str,
    /// Empty for none, which equals `0`.
    revision: &'a str,
}

/// As lenient as dpkg is: what dpkg only warns about (a version that does not begin with a digit,
/// unusual punctuation) has an order and is accepted.
pub(super) fn parse(text: &str) -> Result<Version<'_>, Reason> {
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("it has a character that is not ASCII, or a space");
    }
    let (epoch, rest) = match text.split_once(':') {
        Some((epoch, rest)) => {
            let epoch = Number::parse(epoch).ok_or("its epoch, before ':', is not a number")?;
            (epoch, rest)
        }
        None => (Number::ZERO, text),
    };
    let (upstream, revision) = match rest.rsplit_once('-') {
        Some((_, "")) => return Err("its revision, after '-', is empty"),
        Some(split) => split,
        None => (rest, ""),
    };
    if upstream.is_empty() {
        return Err("it has no upstream version");
    }
    Ok(Version {
        epoch,
        upstream,
        revision,
    })
}

pub(super) fn compare(a: &Version<'_>, b: &Version<'_>) -> Ordering {
    a.epoch
        .cmp(&b.epoch)
        .then_with(|| compare_part(a.upstream, b.upstream))
        .then_with(|| compare_part(a.revision, b.revision))
}

/// dpkg's `verrevcmp`.
fn compare_part(mut a: &str, mut b: &str) -> Ordering {
    while !a.is_empty() || !b.is_empty() {
        let (a_text, a_rest) = digits::take_while(a, |byte| !byte.is_ascii_digit());
        let (b_text, b_rest) = digits::take_while(b, |byte| !byte.is_ascii_digit());
        let (a_number, b_number);
        (a_number, a) = digits::take(a_rest);
        (b_number, b) = digits::take(b_rest);
        let order = compare_text(a_text, b_text)
            .then_with(|| Number::new(a_number).cmp(&Number::new(b_number)));
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

/// Compares runs without digits. One end is enough: where both texts end, nothing follows.
fn compare_text(a: &str, b: &str) -> Ordering {
    weights(a).cmp(weights(b))
}

fn weights(text: &str) -> impl Iterator<Item = (u8, u8)> {
    let bytes = text.bytes().map(Some);
    bytes.chain(std::iter::once(None)).map(weight)
}

/// The weight of a character, or of the end.
fn weight(byte: Option<u8>) -> (u8, u8) {
    match byte {
        Some(b'~') => (0, 0),
        None => (1, 0),
        Some(byte) if byte.is_ascii_alphabetic() => (2, byte),
        Some(byte) => (3, byte),
    }
}
