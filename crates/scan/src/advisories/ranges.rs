//! What the events of an advisory mean: ranges of versions.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::record::{Event, RangeRecord};
use crate::version::Comparison;
use crate::{UnparsableVersion, VersionOrder};

/// Versions from one on, to the end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Range<'a> {
    /// The first version; empty for the first of all.
    pub(crate) introduced: Cow<'a, str>,
    pub(crate) end: End<'a>,
}

/// Where a range ends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End<'a> {
    /// Nowhere.
    Open,
    /// Before a version that is fixed.
    Fixed(Cow<'a, str>),
    /// After a version that is still affected.
    Last(Cow<'a, str>),
    /// Before a version of which nothing is said.
    Limit(Cow<'a, str>),
}

impl<'a> Range<'a> {
    /// The version that repairs it.
    pub(crate) fn into_fixed(self) -> Option<Cow<'a, str>> {
        match self.end {
            End::Fixed(fixed) => Some(fixed),
            _ => None,
        }
    }
}

impl Range<'_> {
    /// Whether the version that is compared is in the range.
    ///
    /// # Errors
    /// The version or a bound has no order.
    pub(crate) fn contains(&self, version: &Comparison<'_>) -> Result<bool, UnparsableVersion> {
        if !self.introduced.is_empty() && version(&self.introduced)?.is_lt() {
            return Ok(false);
        }
        Ok(match &self.end {
            End::Open => true,
            End::Fixed(end) | End::Limit(end) => version(end)?.is_lt(),
            End::Last(end) => version(end)?.is_le(),
        })
    }

    /// The versions that bound it, as they are written.
    pub(super) fn bounds(&self) -> impl Iterator<Item = &str> {
        let end = match &self.end {
            End::Open => None,
            End::Fixed(end) | End::Last(end) | End::Limit(end) => Some(&**end),
        };
        let introduced = Some(&*self.introduced).filter(|version| !version.is_empty());
        introduced.into_iter().chain(end)
    }

    /// The version that repairs it.
    pub(crate) fn fixed(&self) -> Option<&str> {
        match &self.end {
            End::Fixed(fixed) => Some(fixed),
            _ => None,
        }
    }
}

/// An event, and whether it opens or closes.
struct Step {
    version: String,
    kind: StepKind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum StepKind {
    Introduced,
    Fixed,
    Last,
}

/// The ranges that a `ranges` entry stands for, by the schema's own evaluation: events in the order
/// of their versions, each opening or closing; what closes nothing says nothing. An entry whose
/// versions have no order gives one range for each pair as it is written: comparing with it fails
/// then too, and says why.
pub(super) fn ranges(record: &RangeRecord, order: VersionOrder) -> Vec<Range<'static>> {
    let mut steps = Vec::new();
    let mut limits = Vec::new();
    for event in &record.events {
        let Event {
            introduced,
            fixed,
            last_affected,
            limit,
        } = event;
        let mut step = |version: &Option<String>, kind| {
            if let Some(version) = version {
                steps.push(Step {
                    version: version.trim().to_owned(),
                    kind,
                });
            }
        };
        step(introduced, StepKind::Introduced);
        step(fixed, StepKind::Fixed);
        step(last_affected, StepKind::Last);
        limits.extend(limit.clone());
    }
    sort(&mut steps, order);
    let mut ranges = Vec::new();
    let mut open: Option<String> = None;
    for step in steps {
        match (step.kind, open.take()) {
            (StepKind::Introduced, None) => open = Some(start(step.version)),
            // Introduced again: it was already.
            (StepKind::Introduced, earlier) => open = earlier,
            (_, None) => {}
            (StepKind::Fixed, Some(introduced)) => {
                // Fixed in the version that introduces it: an empty range, as Alpine's '0' is.
                if start(step.version.clone()) != introduced {
                    ranges.push(range(introduced, End::Fixed(step.version.into())));
                }
            }
            (StepKind::Last, Some(introduced)) => {
                ranges.push(range(introduced, End::Last(step.version.into())));
            }
        }
    }
    if let Some(introduced) = open {
        ranges.push(range(introduced, End::Open));
    }
    if let Some(limit) = highest(&limits, order) {
        cut(&mut ranges, &limit, order);
    }
    ranges
}

fn range(introduced: String, end: End<'static>) -> Range<'static> {
    Range {
        introduced: introduced.into(),
        end,
    }
}

/// `0` is below every version.
fn start(version: String) -> String {
    match version.as_str() {
        "0" => String::new(),
        _ => version,
    }
}

/// Puts events in the order of their versions; of one version they stay in the order of the record.
/// If one has no order they all stay as they are.
fn sort(steps: &mut [Step], order: VersionOrder) {
    let first = |step: &Step| step.version == "0" && step.kind == StepKind::Introduced;
    let ordered = |step: &Step| first(step) || order.compare(&step.version, &step.version).is_ok();
    if !steps.iter().all(ordered) {
        return;
    }
    steps.sort_by(|a, b| match (first(a), first(b)) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => order
            .compare(&a.version, &b.version)
            .unwrap_or(Ordering::Equal),
    });
}

/// A version is within the limits if it is below one of them; `*` is above all versions.
fn highest(limits: &[String], order: VersionOrder) -> Option<String> {
    if limits.iter().any(|limit| limit == "*") {
        return None;
    }
    let compare = |a: &&String, b: &&String| order.compare(a, b).unwrap_or(Ordering::Equal);
    limits.iter().max_by(compare).cloned()
}

/// Ends every range at a limit.
fn cut(ranges: &mut Vec<Range<'static>>, limit: &str, order: VersionOrder) {
    let below = |version: &str| match version.is_empty() {
        true => true,
        false => order.compare(version, limit).is_ok_and(Ordering::is_lt),
    };
    ranges.retain(|range| below(&range.introduced));
    for range in ranges {
        let ends_before = match &range.end {
            End::Open => false,
            End::Fixed(end) | End::Limit(end) => {
                order.compare(end, limit).is_ok_and(Ordering::is_le)
            }
            End::Last(end) => below(end),
        };
        if !ends_before {
            range.end = End::Limit(limit.to_owned().into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(order: VersionOrder, events: &str) -> Vec<Range<'static>> {
        let events = serde_json::from_str(events).unwrap();
        let record = RangeRecord {
            kind: "ECOSYSTEM".to_owned(),
            events,
        };
        ranges(&record, order)
    }

    #[test]
    fn versions_are_affected_as_the_schema_says() {
        let pep = VersionOrder::Pep440;
        for (events, affected, not) in [
            (
                r#"[{"introduced":"0"},{"fixed":"2"}]"#,
                "0 0.dev1 1.9.9",
                "2 2.1",
            ),
            (
                r#"[{"introduced":"1"},{"last_affected":"2"}]"#,
                "1 2 2.0.0",
                "0.9 2.0.1",
            ),
            (r#"[{"introduced":"1"}]"#, "1 99", "1rc1"),
            // Out of order, and one that closes nothing.
            (
                r#"[{"fixed":"0.5"},{"fixed":"4"},{"introduced":"3"},{"fixed":"2"},{"introduced":"1"}]"#,
                "1 1.5 3 3.9",
                "0.1 0.5 2 2.5 4",
            ),
            (
                r#"[{"introduced":"0"},{"fixed":"2"},{"fixed":"3"}]"#,
                "1",
                "2 2.5 3",
            ),
            (r#"[{"introduced":"0"},{"fixed":"0"}]"#, "", "0 1"),
            (r#"[{"introduced":"2"},{"fixed":"2.0"}]"#, "", "1 2 3"),
            (
                r#"[{"introduced":"1"},{"introduced":"2"},{"fixed":"3"},{"fixed":"4"}]"#,
                "1 2.5",
                "3 3.5 4",
            ),
            (
                r#"[{"introduced":"1"},{"limit":"2"},{"limit":"3"}]"#,
                "1 2.9",
                "3 4",
            ),
            (r#"[{"introduced":"1"},{"limit":"*"}]"#, "1 2.9", "0"),
            (
                r#"[{"introduced":"0"},{"fixed":"1"},{"introduced":"5"},{"limit":"4"}]"#,
                "0.5",
                "1 5 6",
            ),
            ("[]", "", "1"),
        ] {
            let ranges = of(pep, events);
            let hit = |version: &str| {
                ranges
                    .iter()
                    .any(|r| r.contains(&pep.comparison(version)).unwrap())
            };
            for version in affected.split_ascii_whitespace() {
                assert!(hit(version), "{events} {version}");
            }
            for version in not.split_ascii_whitespace() {
                assert!(!hit(version), "{events} {version}");
            }
        }
    }

    #[test]
    fn a_bound_without_an_order_is_an_error_when_it_is_asked() {
        let ranges = of(VersionOrder::Deb, r#"[{"introduced":"0"},{"fixed":"x:1"}]"#);
        assert!(
            ranges[0]
                .contains(&VersionOrder::Deb.comparison("1"))
                .is_err()
        );
    }

    #[test]
    fn the_fixed_version_is_that_of_the_range() {
        let ranges = of(
            VersionOrder::Semver,
            r#"[{"introduced":"0"},{"fixed":"1.2.3"},{"introduced":"2.0.0"}]"#,
        );
        assert_eq!(ranges[0].fixed(), Some("1.2.3"));
        assert_eq!(ranges[1].fixed(), None);
    }
}
