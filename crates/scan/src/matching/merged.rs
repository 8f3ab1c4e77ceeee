//! One finding for each vulnerability of a package, whatever number of advisories is about it.

use std::collections::BTreeSet;

use crate::result::Finding;
use crate::{Ecosystem, Rating, VersionOrder};

/// Findings by ecosystem, package, version, place and vulnerability, one for each.
pub(super) fn in_order(mut findings: Vec<Finding>) -> Vec<Finding> {
    fn key(finding: &Finding) -> [&str; 5] {
        [
            &finding.ecosystem,
            &finding.package,
            &finding.version,
            &finding.path,
            &finding.id,
        ]
    }
    findings.sort_by(|a, b| key(a).cmp(&key(b)));
    let mut merged: Vec<Finding> = Vec::with_capacity(findings.len());
    for finding in findings {
        match merged.last_mut().filter(|last| key(last) == key(&finding)) {
            Some(known) => {
                let order = finding.ecosystem.parse::<Ecosystem>();
                merge(known, finding, order.map(Ecosystem::version_order).ok());
            }
            None => merged.push(finding),
        }
    }
    merged
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
