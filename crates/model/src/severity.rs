//! Severities, as ECR names them and as advisories word them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::shown;

/// A severity of ECR's, from the least to the worst. `None` says that the advisory rates the
/// matter as harmless, which is not the same as no rating.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Severity {
    /// Rated, and harmless: a CVSS score of 0.
    None,
    /// Known, but hardly a risk.
    Informational,
    /// A CVSS score from 0.1 to 3.9.
    Low,
    /// From 4.0 to 6.9.
    Medium,
    /// From 7.0 to 8.9.
    High,
    /// From 9.0.
    Critical,
}

impl Severity {
    /// The name, as conditions and ECR's answers write it: `"CRITICAL"`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Informational => "INFORMATIONAL",
            Self::Low => "LOW",
            Self::Medium => "MEDIUM",
            Self::High => "HIGH",
            Self::Critical => "CRITICAL",
        }
    }

    /// The severity that a word of an advisory or a distribution means, in any case: GitHub's
    /// `MODERATE`, Red Hat's `Important`, Ubuntu's `negligible`, Debian's `unimportant` and
    /// `low**`. `None` for a word that states none, such as `untriaged` or `not yet assigned`.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        let word = word.trim().trim_end_matches('*').to_ascii_lowercase();
        Some(match word.as_str() {
            "none" => Self::None,
            "negligible" | "informational" | "info" => Self::Informational,
            "low" | "minor" | "unimportant" => Self::Low,
            "medium" | "moderate" => Self::Medium,
            "high" | "important" => Self::High,
            "critical" => Self::Critical,
            _ => return None,
        })
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The text is not the name of a severity.
#[derive(Debug, thiserror::Error)]
#[error("'{0}' is not a severity: NONE, INFORMATIONAL, LOW, MEDIUM, HIGH or CRITICAL is expected")]
pub struct InvalidSeverity(String);

impl FromStr for Severity {
    type Err = InvalidSeverity;

    /// Reads a name in capitals, as [`Severity::name`] writes it.
    fn from_str(text: &str) -> Result<Self, InvalidSeverity> {
        let all = [
            Self::None,
            Self::Informational,
            Self::Low,
            Self::Medium,
            Self::High,
            Self::Critical,
        ];
        let named = all.into_iter().find(|severity| severity.name() == text);
        named.ok_or_else(|| InvalidSeverity(shown(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_advisories_have_their_severity() {
        for (word, severity) in [
            ("MODERATE", Some(Severity::Medium)),
            ("Important", Some(Severity::High)),
            ("negligible", Some(Severity::Informational)),
            ("unimportant", Some(Severity::Low)),
            ("low**", Some(Severity::Low)),
            (" Critical ", Some(Severity::Critical)),
            ("none", Some(Severity::None)),
            ("not yet assigned", None),
            ("untriaged", None),
            ("Unknown", None),
            ("", None),
        ] {
            assert_eq!(Severity::from_word(word), severity, "{word}");
        }
    }

    #[test]
    fn names_are_the_ones_of_ecr() {
        assert!("critical".parse::<Severity>().is_err());
        for severity in [Severity::None, Severity::Informational, Severity::Critical] {
            let json = serde_json::to_string(&severity).unwrap();
            assert_eq!(json, format!("\"{severity}\""));
            assert_eq!(severity.name().parse::<Severity>().unwrap(), severity);
        }
    }
}
