//! Python's order: PEP 440, as `packaging.version` has it.
//!
//! `[epoch!]release[pre][post][dev][+local]`, in any case and with the separators and spellings
//! that the PEP normalizes. A development release is below everything of its release, a
//! pre-release below the release, a post-release above, and a local version above that.

use std::cmp::Ordering;

use super::Reason;
use super::digits::{self, Number};

/// The key by which versions are ordered: its fields, one after the other.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version<'a> {
    epoch: Number<'a>,
    release: Release<'a>,
    pre: Pre<'a>,
    /// None is below any.
    post: Option<Number<'a>>,
    dev: Dev<'a>,
    /// None is below any.
    local: Option<Vec<Local>>,
}

/// Numbers with dots between them. Those that are missing are zero.
struct Release<'a>(&'a str);

impl Ord for Release<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let (mut a, mut b) = (self.0, other.0);
        while !a.is_empty() || !b.is_empty() {
            let (a_number, b_number);
            (a_number, a) = digits::take(a);
            (b_number, b) = digits::take(b);
            let order = Number::new(a_number).cmp(&Number::new(b_number));
            if order.is_ne() {
                return order;
            }
            let after_dot = |text| str::strip_prefix(text, '.').unwrap_or(text);
            (a, b) = (after_dot(a), after_dot(b));
        }
        Ordering::Equal
    }
}

impl PartialOrd for Release<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Release<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Release<'_> {}

/// The pre-release segment; the variants are in their order.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Pre<'a> {
    /// A development release of the release itself: `1.0.dev1` is below `1.0a1`.
    DevelopmentOnly,
    Alpha(Number<'a>),
    Beta(Number<'a>),
    Candidate(Number<'a>),
    None,
}

/// The development segment; the variants are in their order.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Dev<'a> {
    Some(Number<'a>),
    None,
}

/// A part of a local version; the variants are in their order. Owned, because it is compared in
/// lower case.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Local {
    Word(String),
    /// The count of significant digits and the digits.
    Number(usize, String),
}

pub(super) fn parse(text: &str) -> Result<Version<'_>, Reason> {
    let text = text.trim();
    let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
    let (public, local) = match text.split_once('+') {
        Some((public, local)) => (public, Some(parse_local(local)?)),
        None => (text, None),
    };
    let (epoch, rest) = match public.split_once('!') {
        Some((epoch, rest)) => (
            Number::parse(epoch).ok_or("its epoch, before '!', is not a number")?,
            rest,
        ),
        None => (Number::ZERO, public),
    };
    let (release, mut rest) = parse_release(rest)?;
    let pre = take_pre(&mut rest);
    let post = take_post(&mut rest);
    let dev = take_segment(&mut rest, &["dev"]);
    if !rest.is_empty() {
        return Err("it does not follow PEP 440 after its release numbers");
    }
    let pre = match pre {
        Pre::None if post.is_none() && dev.is_some() => Pre::DevelopmentOnly,
        pre => pre,
    };
    Ok(Version {
        epoch,
        release,
        pre,
        post,
        dev: dev.map_or(Dev::None, |(_, number)| Dev::Some(number)),
        local,
    })
}

pub(super) fn compare(a: &Version<'_>, b: &Version<'_>) -> Ordering {
    a.cmp(b)
}

/// The numbers of the release and what follows; a dot that no digit follows is no part of them.
fn parse_release(text: &str) -> Result<(Release<'_>, &str), Reason> {
    let (first, mut rest) = digits::take(text);
    if first.is_empty() {
        return Err("it does not begin with a number");
    }
    while let Some(after) = rest.strip_prefix('.') {
        let (number, after) = digits::take(after);
        if number.is_empty() {
            break;
        }
        rest = after;
    }
    let release = &text[..text.len() - rest.len()];
    Ok((Release(release), rest))
}

fn take_pre<'a>(rest: &mut &'a str) -> Pre<'a> {
    // In the order of the PEP's pattern: longer spellings before their own beginnings.
    const NAMES: [&str; 8] = ["alpha", "a", "beta", "b", "preview", "pre", "c", "rc"];
    match take_segment(rest, &NAMES) {
        Some(("alpha" | "a", number)) => Pre::Alpha(number),
        Some(("beta" | "b", number)) => Pre::Beta(number),
        Some((_, number)) => Pre::Candidate(number),
        None => Pre::None,
    }
}

/// `.post1` in its spellings, or the implicit `-1`.
fn take_post<'a>(rest: &mut &'a str) -> Option<Number<'a>> {
    if let Some(after) = rest.strip_prefix('-') {
        let (number, after) = digits::take(after);
        if let Some(number) = Number::parse(number) {
            *rest = after;
            return Some(number);
        }
    }
    let segment = take_segment(rest, &["post", "rev", "r"]);
    segment.map(|(_, number)| number)
}

/// A segment that one of `names` begins, with the separators that may stand around the name; a
/// number that is missing is zero.
fn take_segment<'a>(
    rest: &mut &'a str,
    names: &[&'static str],
) -> Option<(&'static str, Number<'a>)> {
    if rest.is_empty() {
        return None;
    }
    let separator = |text: &'a str| text.strip_prefix(['.', '_', '-']).unwrap_or(text);
    let text = separator(rest);
    let begins = |name: &&&str| {
        let beginning = text.get(..name.len());
        beginning.is_some_and(|beginning| beginning.eq_ignore_ascii_case(name))
    };
    let name = names.iter().find(begins)?;
    let (number, after) = digits::take(separator(&text[name.len()..]));
    *rest = after;
    Some((name, Number::new(number)))
}

/// Letters and digits between `.`, `_` or `-`.
fn parse_local(text: &str) -> Result<Vec<Local>, Reason> {
    let parts = text.split(['.', '_', '-']);
    parts
        .map(|part| {
            if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                Err("its local version, after '+', has an empty part or more than letters and digits")
            } else if digits::is_number(part) {
                let digits = part.trim_start_matches('0');
                Ok(Local::Number(digits.len(), digits.to_owned()))
            } else {
                Ok(Local::Word(part.to_ascii_lowercase()))
            }
        })
        .collect()
}
