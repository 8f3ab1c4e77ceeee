//! Shapes of scans and findings: basic scanning's and enhanced scanning's, which are Amazon
//! Inspector's.

use std::collections::BTreeMap;

use bonded_model::{Digest, RepositoryArn, ScanStatus, ScanType, Timestamp};
use bonded_registry::{
    Finding, FoundByScan, FoundFinding, ImageScan, ecr_description, ecr_severity, finding_arn,
};
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
    pub(super) fn new(finding: &Finding) -> Self {
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
        add("suppressed_by", finding.suppressed_by.clone());
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
fn cvss(finding: &Finding) -> Option<(&'static str, &str)> {
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

/// `EnhancedImageScanFinding`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EnhancedFinding {
    aws_account_id: String,
    finding_arn: String,
    title: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    #[serde(rename = "type")]
    kind: &'static str,
    status: &'static str,
    severity: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    score_details: Option<ScoreDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_observed_at: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_observed_at: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<f64>,
    exploit_available: &'static str,
    fix_available: &'static str,
    package_vulnerability_details: PackageVulnerabilityDetails,
    remediation: Remediation,
    resources: [Resource; 1],
}

/// `ScoreDetails`.
#[derive(Debug, Serialize)]
struct ScoreDetails {
    cvss: CvssScoreDetails,
}

/// `CvssScoreDetails`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CvssScoreDetails {
    adjustments: [u8; 0],
    score: f64,
    score_source: String,
    scoring_vector: String,
    version: &'static str,
}

/// `CvssScore`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CvssScore {
    base_score: f64,
    scoring_vector: String,
    source: String,
    version: &'static str,
}

/// `PackageVulnerabilityDetails`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PackageVulnerabilityDetails {
    vulnerability_id: String,
    source: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_url: Option<String>,
    vendor_severity: &'static str,
    cvss: Vec<CvssScore>,
    reference_urls: Vec<String>,
    related_vulnerabilities: Vec<String>,
    vulnerable_packages: [VulnerablePackage; 1],
}

/// `VulnerablePackage`. The version is the whole one, as the package's database has it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct VulnerablePackage {
    name: String,
    version: String,
    package_manager: &'static str,
    file_path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_layer_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fixed_in_version: Option<String>,
}

/// `Remediation`.
#[derive(Debug, Serialize)]
struct Remediation {
    recommendation: Recommendation,
}

/// `Recommendation`.
#[derive(Debug, Serialize)]
struct Recommendation {
    text: String,
}

/// `Resource`.
#[derive(Debug, Serialize)]
struct Resource {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    details: ResourceDetails,
}

/// `ResourceDetails`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceDetails {
    aws_ecr_container_image: ContainerImage,
}

/// `AwsEcrContainerImageDetails`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ContainerImage {
    image_hash: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    image_tags: Vec<String>,
    pushed_at: f64,
    registry: String,
    repository_name: String,
}

impl EnhancedFinding {
    pub(super) fn new(
        arn: &RepositoryArn,
        found: &FoundByScan,
        FoundFinding {
            finding,
            layer,
            observed,
        }: &FoundFinding,
    ) -> Self {
        let completed = found.scan.completed_at.map(Timestamp::as_seconds_f64);
        let seconds = |millis| Timestamp::from_millis(millis).as_seconds_f64();
        let score = finding.score.map(|score| f64::from(score.tenths()) / 10.0);
        let score_details = score.zip(cvss(finding)).map(|(score, (version, vector))| {
            let cvss = CvssScoreDetails {
                adjustments: [],
                score,
                score_source: rated_by(finding),
                scoring_vector: vector.to_owned(),
                version,
            };
            ScoreDetails { cvss }
        });
        Self {
            aws_account_id: arn.account.to_string(),
            finding_arn: finding_arn(arn, &found.image.digest, finding),
            title: format!("{} - {}", finding.id, finding.package),
            description: finding.title.clone(),
            kind: "PACKAGE_VULNERABILITY",
            status: match finding.suppressed_by {
                None => "ACTIVE",
                Some(_) => "SUPPRESSED",
            },
            severity: ecr_severity(finding),
            score,
            score_details,
            first_observed_at: observed.map(|observed| seconds(observed.first)),
            last_observed_at: completed,
            updated_at: observed.map(|observed| seconds(observed.updated)),
            exploit_available: match finding.exploited {
                Some(_) => "YES",
                None => "NO",
            },
            fix_available: if finding.fixed.is_some() { "YES" } else { "NO" },
            package_vulnerability_details: PackageVulnerabilityDetails::new(
                finding,
                layer.as_ref(),
            ),
            remediation: Remediation {
                recommendation: Recommendation {
                    text: match &finding.fixed {
                        Some(fixed) => format!("Update '{}' to '{fixed}'.", finding.package),
                        None => "No version without it is known.".to_owned(),
                    },
                },
            },
            resources: [Resource::new(arn, found)],
        }
    }
}

/// Who rates the finding.
fn rated_by(finding: &Finding) -> String {
    let by = finding.rated_by.as_ref().unwrap_or(&finding.advisory);
    by.clone()
}

impl PackageVulnerabilityDetails {
    fn new(finding: &Finding, layer: Option<&Digest>) -> Self {
        let score = finding.score.map(|score| f64::from(score.tenths()) / 10.0);
        let cvss = score
            .zip(cvss(finding))
            .map(|(base_score, (version, vector))| CvssScore {
                base_score,
                scoring_vector: vector.to_owned(),
                source: rated_by(finding),
                version,
            });
        Self {
            vulnerability_id: finding.id.clone(),
            source: finding.ecosystem.clone(),
            source_url: finding.url.clone(),
            vendor_severity: ecr_severity(finding),
            cvss: cvss.into_iter().collect(),
            reference_urls: finding.url.clone().into_iter().collect(),
            related_vulnerabilities: finding.aliases.clone(),
            vulnerable_packages: [VulnerablePackage {
                name: finding.package.clone(),
                version: finding.version.clone(),
                package_manager: package_manager(&finding.ecosystem),
                file_path: finding.path.clone(),
                source_layer_hash: layer.map(ToString::to_string),
                fixed_in_version: finding.fixed.clone(),
            }],
        }
    }
}

/// Inspector's word for what manages packages of an ecosystem.
fn package_manager(ecosystem: &str) -> &'static str {
    match ecosystem.split(':').next().unwrap_or_default() {
        "PyPI" => "PYTHON",
        "npm" => "NODEPKG",
        "Maven" => "JAR",
        "Go" => "GOBINARY",
        "RubyGems" => "GEMSPEC",
        "crates.io" => "CARGO",
        "NuGet" => "NUGET",
        "Packagist" => "COMPOSER",
        _ => "OS",
    }
}

impl Resource {
    fn new(arn: &RepositoryArn, found: &FoundByScan) -> Self {
        let image = &found.image;
        Self {
            id: format!("{arn}/{}", image.digest),
            kind: "AWS_ECR_CONTAINER_IMAGE",
            details: ResourceDetails {
                aws_ecr_container_image: ContainerImage {
                    image_hash: image.digest.to_string(),
                    image_tags: image.tags.iter().map(ToString::to_string).collect(),
                    pushed_at: image.pushed_at.as_seconds_f64(),
                    registry: arn.account.to_string(),
                    repository_name: arn.name.to_string(),
                },
            },
        }
    }
}
