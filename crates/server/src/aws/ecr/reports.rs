//! `GetImageReport`, which ECR has not: a bill of materials of an image, or its findings, in a form
//! that others read. Whoever may read the findings of an image may have it.

use bonded_model::{AccountId, RepositoryName};
use bonded_registry::target::ImagesIn;
use bonded_registry::{Action, Allowed, Caller, Checks, Error, Registry, ReportFormat, Result};
use serde::{Deserialize, Serialize};

use super::image_shapes::ImageIdentifier;
use super::scans::{not_absent, one_image};
use crate::aws::Operation;

/// `GetImageReport`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetImageReport {
    registry_id: Option<AccountId>,
    repository_name: RepositoryName,
    image_id: ImageIdentifier,
    report_format: String,
}

/// `GetImageReportResponse`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetImageReportAnswer {
    registry_id: String,
    repository_name: String,
    image_id: ImageIdentifier,
    report_format: String,
    report: String,
}

impl GetImageReport {
    fn format(&self) -> Result<ReportFormat> {
        let mut names = ReportFormat::NAMES.iter();
        let found = names.find(|(name, _)| *name == self.report_format);
        found.map(|(_, format)| *format).ok_or_else(|| {
            let names = ReportFormat::NAMES.map(|(name, _)| name).join(", ");
            let reason = format!("Member must satisfy enum value set: [{names}]");
            Error::parameter("reportFormat", reason)
        })
    }
}

impl Operation for GetImageReport {
    const NAME: &'static str = "GetImageReport";
    const ACTION: Action = Action::new("ecr:DescribeImageScanFindings");
    const EXAMPLE: &'static str =
        r#"{"repositoryName":"team/app","imageId":{"imageTag":"v1"},"reportFormat":"SPDX_2_3"}"#;
    type Target = ImagesIn;
    type Output = GetImageReportAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<ImagesIn>> {
        self.format()?;
        let registry_id = self.registry_id.as_ref();
        let target = one_image(caller, registry_id, &self.repository_name, &self.image_id)?;
        Ok(Checks::new(Self::ACTION, target))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<ImagesIn>,
    ) -> Result<GetImageReportAnswer> {
        not_absent(&allowed, &self.image_id)?;
        let (digest, report) = registry.image_report(&allowed, self.format()?).await?;
        let arn = &allowed.target().repository;
        Ok(GetImageReportAnswer {
            registry_id: arn.account.to_string(),
            repository_name: arn.name.to_string(),
            image_id: self.image_id.resolved(&digest),
            report_format: self.report_format,
            report,
        })
    }
}
