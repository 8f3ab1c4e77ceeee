//! The images about an image: signatures, attestations, bills of materials.

use std::collections::BTreeMap;

use bonded_model::{AccountId, Digest, InvalidDigest, RepositoryName};
use bonded_registry::target::SubjectIn;
use bonded_registry::{
    Action, Allowed, Caller, Checks, Error, ImageKey, Referrer, Registry, Result,
};
use serde::{Deserialize, Serialize};

use super::page;
use super::shapes::repository;
use crate::aws::Operation;

/// ECR's default page of referrers.
const PAGE: u32 = 20;

/// The longest page of referrers.
const PAGE_LIMIT: u32 = 50;

/// The most artifact types of a filter.
const ARTIFACT_TYPES_LIMIT: usize = 5;

/// `ListImageReferrers`. Its action is that of pulling: IAM knows no other.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListImageReferrers {
    registry_id: Option<AccountId>,
    repository_name: RepositoryName,
    subject_id: SubjectIdentifier,
    #[serde(default)]
    filter: ReferrersFilter,
    max_results: Option<u32>,
    next_token: Option<String>,
}

/// `SubjectIdentifier`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SubjectIdentifier {
    image_digest: String,
}

/// `ListImageReferrersFilter`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReferrersFilter {
    #[serde(default)]
    artifact_types: Vec<String>,
    artifact_status: Option<String>,
}

impl ReferrersFilter {
    /// Whether anything can be shown: every image here is active.
    fn shows_active(&self) -> Result<bool> {
        if self.artifact_types.len() > ARTIFACT_TYPES_LIMIT {
            return Err(Error::parameter(
                "filter.artifactTypes",
                format!("Member must have length less than or equal to {ARTIFACT_TYPES_LIMIT}"),
            ));
        }
        match self.artifact_status.as_deref() {
            None | Some("ACTIVE" | "ANY") => Ok(true),
            Some("ARCHIVED" | "ACTIVATING") => Ok(false),
            Some(_) => Err(Error::parameter(
                "filter.artifactStatus",
                "Member must satisfy enum value set: [ACTIVE, ARCHIVED, ACTIVATING, ANY]",
            )),
        }
    }
}

/// `ImageReferrer`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReferrerShape {
    digest: String,
    media_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_type: Option<String>,
    size: u64,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
    artifact_status: &'static str,
}

impl From<Referrer> for ReferrerShape {
    fn from(referrer: Referrer) -> Self {
        Self {
            digest: referrer.digest.to_string(),
            media_type: referrer.media_type,
            artifact_type: referrer.artifact_type,
            size: referrer.size,
            annotations: referrer.annotations,
            artifact_status: "ACTIVE",
        }
    }
}

/// `ListImageReferrersResponse`.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListImageReferrersAnswer {
    referrers: Vec<ReferrerShape>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

impl Operation for ListImageReferrers {
    const NAME: &'static str = "ListImageReferrers";
    const ACTION: Action = Action::new("ecr:BatchGetImage");
    const EXAMPLE: &'static str = r#"{"repositoryName":"team/app","subjectId":{"imageDigest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}}"#;
    type Target = SubjectIn;
    type Output = ListImageReferrersAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<SubjectIn>> {
        page::limit(self.max_results, PAGE, PAGE_LIMIT)?;
        self.filter.shows_active()?;
        let digest = self.subject_id.image_digest.parse();
        let digest: Digest =
            digest.map_err(|e: InvalidDigest| Error::parameter("subjectId.imageDigest", e))?;
        let target = SubjectIn {
            repository: repository(caller, self.registry_id.as_ref(), &self.repository_name),
            subject: digest,
        };
        Ok(Checks::new(Self::ACTION, target))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<SubjectIn>,
    ) -> Result<ListImageReferrersAnswer> {
        let limit = page::limit(self.max_results, PAGE, PAGE_LIMIT)?;
        let SubjectIn {
            repository,
            subject,
        } = allowed.target();
        let list = format!("ListImageReferrers {repository} {subject}");
        let after = page::read(registry, &list, self.next_token.as_deref()).await?;
        let after = after.as_ref().map(|key| &key.digest);
        let types = &self.filter.artifact_types;
        let found = registry.referrers(&allowed, types, after, limit).await?;
        if !self.filter.shows_active()? {
            return Ok(ListImageReferrersAnswer::default());
        }
        let last = found.referrers.last().filter(|_| found.more);
        let next = last.map(|referrer| ImageKey {
            digest: referrer.digest.clone(),
            tag: None,
        });
        Ok(ListImageReferrersAnswer {
            next_token: page::write(registry, &list, next.as_ref()).await?,
            referrers: found.referrers.into_iter().map(Into::into).collect(),
        })
    }
}
