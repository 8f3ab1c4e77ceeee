//! Debian's order: deb-version(7), as `dpkg --compare-versions` has it.
//!
//! `[epoch:]upstream[-revision]`. The parts are compared one after the other, each by alternating
//! runs of other characters and of digits; in the former `~` sorts before the end, the end before
//! letters, letters before everything else.

use std::cmp::Ordering;

use super::Reason;
use super::digits::Number;

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
    let (mut colon, mut hyphen) = (None, None);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b':' if colon.is_none() => colon = Some(at),
            b'-' => hyphen = Some(at),
            byte if !byte.is_ascii_graphic() => {
                return Err("it has a character that is not ASCII, or a space");
            }
            _ => {}
        }
    }
    let (epoch, start) = match colon {
        Some(at) => {
            let epoch = Number::parse(&text[..at]);
            let epoch = epoch.ok_or("its epoch, before ':', is not a number")?;
            (epoch, at + 1)
        }
        None => (Number::ZERO, 0),
    };
    let (upstream, revision) = match hyphen {
        Some(at) if at + 1 == text.len() => return Err("its revision, after '-', is empty"),
        Some(at) => (&text[start..at], &text[at + 1..]),
        None => (&text[start..], ""),
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
        .then_with(|| compare_part(a.upstream.as_bytes(), b.upstream.as_bytes()))
        .then_with(|| compare_part(a.revision.as_bytes(), b.revision.as_bytes()))
}

/// dpkg's `verrevcmp`.
fn compare_part(a: &[u8], b: &[u8]) -> Ordering {
    // What both begin with is equal, but for a number that may go on in one of them.
    let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let number = a[..same].iter().rev().take_while(|b| b.is_ascii_digit());
    let same = same - number.count();
    let (mut a, mut b) = (&a[same..], &b[same..]);
    while !a.is_empty() || !b.is_empty() {
        loop {
            let weights = (weight(a.first()), weight(b.first()));
            if weights.0 != weights.1 {
                return weights.0.cmp(&weights.1);
            }
            if weights.0 == END {
                break;
            }
            (a, b) = (&a[1..], &b[1..]);
        }
        let (a_number, b_number);
        (a_number, a) = take_number(a);
        (b_number, b) = take_number(b);
        let order = a_number.len().cmp(&b_number.len());
        let order = order.then_with(|| a_number.cmp(b_number));
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

/// The digits that come next, without leading zeros, and what follows them.
fn take_number(text: &[u8]) -> (&[u8], &[u8]) {
    let zeros = text.iter().take_while(|byte| **byte == b'0').count();
    let text = &text[zeros..];
    text.split_at(text.iter().take_while(|b| b.is_ascii_digit()).count())
}

/// The weight of the end of a run without digits.
const END: u16 = 1;

/// The weight of a character, or of the end.
fn weight(byte: Option<&u8>) -> u16 {
    match byte {
        Some(b'~') => 0,
        None | Some(b'0'..=b'9') => END,
        Some(byte) if byte.is_ascii_alphabetic() => 0x100 | u16::from(*byte),
        Some(byte) => 0x200 | u16::from(*byte),
    }
}
