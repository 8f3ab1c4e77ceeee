//! The order of semver 2.0.0, and of what registries hold that comes close to it.
//!
//! `major.minor.patch[-pre.release][+build]`. Numbers, then pre-releases below the release,
//! identifier by identifier: numbers below words, fewer below more (item 11). Build metadata does
//! not count, but for Dart.

use std::cmp::Ordering;

use super::Reason;
use super::digits::{self, Number};

/// A version in its parts.
pub(super) struct Version<'a> {
    /// How many numbers were written.
    count: usize,
    /// Without trailing zeros: `1` equals `1.0.0`.
    numbers: Vec<Number<'a>>,
    /// Empty for a release.
    pre_release: Vec<Identifier<'a>>,
    /// Empty for none.
    build: Vec<Identifier<'a>>,
}

/// A part between dots; the variants are in their order.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Identifier<'a> {
    Number(Number<'a>),
    Word(&'a str),
}

/// By the grammar of semver, but one `v` may lead, and `1` and `1.2` are short for `1.0.0` and
/// `1.2.0`.
pub(super) fn parse_strict(text: &str) -> Result<Version<'_>, Reason> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let version = parse(text, |rest| rest.strip_prefix('-'))?;
    if version.count > 3 {
        return Err("it has more than three numbers");
    }
    Ok(version)
}

/// As node-semver does in its loose mode: any `v`, `=` and spaces may lead, and the hyphen of a
/// pre-release may be missing (`1.0.0rc1`). Beyond it, any count of numbers is taken: advisories,
/// also for npm, name bounds such as `1.2` and `1.5.1.2`.
pub(super) fn parse_loose(text: &str) -> Result<Version<'_>, Reason> {
    let text = text.trim_start_matches(['v', 'V', '=', ' ']).trim_end();
    parse(text, |rest| {
        let hyphen = rest.strip_prefix('-');
        hyphen.or_else(|| {
            rest.starts_with(|next: char| next.is_ascii_alphabetic())
                .then_some(rest)
        })
    })
}

/// As Go names its toolchains: `1.21rc2` is what semver writes `1.21.0-rc.2`.
pub(super) fn parse_toolchain(text: &str) -> Result<Version<'_>, Reason> {
    let (_, suffix) = numbers(text)?;
    let mut version = parse(&text[..text.len() - suffix.len()], |_| None)?;
    if !suffix.is_empty() {
        let (kind, number) = digits::take_while(suffix, |byte| byte.is_ascii_lowercase());
        let number = Number::parse(number).ok_or("its numbers are followed by something else")?;
        version.pre_release = vec![Identifier::Word(kind), Identifier::Number(number)];
    }
    Ok(version)
}

/// Parses the numbers, then what `pre_release` finds after them.
fn parse<'a>(
    text: &'a str,
    pre_release: impl Fn(&'a str) -> Option<&'a str>,
) -> Result<Version<'a>, Reason> {
    let (rest, build) = match text.split_once('+') {
        Some((rest, build)) => (rest, identifiers(build)?),
        None => (text, Vec::new()),
    };
    let (mut numbers, rest) = numbers(rest)?;
    let count = numbers.len();
    while numbers.last() == Some(&Number::ZERO) {
        numbers.pop();
    }
    let pre_release = match rest {
        "" => Vec::new(),
        rest => {
            identifiers(pre_release(rest).ok_or("its numbers are followed by something else")?)?
        }
    };
    Ok(Version {
        count,
        numbers,
        pre_release,
        build,
    })
}

/// The numbers between dots that a text begins with, at least one, and what follows them.
pub(super) fn numbers(text: &str) -> Result<(Vec<Number<'_>>, &str), Reason> {
    let mut numbers = Vec::new();
    let mut rest = text;
    loop {
        let (number, after) = digits::take(rest);
        let number = Number::parse(number).ok_or("a number is missing")?;
        numbers.push(number);
        match after.strip_prefix('.') {
            Some(next) => rest = next,
            None => return Ok((numbers, after)),
        }
    }
}

fn identifiers(text: &str) -> Result<Vec<Identifier<'_>>, Reason> {
    let parts = text.split('.');
    parts
        .map(|part| match Number::parse(part) {
            Some(number) => Ok(Identifier::Number(number)),
            None => word(part).map(Identifier::Word),
        })
        .collect()
}

/// The identifier if it is one: ASCII letters, digits and hyphens.
pub(super) fn word(part: &str) -> Result<&str, Reason> {
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if part.is_empty() {
        Err("an identifier of its pre-release or build is empty")
    } else if part.bytes().all(valid) {
        Ok(part)
    } else {
        Err("an identifier of its pre-release or build has more than letters, digits and '-'")
    }
}

pub(super) fn compare(a: &Version<'_>, b: &Version<'_>) -> Ordering {
    let release = |version: &Version<'_>| version.pre_release.is_empty();
    a.numbers
        .cmp(&b.numbers)
        .then_with(|| release(a).cmp(&release(b)))
        .then_with(|| a.pre_release.cmp(&b.pre_release))
}

/// Dart's order: versions that are equal otherwise are ordered by their builds, none first.
pub(super) fn compare_with_build(a: &Version<'_>, b: &Version<'_>) -> Ordering {
    compare(a, b).then_with(|| a.build.cmp(&b.build))
}
