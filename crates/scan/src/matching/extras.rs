//! Amazon Linux 2 has packages of one name beside each other: in its core, and in the topics of its
//! extras, each with versions of its own. Nothing in the database of rpm tells which one a package is
//! of, so it is told by the versions, or said that it cannot be.

use std::collections::{BTreeMap, BTreeSet};

use super::known_as::KnownAs;
use crate::advisories::Affected;
use crate::distribution::amazon_topic;
use crate::package_version::Judgement;

/// What is said of a package of Amazon Linux 2, by core and extras together.
pub(super) struct Lines<'a> {
    /// What to go by.
    pub(super) judged: Vec<(Affected<'a>, Judgement<'a>)>,
    /// What may be about it or not.
    pub(super) undetermined: Vec<Affected<'a>>,
    /// Why.
    pub(super) reason: String,
}

/// Sorts out which of what was judged is about the line that a package is of. `keys` are its names
/// in the core and in the extras.
///
/// A line is the package's if one of its advisories repairs the same upstream release, to the second
/// number. If that holds for several, or for none of several, and they do not say the same, it cannot
/// be told. A package that one line alone knows is of that.
pub(super) fn lines<'a>(
    keys: &[KnownAs<'_, 'a>],
    judged: Vec<(Affected<'a>, Judgement<'a>)>,
) -> Lines<'a> {
    let mut is_own: BTreeMap<&str, bool> = BTreeMap::new();
    for key in keys {
        for of in key.about() {
            let mut ranges = of.ranges();
            let same = ranges.any(|range| {
                let fixed = range.fixed().and_then(upstream);
                fixed.is_some() && fixed == upstream(&key.key.version)
            });
            *is_own.entry(line(of)).or_default() |= same;
        }
    }
    let own: Vec<&str> = is_own.iter().filter(|of| *of.1).map(|of| *of.0).collect();
    let mut lines = match own.is_empty() {
        true => is_own.keys().copied().collect(),
        false => own,
    };
    let affected: BTreeSet<&str> = judged.iter().map(|(of, _)| line(*of)).collect();
    let agree = lines.iter().all(|line| affected.contains(line));
    let undecided = lines.len() > 1 && !agree;
    let mut found = Lines {
        judged: Vec::new(),
        undetermined: Vec::new(),
        reason: String::new(),
    };
    for (of, judgement) in judged {
        match lines.contains(&line(of)) {
            true if undecided => found.undetermined.push(of),
            true => found.judged.push((of, judgement)),
            false => {}
        }
    }
    if undecided {
        let core = lines.iter().position(|line| line.is_empty());
        let core = core
            .map(|at| lines.remove(at))
            .map(|_| "the core of Amazon Linux 2");
        let extras = (!lines.is_empty()).then(|| format!("its extras {}", lines.join(", ")));
        let places: Vec<String> = core.map(str::to_owned).into_iter().chain(extras).collect();
        let places = places.join(" and ");
        found.reason = format!("it is in {places}, and nothing tells which of them it is from");
    }
    found
}

/// The topic that an advisory is about; empty for the core.
fn line<'a>(of: Affected<'a>) -> &'a str {
    amazon_topic(of.advisory().id).unwrap_or_default()
}

/// The first two numbers of a version: `20.10` of `0:20.10.13-2.amzn2`.
fn upstream(version: &str) -> Option<(&str, &str)> {
    let version = version.split_once(':').map_or(version, |(_, rest)| rest);
    let version = version.split('-').next()?;
    let mut numbers = version.split(|c: char| !c.is_ascii_digit());
    let first = numbers.next().filter(|number| !number.is_empty())?;
    Some((first, numbers.next().unwrap_or_default()))
}
