//! Shapes of scans, and of the findings of basic scanning.

use std::collections::BTreeMap;

use bonded_model::{ScanStatus, ScanType, Timestamp};
use bonded_registry::{BaseImage, Finding, ImageScan, ecr_description, ecr_severity};
use serde::Serialize;

/// `ImageScanStatus`.
#[derive(Debug, Serialize)]
pub(super) struct ScanStatusShape {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
}

impl ScanStatusShape {
    /// A status without a description.
    pub(super) const fn of(status: ScanStatus) -> Self {
        Self {
            status: status.as_str(),
            description: None,
        }
    }

    /// Of a scan: in a registry that scans by itself a scan is never over.
    pub(super) fn new(scan: &ImageScan, scan_type: ScanType) -> Self {
        let status = match (scan_type, scan.status) {
            (ScanType::Enhanced, ScanStatus::InProgress) => "PENDING",
            (ScanType::Enhanced, ScanStatus::Complete) => "ACTIVE",
            (_, status) => status.as_str(),
        };
        Self {
            status,
            description: Some(ecr_description(scan)),
        }
    }
}

/// `ImageScanFindingsSummary`, and what `ImageScanFindings` has of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ScanSummary {
    #[serde(skip_serializing_if = "Option::is_none")]
    image_scan_completed_at: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vulnerability_source_updated_at: Option<f64>,
    finding_severity_counts: BTreeMap<String, u64>,
}

impl ScanSummary {
    pub(super) fn new(scan: &ImageScan) -> Self {
        let advisories_at = scan.judged_by.advisories_at;
        Self {
            image_scan_completed_at: scan.completed_at.map(Timestamp::as_seconds_f64),
            vulnerability_source_updated_at: advisories_at.map(Timestamp::as_seconds_f64),
            finding_severity_counts: scan.severity_counts.clone(),
        }
    }
}

/// The longest value of an attribute.
const ATTRIBUTE_LIMIT: usize = 256;

/// `Attribute`.
#[derive(Debug, Serialize)]
struct Attribute {
    key: &'static str,
    value: String,
}

/// `ImageScanFinding`.
#[derive(Debug, Serialize)]
pub(super) struct BasicFinding {
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    uri: Option<String>,
    severity: &'static str,
    attributes: Vec<Attribute>,
}

impl BasicFinding {
    /// Of a finding, and of the base image that it comes from.
    pub(super) fn new(finding: &Finding, base: Option<&BaseImage>) -> Self {
        let mut attributes = Vec::new();
        let mut add = |key, value: Option<String>| {
            let cut = |value: String| value.chars().take(ATTRIBUTE_LIMIT).collect();
            let value = value.filter(|value| !value.is_empty()).map(cut);
            attributes.extend(value.map(|value| Attribute { key, value }));
        };
        add("package_name", Some(finding.package.clone()));
        add("package_version", Some(finding.version.clone()));
        add("fixed_in_version", finding.fixed.clone());
        if let Some((version, vector)) = cvss(finding) {
            let keys = match version {
                "2.0" => ("CVSS2_SCORE", "CVSS2_VECTOR"),
                "4.0" => ("CVSS4_SCORE", "CVSS4_VECTOR"),
                _ => ("CVSS3_SCORE", "CVSS3_VECTOR"),
            };
            add(keys.0, finding.score.map(|score| score.to_string()));
            add(keys.1, Some(vector.to_owned()));
        }
        add("base_image", base.map(|base| base.name.clone()));
        add("suppressed_by", finding.suppressed_by.clone());
        for statement in &finding.disregarded {
            add("disregarded_statement", Some(statement.clone()));
        }
        add(
            "attached_document",
            finding.attached.as_ref().map(ToString::to_string),
        );
        add("known_exploited_since", finding.exploited.clone());
        if let Some(epss) = finding.epss {
            add("EPSS_SCORE", Some(epss.score.as_f64().to_string()));
            add(
                "EPSS_PERCENTILE",
                Some(epss.percentile.as_f64().to_string()),
            );
        }
        Self {
            name: finding.id.clone(),
            description: finding.title.clone(),
            uri: finding.url.clone(),
            severity: ecr_severity(finding),
            attributes,
        }
    }
}

/// The version and text of a finding's CVSS vector.
pub(super) fn cvss(finding: &Finding) -> Option<(&'static str, &str)> {
    let vector = finding.vector.as_deref()?;
    let version = match vector
        .strip_prefix("CVSS:")
        .and_then(|v| v.split('/').next())
    {
        None => "2.0",
        Some("3.0") => "3.0",
        Some("4.0") => "4.0",
        Some(_) => "3.1",
    };
    Some((version, vector))
}
