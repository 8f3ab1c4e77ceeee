//! NuGet's order: `NuGetVersion` and `VersionComparer.Default`.
//!
//! One to four numbers, then labels as in semver but without regard to case. A label counts as a
//! number only if it fits a 32-bit integer, as in NuGet itself; build metadata does not count.

use std::cmp::Ordering;

use super::Reason;
use super::digits::Number;
use super::semver::{numbers, word};

/// A version in its parts.
pub(super) struct Version<'a> {
    /// Without trailing zeros: `1.0` equals `1.0.0.0`.
    numbers: Vec<Number<'a>>,
    /// Empty for a release.
    labels: Vec<Label>,
}

/// A part of a pre-release; the variants are in their order.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Label {
    Number(i32),
    /// In upper case, which is how NuGet ignores case.
    Word(String),
}

pub(super) fn parse(text: &str) -> Result<Version<'_>, Reason> {
    let text = text.trim();
    let (rest, metadata) = text.split_once('+').unwrap_or((text, "0"));
    for part in metadata.split('.') {
        word(part)?;
    }
    let (mut numbers, rest) = numbers(rest)?;
    if numbers.len() > 4 {
        return Err("it has more than four numbers");
    }
    while numbers.last() == Some(&Number::ZERO) {
        numbers.pop();
    }
    let labels = match rest.strip_prefix('-') {
        Some(labels) => labels.split('.').map(label).collect::<Result<_, _>>()?,
        None if rest.is_empty() => Vec::new(),
        None => return Err("its numbers are followed by something else"),
    };
    Ok(Version { numbers, labels })
}

fn label(part: &str) -> Result<Label, Reason> {
    let word = word(part)?;
    Ok(match word.parse() {
        Ok(number) => Label::Number(number),
        Err(_) => Label::Word(word.to_ascii_uppercase()),
    })
}

pub(super) fn compare(a: &Version<'_>, b: &Version<'_>) -> Ordering {
    let release = |version: &Version<'_>| version.labels.is_empty();
    a.numbers
        .cmp(&b.numbers)
        .then_with(|| release(a).cmp(&release(b)))
        .then_with(|| a.labels.cmp(&b.labels))
}
