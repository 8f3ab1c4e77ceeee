//! From the inventories of layers to the result of a scan: no I/O, no clock.

use std::sync::Arc;

use bonded_model::{Digest, ScanStatus, Timestamp};
use bonded_scan::{
    Contents, Finding, LayerInventory, LayerProblem, MatchOptions, OsRelease, PackageVersions,
    Problem, ProblemCode, match_attached, merge,
};
use bonded_store::{JudgedBy, ScanCounts, ScanResult, ScanState, SeverityCounts, StoreError};
use serde::{Deserialize, Serialize};

use crate::advisories::LoadedAdvisories;
use crate::error::{Error, Result};
use crate::image_scan::attached::AttachedDocuments;
use crate::image_scan::describe::describe;
use crate::layer_index::IndexedLayer;

/// How many findings are kept together.
pub(crate) const PART: usize = 500;

/// The most findings that are kept of an image.
const FINDINGS_LIMIT: usize = 50_000;

/// A layer of an image, as it was indexed.
pub(super) struct LayerToJudge {
    digest: Digest,
    known: Known,
}

enum Known {
    Problem(LayerProblem),
    Indexed(Arc<Vec<u8>>),
}

impl LayerToJudge {
    pub(super) fn problem(digest: &Digest, problem: LayerProblem) -> Self {
        Self {
            digest: digest.clone(),
            known: Known::Problem(problem),
        }
    }

    pub(super) fn indexed(digest: &Digest, inventory: &Arc<Vec<u8>>) -> Self {
        Self {
            digest: digest.clone(),
            known: Known::Indexed(Arc::clone(inventory)),
        }
    }
}

/// Findings of an image as they are kept, in the order of the result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FindingsPart {
    /// The layers of the image, the lowest first; [`Finding::layer`] is an index of it.
    pub(crate) layers: Vec<Digest>,
    /// The operating system, if the image says which; of an older version it is not known.
    #[serde(default)]
    pub(crate) os: Option<OsRelease>,
    /// Those that something suppresses are among them.
    pub(crate) findings: Vec<Finding>,
    /// Since when each was observed; of an older version there are none.
    #[serde(default)]
    pub(crate) observed: Vec<Observed>,
}

/// Since when a finding is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// When it was found first, in milliseconds since 1970.
    pub first: i64,
    /// When it was found to have changed.
    pub updated: i64,
}

/// What judging an image came to.
pub(super) struct Judged {
    /// The result, which has no parts yet.
    pub(super) result: ScanResult,
    /// The layers of the image.
    pub(super) layers: Vec<Digest>,
    /// The operating system, if the image says which.
    pub(super) os: Option<OsRelease>,
    /// The findings that are kept.
    pub(super) findings: Vec<Finding>,
}

/// Lays the layers over each other, adds what the attached documents list, and compares all of it
/// with the advisories.
pub(super) fn judge(
    layers: &[LayerToJudge],
    documents: &AttachedDocuments,
    loaded: Option<&LoadedAdvisories>,
    judged_by: &JudgedBy,
    now: Timestamp,
) -> Result<Judged> {
    let ended = |status, facts, description: String| {
        Judged::ended(status, facts, description, judged_by.clone())
    };
    let mut inventories = Vec::with_capacity(layers.len());
    for LayerToJudge { digest, known } in layers {
        let inventory = match known {
            Known::Problem(problem) => LayerInventory::of_problem(problem.clone()),
            Known::Indexed(bytes) => match IndexedLayer::read(bytes)? {
                IndexedLayer::Inventory(inventory) => inventory,
                IndexedLayer::Failed(reason) => {
                    let text = format!("the layer '{digest}' cannot be inspected: {reason}");
                    return Ok(ended(ScanStatus::Failed, ScanState::Failed, text));
                }
            },
        };
        inventories.push((digest.clone(), inventory));
    }
    let unread = unread(inventories.iter().map(|(_, inventory)| inventory));
    if unread == Unread::NoFileSystem {
        let text = "nothing in the image is a file system, so there is nothing to scan".to_owned();
        let status = ScanStatus::UnsupportedImage;
        let mut ended = ended(status, ScanState::NotApplicable, text);
        // No advisories can change that.
        ended.result.packages = Some(encoded(&PackageVersions::default())?);
        return Ok(ended);
    }
    let borrowed: Vec<(Digest, &LayerInventory)> = inventories
        .iter()
        .map(|(digest, inventory)| (digest.clone(), inventory))
        .collect();
    let mut image = merge(&borrowed);
    let Some(loaded) = loaded else {
        let text = "no advisories are loaded; the operator loads them with \
                    'bonded advisories load FILE'";
        let status = ScanStatus::FindingsUnavailable;
        return Ok(ended(status, ScanState::Unsupported, text.to_owned()));
    };
    let options = MatchOptions {
        now: Some(now),
        ..MatchOptions::default()
    };
    let mut attached = documents.read();
    attached.lay_on(&mut image);
    let packages = PackageVersions::of(&image, options);
    let matched = match_attached(&image, &loaded.advisories, &attached, options);
    let findings = &matched.findings;
    if findings.len() > FINDINGS_LIMIT {
        let text = format!("the image has more than {FINDINGS_LIMIT} findings");
        return Ok(ended(ScanStatus::Failed, ScanState::Failed, text));
    }
    let status = status(&matched.problems, unread);
    let facts = match status {
        ScanStatus::Complete => ScanState::Complete(counts(&matched, now)),
        ScanStatus::Failed | ScanStatus::InProgress => ScanState::Failed,
        ScanStatus::UnsupportedImage | ScanStatus::FindingsUnavailable => ScanState::Unsupported,
    };
    Ok(Judged {
        result: ScanResult {
            status,
            description: describe(&matched, attached.notes()),
            facts,
            judged_by: judged_by.clone(),
            severity_counts: severity_counts(findings),
            findings: findings.len() as u64,
            parts: Vec::new(),
            packages: Some(encoded(&packages)?),
            events: Vec::new(),
            documents: None,
        },
        layers: matched.layers,
        os: matched.os,
        findings: matched.findings,
    })
}

fn encoded(packages: &PackageVersions) -> Result<Vec<u8>> {
    let encoded = packages.encode();
    encoded.map_err(|e| Error::Unwritable(e.to_string()))
}

impl Judged {
    /// A result without findings.
    pub(super) fn ended(
        status: ScanStatus,
        facts: ScanState,
        description: String,
        judged_by: JudgedBy,
    ) -> Self {
        Self {
            result: ScanResult {
                status,
                description: Some(description),
                facts,
                judged_by,
                severity_counts: SeverityCounts::new(),
                findings: 0,
                parts: Vec::new(),
                packages: None,
                events: Vec::new(),
                documents: None,
            },
            layers: Vec::new(),
            os: None,
            findings: Vec::new(),
        }
    }
}

/// Lays the layers over each other and says what is in them.
pub(super) fn contents(layers: &[LayerToJudge]) -> Result<Contents> {
    let mut inventories = Vec::with_capacity(layers.len());
    let mut failed = Vec::new();
    for (number, LayerToJudge { digest, known }) in (0_u32..).zip(layers) {
        let inventory = match known {
            Known::Problem(problem) => LayerInventory::of_problem(problem.clone()),
            Known::Indexed(bytes) => match IndexedLayer::read(bytes)? {
                IndexedLayer::Inventory(inventory) => inventory,
                IndexedLayer::Failed(message) => {
                    failed.push(Problem {
                        code: ProblemCode::Layer,
                        message,
                        layer: Some(number),
                        path: None,
                    });
                    LayerInventory::default()
                }
            },
        };
        inventories.push((digest.clone(), inventory));
    }
    let borrowed: Vec<(Digest, &LayerInventory)> = inventories
        .iter()
        .map(|(digest, inventory)| (digest.clone(), inventory))
        .collect();
    let mut contents = Contents::from(&merge(&borrowed));
    contents.problems.extend(failed);
    Ok(contents)
}

/// What the layers alone keep from being known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Unread {
    /// Nothing.
    Nothing,
    /// There is no archive among them: nothing of the image can run.
    NoFileSystem,
    /// A layer is of a kind that is not read.
    Unsupported,
    /// A layer is broken, hostile or not here.
    Broken,
}

fn unread<'i>(inventories: impl Iterator<Item = &'i LayerInventory> + Clone) -> Unread {
    let is_other =
        |inventory: &LayerInventory| matches!(inventory.problems(), [LayerProblem::NotAnArchive]);
    if inventories.clone().all(is_other) {
        return Unread::NoFileSystem;
    }
    let of = |problem: &LayerProblem| match problem {
        LayerProblem::Foreign
        | LayerProblem::Encrypted
        | LayerProblem::Compression(_)
        | LayerProblem::NotAnArchive => Unread::Unsupported,
        _ => Unread::Broken,
    };
    let problems = inventories.flat_map(LayerInventory::problems);
    problems.map(of).max().unwrap_or(Unread::Nothing)
}

/// The status of a scan with these problems: the worst of them decides.
fn status(problems: &[Problem], unread: Unread) -> ScanStatus {
    let of = |problem: &Problem| match problem.code {
        ProblemCode::Layer if unread <= Unread::Unsupported => ScanStatus::UnsupportedImage,
        ProblemCode::NothingRecognised | ProblemCode::OsUnknown | ProblemCode::OsUnsupported => {
            ScanStatus::UnsupportedImage
        }
        ProblemCode::NoAdvisories => ScanStatus::FindingsUnavailable,
        _ => ScanStatus::Failed,
    };
    let found: Vec<ScanStatus> = problems.iter().map(of).collect();
    let worst = [
        ScanStatus::Failed,
        ScanStatus::UnsupportedImage,
        ScanStatus::FindingsUnavailable,
    ];
    let worst = worst.into_iter().find(|status| found.contains(status));
    worst.unwrap_or(ScanStatus::Complete)
}

fn counts(matched: &bonded_scan::ScanResult, now: Timestamp) -> ScanCounts {
    let counts = matched.counts();
    let number = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
    let fixable_unrated = matched
        .counting()
        .filter(|finding| finding.severity.is_none() && finding.fixed.is_some())
        .count();
    ScanCounts {
        max_severity: matched.worst(),
        critical: number(counts.critical),
        high: number(counts.high),
        fixable_critical: number(counts.fixable_critical),
        unrated: number(counts.unrated),
        fixable_unrated: number(fixable_unrated as u64),
        matched_at: now,
        advisories_at: matched.advisories.as_of,
    }
}

fn severity_counts(findings: &[Finding]) -> SeverityCounts {
    let mut counts = SeverityCounts::new();
    for finding in findings.iter().filter(|f| f.suppressed_by.is_none()) {
        *counts.entry(ecr_severity(finding).to_owned()).or_default() += 1;
    }
    counts
}

/// The severity of a finding among ECR's, which has none for what is rated as harmless.
#[must_use]
pub fn ecr_severity(finding: &Finding) -> &'static str {
    use bonded_scan::{Severity, UNRATED};
    match finding.severity {
        None => UNRATED,
        Some(Severity::None) => Severity::Informational.name(),
        Some(severity) => severity.name(),
    }
}

/// The parts that findings are kept in, each with since when it is known.
pub(super) fn parts(
    layers: &[Digest],
    os: Option<&OsRelease>,
    findings: &[Finding],
    observed: &[Observed],
) -> Result<Vec<Vec<u8>>> {
    let part = |(findings, observed): (&[Finding], &[Observed])| {
        let part = FindingsPart {
            layers: layers.to_vec(),
            os: os.cloned(),
            findings: findings.to_vec(),
            observed: observed.to_vec(),
        };
        serde_json::to_vec(&part).map_err(|e| Error::Unwritable(e.to_string()))
    };
    let chunks = findings.chunks(PART).zip(observed.chunks(PART));
    chunks.map(part).collect()
}

impl FindingsPart {
    /// From what is kept.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self> {
        let read = serde_json::from_slice(bytes);
        Ok(read.map_err(|e| StoreError::Corrupt(format!("findings of an image: {e}")))?)
    }
}
