//! CVSS base scores, computed from vectors: versions 2.0, 3.0, 3.1 and 4.0 by the formulas and
//! tables of FIRST's specifications.
//!
//! The arithmetic is the crate `cvss`'s; here is what it leaves open: every base metric must be
//! there, only they count, and the severity is that of the version's own scale.

use std::fmt;
use std::str::FromStr as _;

use cvss::{v2, v3, v4};

use super::{Rating, Severity, shown};

/// The longest vector that is read, in bytes: a full one of version 4.0 has about 200.
const VECTOR_LIMIT: usize = 512;

/// A CVSS score, from 0.0 to 10.0 in tenths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Score(u8);

impl Score {
    /// The score in tenths: 98 for 9.8.
    #[must_use]
    pub fn tenths(self) -> u8 {
        self.0
    }

    /// From tenths; more than 100 count as 100.
    pub(crate) fn from_tenths(tenths: u8) -> Self {
        Self(tenths.min(100))
    }

    fn new(score: f64) -> Self {
        // Clamped, and a cast from a float saturates: nothing can wrap.
        Self((score * 10.0).round().clamp(0.0, 100.0) as u8)
    }
}

impl fmt::Display for Score {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.0 / 10, self.0 % 10)
    }
}

/// The text is not a vector that can be scored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{vector}' is not a CVSS vector of version {version} with all its base metrics")]
pub struct InvalidCvss {
    version: &'static str,
    /// Its first 100 characters.
    vector: String,
}

const V2_BASE: [&str; 6] = ["AV", "AC", "Au", "C", "I", "A"];
const V3_BASE: [&str; 8] = ["AV", "AC", "PR", "UI", "S", "C", "I", "A"];
const V4_BASE: [&str; 11] = [
    "AV", "AC", "AT", "PR", "UI", "VC", "VI", "VA", "SC", "SI", "SA",
];

/// The base score of a vector of version 2.0, which may stand in brackets. The scale is NVD's: low
/// to 3.9, medium to 6.9, high from 7.0; version 2 knows neither none nor critical.
pub(super) fn v2(vector: &str) -> Result<Rating, InvalidCvss> {
    let text = vector.strip_prefix('(').unwrap_or(vector);
    let text = text.strip_suffix(')').unwrap_or(text);
    let base = base(text, &V2_BASE).filter(|_| v2::Vector::from_str(text).is_ok());
    let parsed = base.and_then(|base| v2::Vector::from_str(&base).ok());
    let parsed = parsed.ok_or_else(|| invalid("2.0", vector))?;
    let score = Score::new(parsed.score().value());
    let severity = match score.0 {
        0..40 => Severity::Low,
        40..70 => Severity::Medium,
        _ => Severity::High,
    };
    Ok(Rating {
        severity,
        score: Some(score),
    })
}

/// The base score of a vector of version 3.0 or 3.1, each by its own rounding. A `/` at the end,
/// which records of GitHub have had, does not count.
pub(super) fn v3(vector: &str) -> Result<Rating, InvalidCvss> {
    let text = vector.strip_suffix('/').unwrap_or(vector);
    let base = base(text, &V3_BASE).filter(|_| v3::Vector::from_str(text).is_ok());
    let parsed = base.and_then(|base| v3::Vector::from_str(&base).ok());
    let parsed = parsed.ok_or_else(|| invalid("3", vector))?;
    Ok(rated(parsed.base_score().value()))
}

/// The base score (CVSS-B) of a vector of version 4.0.
pub(super) fn v4(vector: &str) -> Result<Rating, InvalidCvss> {
    let base = base(vector, &V4_BASE).filter(|_| v4::Vector::from_str(vector).is_ok());
    let parsed = base.and_then(|base| v4::Vector::from_str(&base).ok());
    let parsed = parsed.ok_or_else(|| invalid("4.0", vector))?;
    Ok(rated(parsed.score().value()))
}

/// The vector with its version, if it has one, and its base metrics alone; `None` unless each is
/// there once.
fn base(vector: &str, metrics: &[&str]) -> Option<String> {
    if vector.len() > VECTOR_LIMIT {
        return None;
    }
    let kept = vector.split('/').filter(|part| {
        let name = name(part);
        name == "CVSS" || metrics.contains(&name)
    });
    let kept: Vec<&str> = kept.collect();
    let once = |metric: &&str| kept.iter().filter(|part| name(part) == *metric).count() == 1;
    metrics.iter().all(once).then(|| kept.join("/"))
}

/// The name of a metric: what stands before `:`.
fn name(part: &str) -> &str {
    part.split(':').next().unwrap_or(part)
}

/// By the qualitative scale of versions 3 and 4.
fn rated(score: f64) -> Rating {
    let score = Score::new(score);
    let severity = match score.0 {
        0 => Severity::None,
        1..40 => Severity::Low,
        40..70 => Severity::Medium,
        70..90 => Severity::High,
        _ => Severity::Critical,
    };
    Rating {
        severity,
        score: Some(score),
    }
}

fn invalid(version: &'static str, vector: &str) -> InvalidCvss {
    InvalidCvss {
        version,
        vector: shown(vector),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Rate = fn(&str) -> Result<Rating, InvalidCvss>;

    fn check(rate: Rate, cases: &[(&str, u8, Severity)]) {
        for (vector, tenths, severity) in cases {
            let rating = rate(vector).unwrap();
            assert_eq!(rating.score.map(Score::tenths), Some(*tenths), "{vector}");
            assert_eq!(rating.severity, *severity, "{vector}");
        }
    }

    /// The examples of the guide to version 2: CVE-2002-0392, CVE-2003-0818, CVE-2003-0062.
    #[test]
    fn vectors_of_version_2_have_their_published_scores() {
        let cases = [
            ("AV:N/AC:L/Au:N/C:N/I:N/A:C", 78, Severity::High),
            ("(AV:N/AC:L/Au:N/C:C/I:C/A:C)", 100, Severity::High),
            ("AV:L/AC:H/Au:N/C:C/I:C/A:C/E:U", 62, Severity::Medium),
        ];
        check(v2, &cases);
    }

    /// Examples of version 3.1: CVE-2013-1937, CVE-2013-0375, CVE-2014-3566, CVE-2012-1516,
    /// CVE-2009-0783, CVE-2012-0384, CVE-2014-0160, CVE-2014-6271.
    #[test]
    fn vectors_of_version_3_have_their_published_scores() {
        let cases = [
            ("AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 61, Severity::Medium),
            ("AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N", 64, Severity::Medium),
            ("AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N", 31, Severity::Low),
            (
                "AV:N/AC:L/PR:L/UI:N/S:C/C:H/I:H/A:H",
                99,
                Severity::Critical,
            ),
            ("AV:L/AC:L/PR:H/UI:N/S:U/C:L/I:L/A:L", 42, Severity::Medium),
            ("AV:N/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H", 88, Severity::High),
            (
                "AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N/E:U",
                75,
                Severity::High,
            ),
            (
                "AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
                98,
                Severity::Critical,
            ),
            ("AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", 0, Severity::None),
        ];
        for (vector, tenths, severity) in cases {
            check(v3, &[(&format!("CVSS:3.1/{vector}"), tenths, severity)]);
            check(v3, &[(&format!("CVSS:3.0/{vector}/"), tenths, severity)]);
        }
    }

    /// CVE-2021-44228, CVE-2022-41741, and what advisories of GitHub often state.
    #[test]
    fn vectors_of_version_4_have_their_published_scores() {
        let begin = "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N";
        let cases = [
            (
                format!("{begin}/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H"),
                100,
                Severity::Critical,
            ),
            (
                format!("{begin}/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"),
                93,
                Severity::Critical,
            ),
            (
                format!("{begin}/VC:N/VI:N/VA:H/SC:N/SI:N/SA:N/E:U"),
                87,
                Severity::High,
            ),
            (
                format!("{begin}/VC:N/VI:N/VA:N/SC:N/SI:N/SA:N"),
                0,
                Severity::None,
            ),
            (
                "CVSS:4.0/AV:L/AC:L/AT:P/PR:L/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N".to_owned(),
                73,
                Severity::High,
            ),
        ];
        for (vector, tenths, severity) in cases {
            check(v4, &[(&vector, tenths, severity)]);
        }
    }

    #[test]
    fn a_vector_without_a_base_metric_has_no_score() {
        for (rate, vector) in [
            (v3 as Rate, "CVSS:3.1/AV:N"),
            (v3, "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H"),
            (v3, "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/A:H"),
            (v3, "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:X"),
            (v3, "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/ZZ:H"),
            (v3, "CVSS:3.2/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"),
            (v3, "AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"),
            (v2, "AV:N/AC:L/Au:N/C:C/I:C"),
            (v2, ""),
            (
                v4,
                "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N",
            ),
        ] {
            assert!(rate(vector).is_err(), "{vector}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_scoring_panic(
            vector in "(CVSS:[34]\\.[01]/)?([A-Za-z]{1,2}:[A-Z]/?){0,14}|\\PC{0,60}",
        ) {
            for rate in [v2 as Rate, v3, v4] {
                let _ = rate(&vector);
            }
        }
    }
}
