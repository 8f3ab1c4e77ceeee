//! What a scan found beside what the one before had found: since when a finding is known, and what
//! is told of the difference.
//!
//! Events have the shape of Amazon EventBridge's, as ECR and Inspector send them: `ECR Image Scan`
//! for a scan that was asked for or came to something else, `Inspector2 Finding` for a finding that
//! is new, gone or another. `detail.bonded` says why.

mod event;

use std::collections::{HashMap, HashSet};

use bonded_model::{Digest, ScanStatus, Timestamp};
use bonded_scan::{Advisories, Finding};
use bonded_store::{ImageScan, RepositoryId, ScanEvent, ScanResult};
use serde_json::json;

use super::judge::{FindingsPart, Judged, Observed, parts};
use crate::error::{Error, Result};
use crate::{Registry, random};
use event::ScannedImage;

pub use event::finding_arn;

/// The most events about findings of one scan.
const EVENTS_LIMIT: usize = 500;

/// Why a finding is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reason {
    AdvisoryPublished,
    AdvisoryCorrected,
    AdvisoryWithdrawn,
    AnalysisChanged,
    DocumentAttached,
    DocumentRemoved,
    FixPublished,
    FixChanged,
    SeverityChanged,
    Suppressed,
    NoLongerSuppressed,
}

impl Reason {
    const fn name(self) -> &'static str {
        match self {
            Self::AdvisoryPublished => "advisory_published",
            Self::AdvisoryCorrected => "advisory_corrected",
            Self::AdvisoryWithdrawn => "advisory_withdrawn",
            Self::AnalysisChanged => "analysis_changed",
            Self::DocumentAttached => "document_attached",
            Self::DocumentRemoved => "document_removed",
            Self::FixPublished => "fix_published",
            Self::FixChanged => "fix_changed",
            Self::SeverityChanged => "severity_changed",
            Self::Suppressed => "suppressed",
            Self::NoLongerSuppressed => "no_longer_suppressed",
        }
    }
}

/// A difference to the result before.
struct Change<'f> {
    finding: &'f Finding,
    observed: Observed,
    /// It is not found any more.
    closed: bool,
    /// At least one.
    reasons: Vec<Reason>,
    before: Option<&'f Finding>,
}

/// What makes two findings the same one.
type Key<'f> = (&'f str, &'f str, &'f str, &'f str, &'f str);

fn key(finding: &Finding) -> Key<'_> {
    (
        &finding.ecosystem,
        &finding.package,
        &finding.version,
        &finding.path,
        &finding.id,
    )
}

/// The result before, as far as it is known.
struct Before {
    scan: ImageScan,
    findings: Vec<(Finding, Option<Observed>)>,
    /// It was judged, so what is found only now is new.
    judged: bool,
    /// The advisories that it was judged by, if they are here.
    advisories: Option<Advisories>,
}

/// A UUID of version 7: ids are in the order of time, and of their numbers.
fn event_id(now: Timestamp, number: u16) -> Result<String> {
    let mut random: [u8; 10] = random::bytes()?;
    random[..2].copy_from_slice(&number.to_be_bytes());
    let millis = u64::try_from(now.as_millis()).unwrap_or_default();
    let id = uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
    Ok(id.hyphenated().to_string())
}

impl Registry {
    /// The result to be written: its findings with since when they are known, and the events that
    /// the difference to the result before makes.
    pub(super) async fn with_history(
        &self,
        (repository, image): (&RepositoryId, &Digest),
        judged: Judged,
        now: Timestamp,
    ) -> Result<ScanResult> {
        let before = self.before(repository, image, &judged.result).await?;
        let advisories = self.advisories();
        let current = advisories.as_ref().map(|loaded| &loaded.advisories);
        let Judged {
            mut result,
            layers,
            os,
            findings,
        } = judged;
        let (observed, changes) = compare(before.as_ref(), &findings, &result, current, now);
        result.parts = parts(&layers, os.as_ref(), &findings, &observed)?;
        let Some((arn, tags)) = self.store().scanned_image(repository, image).await? else {
            return Ok(result);
        };
        let image = ScannedImage {
            arn: &arn,
            image,
            tags: &tags,
        };
        let mut bodies = Vec::new();
        if is_told(before.as_ref(), &result, &changes) {
            bodies.push(image.scan_event(&result, &changes));
        }
        let told = changes.iter().take(EVENTS_LIMIT);
        bodies.extend(told.map(|change| image.finding_event(change, now)));
        for (number, (kind, source, resources, detail)) in (0_u16..).zip(bodies) {
            let id = event_id(now, number)?;
            let body = json!({
                "version": "0", "id": id, "detail-type": kind, "source": source,
                "account": arn.account.to_string(), "time": now.to_string(),
                "region": arn.region.to_string(), "resources": [resources], "detail": detail,
            });
            result.events.push(ScanEvent {
                id,
                at: now,
                account: arn.account.clone(),
                body: serde_json::to_vec(&body).map_err(|e| Error::Unwritable(e.to_string()))?,
            });
        }
        Ok(result)
    }

    async fn before(
        &self,
        repository: &RepositoryId,
        image: &Digest,
        result: &ScanResult,
    ) -> Result<Option<Before>> {
        let store = self.store();
        let Some(scan) = store.find_image_scan(repository, image).await? else {
            return Ok(None);
        };
        if scan.completed_at.is_none() {
            return Ok(None);
        }
        let mut findings = Vec::new();
        for part in 0.. {
            let Some(bytes) = store.find_findings(repository, image, part).await? else {
                break;
            };
            let part = FindingsPart::read(&bytes)?;
            let observed = part.observed.into_iter().map(Some);
            let observed = observed.chain(std::iter::repeat(None));
            findings.extend(part.findings.into_iter().zip(observed));
        }
        let sha256 = scan.judged_by.advisories_sha256.as_ref();
        let other = sha256.filter(|_| scan.judged_by.generation != result.judged_by.generation);
        let file = match other.and_then(|text| text.parse().ok()) {
            Some(digest) => store.open_advisories(&digest)?,
            None => None,
        };
        // What is not a file of advisories any more only makes reasons less exact.
        let advisories = file.and_then(|file| Advisories::map(&file).ok());
        Ok(Some(Before {
            findings,
            judged: store.was_judged(repository, image).await?,
            scan,
            advisories,
        }))
    }
}

/// Since when each finding is known, in their order, and what is different from before.
fn compare<'f>(
    before: Option<&'f Before>,
    findings: &'f [Finding],
    result: &ScanResult,
    current: Option<&Advisories>,
    now: Timestamp,
) -> (Vec<Observed>, Vec<Change<'f>>) {
    let known: HashMap<Key<'_>, &(Finding, Option<Observed>)> = before
        .iter()
        .flat_map(|before| &before.findings)
        .map(|known| (key(&known.0), known))
        .collect();
    let new = Observed {
        first: now.as_millis(),
        updated: now.as_millis(),
    };
    // Of an image that was not judged before, or is not now, nothing can be told finding by finding.
    let tells = before.filter(|before| before.judged && result.packages.is_some());
    let same_analysis =
        tells.is_some_and(|before| before.scan.judged_by.analyzers == result.judged_by.analyzers);
    let same_generation = tells.is_some_and(|before| before.scan.judged_by == result.judged_by);
    let mut observed = Vec::with_capacity(findings.len());
    let mut changes = Vec::new();
    for finding in findings {
        let Some((old, since)) = known.get(&key(finding)) else {
            observed.push(new);
            if let Some(before) = tells {
                let earlier = before.advisories.as_ref();
                let reason = match earlier.is_some_and(|old| old.has(&finding.advisory)) {
                    _ if finding.attached.is_some() && same_generation => Reason::DocumentAttached,
                    _ if !same_analysis => Reason::AnalysisChanged,
                    true => Reason::AdvisoryCorrected,
                    false => Reason::AdvisoryPublished,
                };
                changes.push(Change {
                    finding,
                    observed: new,
                    closed: false,
                    reasons: vec![reason],
                    before: None,
                });
            }
            continue;
        };
        // Findings of before there were dates are as old as the result that has them.
        let found_at = before.and_then(|before| before.scan.completed_at);
        let since = since.unwrap_or_else(|| {
            let at = found_at.unwrap_or(now).as_millis();
            Observed {
                first: at,
                updated: at,
            }
        });
        let reasons = reasons(old, finding);
        let updated = match reasons.is_empty() {
            true => since.updated,
            false => now.as_millis(),
        };
        let since = Observed {
            first: since.first,
            updated,
        };
        observed.push(since);
        if !reasons.is_empty() && tells.is_some() {
            changes.push(Change {
                finding,
                observed: since,
                closed: false,
                reasons,
                before: Some(old),
            });
        }
    }
    if let Some(before) = tells {
        let same = (same_analysis, same_generation);
        changes.extend(gone(before, findings, current, same, new));
    }
    (observed, changes)
}

/// The findings that are not found any more.
fn gone<'f>(
    before: &'f Before,
    findings: &[Finding],
    current: Option<&Advisories>,
    (same_analysis, same_generation): (bool, bool),
    new: Observed,
) -> Vec<Change<'f>> {
    let found: HashSet<Key<'_>> = findings.iter().map(key).collect();
    let gone = before.findings.iter();
    let gone = gone.filter(|(finding, _)| !found.contains(&key(finding)));
    let closed = gone.map(|(finding, since)| {
        let reason = match current.is_some_and(|now| now.has(&finding.advisory)) {
            _ if finding.attached.is_some() && same_generation => Reason::DocumentRemoved,
            _ if !same_analysis => Reason::AnalysisChanged,
            true => Reason::AdvisoryCorrected,
            false => Reason::AdvisoryWithdrawn,
        };
        Change {
            finding,
            observed: Observed {
                updated: new.updated,
                ..since.unwrap_or(new)
            },
            closed: true,
            reasons: vec![reason],
            before: None,
        }
    });
    closed.collect()
}

/// Why a finding is not what it was; empty if nothing that matters is different.
fn reasons(old: &Finding, new: &Finding) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if (&old.fixed, &old.fixed_with) != (&new.fixed, &new.fixed_with) {
        reasons.push(match old.repaired_by() {
            None => Reason::FixPublished,
            Some(_) => Reason::FixChanged,
        });
    }
    if (old.severity, old.score) != (new.severity, new.score) {
        reasons.push(Reason::SeverityChanged);
    }
    match (&old.suppressed_by, &new.suppressed_by) {
        (old, Some(new)) if old.as_ref() != Some(new) => reasons.push(Reason::Suppressed),
        (Some(_), None) => reasons.push(Reason::NoLongerSuppressed),
        _ => {}
    }
    reasons
}

/// Whether the scan as a whole is told of: it was asked for, or came to something else.
fn is_told(before: Option<&Before>, result: &ScanResult, changes: &[Change<'_>]) -> bool {
    let Some(before) = before else {
        return true;
    };
    let scan = &before.scan;
    scan.status == ScanStatus::InProgress
        || scan.status != result.status
        || scan.severity_counts != result.severity_counts
        || !changes.is_empty()
}
