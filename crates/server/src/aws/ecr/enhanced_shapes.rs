//! Shapes of the findings of enhanced scanning, which are Amazon Inspector's.

use bonded_model::{Digest, ResourceTags, Timestamp};
use bonded_registry::{
    Finding, FoundByScan, FoundFinding, OsRelease, Repository, ecr_severity, finding_arn,
};
use serde::Serialize;

use super::scan_shapes::cvss;

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
    #[serde(skip_serializing_if = "String::is_empty")]
    arch: String,
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
    tags: ResourceTags,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    architecture: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    author: Option<String>,
    image_hash: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    image_tags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    platform: Option<String>,
    pushed_at: f64,
    registry: String,
    repository_name: String,
}

impl EnhancedFinding {
    pub(super) fn new(
        repository: &Repository,
        found: &FoundByScan,
        FoundFinding {
            finding,
            layer,
            observed,
        }: &FoundFinding,
    ) -> Self {
        let arn = &repository.arn;
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
                    text: finding.remedy(),
                },
            },
            resources: [Resource::new(repository, found)],
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
                arch: finding.architecture.to_uppercase(),
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
    fn new(repository: &Repository, found: &FoundByScan) -> Self {
        let (arn, image) = (&repository.arn, &found.image);
        let configuration = &found.configuration;
        Self {
            id: format!("{arn}/{}", image.digest),
            kind: "AWS_ECR_CONTAINER_IMAGE",
            tags: repository.tags.clone(),
            details: ResourceDetails {
                aws_ecr_container_image: ContainerImage {
                    architecture: configuration.architecture.clone(),
                    author: configuration.author.clone(),
                    image_hash: image.digest.to_string(),
                    image_tags: image.tags.iter().map(ToString::to_string).collect(),
                    platform: found.os.as_ref().and_then(platform),
                    pushed_at: image.pushed_at.as_seconds_f64(),
                    registry: arn.account.to_string(),
                    repository_name: arn.name.to_string(),
                },
            },
        }
    }
}

/// Inspector's word for an operating system: `DEBIAN_12`, `ALPINE_LINUX_3_18`.
fn platform(os: &OsRelease) -> Option<String> {
    let (id, parts) = match os.id.as_str() {
        "" => return None,
        "alpine" => ("alpine_linux", 2),
        "amzn" => ("amazon_linux", 1),
        "ol" => ("oracle_linux", 1),
        "rocky" => ("rocky_linux", 1),
        id @ ("almalinux" | "centos" | "debian" | "fedora" | "rhel") => (id, 1),
        id => (id, 2),
    };
    let release = os
        .version_id
        .split('.')
        .take(parts)
        .filter(|part| !part.is_empty());
    let words: Vec<&str> = std::iter::once(id).chain(release).collect();
    let word = words.join("_").to_uppercase();
    Some(word.replace(|c: char| !c.is_ascii_alphanumeric(), "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_has_a_platform() {
        for (id, version, expected) in [
            ("debian", "12", Some("DEBIAN_12")),
            ("debian", "", Some("DEBIAN")),
            ("alpine", "3.18.4", Some("ALPINE_LINUX_3_18")),
            ("ubuntu", "24.04", Some("UBUNTU_24_04")),
            ("rhel", "9.4", Some("RHEL_9")),
            ("opensuse-leap", "15.6", Some("OPENSUSE_LEAP_15_6")),
            ("", "1", None),
        ] {
            let os = OsRelease {
                id: id.to_owned(),
                version_id: version.to_owned(),
                ..OsRelease::default()
            };
            assert_eq!(platform(&os).as_deref(), expected);
        }
    }
}
