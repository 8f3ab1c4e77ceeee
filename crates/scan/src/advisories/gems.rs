//! Advisories of RubyGems that name the versions that are safe, as requirements of gems:
//! `~> 1.2, >= 1.2.3`. What no requirement holds is affected.

use std::cmp::Ordering;

use super::{End, Range};
use crate::VersionOrder;

const GEM: VersionOrder = VersionOrder::Gem;

/// Versions that a requirement holds: from one on, which `open` leaves out, up to another, which
/// `closed` includes. An empty start is that of all versions, no end is none.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Safe {
    start: String,
    open: bool,
    end: Option<String>,
    closed: bool,
}

/// The ranges that are affected if versions are safe for which one of `requirements` holds.
///
/// One that is not understood makes nothing safe. A range cannot begin just above a version, so a
/// safe version that bounds one from below, as that of `= 1.0`, counts as affected.
pub(super) fn affected<'r>(requirements: impl Iterator<Item = &'r String>) -> Vec<Range<'static>> {
    let mut safe: Vec<Safe> = requirements.filter_map(|text| parse(text)).collect();
    safe.sort_by(|a, b| from(&a.start, &b.start));
    let mut ranges = Vec::new();
    // Up to where everything is decided; `None` behind a requirement without an end.
    let mut start = Some(String::new());
    for Safe {
        start: begin,
        open,
        end,
        closed,
    } in safe
    {
        let Some(at) = &start else { break };
        let order = from(at, &begin);
        if order == Ordering::Less || (order == Ordering::Equal && open) {
            let end = match open {
                true => End::Last(begin.clone().into()),
                false => End::Fixed(begin.clone().into()),
            };
            ranges.push(Range {
                introduced: at.clone().into(),
                end,
            });
        }
        start = match end {
            None => None,
            Some(end) if from(at, &end) == Ordering::Less || closed => Some(end),
            Some(_) => start,
        };
    }
    if let Some(start) = start {
        ranges.push(Range {
            introduced: start.into(),
            end: End::Open,
        });
    }
    ranges
}

/// The order of two starts, of which the empty one is the first.
fn from(a: &str, b: &str) -> Ordering {
    match (a.is_empty(), b.is_empty()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        // What has no order was not understood.
        (false, false) => GEM.compare(a, b).unwrap_or(Ordering::Equal),
    }
}

/// What a requirement holds, if it is understood: comparisons that all have to be true.
fn parse(text: &str) -> Option<Safe> {
    let mut safe = Safe {
        start: String::new(),
        open: false,
        end: None,
        closed: false,
    };
    for part in text.split(',').map(str::trim) {
        let at = part
            .find(|c: char| !"<>=~!".contains(c))
            .unwrap_or(part.len());
        let (operator, version) = (&part[..at], part[at..].trim());
        GEM.compare(version, version).ok()?;
        match operator {
            ">=" => safe.at_least(version, false),
            ">" => safe.at_least(version, true),
            "<" => safe.at_most(version, false),
            "<=" => safe.at_most(version, true),
            "" | "=" => {
                safe.at_least(version, false);
                safe.at_most(version, true);
            }
            "~>" => {
                safe.at_least(version, false);
                safe.at_most(&next(version)?, false);
            }
            _ => return None,
        }
    }
    let is_empty = safe
        .end
        .as_ref()
        .is_some_and(|end| match from(&safe.start, end) {
            Ordering::Less => false,
            Ordering::Equal => safe.open || !safe.closed,
            Ordering::Greater => true,
        });
    (!is_empty).then_some(safe)
}

impl Safe {
    fn at_least(&mut self, version: &str, open: bool) {
        match from(&self.start, version) {
            Ordering::Less => (self.start, self.open) = (version.to_owned(), open),
            Ordering::Equal => self.open |= open,
            Ordering::Greater => {}
        }
    }

    fn at_most(&mut self, version: &str, closed: bool) {
        let order = self.end.as_ref().map(|end| from(version, end));
        match order {
            None | Some(Ordering::Less) => {
                (self.end, self.closed) = (Some(version.to_owned()), closed);
            }
            Some(Ordering::Equal) => self.closed &= closed,
            Some(Ordering::Greater) => {}
        }
    }
}

/// Where `~> version` ends: at the first version, prereleases included, of the next release of the
/// segment before its last.
fn next(version: &str) -> Option<String> {
    let is_number = |part: &&str| part.bytes().all(|b| b.is_ascii_digit());
    let release = version.split(['.', '-']).take_while(is_number);
    let mut parts: Vec<&str> = release.collect();
    if parts.len() > 1 {
        parts.pop();
    }
    let last = parts.pop()?.parse::<u64>().ok()?.checked_add(1)?;
    let mut next: String = parts.iter().map(|part| format!("{part}.")).collect();
    // A letter makes it a prerelease, and this one is the first of all.
    next += &format!("{last}.A");
    Some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_requirement_holds_is_affected() {
        for (requirements, hit, safe) in [
            (&[][..], "0 1 99", ""),
            (&[">= 1.8.23"], "0.1 1.8.22 1.8.23.pre", "1.8.23 2"),
            (
                &["~> 2.6.11", ">= 2.7.5"],
                "2.6.10 2.7.0 2.7.4 2.7.0.rc1",
                "2.6.11 2.6.99 2.7.5 3",
            ),
            (
                &[">= 2.7.5", "~> 2.6.11"],
                "2.6.10 2.7.0 2.7.4",
                "2.6.11 2.6.99 2.7.5 3",
            ),
            (
                &["< 3.2.0", ">= 3.2.6"],
                "3.2.0 3.2.5",
                "0.1 3.1.9 3.2.0.a 3.2.6",
            ),
            (
                &["~> 6.1.7, >= 6.1.7.1", ">= 7.0.4.1"],
                "6.1.7 7.0.4 6.2",
                "6.1.7.1 6.1.9 7.0.4.1",
            ),
            (&["~> 3.8", ">= 6.2.0"], "3.7 4.0 6.1", "3.8 3.9.9 6.2.0"),
            (&["~> 4.2.0.beta3"], "4.2.0.beta2 4.3", "4.2.0.beta3 4.2.9"),
            (&["~> 5"], "4.9 6.0", "5 5.9"),
            (&["<= 1.5"], "1.5.1 2", "1.4"),
            (&["> 1.5"], "1.4 1.5", "1.5.1"),
            (&["= 1.5"], "1.4 1.6", ""),
            (&["!= 1.5"], "1.4 1.5 1.6", ""),
            (&[">= x y"], "1", ""),
            (&["> 2, < 1", ">= 9"], "1 2 8", "9"),
            (&[">= 2.4.5.3", ">= 2.5.2.1"], "2.4.5.2", "2.4.5.3 2.4.9 3"),
        ] {
            let requirements: Vec<String> =
                requirements.iter().map(|&text| text.to_owned()).collect();
            let ranges = affected(requirements.iter());
            let is_hit = |version: &str| {
                ranges
                    .iter()
                    .any(|range| range.contains(&GEM.comparison(version)).unwrap())
            };
            for version in hit.split_ascii_whitespace() {
                assert!(is_hit(version), "{requirements:?} {version} {ranges:?}");
            }
            for version in safe.split_ascii_whitespace() {
                assert!(!is_hit(version), "{requirements:?} {version} {ranges:?}");
            }
        }
    }
}
