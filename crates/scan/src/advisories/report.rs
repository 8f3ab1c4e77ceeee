//! What an import tells of itself.

use std::collections::BTreeMap;

use serde::Serialize;

/// What an import has taken in and what not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportReport {
    /// Records in the file.
    pub advisories: u64,
    /// Records that were withdrawn.
    pub withdrawn: u64,
    /// Records of which another with the same id was modified later.
    pub superseded: u64,
    /// Records that are about no package we can match, by the ecosystem that we do not know.
    pub unknown_ecosystems: BTreeMap<String, u64>,
    /// Packages listed without a version or a range: they match nothing.
    pub without_versions: u64,
    /// Ranges with a bound that has no order: packages they are about will be undetermined.
    pub without_order: u64,
    /// Packages of Wolfi and Chainguard, whose terms were not accepted.
    pub not_licensed: u64,
    /// Vulnerabilities that a table lists as exploited.
    pub exploited: u64,
    /// Vulnerabilities with a probability of being exploited (EPSS).
    pub epss: u64,
    /// Vulnerabilities that a table of CVEs rates.
    pub ratings: u64,
    /// Statements of `OpenVEX` documents, by name of the vulnerability and product.
    pub statements: u64,
    /// Errata of Amazon Linux and Oracle Linux, or packages of them, that could not be understood:
    /// nothing that they say is known.
    pub not_understood: u64,
    /// The first of them, with the reason.
    pub not_understood_first: Vec<String>,
    /// Files that are none of these.
    pub refused: u64,
    /// The first of them, with the reason.
    pub refused_first: Vec<String>,
    /// Advisories of each ecosystem, with its release.
    pub ecosystems: BTreeMap<String, u64>,
}
