//! Packagist's order: PHP's `version_compare`, by which Composer compares versions.
//!
//! A version is a sequence of elements: runs of digits and runs of letters, everything else
//! separates. `dev`, `alpha`, `beta` and `rc` are below the end of the version, `p` (`pl`,
//! `patch`) is above it, and any further number is above it too: `1.0` is below `1.0.0`. A leading
//! `v` is left out, as Composer does.

use std::cmp::Ordering;

use super::Reason;
use super::digits::{self, Number};

/// The elements of a version.
pub(super) struct Version<'a>(Vec<Element<'a>>);

/// An element; the variants are in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Element<'a> {
    /// A separator with nothing after it.
    Nothing,
    /// A word, by what it begins with.
    Before(Word),
    End,
    Number(Number<'a>),
    /// PHP's placeholder `#`, equal to any number. No release has one; with it alone the order is
    /// not transitive.
    AnyNumber,
    Patch,
}

/// What words that stand before a release are; the variants are in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Word {
    Unknown,
    Dev,
    Alpha,
    Beta,
    Candidate,
}

pub(super) fn parse(text: &str) -> Result<Version<'_>, Reason> {
    let mut rest = text.strip_prefix(['v', 'V']).unwrap_or(text);
    if !rest.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '#') {
        return Err("it does not begin with a letter or a digit");
    }
    let mut elements = Vec::new();
    while !rest.is_empty() {
        let (number, after) = digits::take(rest);
        let (word, after) =
            digits::take_while(after, |byte| byte.is_ascii_alphabetic() || byte == b'#');
        if !number.is_empty() {
            elements.push(Element::Number(Number::new(number)));
        }
        if !word.is_empty() {
            elements.push(element(word));
        }
        rest = after.trim_start_matches(|next: char| !next.is_ascii_alphanumeric() && next != '#');
        if rest.is_empty() && !after.is_empty() {
            elements.push(Element::Nothing);
        }
    }
    elements.push(Element::End);
    Ok(Version(elements))
}

/// What PHP takes a word for: it looks at the beginning only, and `RC` is the one that may be in
/// upper case.
fn element(word: &str) -> Element<'static> {
    match word {
        _ if word.starts_with("dev") => Element::Before(Word::Dev),
        _ if word.starts_with('a') => Element::Before(Word::Alpha),
        _ if word.starts_with('b') => Element::Before(Word::Beta),
        _ if word.starts_with("RC") || word.starts_with("rc") => Element::Before(Word::Candidate),
        _ if word.starts_with('#') => Element::AnyNumber,
        _ if word.starts_with('p') => Element::Patch,
        _ => Element::Before(Word::Unknown),
    }
}

/// Compares element by element. Where a version has ended, the placeholder says nothing: what
/// follows it decides.
pub(super) fn compare(a: &Version<'_>, b: &Version<'_>) -> Ordering {
    let (mut a, mut b) = (&a.0[..], &b.0[..]);
    while let (Some((left, a_rest)), Some((right, b_rest))) = (a.split_first(), b.split_first()) {
        let order = match (left, right) {
            (Element::Number(_), Element::AnyNumber) | (Element::AnyNumber, Element::Number(_)) => {
                Ordering::Equal
            }
            (Element::AnyNumber, Element::End) => {
                a = a_rest;
                continue;
            }
            (Element::End, Element::AnyNumber) => {
                b = b_rest;
                continue;
            }
            (left, right) => left.cmp(right),
        };
        if order.is_ne() {
            return order;
        }
        (a, b) = (a_rest, b_rest);
    }
    Ordering::Equal
}
