//! The condition keys of images, from what the store knows of one.
//!
//! Source: docs/reference/condition-keys.md. A key is absent, unknown or has values; unknown is
//! what cannot be known now, and denies in an Allow and in a Deny.

use bonded_iam::{Context, ContextValue};
use bonded_model::{Severity, Timestamp};
use bonded_store::{ImageFacts, JudgedScan, ScanCounts};

use crate::access::Action;
use crate::context::{ContextFacts, Fact};

/// The tag that the request names.
pub(crate) const IMAGE_TAG: &str = "bonded:ImageTag";
pub(crate) const IMAGE_DIGEST: &str = "bonded:ImageDigest";
pub(crate) const IMAGE_MEDIA_TYPE: &str = "bonded:ImageMediaType";
pub(crate) const CURRENT_IMAGE_TAGS: &str = "bonded:CurrentImageTags";
const SCAN_STATUS: &str = "bonded:ScanStatus";
const MAX_SEVERITY: &str = "bonded:MaxSeverity";
const CRITICAL_FINDINGS: &str = "bonded:CriticalFindings";
const HIGH_FINDINGS: &str = "bonded:HighFindings";
const FIXABLE_CRITICAL_FINDINGS: &str = "bonded:FixableCriticalFindings";
const UNRATED_FINDINGS: &str = "bonded:UnratedFindings";
const SCAN_AGE_HOURS: &str = "bonded:ScanAgeHours";

/// What a scan tells.
pub(crate) const SCAN_KEYS: [&str; 7] = [
    SCAN_STATUS,
    MAX_SEVERITY,
    CRITICAL_FINDINGS,
    HIGH_FINDINGS,
    FIXABLE_CRITICAL_FINDINGS,
    UNRATED_FINDINGS,
    SCAN_AGE_HOURS,
];

/// What findings without a severity count as in conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unrated {
    /// Nobody knows: counts of zero beside them are unknown.
    #[default]
    Unknown,
    /// This severity.
    As(Severity),
}

/// Which keys a check on an image has beside the tag that the request names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ImageKeys {
    /// Digest, media type and tags. A push has no scan yet; and one must be able to ask for a
    /// scan, and see its findings, of what one may not pull.
    WithoutScan,
    /// All.
    All,
}

impl ImageKeys {
    /// The keys of `action`, at every door and for every target.
    pub(crate) fn of(action: Action) -> Self {
        match action.as_str() {
            "ecr:PutImage"
            | "ecr:DescribeImages"
            | "ecr:StartImageScan"
            | "ecr:DescribeImageScanFindings" => Self::WithoutScan,
            _ => Self::All,
        }
    }

    /// The keys as long as nothing is known of the image.
    pub(crate) fn unknown(self) -> ContextFacts {
        let scan: &[&str] = match self {
            Self::All => &SCAN_KEYS,
            Self::WithoutScan => &[],
        };
        let image = [IMAGE_DIGEST, IMAGE_MEDIA_TYPE, CURRENT_IMAGE_TAGS];
        let keys = image.iter().chain(scan);
        keys.map(|key| ((*key).to_owned(), Fact::Unknown)).collect()
    }

    /// The keys of an image as of `now`.
    pub(crate) fn known(
        self,
        image: &ImageFacts,
        unrated: Unrated,
        now: Timestamp,
    ) -> ContextFacts {
        let mut facts = match self {
            Self::All => of_scan(&image.scan, unrated, now),
            Self::WithoutScan => ContextFacts::new(),
        };
        let mut add = |key: &str, fact| facts.insert(key.to_owned(), fact);
        add(IMAGE_DIGEST, Fact::One(image.digest.to_string()));
        add(IMAGE_MEDIA_TYPE, Fact::One(image.media_type.clone()));
        let tags = image.current_tags.as_ref();
        let tags = tags.map(|tags| Fact::Many(tags.iter().map(ToString::to_string).collect()));
        add(CURRENT_IMAGE_TAGS, tags.unwrap_or(Fact::Unknown));
        facts
    }
}

/// `context` with each of `keys` unknown, as far as it has any of them.
pub(crate) fn with_unknown(context: &Context, keys: &[&str]) -> Context {
    let mut context = context.clone();
    for key in keys {
        context.remove(key);
        context.insert(key, ContextValue::Unknown);
    }
    context
}

fn of_scan(scan: &JudgedScan, unrated: Unrated, now: Timestamp) -> ContextFacts {
    let mut facts = ContextFacts::new();
    let mut add = |key: &str, fact| facts.insert(key.to_owned(), fact);
    match scan {
        JudgedScan::Unknown(_) => {
            for key in SCAN_KEYS {
                add(key, Fact::Unknown);
            }
        }
        JudgedScan::NotApplicable => {
            add(SCAN_STATUS, Fact::One("NOT_APPLICABLE".to_owned()));
        }
        JudgedScan::Complete(all) => {
            add(SCAN_STATUS, Fact::One("COMPLETE".to_owned()));
            add(
                MAX_SEVERITY,
                Fact::One(max_severity(all, unrated).to_owned()),
            );
            let critical = |scan: &ScanCounts| (scan.critical, scan.unrated);
            let high = |scan: &ScanCounts| (scan.high, scan.unrated);
            let fixable = |scan: &ScanCounts| (scan.fixable_critical, scan.fixable_unrated);
            let count = |of: &dyn Fn(&ScanCounts) -> (u32, u32), severity| {
                most(all, unrated, severity, of).map_or(Fact::Unknown, number)
            };
            add(CRITICAL_FINDINGS, count(&critical, Severity::Critical));
            add(HIGH_FINDINGS, count(&high, Severity::High));
            add(
                FIXABLE_CRITICAL_FINDINGS,
                count(&fixable, Severity::Critical),
            );
            let unrated = all.iter().map(|scan| scan.unrated).max();
            add(UNRATED_FINDINGS, number(unrated.unwrap_or_default()));
            add(SCAN_AGE_HOURS, Fact::One(age_in_hours(all, now)));
        }
    }
    facts
}

fn number(value: u32) -> Fact {
    Fact::One(value.to_string())
}

/// The highest of the numbers of findings with `severity`, of which `of` gives those that have it
/// and those that are unrated; `None` if one of the numbers is unknown.
fn most(
    all: &[ScanCounts],
    unrated: Unrated,
    severity: Severity,
    of: &dyn Fn(&ScanCounts) -> (u32, u32),
) -> Option<u32> {
    let count = |scan: &ScanCounts| {
        let (rated, more) = of(scan);
        match unrated {
            Unrated::As(as_severity) if as_severity == severity => Some(rated.saturating_add(more)),
            Unrated::As(_) => Some(rated),
            Unrated::Unknown => (rated > 0 || scan.unrated == 0).then_some(rated),
        }
    };
    all.iter()
        .map(count)
        .try_fold(0, |most, next| Some(most.max(next?)))
}

/// The worst severity of all, where what is unrated may be worse than anything below HIGH.
fn max_severity(all: &[ScanCounts], unrated: Unrated) -> &'static str {
    let rated = all.iter().filter_map(|scan| scan.max_severity).max();
    let rated = rated.unwrap_or(Severity::None);
    match unrated {
        _ if all.iter().all(|scan| scan.unrated == 0) => rated.name(),
        Unrated::As(severity) => rated.max(severity).name(),
        Unrated::Unknown if rated >= Severity::High => rated.name(),
        Unrated::Unknown => "UNDEFINED",
    }
}

/// Hours since the oldest of all dates, rounded up to hundredths: an old database that was matched
/// today is not fresh.
fn age_in_hours(all: &[ScanCounts], now: Timestamp) -> String {
    const HUNDREDTH: i64 = 36_000;
    let dates = all
        .iter()
        .flat_map(|scan| [scan.matched_at, scan.advisories_at]);
    let oldest = dates.min().unwrap_or(now);
    let millis = now.as_millis().saturating_sub(oldest.as_millis()).max(0);
    let hundredths = millis / HUNDREDTH + i64::from(millis % HUNDREDTH > 0);
    let text = format!("{}.{:02}", hundredths / 100, hundredths % 100);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use bonded_model::Digest;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_349_000_000);

    fn hours_ago(hours: i64) -> Timestamp {
        Timestamp::from_millis(NOW.as_millis() - hours * 3_600_000)
    }

    fn counts(critical: u32, high: u32, unrated: u32) -> ScanCounts {
        let severity = match (critical, high) {
            (0, 0) => None,
            (0, _) => Some(Severity::High),
            _ => Some(Severity::Critical),
        };
        ScanCounts {
            max_severity: severity,
            critical,
            high,
            fixable_critical: critical / 2,
            unrated,
            fixable_unrated: unrated / 2,
            matched_at: hours_ago(1),
            advisories_at: hours_ago(3),
        }
    }

    /// The values of the scan keys in their order, `?` for unknown and `-` for absent.
    fn shown(scan: JudgedScan, unrated: Unrated) -> String {
        let image = ImageFacts {
            digest: Digest::sha256(b"x"),
            media_type: "application/x".to_owned(),
            scannable: true,
            current_tags: Some(Vec::new()),
            scan,
            scanned: Vec::new(),
        };
        let facts = ImageKeys::All.known(&image, unrated, NOW);
        let value = |key: &&str| match facts.get(*key) {
            None => "-".to_owned(),
            Some(Fact::Unknown) => "?".to_owned(),
            Some(Fact::One(value)) => value.clone(),
            Some(Fact::Many(values)) => values.join(","),
        };
        SCAN_KEYS.iter().map(value).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn counts_of_zero_beside_unrated_findings_are_unknown() {
        for (scans, unrated, expected) in [
            (
                vec![counts(0, 0, 0)],
                Unrated::Unknown,
                "COMPLETE NONE 0 0 0 0 3",
            ),
            (
                vec![counts(0, 0, 4)],
                Unrated::Unknown,
                "COMPLETE UNDEFINED ? ? ? 4 3",
            ),
            (
                vec![counts(0, 2, 4)],
                Unrated::Unknown,
                "COMPLETE HIGH ? 2 ? 4 3",
            ),
            (
                vec![counts(3, 2, 4)],
                Unrated::Unknown,
                "COMPLETE CRITICAL 3 2 1 4 3",
            ),
            (
                vec![counts(0, 0, 4)],
                Unrated::As(Severity::Low),
                "COMPLETE LOW 0 0 0 4 3",
            ),
            (
                vec![counts(1, 0, 4)],
                Unrated::As(Severity::Critical),
                "COMPLETE CRITICAL 5 0 2 4 3",
            ),
            (
                vec![counts(0, 1, 4)],
                Unrated::As(Severity::High),
                "COMPLETE HIGH 0 5 0 4 3",
            ),
        ] {
            let scan = JudgedScan::Complete(scans.clone());
            assert_eq!(shown(scan, unrated), expected, "{scans:?}");
        }
    }

    #[test]
    fn an_index_has_the_worst_of_its_images() {
        let older = ScanCounts {
            advisories_at: hours_ago(50),
            ..counts(0, 1, 0)
        };
        let all = vec![counts(2, 0, 0), older.clone()];
        let scan = JudgedScan::Complete(all);
        assert_eq!(
            shown(scan, Unrated::Unknown),
            "COMPLETE CRITICAL 2 1 1 0 50"
        );
        // What is unknown of one is unknown of all.
        let scan = JudgedScan::Complete(vec![counts(2, 0, 0), counts(0, 0, 1)]);
        assert_eq!(shown(scan, Unrated::Unknown), "COMPLETE CRITICAL ? ? ? 1 3");
    }

    #[test]
    fn what_was_not_scanned_is_unknown_and_what_cannot_be_is_absent() {
        let unknown = JudgedScan::Unknown(bonded_store::UnknownScan::Failed);
        assert_eq!(shown(unknown, Unrated::Unknown), "? ? ? ? ? ? ?");
        let expected = "NOT_APPLICABLE - - - - - -";
        assert_eq!(shown(JudgedScan::NotApplicable, Unrated::Unknown), expected);
    }

    #[test]
    fn an_age_is_rounded_up() {
        for (millis, expected) in [
            (0, "0"),
            (1, "0.01"),
            (3_600_000, "1"),
            (3_600_001, "1.01"),
            (24 * 3_600_000, "24"),
            (90 * 60_000, "1.5"),
            (-5, "0"),
        ] {
            let at = Timestamp::from_millis(NOW.as_millis() - millis);
            let scan = ScanCounts {
                matched_at: at,
                advisories_at: at,
                ..counts(0, 0, 0)
            };
            assert_eq!(age_in_hours(&[scan], NOW), expected, "{millis}");
        }
    }

    #[test]
    fn every_key_is_one_that_a_policy_may_use() {
        for key in ImageKeys::All
            .unknown()
            .keys()
            .map(String::as_str)
            .chain([IMAGE_TAG])
        {
            let document = format!(
                r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"*","Resource":"*","Condition":{{"Null":{{"{key}":"true"}}}}}}}}"#
            );
            let saved = bonded_iam::validate(&document, bonded_iam::PolicyKind::Identity);
            assert!(saved.is_ok(), "{key}");
        }
    }
}
