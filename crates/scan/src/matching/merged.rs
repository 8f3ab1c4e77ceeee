//! One finding for each vulnerability of a package, whatever number of advisories is about it.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::result::Finding;
use crate::{Ecosystem, Rating, VersionOrder};

/// Findings by ecosystem, package, version, place and vulnerability, one for each.
pub(super) fn in_order(findings: Vec<Finding>) -> Vec<Finding> {
    let ranked = by_package(&findings);
    let mut findings: Vec<Option<Finding>> = findings.into_iter().map(Some).collect();
    let mut merged: Vec<Finding> = Vec::with_capacity(findings.len());
    let mut last_rank = None;
    for (rank, index) in ranked {
        let Some(finding) = findings[index].take() else {
            continue;
        };
        let same = last_rank == Some(rank);
        let known = merged
            .last_mut()
            .filter(|last| same && last.id == finding.id);
        match known {
            Some(known) => {
                let order = finding.ecosystem.parse::<Ecosystem>();
                merge(known, finding, order.map(Ecosystem::version_order).ok());
            }
            None => merged.push(finding),
        }
        last_rank = Some(rank);
    }
    merged
}

/// The order of findings by index, with a number for each package at a place. Findings are many and
/// large, most of one package stand beside each other: packages are compared once for all of them.
fn by_package(findings: &[Finding]) -> Vec<(usize, usize)> {
    fn package(finding: &Finding) -> [&str; 4] {
        [
            &finding.ecosystem,
            &finding.package,
            &finding.version,
            &finding.path,
        ]
    }
    let of = |run: &Range<usize>| package(&findings[run.start]);
    let mut end = 0;
    let runs = findings.chunk_by(|a, b| package(a) == package(b));
    let mut runs: Vec<Range<usize>> = runs
        .map(|run| {
            end += run.len();
            end - run.len()..end
        })
        .collect();
    runs.sort_by(|a, b| of(a).cmp(&of(b)));
    let mut ranked = Vec::with_capacity(findings.len());
    for (rank, runs) in runs.chunk_by(|a, b| of(a) == of(b)).enumerate() {
        let start = ranked.len();
        let indexes = runs.iter().cloned().flatten();
        ranked.extend(indexes.map(|index| (rank, index)));
        ranked[start..].sort_by(|a, b| findings[a.1].id.cmp(&findings[b.1].id));
    }
    ranked
}

/// Makes one finding of two that are about the same vulnerability in the same package, from two
/// advisories: it is repaired by what repairs both, and as bad as the worse says.
fn merge(known: &mut Finding, other: Finding, order: Option<VersionOrder>) {
    let rating = |finding: &Finding| {
        finding.severity.map(|severity| Rating {
            severity,
            score: finding.score,
        })
    };
    if rating(&other) > rating(known) {
        known.severity = other.severity;
        known.score = other.score;
        known.vector = other.vector;
        known.rated_by = other.rated_by;
    }
    // Only what nothing says is affected does not count.
    known.suppressed_by = known
        .suppressed_by
        .take()
        .filter(|_| other.suppressed_by.is_some());
    for statement in other.disregarded {
        if !known.disregarded.contains(&statement) {
            known.disregarded.push(statement);
        }
    }
    known.exploited = match (known.exploited.take(), other.exploited) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    known.epss = known.epss.max(other.epss);
    let is_lower = |a: &str, b: &str| {
        let order = order.and_then(|order| order.compare(a, b).ok());
        order.is_some_and(std::cmp::Ordering::is_lt)
    };
    known.fixed = match (known.fixed.take(), other.fixed) {
        (Some(a), Some(b)) => Some(if is_lower(&a, &b) { b } else { a }),
        (a, b) => a.or(b),
    };
    let with = (known.fixed_with.take(), other.fixed_with);
    // Nobody pays for what everybody gets.
    known.fixed_with = match with {
        _ if known.fixed.is_some() => None,
        (Some(a), Some(b)) => Some(if is_lower(&a.version, &b.version) {
            b
        } else {
            a
        }),
        (a, b) => a.or(b),
    };
    let names = known
        .aliases
        .drain(..)
        .chain(other.aliases)
        .chain([other.advisory]);
    let names: BTreeSet<String> = names.filter(|name| *name != known.id).collect();
    known.aliases = names.into_iter().collect();
    known.aliases.retain(|name| *name != known.id);
}
