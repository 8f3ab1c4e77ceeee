//! Scanning as ECR's API configures and reports it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::RepositoryName;

/// What has become of a scan: ECR's `ScanStatus`, as far as it is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScanStatus {
    /// It was asked for and has not ended.
    InProgress,
    /// All that the image holds was judged.
    Complete,
    /// It went wrong; the description says how.
    Failed,
    /// The image is of a kind, or its system of one, that cannot be judged.
    UnsupportedImage,
    /// There are no advisories for what the image holds.
    FindingsUnavailable,
}

/// The text is no status of a scan.
#[derive(Debug, thiserror::Error)]
#[error("'{0}' is not the status of a scan")]
pub struct InvalidScanStatus(String);

impl ScanStatus {
    const ALL: [Self; 5] = [
        Self::InProgress,
        Self::Complete,
        Self::Failed,
        Self::UnsupportedImage,
        Self::FindingsUnavailable,
    ];

    /// ECR's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "IN_PROGRESS",
            Self::Complete => "COMPLETE",
            Self::Failed => "FAILED",
            Self::UnsupportedImage => "UNSUPPORTED_IMAGE",
            Self::FindingsUnavailable => "FINDINGS_UNAVAILABLE",
        }
    }
}

impl fmt::Display for ScanStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ScanStatus {
    type Err = InvalidScanStatus;

    fn from_str(text: &str) -> Result<Self, InvalidScanStatus> {
        let found = Self::ALL.into_iter().find(|s| s.as_str() == text);
        found.ok_or_else(|| InvalidScanStatus(text.chars().take(100).collect()))
    }
}

/// How a registry scans: ECR's `RegistryScanningConfiguration`, in its form.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RegistryScanning {
    /// What scanning is called.
    #[serde(default)]
    pub scan_type: ScanType,
    /// Which repositories are scanned when.
    #[serde(default)]
    pub rules: Vec<ScanningRule>,
}

/// ECR's `ScanType`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ScanType {
    /// On push or by hand.
    #[default]
    Basic,
    /// Kept up to date by itself.
    Enhanced,
}

/// ECR's `ScanFrequency`. The later ones win where rules overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ScanFrequency {
    /// When it is asked for.
    Manual,
    /// When an image is pushed.
    ScanOnPush,
    /// When an image is pushed and whenever the advisories change.
    ContinuousScan,
}

/// A rule of [`RegistryScanning`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScanningRule {
    /// When the repositories are scanned.
    pub scan_frequency: ScanFrequency,
    /// Which repositories.
    pub repository_filters: Vec<ScanningFilter>,
}

/// A filter of repository names: with `*`, which is any run of characters, the whole name; without,
/// a part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScanningFilter {
    /// The pattern.
    pub filter: String,
    /// The one kind of filter that there is.
    pub filter_type: ScanningFilterType,
}

/// ECR's `ScanningRepositoryFilterType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ScanningFilterType {
    /// With `*`.
    #[serde(rename = "WILDCARD")]
    Wildcard,
}

impl ScanningFilter {
    /// ECR's pattern of a filter, of at most 255 characters.
    pub const PATTERN: &str = r"^[a-z0-9*](?:[._\-/a-z0-9*]?[a-z0-9*]+)*$";

    /// Whether the filter satisfies [`ScanningFilter::PATTERN`]: separators stand alone between
    /// other characters.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '*';
        let mut after_plain = false;
        for c in self.filter.chars() {
            match c {
                c if is_plain(c) => after_plain = true,
                '.' | '_' | '-' | '/' if after_plain => after_plain = false,
                _ => return false,
            }
        }
        after_plain && self.filter.len() <= 255
    }

    /// Whether the filter takes the repository.
    #[must_use]
    pub fn matches(&self, name: &RepositoryName) -> bool {
        let name = name.as_str();
        if !self.filter.contains('*') {
            return name.contains(&self.filter);
        }
        let mut parts = self.filter.split('*');
        let first = parts.next().unwrap_or_default();
        let last = parts.next_back().unwrap_or_default();
        let inner = name.strip_prefix(first).and_then(|n| n.strip_suffix(last));
        let Some(mut inner) = inner else {
            return false;
        };
        // The first place of each part leaves the most for those behind it.
        for part in parts {
            let Some(at) = inner.find(part) else {
                return false;
            };
            inner = &inner[at + part.len()..];
        }
        true
    }
}

impl RegistryScanning {
    /// When a repository is scanned, and by which filters. `scan_on_push` is its own setting, which
    /// counts as long as the registry has no rules and is not enhanced.
    #[must_use]
    pub fn of(
        &self,
        name: &RepositoryName,
        scan_on_push: bool,
    ) -> (ScanFrequency, Vec<&ScanningFilter>) {
        let mut frequency = ScanFrequency::Manual;
        let mut applied = Vec::new();
        for rule in &self.rules {
            let before = applied.len();
            applied.extend(rule.repository_filters.iter().filter(|f| f.matches(name)));
            if applied.len() > before {
                frequency = frequency.max(rule.scan_frequency);
            }
        }
        let own = scan_on_push && self.rules.is_empty() && self.scan_type == ScanType::Basic;
        if own {
            frequency = ScanFrequency::ScanOnPush;
        }
        (frequency, applied)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(filter: &str) -> ScanningFilter {
        ScanningFilter {
            filter: filter.to_owned(),
            filter_type: ScanningFilterType::Wildcard,
        }
    }

    #[test]
    fn a_filter_takes_the_names_of_ecrs_table() {
        let names = [
            "prod",
            "repo-prod",
            "prod-repo",
            "repo-prod-repo",
            "prodrepo",
        ];
        for (pattern, want) in [
            ("prod", &names[..]),
            ("*prod", &["prod", "repo-prod"]),
            ("prod*", &["prod", "prod-repo", "prodrepo"]),
            ("prod*repo", &["prod-repo", "prodrepo"]),
            ("*", &names),
            ("*o-p*d*", &["repo-prod", "repo-prod-repo"]),
            ("other", &[]),
            ("prod*d", &[]),
        ] {
            let taken = |name: &&&str| filter(pattern).matches(&name.parse().unwrap());
            let taken: Vec<&str> = names.iter().filter(taken).copied().collect();
            assert_eq!(taken, want, "{pattern}");
        }
    }

    #[test]
    fn a_filter_is_a_name_with_stars() {
        for (text, valid) in [
            ("*", true),
            ("prod-*/a.b_c", true),
            ("", false),
            ("-a", false),
            ("a-", false),
            ("a--b", false),
            ("A", false),
            ("a b", false),
        ] {
            assert_eq!(filter(text).is_valid(), valid, "{text}");
        }
        assert!(!filter(&"a".repeat(256)).is_valid());
    }

    #[test]
    fn rules_decide_where_there_are_some_and_the_most_frequent_wins() {
        let rule = |scan_frequency, pattern: &str| ScanningRule {
            scan_frequency,
            repository_filters: vec![filter(pattern)],
        };
        let of = |scanning: &RegistryScanning, own| {
            let name = "ml/app".parse().unwrap();
            let (frequency, applied) = scanning.of(&name, own);
            (frequency, applied.len())
        };
        let mut scanning = RegistryScanning::default();
        assert_eq!(of(&scanning, false), (ScanFrequency::Manual, 0));
        assert_eq!(of(&scanning, true), (ScanFrequency::ScanOnPush, 0));
        scanning.rules.push(rule(ScanFrequency::ScanOnPush, "prod"));
        assert_eq!(of(&scanning, true), (ScanFrequency::Manual, 0));
        scanning.rules[0] = rule(ScanFrequency::ScanOnPush, "ml/*");
        assert_eq!(of(&scanning, false), (ScanFrequency::ScanOnPush, 1));
        scanning
            .rules
            .insert(0, rule(ScanFrequency::ContinuousScan, "*"));
        assert_eq!(of(&scanning, false), (ScanFrequency::ContinuousScan, 2));
        scanning.rules.clear();
        scanning.scan_type = ScanType::Enhanced;
        assert_eq!(of(&scanning, true), (ScanFrequency::Manual, 0));
    }

    #[test]
    fn the_configuration_is_written_as_ecr_does() {
        let text = r#"{"scanType":"ENHANCED","rules":[{"scanFrequency":"CONTINUOUS_SCAN","repositoryFilters":[{"filter":"*","filterType":"WILDCARD"}]}]}"#;
        let scanning: RegistryScanning = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&scanning).unwrap(), text);
        assert_eq!(scanning.scan_type, ScanType::Enhanced);
    }

    #[test]
    fn a_status_is_read_as_it_is_written() {
        for status in ScanStatus::ALL {
            assert_eq!(status.as_str().parse::<ScanStatus>().unwrap(), status);
        }
        assert!("ACTIVE".parse::<ScanStatus>().is_err());
    }
}
