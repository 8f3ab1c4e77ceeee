//! How bad a finding is: severities, CVSS scores, and what advisories state of either.
//!
//! Many advisories state no severity at all, above all those of distributions. That is a fact of
//! its own, *unrated* (ECR's `UNDEFINED`), written as `None` of an `Option<Rating>`: it is neither
//! the lowest nor the highest severity, and nothing may count it as either unasked.

mod cvss;

pub use bonded_model::Severity;
pub use cvss::{InvalidCvss, Score};

/// The name of what has no severity, as ECR writes it.
pub const UNRATED: &str = "UNDEFINED";

/// What an advisory states about its severity. Ordered by severity, then by score, so that the
/// worst of several is their maximum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rating {
    /// How bad it is.
    pub severity: Severity,
    /// The CVSS base score, if it was given as a vector.
    pub score: Option<Score>,
}

impl Rating {
    /// Reads an entry of a `severity` array of an OSV record, or of one of its `affected` entries:
    /// its `type` and its `score`, which is a CVSS vector or, for `Ubuntu`, a priority.
    ///
    /// Of a vector only the base metrics count, so that what is said of exploits and of other
    /// people's environments does not lower it.
    ///
    /// # Errors
    /// [`UnreadableSeverity`] if the type is unknown, the vector is none of that version, or the
    /// priority states no severity. The finding is unrated then, unless something else rates it.
    pub fn from_osv(kind: &str, score: &str) -> Result<Self, UnreadableSeverity> {
        let base = match kind {
            "CVSS_V2" => cvss::v2(score),
            "CVSS_V3" => cvss::v3(score),
            "CVSS_V4" => cvss::v4(score),
            "Ubuntu" => return Self::from_priority(score),
            _ => return Err(UnreadableSeverity::Kind(shown(kind))),
        };
        base.map_err(UnreadableSeverity::Vector)
    }

    fn from_priority(word: &str) -> Result<Self, UnreadableSeverity> {
        let severity = Severity::from_word(word);
        Ok(Self {
            severity: severity.ok_or_else(|| UnreadableSeverity::Priority(shown(word)))?,
            score: None,
        })
    }
}

/// The entry rates nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnreadableSeverity {
    /// A type of severity that is unknown here.
    #[error("'{0}' is not a type of severity we know: CVSS_V2, CVSS_V3, CVSS_V4 or Ubuntu")]
    Kind(String),
    /// A priority that states no severity.
    #[error("the priority '{0}' states no severity")]
    Priority(String),
    /// A vector that cannot be scored.
    #[error(transparent)]
    Vector(#[from] InvalidCvss),
}

/// As much of an untrusted text as an error repeats.
fn shown(text: &str) -> String {
    text.chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_of_osv_is_rated_or_says_why_not() {
        let vector = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H";
        let rating = Rating::from_osv("CVSS_V3", vector).unwrap();
        assert_eq!(rating.severity, Severity::Critical);
        assert_eq!(rating.score.unwrap().to_string(), "9.8");
        let rating = Rating::from_osv("Ubuntu", "medium").unwrap();
        assert_eq!((rating.severity, rating.score), (Severity::Medium, None));
        for (kind, score) in [
            ("CVSS_V4", vector),
            ("CVSS_V2", vector),
            ("CVSS_V5", vector),
            ("Ubuntu", "untriaged"),
            ("CVSS_V3", ""),
        ] {
            assert!(Rating::from_osv(kind, score).is_err(), "{kind} {score}");
        }
    }

    #[test]
    fn the_worst_rating_is_the_maximum() {
        let medium = Rating::from_osv("Ubuntu", "medium").unwrap();
        let low = Rating::from_osv("CVSS_V2", "AV:L/AC:H/Au:M/C:P/I:N/A:N").unwrap();
        assert_eq!(medium.max(low), medium);
    }
}
