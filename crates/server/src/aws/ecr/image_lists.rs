//! Lists and descriptions of images.

use bonded_model::{AccountId, RepositoryArn, RepositoryName, ScanType};
use bonded_registry::target::ImagesIn;
use bonded_registry::{
    Action, Allowed, Caller, Checks, Error, ImageDetail, ImagePage, Registry, Result,
};
use serde::{Deserialize, Serialize};

use super::image_shapes::{Failure, ImageFilter, ImageIdentifier, target};
use super::page;
use super::scan_shapes::{ScanStatusShape, ScanSummary};
use super::scans::shows_findings;
use super::shapes::repository;
use crate::aws::Operation;

/// `ListImages`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListImages {
    registry_id: Option<AccountId>,
    repository_name: RepositoryName,
    max_results: Option<u32>,
    next_token: Option<String>,
    #[serde(default)]
    filter: ImageFilter,
}

/// `ListImagesResponse`.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListImagesAnswer {
    image_ids: Vec<ImageIdentifier>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

impl Operation for ListImages {
    const NAME: &'static str = "ListImages";
    const ACTION: Action = Action::new("ecr:ListImages");
    const EXAMPLE: &'static str = r#"{"repositoryName":"team/app"}"#;
    type Target = RepositoryArn;
    type Output = ListImagesAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<RepositoryArn>> {
        page::limit(self.max_results, page::PAGE, page::PAGE_LIMIT)?;
        self.filter.status()?;
        let arn = repository(caller, self.registry_id.as_ref(), &self.repository_name);
        Ok(Checks::new(Self::ACTION, arn))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<RepositoryArn>,
    ) -> Result<ListImagesAnswer> {
        let limit = page::limit(self.max_results, page::PAGE, page::PAGE_LIMIT)?;
        let list = format!("ListImages {}", allowed.target());
        let after = page::read(registry, &list, self.next_token.as_deref()).await?;
        let Some(status) = self.filter.status()? else {
            allowed.repository()?;
            return Ok(ListImagesAnswer::default());
        };
        let ImagePage { items, next } = registry
            .list_images(&allowed, after.as_ref(), status, limit)
            .await?;
        Ok(ListImagesAnswer {
            image_ids: items.into_iter().map(ImageIdentifier::from).collect(),
            next_token: page::write(registry, &list, next.as_ref()).await?,
        })
    }
}

/// `DescribeImages`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeImages {
    registry_id: Option<AccountId>,
    repository_name: RepositoryName,
    image_ids: Option<Vec<ImageIdentifier>>,
    max_results: Option<u32>,
    next_token: Option<String>,
    #[serde(default)]
    filter: ImageFilter,
}

/// `ImageDetail`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ImageDetailShape {
    registry_id: String,
    repository_name: String,
    image_digest: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    image_tags: Vec<String>,
    image_size_in_bytes: u64,
    image_pushed_at: f64,
    image_manifest_media_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_media_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject_manifest_digest: Option<String>,
    image_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_scan_status: Option<ScanStatusShape>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_scan_findings_summary: Option<ScanSummary>,
}

impl ImageDetailShape {
    fn new(repository: &RepositoryArn, scan_type: ScanType, image: ImageDetail) -> Self {
        let scan = image.scan.as_ref();
        let ended = scan.filter(|scan| shows_findings(scan));
        Self {
            image_scan_status: scan.map(|scan| ScanStatusShape::new(scan, scan_type)),
            image_scan_findings_summary: ended.map(ScanSummary::new),
            registry_id: repository.account.to_string(),
            repository_name: repository.name.to_string(),
            image_digest: image.digest.to_string(),
            image_tags: image.tags.into_iter().map(String::from).collect(),
            image_size_in_bytes: image.size,
            image_pushed_at: image.pushed_at.as_seconds_f64(),
            image_manifest_media_type: image.media_type,
            artifact_media_type: image.artifact_type,
            subject_manifest_digest: image.subject.map(String::from),
            image_status: "ACTIVE",
        }
    }
}

/// `DescribeImagesResponse`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeImagesAnswer {
    image_details: Vec<ImageDetailShape>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

impl DescribeImages {
    /// The images it names; one that cannot be an image fails the whole call.
    fn named(&self, arn: RepositoryArn, image_ids: &[ImageIdentifier]) -> Result<ImagesIn> {
        if self.max_results.is_some() || self.next_token.is_some() {
            return Err(Error::parameter(
                "maxResults",
                "maxResults and nextToken cannot be given with imageIds",
            ));
        }
        for id in image_ids {
            match id.parse() {
                Ok(_) | Err(Failure::NotFound) => {}
                Err(failure) => return Err(Error::parameter("imageIds", failure.reason())),
            }
        }
        target(arn, image_ids)
    }
}

impl Operation for DescribeImages {
    const NAME: &'static str = "DescribeImages";
    const ACTION: Action = Action::new("ecr:DescribeImages");
    const EXAMPLE: &'static str = r#"{"repositoryName":"team/app"}"#;
    type Target = ImagesIn;
    type Output = DescribeImagesAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<ImagesIn>> {
        page::limit(self.max_results, page::PAGE, page::PAGE_LIMIT)?;
        self.filter.status()?;
        let arn = repository(caller, self.registry_id.as_ref(), &self.repository_name);
        let target = match &self.image_ids {
            Some(image_ids) => self.named(arn, image_ids)?,
            None => ImagesIn {
                repository: arn,
                ids: Vec::new(),
            },
        };
        Ok(Checks::new(Self::ACTION, target))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<ImagesIn>,
    ) -> Result<DescribeImagesAnswer> {
        let repository = &allowed.target().repository;
        let limit = page::limit(self.max_results, page::PAGE, page::PAGE_LIMIT)?;
        let list = format!("DescribeImages {repository}");
        let after = page::read(registry, &list, self.next_token.as_deref()).await?;
        let ImagePage { items, next } = match (&self.image_ids, self.filter.status()?) {
            (Some(image_ids), _) => {
                let items = registry.describe_named_images(&allowed).await?;
                let absent = image_ids.iter().find(|id| id.parse().is_err());
                if let Some(id) = absent {
                    return Err(id.not_found(repository));
                }
                ImagePage { items, next: None }
            }
            (None, Some(status)) => {
                registry
                    .describe_images(&allowed, after.as_ref(), status, limit)
                    .await?
            }
            (None, None) => {
                // No image here is archived.
                allowed.repository_of_images()?;
                ImagePage::empty()
            }
        };
        let scan_type = registry.scan_type(&allowed).await?;
        let shape = |image| ImageDetailShape::new(repository, scan_type, image);
        Ok(DescribeImagesAnswer {
            image_details: items.into_iter().map(shape).collect(),
            next_token: page::write(registry, &list, next.as_ref()).await?,
        })
    }
}
