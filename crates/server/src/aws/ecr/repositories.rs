//! Making, describing and deleting repositories.

use bonded_model::{AccountId, RepositoryArn, RepositoryName, TagMutability};
use bonded_registry::target::Repositories;
use bonded_registry::{
    Action, Allowed, Caller, Checks, Error, Registry, RepositorySettings, Result,
    of_repository_tags,
};
use serde::{Deserialize, Serialize};

use super::page;
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
        let filters = self.image_tag_mutability_exclusion_filters.as_deref();
        let tag_mutability = tag_mutability(self.image_tag_mutability.as_deref(), filters)?;
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
        let tag = Action::new("ecr:TagResource");
        let create = Checks::new(Self::ACTION, arn).tagged(tag, &tags);
        Ok(if tags.is_empty() {
            create
        } else {
            create.with(of_repository_tags(&tags))
        })
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

impl DescribeRepositories {
    /// The length of the page, and what its tokens are of.
    fn page(&self, caller: &Caller) -> Result<(u32, String)> {
        let named = self.repository_names.is_some();
        if named && (self.max_results.is_some() || self.next_token.is_some()) {
            return Err(Error::parameter(
                "maxResults",
                "maxResults and nextToken cannot be given with repositoryNames",
            ));
        }
        let limit = page::limit(self.max_results, page::PAGE, page::PAGE_LIMIT)?;
        let account = self
            .registry_id
            .as_ref()
            .unwrap_or_else(|| caller.account());
        let list = format!("DescribeRepositories {account} {}", caller.region());
        Ok((limit, list))
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
        self.page(caller)?;
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
            Some(names) => {
                let account = registry_id.unwrap_or_else(|| caller.account());
                Repositories::named(account.clone(), caller.region().clone(), names.clone())?
            }
        };
        Ok(Checks::new(Self::ACTION, target))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<Repositories>,
    ) -> Result<DescribeRepositoriesAnswer> {
        let (limit, list) = self.page(allowed.caller())?;
        let after = match &self.next_token {
            Some(token) => Some(registry.read_page_token(&list, token).await?),
            None => None,
        };
        let after: Option<RepositoryName> = after
            .map(|name| name.parse())
            .transpose()
            .map_err(|_| Error::parameter("nextToken", "Invalid token"))?;
        // One more than the page tells whether there is another.
        let mut found = registry
            .describe_repositories(&allowed, after.as_ref(), limit + 1)
            .await?;
        let more = self.repository_names.is_none() && found.len() > limit as usize;
        if more {
            found.truncate(limit as usize);
        }
        let next_token = match found.last().filter(|_| more) {
            Some(last) => {
                let name = last.arn.name.as_str();
                Some(registry.page_token(&list, name).await?)
            }
            None => None,
        };
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

/// `PutImageTagMutability`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PutImageTagMutability {
    registry_id: Option<AccountId>,
    repository_name: RepositoryName,
    image_tag_mutability: String,
    image_tag_mutability_exclusion_filters: Option<Vec<ExclusionFilter>>,
}

/// `PutImageTagMutabilityResponse`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TagMutabilityAnswer {
    registry_id: String,
    repository_name: String,
    image_tag_mutability: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    image_tag_mutability_exclusion_filters: Vec<ExclusionFilter>,
}

impl Operation for PutImageTagMutability {
    const NAME: &'static str = "PutImageTagMutability";
    const ACTION: Action = Action::new("ecr:PutImageTagMutability");
    const EXAMPLE: &'static str =
        r#"{"repositoryName":"team/app","imageTagMutability":"IMMUTABLE"}"#;
    type Target = RepositoryArn;
    type Output = TagMutabilityAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<RepositoryArn>> {
        let filters = self.image_tag_mutability_exclusion_filters.as_deref();
        tag_mutability(Some(&self.image_tag_mutability), filters)?;
        let arn = repository(caller, self.registry_id.as_ref(), &self.repository_name);
        Ok(Checks::new(Self::ACTION, arn))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<RepositoryArn>,
    ) -> Result<TagMutabilityAnswer> {
        let filters = self.image_tag_mutability_exclusion_filters;
        let set = tag_mutability(Some(&self.image_tag_mutability), filters.as_deref())?;
        registry.set_tag_mutability(&allowed, &set).await?;
        let RepositoryArn { account, name, .. } = allowed.target();
        Ok(TagMutabilityAnswer {
            registry_id: account.to_string(),
            repository_name: name.to_string(),
            image_tag_mutability: set.as_str(),
            image_tag_mutability_exclusion_filters: filters.unwrap_or_default(),
        })
    }
}

/// Which tags may move, by `imageTagMutability` and its filters.
fn tag_mutability(
    word: Option<&str>,
    filters: Option<&[ExclusionFilter]>,
) -> Result<TagMutability> {
    let filter = |filter: &ExclusionFilter| filter.filter.clone();
    let filters = filters.map(|list| list.iter().map(filter).collect());
    TagMutability::parse(word, filters).map_err(|e| Error::InvalidParameter(e.to_string()))
}
