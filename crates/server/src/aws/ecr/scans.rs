//! Scans of images: starting them and describing what they found.

use bonded_model::{AccountId, RepositoryName, ScanStatus, Timestamp};
use bonded_registry::target::ImagesIn;
use bonded_registry::{
    Action, Allowed, Caller, Checks, Error, FoundByScan, ImageScan, Registry, Result,
};
use serde::{Deserialize, Serialize};

use super::enhanced_shapes::EnhancedFinding;
use super::image_shapes::{ImageIdentifier, target};
use super::page;
use super::scan_shapes::{BasicFinding, ScanStatusShape, ScanSummary};
use super::shapes::repository;
use crate::aws::Operation;

/// The one image that a request names.
pub(super) fn one_image(
    caller: &Caller,
    registry_id: Option<&AccountId>,
    name: &RepositoryName,
    image_id: &ImageIdentifier,
) -> Result<ImagesIn> {
    let arn = repository(caller, registry_id, name);
    match image_id.parse() {
        Err(failure) if !failure.is_not_found() => {
            Err(Error::parameter("imageId", failure.reason()))
        }
        Ok(_) | Err(_) => target(arn, std::slice::from_ref(image_id)),
    }
}

/// An image that cannot be here is not found, once the caller may know.
pub(super) fn not_absent(allowed: &Allowed<ImagesIn>, image_id: &ImageIdentifier) -> Result<()> {
    allowed.repository_of_images()?;
    match image_id.parse() {
        Ok(_) => Ok(()),
        Err(_) => Err(image_id.not_found(&allowed.target().repository)),
    }
}

/// `StartImageScan`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StartImageScan {
    registry_id: Option<AccountId>,
    repository_name: RepositoryName,
    image_id: ImageIdentifier,
}

/// `StartImageScanResponse`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StartImageScanAnswer {
    registry_id: String,
    repository_name: String,
    image_id: ImageIdentifier,
    image_scan_status: ScanStatusShape,
}

impl Operation for StartImageScan {
    const NAME: &'static str = "StartImageScan";
    const ACTION: Action = Action::new("ecr:StartImageScan");
    const EXAMPLE: &'static str = r#"{"repositoryName":"team/app","imageId":{"imageTag":"v1"}}"#;
    type Target = ImagesIn;
    type Output = StartImageScanAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<ImagesIn>> {
        let registry_id = self.registry_id.as_ref();
        let target = one_image(caller, registry_id, &self.repository_name, &self.image_id)?;
        Ok(Checks::new(Self::ACTION, target))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<ImagesIn>,
    ) -> Result<StartImageScanAnswer> {
        not_absent(&allowed, &self.image_id)?;
        let (digest, status) = registry.start_image_scan(&allowed).await?;
        let arn = &allowed.target().repository;
        Ok(StartImageScanAnswer {
            registry_id: arn.account.to_string(),
            repository_name: arn.name.to_string(),
            image_id: self.image_id.resolved(&digest),
            image_scan_status: ScanStatusShape::of(status),
        })
    }
}

/// `DescribeImageScanFindings`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeImageScanFindings {
    registry_id: Option<AccountId>,
    repository_name: RepositoryName,
    image_id: ImageIdentifier,
    next_token: Option<String>,
    max_results: Option<u32>,
}

/// `DescribeImageScanFindingsResponse`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeImageScanFindingsAnswer {
    registry_id: String,
    repository_name: String,
    image_id: ImageIdentifier,
    image_scan_status: ScanStatusShape,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_scan_findings: Option<FindingsShape>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// `ImageScanFindings`: the same findings in the form of basic and of enhanced scanning.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FindingsShape {
    #[serde(flatten)]
    summary: ScanSummary,
    findings: Vec<BasicFinding>,
    enhanced_findings: Vec<EnhancedFinding>,
}

impl Operation for DescribeImageScanFindings {
    const NAME: &'static str = "DescribeImageScanFindings";
    const ACTION: Action = Action::new("ecr:DescribeImageScanFindings");
    const EXAMPLE: &'static str = r#"{"repositoryName":"team/app","imageId":{"imageTag":"v1"}}"#;
    type Target = ImagesIn;
    type Output = DescribeImageScanFindingsAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<ImagesIn>> {
        page::limit(self.max_results, page::PAGE, page::PAGE_LIMIT)?;
        let registry_id = self.registry_id.as_ref();
        let target = one_image(caller, registry_id, &self.repository_name, &self.image_id)?;
        Ok(Checks::new(Self::ACTION, target))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<ImagesIn>,
    ) -> Result<DescribeImageScanFindingsAnswer> {
        not_absent(&allowed, &self.image_id)?;
        let arn = &allowed.target().repository;
        let limit = page::limit(self.max_results, page::PAGE, page::PAGE_LIMIT)?;
        let list = format!("DescribeImageScanFindings {arn}");
        let invalid = || Error::parameter("nextToken", "Invalid token");
        let (result, first) = match &self.next_token {
            None => (None, 0),
            Some(token) => {
                let position = registry.read_page_token(&list, token).await?;
                let (result, first) = position.rsplit_once(' ').ok_or_else(invalid)?;
                (
                    Some(result.to_owned()),
                    first.parse().map_err(|_| invalid())?,
                )
            }
        };
        let found = registry.image_scan_findings(&allowed, first, limit).await?;
        let repository = allowed.repository_of_images()?;
        // The findings of another scan or image have another order.
        let of = result_of(&found);
        if result.is_some_and(|result| result != of) {
            return Err(invalid());
        }
        let next_token = match found.next {
            Some(next) => Some(registry.page_token(&list, &format!("{of} {next}")).await?),
            None => None,
        };
        let image_scan_findings = shows_findings(&found.scan).then(|| FindingsShape {
            summary: ScanSummary::new(&found.scan),
            findings: found
                .findings
                .iter()
                .map(|one| {
                    let base = found.base.as_ref();
                    let base = base.filter(|base| base.has_layer(one.finding.layer));
                    BasicFinding::new(&one.finding, base)
                })
                .collect(),
            enhanced_findings: found
                .findings
                .iter()
                .map(|finding| EnhancedFinding::new(repository, &found, finding))
                .collect(),
        });
        Ok(DescribeImageScanFindingsAnswer {
            registry_id: arn.account.to_string(),
            repository_name: arn.name.to_string(),
            image_id: self.image_id.resolved(&found.image.digest),
            image_scan_status: ScanStatusShape::new(&found.scan, found.scan_type),
            image_scan_findings,
            next_token,
        })
    }
}

/// What names the result that a page is of.
fn result_of(found: &FoundByScan) -> String {
    let completed = found.scan.completed_at.map_or(0, Timestamp::as_millis);
    format!("{} {completed}", found.image.digest)
}

/// Whether there is anything to show of what a scan found: a scan that could not judge the image
/// must not look like one that found nothing.
pub(super) fn shows_findings(scan: &ImageScan) -> bool {
    match scan.status {
        ScanStatus::InProgress => false,
        ScanStatus::Complete => true,
        ScanStatus::Failed | ScanStatus::UnsupportedImage | ScanStatus::FindingsUnavailable => {
            scan.findings > 0
        }
    }
}
