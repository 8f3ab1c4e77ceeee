//! What differs between two results: of two images, or of one image at two times.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::{Finding, PackageKind, ScanResult};

/// What a second result has that a first has not, and the other way round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference<'a> {
    /// Findings that only the second result has, in its order.
    pub new: Vec<&'a Finding>,
    /// Findings that only the first result has, in its order.
    pub fixed: Vec<&'a Finding>,
    /// Findings of the second result that the first has too.
    pub unchanged: Vec<&'a Finding>,
    /// Packages that differ, by kind and name.
    pub packages: Vec<PackageChange<'a>>,
}

/// A package whose versions differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PackageChange<'a> {
    /// What manages it.
    pub kind: PackageKind,
    /// Its name.
    pub name: &'a str,
    /// Its versions in the first result, sorted; none if it is new.
    pub before: Vec<&'a str>,
    /// Its versions in the second result, sorted; none if it is gone.
    pub after: Vec<&'a str>,
}

impl<'a> Difference<'a> {
    /// Compares two results. A vulnerability of a package is one finding whatever version and path
    /// the package has, and whatever release its distribution: an update that does not repair it
    /// makes no new finding. Findings that do not count are left out.
    #[must_use]
    pub fn between(before: &'a ScanResult, after: &'a ScanResult) -> Self {
        let (known, found) = (identities(before), identities(after));
        let (unchanged, new) = after
            .counting()
            .partition(|finding| known.contains(&identity(finding)));
        let fixed = before
            .counting()
            .filter(|finding| !found.contains(&identity(finding)));
        Self {
            new,
            fixed: fixed.collect(),
            unchanged,
            packages: packages(before, after),
        }
    }
}

/// By what a finding is known again.
type Identity<'a> = (&'a str, &'a str, &'a str);

fn identity(finding: &Finding) -> Identity<'_> {
    let ecosystem = finding.ecosystem.split(':').next().unwrap_or_default();
    (&finding.id, ecosystem, &finding.package)
}

fn identities(result: &ScanResult) -> BTreeSet<Identity<'_>> {
    result.counting().map(identity).collect()
}

fn packages<'a>(before: &'a ScanResult, after: &'a ScanResult) -> Vec<PackageChange<'a>> {
    let mut versions: BTreeMap<_, [BTreeSet<&str>; 2]> = BTreeMap::new();
    for (side, result) in [before, after].into_iter().enumerate() {
        for package in &result.packages {
            let key = (package.kind, package.name.as_str());
            versions.entry(key).or_default()[side].insert(&package.version);
        }
    }
    let changed = versions.into_iter().filter(|(_, [a, b])| a != b);
    changed
        .map(|((kind, name), [before, after])| PackageChange {
            kind,
            name,
            before: before.into_iter().collect(),
            after: after.into_iter().collect(),
        })
        .collect()
}
