//! The result of a scan, and its JSON. `docs/reference/scan-json.md` describes it for users.

mod fix;
mod scanned;

use bonded_model::{Digest, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    BaseImage, EndOfLife, Epss, Evidence, INVENTORY_VERSION, OsRelease, PackageKind, Problem,
    Score, Severity, UNRATED,
};

pub use fix::SubscriptionFix;

/// What was found in an image, and with what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanResult {
    /// The operating system, if the image says which.
    pub os: Option<OsRelease>,
    /// Until when that gets updates, where it is known.
    #[serde(default)]
    pub end_of_life: Option<EndOfLife>,
    /// The layers of the image, the lowest first.
    pub layers: Vec<Digest>,
    /// The image that it was built upon, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<BaseImage>,
    /// Every package, sorted by kind, name, version and path.
    pub packages: Vec<ScannedPackage>,
    /// Every vulnerability of every package, sorted by ecosystem, package, version, path and id.
    pub findings: Vec<Finding>,
    /// What can be neither found nor ruled out.
    pub undetermined: Vec<Undetermined>,
    /// Why the findings may not be all; empty if they are.
    pub problems: Vec<Problem>,
    /// The advisories that were used.
    pub advisories: AdvisoriesUsed,
    /// [`INVENTORY_VERSION`](crate::INVENTORY_VERSION) of the program that looked inside.
    pub inventory_version: u32,
}

/// Which advisories a result comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdvisoriesUsed {
    /// [`Advisories::digest`](crate::Advisories::digest).
    pub digest: Digest,
    /// [`Advisories::as_of`](crate::Advisories::as_of); in JSON as RFC 3339.
    #[serde(serialize_with = "rfc3339", deserialize_with = "from_rfc3339")]
    pub as_of: Timestamp,
}

impl AdvisoriesUsed {
    /// What stands for none at all: they have no age.
    #[must_use]
    pub fn none() -> Self {
        Self {
            digest: Digest::sha256(b""),
            as_of: Timestamp::from_millis(0),
        }
    }

    /// How old they are, for people.
    #[must_use]
    pub fn shown(&self) -> String {
        match self.as_of.as_seconds() {
            0 => "no advisories".to_owned(),
            _ => format!("advisories as of {}", self.as_of),
        }
    }
}

/// A package of the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScannedPackage {
    /// Where its advisories are looked up, with the release: `Debian:12`. `None` if nothing is
    /// known of packages of that kind on that system.
    pub ecosystem: Option<String>,
    /// What manages it.
    pub kind: PackageKind,
    /// As its database records it.
    pub name: String,
    /// As its database records it.
    pub version: String,
    /// See [`Package::source_name`](crate::Package::source_name).
    pub source_name: String,
    /// See [`Package::source_version`](crate::Package::source_version).
    pub source_version: String,
    /// The processor it is for; empty if none is recorded.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub architecture: String,
    /// The file that says so.
    pub path: String,
    /// The layer that first brought this version: an index of [`ScanResult::layers`].
    pub layer: u32,
    /// The package of the operating system that it is a part of: `deb:python3-pip`.
    pub owner: Option<String>,
    /// See [`Package::vendor`](crate::Package::vendor).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub vendor: String,
    /// Whether it is none of the distribution's, so that there are no advisories for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub third_party: bool,
    /// See [`Package::module`](crate::Package::module).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub module: String,
    /// See [`Package::licenses`](crate::Package::licenses); only in bills of materials, findings have
    /// no use for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub licenses: Vec<String>,
    /// What its name and version are known by.
    #[serde(default, skip_serializing_if = "Evidence::is_recorded")]
    pub evidence: Evidence,
}

/// A vulnerability of a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The CVE, where there is one; else the advisory's own id.
    pub id: String,
    /// The advisory's own id.
    pub advisory: String,
    /// Every other name of it, sorted.
    pub aliases: Vec<String>,
    /// Where it was looked up, with the release: `Debian:12`.
    pub ecosystem: String,
    /// The package, as its database records it.
    pub package: String,
    /// Its version, as its database records it.
    pub version: String,
    /// See [`ScannedPackage::architecture`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub architecture: String,
    /// See [`Package::source_name`](crate::Package::source_name).
    pub source_name: String,
    /// The first version of its line that is repaired; of the source package, where that is what is
    /// compared. `None` if none is known.
    pub fixed: Option<String>,
    /// The version that repairs it for those alone who pay for updates, if there is no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixed_with: Option<SubscriptionFix>,
    /// How bad it is; in JSON `UNDEFINED` if nothing rates it.
    #[serde(serialize_with = "severity", deserialize_with = "from_severity")]
    pub severity: Option<Severity>,
    /// The CVSS base score; in JSON a number with one decimal.
    #[serde(serialize_with = "score", deserialize_with = "from_score", default)]
    pub score: Option<Score>,
    /// The CVSS vector that the score is of.
    pub vector: Option<String>,
    /// The advisory that rates it: this one, or another of the same vulnerability.
    pub rated_by: Option<String>,
    /// A line about it.
    pub title: String,
    /// Where people read about it.
    pub url: Option<String>,
    /// The file that says that the package is there.
    pub path: String,
    /// The layer that first brought this version: an index of [`ScanResult::layers`]; their number if
    /// none did but an attached document.
    pub layer: u32,
    /// What makes it not count: a statement of an `OpenVEX` document, or an entry of the list of
    /// accepted vulnerabilities.
    pub suppressed_by: Option<String>,
    /// Statements about it that change nothing, as whoever attached them has no right to that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disregarded: Vec<String>,
    /// The document attached to the image that lists the package, if nothing in the image shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attached: Option<Digest>,
    /// Since when it is listed as exploited (CISA's KEV): `2024-01-31`.
    #[serde(default)]
    pub exploited: Option<String>,
    /// How probably it will be exploited within 30 days (FIRST's EPSS).
    #[serde(default)]
    pub epss: Option<Epss>,
}

/// An advisory about a package that can be neither applied nor ruled out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undetermined {
    /// Its id.
    pub advisory: String,
    /// Where it was looked up.
    pub ecosystem: String,
    /// The package, as its database records it.
    pub package: String,
    /// Its version, as its database records it.
    pub version: String,
    /// The file that says that the package is there.
    pub path: String,
    /// The layer that first brought this version.
    pub layer: u32,
    /// Which version has no order, and why; or of which line the package may be.
    pub reason: String,
}

/// How many findings there are that count, by severity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingCounts {
    /// All of them.
    pub total: u64,
    /// Rated critical.
    pub critical: u64,
    /// Rated high.
    pub high: u64,
    /// Rated medium.
    pub medium: u64,
    /// Rated low.
    pub low: u64,
    /// Rated as hardly a risk, or none.
    pub informational: u64,
    /// Rated by nothing.
    pub unrated: u64,
    /// Rated critical, and a version is known that repairs them.
    pub fixable_critical: u64,
}

impl ScanResult {
    /// That of an image of which nothing is known, and why.
    #[must_use]
    pub fn unknown(problem: Problem) -> Self {
        Self {
            os: None,
            end_of_life: None,
            layers: Vec::new(),
            base: None,
            packages: Vec::new(),
            findings: Vec::new(),
            undetermined: Vec::new(),
            problems: vec![problem],
            advisories: AdvisoriesUsed::none(),
            inventory_version: INVENTORY_VERSION,
        }
    }

    /// Whether the findings are all there are. If not, nothing may be concluded from what is not
    /// among them.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.problems.is_empty()
    }

    /// The base image, if the package of the finding comes from it.
    #[must_use]
    pub fn base_of(&self, finding: &Finding) -> Option<&BaseImage> {
        let base = self.base.as_ref();
        base.filter(|base| base.has_layer(finding.layer))
    }

    /// The findings that count: those that nothing suppresses.
    pub fn counting(&self) -> impl Iterator<Item = &Finding> {
        self.findings
            .iter()
            .filter(|finding| finding.suppressed_by.is_none())
    }

    /// How many findings there are that count.
    #[must_use]
    pub fn counts(&self) -> FindingCounts {
        let mut counts = FindingCounts::default();
        for finding in self.counting() {
            counts.total += 1;
            let count = match finding.severity {
                None => &mut counts.unrated,
                Some(Severity::None | Severity::Informational) => &mut counts.informational,
                Some(Severity::Low) => &mut counts.low,
                Some(Severity::Medium) => &mut counts.medium,
                Some(Severity::High) => &mut counts.high,
                Some(Severity::Critical) => &mut counts.critical,
            };
            *count += 1;
            if finding.severity == Some(Severity::Critical) && finding.fixed.is_some() {
                counts.fixable_critical += 1;
            }
        }
        counts
    }

    /// That its system gets no updates any more, if so, and where that is said.
    #[must_use]
    pub fn without_updates(&self) -> Option<String> {
        let (end, os) = self.end_of_life.as_ref().zip(self.os.as_ref())?;
        let is_over = end.passed;
        is_over.then(|| format!("{}: {}", end.shown(os), end.source))
    }

    /// The worst severity among the findings that count and are rated; `None` if there are none.
    #[must_use]
    pub fn worst(&self) -> Option<Severity> {
        self.counting().filter_map(|finding| finding.severity).max()
    }
}

impl FindingCounts {
    /// For people: `2 critical, 1 low`; nothing if there are none.
    #[must_use]
    pub fn shown(&self) -> String {
        let parts = [
            (self.critical, "critical"),
            (self.high, "high"),
            (self.medium, "medium"),
            (self.low, "low"),
            (self.informational, "informational"),
            (self.unrated, "unrated"),
        ];
        let parts = parts.iter().filter(|(count, _)| *count > 0);
        let parts: Vec<String> = parts
            .map(|(count, name)| format!("{count} {name}"))
            .collect();
        parts.join(", ")
    }
}

impl Finding {
    /// What is known of its being exploited, for people: `exploited since 2024-01-31`, `EPSS
    /// 97.3 %`; nothing if nothing is.
    #[must_use]
    pub fn exploitation(&self) -> String {
        let since = self.exploited.as_ref();
        let since = since.map(|date| format!("exploited since {date}"));
        let epss = self.epss.map(|epss| format!("EPSS {}", epss.score));
        let parts: Vec<String> = since.into_iter().chain(epss).collect();
        parts.join(", ")
    }
}

fn rfc3339<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}

fn from_rfc3339<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(deserializer)?;
    Timestamp::parse_rfc3339(&text)
        .ok_or_else(|| serde::de::Error::custom(format!("'{text}' is not a time of RFC 3339")))
}

#[expect(
    clippy::ref_option,
    reason = "the form in which serde hands a field over"
)]
fn severity<S: Serializer>(severity: &Option<Severity>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(severity.map_or(UNRATED, Severity::name))
}

fn from_severity<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Severity>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Stated {
        Rated(Severity),
        Other(String),
    }
    match Stated::deserialize(deserializer)? {
        Stated::Rated(severity) => Ok(Some(severity)),
        Stated::Other(word) if word == UNRATED => Ok(None),
        Stated::Other(word) => Err(serde::de::Error::custom(format!("'{word}' is no severity"))),
    }
}

#[expect(
    clippy::ref_option,
    reason = "the form in which serde hands a field over"
)]
fn score<S: Serializer>(score: &Option<Score>, serializer: S) -> Result<S::Ok, S::Error> {
    match score {
        Some(score) => serializer.serialize_f64(f64::from(score.tenths()) / 10.0),
        None => serializer.serialize_none(),
    }
}

fn from_score<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Score>, D::Error> {
    let score = Option::<f64>::deserialize(deserializer)?;
    // Clamped, and a cast from a float saturates.
    Ok(score.map(|score| Score::from_tenths((score * 10.0).round().clamp(0.0, 100.0) as u8)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Probability;

    #[test]
    fn a_finding_is_read_back_as_it_was_written() {
        let json = serde_json::json!({
            "id": "CVE-2024-1", "advisory": "DEBIAN-CVE-2024-1", "aliases": ["DEBIAN-CVE-2024-1"],
            "ecosystem": "Debian:12", "package": "libc6", "version": "2.36-9",
            "source_name": "glibc", "fixed": null, "severity": "UNDEFINED", "score": null,
            "vector": null, "rated_by": null, "title": "", "url": null,
            "path": "var/lib/dpkg/status", "layer": 0, "suppressed_by": null,
            "exploited": null, "epss": null,
        });
        let mut finding: Finding = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(finding.severity, None);
        assert_eq!(serde_json::to_value(&finding).unwrap(), json);
        finding.severity = Some(Severity::High);
        finding.score = Some(Score::from_tenths(78));
        finding.epss = Some(Epss {
            score: Probability::new(0.97301).unwrap(),
            percentile: Probability::new(1.0).unwrap(),
        });
        let written = serde_json::to_value(&finding).unwrap();
        assert_eq!(written["severity"], "HIGH");
        assert_eq!(written["score"], 7.8);
        assert_eq!(written["epss"]["score"], 0.97301);
        assert_eq!(serde_json::from_value::<Finding>(written).unwrap(), finding);
        let mut wrong = json;
        wrong["severity"] = "BAD".into();
        assert!(serde_json::from_value::<Finding>(wrong).is_err());
    }
}
