//! Making, describing and deleting repositories.

use bonded_model::{AccountId, RepositoryArn, RepositoryName, TagMutability};
use bonded_registry::target::Repositories;
use bonded_registry::{
    Action, Allowed, Caller, Checks, Error, Registry, RepositorySettings, Result,
    of_repository_tags, of_request_tags,
};
use serde::{Deserialize, Serialize};

use super::shapes::{
    EncryptionConfiguration, ExclusionFilter, RepositoryAnswer, RepositoryShape,
    ScanningConfiguration, Tag, repository, tags,
};
use crate::aws::Operation;

/// `CreateRepository`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateRepository {
    registry_id: Option<AccountId>,
    repository_name: RepositoryName,
    #[serde(default)]
    tags: Vec<Tag>,
    image_tag_mutability: Option<String>,
    image_tag_mutability_exclusion_filters: Option<Vec<ExclusionFilter>>,
    image_scanning_configuration: Option<ScanningConfiguration>,
    encryption_configuration: Option<EncryptionConfiguration>,
}

impl CreateRepository {
    fn settings(&self) -> Result<RepositorySettings> {
        if let Some(encryption) = &self.encryption_configuration {
            encryption.check()?;
        }
        let filters = self.image_tag_mutability_exclusion_filters.clone();
        let filters = filters.map(|list| list.into_iter().map(|filter| filter.filter).collect());
        let tag_mutability = TagMutability::parse(self.image_tag_mutability.as_deref(), filters)
            .map_err(|e| Error::InvalidParameter(e.to_string()))?;
        let scan_on_push = self
            .image_scanning_configuration
            .clone()
            .unwrap_or_default()
            .scan_on_push;
        Ok(RepositorySettings {
            tag_mutability,
            scan_on_push,
            tags: tags(&self.tags)?,
        })
    }
}

impl Operation for CreateRepository {
    const NAME: &'static str = "CreateRepository";
    const ACTION: Action = Action::new("ecr:CreateRepository");
    const EXAMPLE: &'static str = r#"{"repositoryName":"team/app"}"#;
    type Target = RepositoryArn;
    type Output = RepositoryAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<RepositoryArn>> {
        let RepositorySettings { tags, .. } = self.settings()?;
        let arn = repository(caller, self.registry_id.as_ref(), &self.repository_name);
        let create = Checks::new(Self::ACTION, arn).with(of_request_tags(&tags));
        if tags.is_empty() {
            return Ok(create);
        }
        let tag = create
            .and(Action::new("ecr:TagResource"))
            .with(of_request_tags(&tags));
        Ok(tag.with(of_repository_tags(&tags)))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<RepositoryArn>,
    ) -> Result<RepositoryAnswer> {
        let made = registry
            .create_repository(&allowed, self.settings()?)
            .await?;
        Ok(RepositoryAnswer::new(&made, registry, allowed.caller()))
    }
}

/// `DescribeRepositories`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeRepositories {
    registry_id: Option<AccountId>,
    repository_names: Option<Vec<RepositoryName>>,
    max_results: Option<u32>,
    next_token: Option<String>,
}

/// ECR's default page.
const PAGE: u32 = 100;

impl DescribeRepositories {
    /// The name after which the page begins and its length.
    fn page(&self) -> Result<(Option<RepositoryName>, u32)> {
        let named = self.repository_names.is_some();
        if named && (self.max_results.is_some() || self.next_token.is_some()) {
            return Err(Error::parameter(
                "maxResults",
                "maxResults and nextToken cannot be given with repositoryNames",
            ));
        }
        let limit = self.max_results.unwrap_or(PAGE);
        if limit == 0 {
            return Err(Error::parameter(
                "maxResults",
                "Member must have value greater than or equal to 1",
            ));
        }
        if limit > 1000 {
            return Err(Error::parameter(
                "maxResults",
                "Member must have value less than or equal to 1000",
            ));
        }
        let after = self
            .next_token
            .as_deref()
            .map(page_token::read)
            .transpose()?;
        Ok((after, limit))
    }
}

/// `DescribeRepositoriesResponse`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeRepositoriesAnswer {
    repositories: Vec<RepositoryShape>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

impl Operation for DescribeRepositories {
    const NAME: &'static str = "DescribeRepositories";
    const ACTION: Action = Action::new("ecr:DescribeRepositories");
    const EXAMPLE: &'static str = "{}";
    type Target = Repositories;
    type Output = DescribeRepositoriesAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<Repositories>> {
        self.page()?;
        let registry_id = self.registry_id.as_ref();
        let target = match &self.repository_names {
            None => {
                let account = registry_id.unwrap_or_else(|| caller.account());
                Repositories::all(account.clone(), caller.region().clone())
            }
            Some(names) if names.len() > 100 => {
                return Err(Error::parameter(
                    "repositoryNames",
                    "Member must have length less than or equal to 100",
                ));
            }
            Some(names) => Repositories::named(
                names
                    .iter()
                    .map(|name| repository(caller, registry_id, name))
                    .collect(),
            )?,
        };
        Ok(Checks::new(Self::ACTION, target))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<Repositories>,
    ) -> Result<DescribeRepositoriesAnswer> {
        let (after, limit) = self.page()?;
        // One more than the page tells whether there is another.
        let mut found = registry
            .describe_repositories(&allowed, after.as_ref(), limit + 1)
            .await?;
        let more = self.repository_names.is_none() && found.len() > limit as usize;
        if more {
            found.truncate(limit as usize);
        }
        let last = found.last().filter(|_| more);
        let next_token = last.map(|repository| page_token::write(&repository.arn.name));
        let shape = |repository| RepositoryShape::new(repository, registry, allowed.caller());
        Ok(DescribeRepositoriesAnswer {
            repositories: found.iter().map(shape).collect(),
            next_token,
        })
    }
}

/// `DeleteRepository`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeleteRepository {
    registry_id: Option<AccountId>,
    repository_name: RepositoryName,
    #[serde(default)]
    force: bool,
}

impl Operation for DeleteRepository {
    const NAME: &'static str = "DeleteRepository";
    const ACTION: Action = Action::new("ecr:DeleteRepository");
    const EXAMPLE: &'static str = r#"{"repositoryName":"team/app"}"#;
    type Target = RepositoryArn;
    type Output = RepositoryAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<RepositoryArn>> {
        let arn = repository(caller, self.registry_id.as_ref(), &self.repository_name);
        Ok(Checks::new(Self::ACTION, arn))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<RepositoryArn>,
    ) -> Result<RepositoryAnswer> {
        let deleted = registry.delete_repository(&allowed, self.force).await?;
        Ok(RepositoryAnswer::new(&deleted, registry, allowed.caller()))
    }
}

/// Page tokens: opaque to clients, refused if we did not write them.
mod page_token {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use bonded_model::RepositoryName;
    use bonded_registry::{Error, Result};

    /// Says that a token is ours and for this list.
    const PREFIX: &str = "repositories-after:";

    pub(super) fn write(last: &RepositoryName) -> String {
        URL_SAFE_NO_PAD.encode(format!("{PREFIX}{last}"))
    }

    pub(super) fn read(token: &str) -> Result<RepositoryName> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok();
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        let name = text
            .as_deref()
            .and_then(|text| text.strip_prefix(PREFIX))
            .map(str::parse);
        name.and_then(std::result::Result::ok)
            .ok_or_else(|| Error::parameter("nextToken", "Invalid token"))
    }
}
