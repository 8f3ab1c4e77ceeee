//! What a denial says: AWS's sentence, and what about an image decided.
//!
//! The second is told only where nothing but the image stood in the way, so to callers who would
//! pull it if it were another one (docs/reference/condition-keys.md, "Denials").

use std::cmp::Reverse;

use bonded_iam::Request;
use bonded_model::RepositoryArn;
use bonded_scan::Finding;
use bonded_store::{JudgedScan, ScanCounts, UnknownScan};

use crate::Registry;
use crate::access::Action;
use crate::caller::Caller;
use crate::error::{Denied, Result};
use crate::image_keys::{CURRENT_IMAGE_TAGS, SCAN_KEYS};
use crate::image_scan::{FindingsPart, ecr_severity};
use crate::judge::{CallerPolicies, Ruling, Seen, SeenImage, Verdict};
use crate::scan_wait::would_allow;
use crate::target::{ImageId, ImagesIn, Target};

/// What whoever sees findings must be allowed.
const DESCRIBE_FINDINGS: Action = Action::new("ecr:DescribeImageScanFindings");

/// How many findings a denial names.
const NAMED: usize = 3;

impl Registry {
    /// The denial of `caller`'s request, of which `denial` is the last ruling.
    pub(crate) async fn denied<T: Target>(
        &self,
        id: &str,
        caller: &Caller,
        sides: &CallerPolicies,
        verdict: &Verdict<T>,
        denial: &Ruling,
    ) -> Result<Denied> {
        let mut request: Request = denial.request.clone();
        if let Some(resource) = verdict.resources.get(denial.resource) {
            // An existing user's path must not be learnt from a denial.
            request.resource.clone_from(&resource.told);
        }
        let because = match &denial.seen {
            None | Some(Seen::Absent) => None,
            Some(Seen::Unknown) => Some("the image that this is about is not here".to_owned()),
            Some(Seen::Unreferenced) => Some("no image here refers to the layer".to_owned()),
            Some(Seen::TooMany) => Some(
                "more than 1,000 images here refer to the layer, and of none that you pulled \
                 lately it may be read; pull the image first"
                    .to_owned(),
            ),
            Some(Seen::Image(image)) => {
                let of_scan = would_allow(sides, verdict, denial, &SCAN_KEYS);
                let of_tags = would_allow(sides, verdict, denial, &[CURRENT_IMAGE_TAGS]);
                let arn = &denial.request.resource;
                self.about_image(caller, arn, image, (of_scan, of_tags))
                    .await?
            }
        };
        Ok(Denied {
            id: id.to_owned(),
            sentence: bonded_iam::sentence(&request, &denial.decision),
            because,
        })
    }

    /// What about the image decided: its scan, its tags, or both.
    async fn about_image(
        &self,
        caller: &Caller,
        arn: &str,
        image: &SeenImage,
        (of_scan, of_tags): (bool, bool),
    ) -> Result<Option<String>> {
        let mut reasons = Vec::new();
        if of_scan {
            reasons.push(scan_reason(&image.facts.scan));
            reasons.extend(self.worst_findings(caller, arn, image).await?);
        }
        // What is unknown of a scan could be anything, so the tags stand in no way if that decides.
        let scan_decides = of_scan && matches!(image.facts.scan, JudgedScan::Unknown(_));
        if of_tags && !scan_decides {
            reasons.push("its tags at present are not those that a policy asks for".to_owned());
        }
        let text = format!("image {}: {}", image.facts.digest, reasons.join("; "));
        Ok((!reasons.is_empty()).then_some(text))
    }

    /// The names of the worst findings of an image, for who may see them by the operation that
    /// shows them.
    async fn worst_findings(
        &self,
        caller: &Caller,
        arn: &str,
        image: &SeenImage,
    ) -> Result<Option<String>> {
        let Ok(arn) = arn.parse::<RepositoryArn>() else {
            return Ok(None);
        };
        let of = arn.clone();
        let target = ImagesIn {
            repository: arn,
            ids: vec![ImageId::Digest(image.facts.digest.clone())],
        };
        if !self.permits(caller, DESCRIBE_FINDINGS, target).await? {
            return Ok(None);
        }
        // Of an image with many hundreds, the first hundreds are examples enough.
        let store = self.store();
        let part = store.find_findings(&image.repository, &image.facts.digest, 0);
        let Some(bytes) = part.await? else {
            return Ok(None);
        };
        let mut findings = FindingsPart::read(&bytes)?.findings;
        let list = self.allow_list(&of, caller.time()).await?;
        for finding in &mut findings {
            list.suppress(finding);
        }
        findings.retain(|finding| finding.suppressed_by.is_none());
        findings.sort_by_key(|finding| Reverse(finding.severity));
        let named = findings.iter().take(NAMED).map(|finding| {
            let severity = ecr_severity(finding);
            let Finding {
                id,
                package,
                version,
                ..
            } = finding;
            let fixed = match finding.repaired_by() {
                Some(fixed) => format!("fixed in {fixed}"),
                None => "no fix known".to_owned(),
            };
            format!("{id} in {package} {version} ({severity}, {fixed})")
        });
        let named: Vec<String> = named.collect();
        let more = match findings.len().saturating_sub(named.len()) {
            0 => "",
            _ => ", and more",
        };
        let text = format!("{}{more}", named.join(", "));
        Ok((!named.is_empty()).then_some(text))
    }
}

/// What is to be said of a scan that keeps an image from being pulled.
fn scan_reason(scan: &JudgedScan) -> String {
    let text = match scan {
        JudgedScan::Complete(all) => return counts_reason(all),
        JudgedScan::NotApplicable => "nothing in it can be scanned",
        JudgedScan::Unknown(why) => match why {
            UnknownScan::NotScanned => "it was not scanned; start a scan of it",
            UnknownScan::Pending(_) => "scan not finished; try again in a moment",
            UnknownScan::Unsupported => "it cannot be judged completely by a scan",
            UnknownScan::Failed => "its scan failed",
            UnknownScan::Missing => "an image that it refers to is not here",
            UnknownScan::TooMany => "too many images are nested in it to be judged",
        },
    };
    text.to_owned()
}

/// The worst counts of the scans that count for an image.
fn counts_reason(all: &[ScanCounts]) -> String {
    let most = |of: fn(&ScanCounts) -> u32| all.iter().map(of).max().unwrap_or_default();
    let counts = [
        (most(|scan| scan.critical), "critical"),
        (most(|scan| scan.high), "high"),
        (most(|scan| scan.unrated), "unrated"),
    ];
    let named: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{count} {name}"))
        .collect();
    let oldest = all
        .iter()
        .map(|scan| scan.matched_at.min(scan.advisories_at))
        .min();
    let date = oldest.map_or_else(String::new, |at| format!(", by what was known at {at}"));
    if named.is_empty() {
        return format!("no critical, high or unrated findings{date}");
    }
    format!("{} findings{date}", named.join(", "))
}
