//! The events of a scan, in the shape of Amazon EventBridge's: what ECR and Inspector send.

use std::collections::BTreeMap;

use bonded_model::{Digest, RepositoryArn, Timestamp};
use bonded_scan::Finding;
use bonded_store::ScanResult;
use serde_json::{Value, json};

use super::super::judge::ecr_severity;
use super::{Change, EVENTS_LIMIT, key};

/// An ARN of Inspector's form that is the same whenever the image is scanned.
#[must_use]
pub fn finding_arn(arn: &RepositoryArn, image: &Digest, finding: &Finding) -> String {
    let (_, package, version, path, id) = key(finding);
    let what = format!("{arn}\n{image}\n{id}\n{package}\n{version}\n{path}");
    let digest = Digest::sha256(what.as_bytes());
    let hash = digest.as_str().rsplit(':').next().unwrap_or_default();
    let (region, account) = (&arn.region, &arn.account);
    format!(
        "arn:aws:inspector2:{region}:{account}:finding/{}",
        &hash[..32]
    )
}

/// The image that events are about.
pub(super) struct ScannedImage<'i> {
    pub(super) arn: &'i RepositoryArn,
    pub(super) image: &'i Digest,
    pub(super) tags: &'i [String],
}

/// Detail type, source, resource and detail of an event.
pub(super) type Body = (&'static str, &'static str, String, Value);

impl ScannedImage<'_> {
    pub(super) fn scan_event(&self, result: &ScanResult, changes: &[Change<'_>]) -> Body {
        let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
        for reason in changes.iter().flat_map(|change| &change.reasons) {
            *reasons.entry(reason.name()).or_default() += 1;
        }
        let judged_by = &result.judged_by;
        let detail = json!({
            "scan-status": result.status.as_str(),
            "repository-name": self.arn.name.to_string(),
            "finding-severity-counts": result.severity_counts,
            "image-digest": self.image.to_string(),
            "image-tags": self.tags,
            "bonded": {
                "changes": reasons,
                "advisories-digest": judged_by.advisories_sha256,
                "advisories-as-of": judged_by.advisories_at.map(|time| time.to_string()),
                "analyzers": judged_by.analyzers,
                "not-told": changes.len().saturating_sub(EVENTS_LIMIT),
            },
        });
        ("ECR Image Scan", "aws.ecr", self.arn.to_string(), detail)
    }

    pub(super) fn finding_event(&self, change: &Change<'_>, now: Timestamp) -> Body {
        let Change {
            finding,
            observed,
            closed,
            reasons,
            before,
        } = change;
        let time = |millis| Timestamp::from_millis(millis).to_string();
        let image = format!("{}/{}", self.arn, self.image);
        let status = match (closed, &finding.suppressed_by) {
            (true, _) => "CLOSED",
            (false, None) => "ACTIVE",
            (false, Some(_)) => "SUPPRESSED",
        };
        let mut why = json!({
            "reasons": reasons.iter().map(|reason| reason.name()).collect::<Vec<_>>(),
            "advisory": finding.advisory,
            "suppressed-by": finding.suppressed_by,
        });
        if let Some(before) = before {
            why["before"] = json!({
                "severity": ecr_severity(before), "fixedInVersion": before.fixed,
                "suppressed-by": before.suppressed_by,
            });
        }
        let score = finding.score.map(|score| f64::from(score.tenths()) / 10.0);
        let detail = json!({
            "findingArn": finding_arn(self.arn, self.image, finding),
            "awsAccountId": self.arn.account.to_string(),
            "type": "PACKAGE_VULNERABILITY",
            "title": format!("{} - {}", finding.id, finding.package),
            "description": finding.title,
            "severity": ecr_severity(finding),
            "inspectorScore": score,
            "status": status,
            "exploitAvailable": if finding.exploited.is_some() { "YES" } else { "NO" },
            "epss": finding.epss.map(|epss| json!({"score": epss.score.as_f64()})),
            "fixAvailable": if finding.fixed.is_some() { "YES" } else { "NO" },
            "firstObservedAt": time(observed.first),
            "lastObservedAt": now.to_string(),
            "updatedAt": time(observed.updated),
            "packageVulnerabilityDetails": {
                "vulnerabilityId": finding.id,
                "source": finding.ecosystem,
                "sourceUrl": finding.url,
                "relatedVulnerabilities": finding.aliases,
                "vulnerablePackages": [{
                    "name": finding.package, "version": finding.version,
                    "fixedInVersion": finding.fixed, "filePath": finding.path,
                }],
            },
            "resources": [{
                "type": "AWS_ECR_CONTAINER_IMAGE", "id": image,
                "details": {"awsEcrContainerImage": {
                    "repositoryName": self.arn.name.to_string(),
                    "imageHash": self.image.to_string(),
                    "imageTags": self.tags,
                }},
            }],
            "bonded": why,
        });
        let resource = finding_arn(self.arn, self.image, finding);
        ("Inspector2 Finding", "aws.inspector2", resource, detail)
    }
}
