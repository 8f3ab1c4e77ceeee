//! RubyGems' order: `Gem::Version`.
//!
//! Runs of digits and runs of letters; a hyphen reads `.pre.`, and a version with a letter is a
//! pre-release. Missing segments are zero, and words are below numbers.

use std::cmp::Ordering;

use super::Reason;
use super::digits::{self, Number};

/// The canonical segments of a version: no zeros at the end, nor before the first word.
pub(super) struct Version<'a>(Vec<Segment<'a>>);

/// A segment; the variants are in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Segment<'a> {
    Word(&'a str),
    Number(Number<'a>),
}

const ZERO: Segment<'static> = Segment::Number(Number::ZERO);

/// By `Gem::Version::VERSION_PATTERN`.
pub(super) fn parse(text: &str) -> Result<Version<'_>, Reason> {
    let text = text.trim_ascii();
    let (version, suffix) = match text.split_once('-') {
        Some((version, suffix)) => (version, Some(suffix)),
        None => (text, None),
    };
    let mut parts = version.split('.');
    if !parts.next().is_some_and(digits::is_number) {
        return Err("it does not begin with a number");
    }
    let filled = |part: &str, more: &[u8]| {
        let valid = |byte: u8| byte.is_ascii_alphanumeric() || more.contains(&byte);
        !part.is_empty() && part.bytes().all(valid)
    };
    let suffix_parts = suffix.into_iter().flat_map(|suffix| suffix.split('.'));
    if !parts.all(|part| filled(part, b"")) || !suffix_parts.clone().all(|part| filled(part, b"-"))
    {
        return Err("a part between its dots is empty or has more than letters and digits");
    }
    let mut segments = Vec::new();
    scan(version, &mut segments);
    if let Some(suffix) = suffix {
        for part in suffix.split('-') {
            segments.push(Segment::Word("pre"));
            scan(part, &mut segments);
        }
    }
    Ok(canonical(segments))
}

/// Adds the runs of digits and of letters.
fn scan<'a>(mut text: &'a str, segments: &mut Vec<Segment<'a>>) {
    while !text.is_empty() {
        let (number, after) = digits::take(text);
        let (word, rest) = digits::take_while(after, |byte| byte.is_ascii_alphabetic());
        if !number.is_empty() {
            segments.push(Segment::Number(Number::new(number)));
        }
        if !word.is_empty() {
            segments.push(Segment::Word(word));
        }
        text = rest.strip_prefix('.').unwrap_or(rest);
    }
}

fn canonical(mut segments: Vec<Segment<'_>>) -> Version<'_> {
    let is_word = |segment: &Segment<'_>| matches!(segment, Segment::Word(_));
    let word = segments.iter().position(is_word).unwrap_or(segments.len());
    let mut rest = segments.split_off(word);
    for segments in [&mut segments, &mut rest] {
        while segments.last() == Some(&ZERO) {
            segments.pop();
        }
    }
    segments.append(&mut rest);
    Version(segments)
}

pub(super) fn compare(a: &Version<'_>, b: &Version<'_>) -> Ordering {
    let longest = a.0.len().max(b.0.len());
    (0..longest)
        .map(|index| {
            let left = a.0.get(index).unwrap_or(&ZERO);
            let right = b.0.get(index).unwrap_or(&ZERO);
            left.cmp(right)
        })
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}
