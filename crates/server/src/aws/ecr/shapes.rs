//! Shapes that several of ECR's operations share.

use bonded_model::{AccountId, RepositoryArn, RepositoryName, ResourceTag, ResourceTags};
use bonded_registry::{Caller, Error, Registry, Repository, Result};
use serde::{Deserialize, Serialize};

/// The repository an operation names, in the registry it names or else the caller's own.
pub(super) fn repository(
    caller: &Caller,
    registry_id: Option<&AccountId>,
    name: &RepositoryName,
) -> RepositoryArn {
    RepositoryArn {
        region: caller.region().clone(),
        account: registry_id.unwrap_or_else(|| caller.account()).clone(),
        name: name.clone(),
    }
}

/// `Tag`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Tag {
    #[serde(rename = "Key")]
    key: String,
    #[serde(rename = "Value")]
    value: String,
}

/// Checks tags of a request.
pub(super) fn tags(list: &[Tag]) -> Result<ResourceTags> {
    let mut tags = ResourceTags::new();
    for Tag { key, value } in list {
        let tag = ResourceTag::new(key.clone(), value.clone())
            .map_err(|e| Error::InvalidTagParameter(e.to_string()))?;
        if tags
            .insert(tag.key().to_owned(), tag.value().to_owned())
            .is_some()
        {
            return Err(Error::InvalidTagParameter(format!(
                "the tag key '{key}' stands twice"
            )));
        }
    }
    if tags.len() > bonded_model::TAGS_LIMIT {
        Err(Error::TooManyTags)
    } else {
        Ok(tags)
    }
}

/// Checks the keys of tags that are to be removed.
pub(super) fn tag_keys(keys: &[String]) -> Result<()> {
    if keys.len() > bonded_model::TAGS_LIMIT {
        return Err(Error::TooManyTags);
    }
    for key in keys {
        ResourceTag::new(key.clone(), String::new())
            .map_err(|e| Error::InvalidTagParameter(e.to_string()))?;
    }
    Ok(())
}

/// The tags of a resource as a list.
pub(super) fn tag_list(tags: &ResourceTags) -> Vec<Tag> {
    tags.iter()
        .map(|(key, value)| Tag {
            key: key.clone(),
            value: value.clone(),
        })
        .collect()
}

/// `ImageTagMutabilityExclusionFilter`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExclusionFilter {
    pub(super) filter_type: FilterType,
    pub(super) filter: String,
}

/// The one type of filter there is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum FilterType {
    #[serde(rename = "WILDCARD")]
    Wildcard,
}

/// `ImageScanningConfiguration`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ScanningConfiguration {
    #[serde(default)]
    pub(super) scan_on_push: bool,
}

/// `EncryptionConfiguration`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EncryptionConfiguration {
    pub(super) encryption_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) kms_key: Option<String>,
}

impl EncryptionConfiguration {
    /// AES-256 under the registry's own key is the only encryption so far.
    pub(super) fn check(&self) -> Result<()> {
        match self.encryption_type.as_str() {
            "AES256" if self.kms_key.is_none() => Ok(()),
            "AES256" => Err(Error::parameter(
                "kmsKey",
                "a KMS key cannot be specified with encryption type AES256",
            )),
            "KMS" | "KMS_DSSE" => Err(Error::parameter(
                "encryptionType",
                "encryption with KMS keys is not supported yet; use AES256",
            )),
            _ => Err(Error::parameter(
                "encryptionType",
                "Member must satisfy enum value set: [AES256, KMS, KMS_DSSE]",
            )),
        }
    }
}

/// `Repository`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RepositoryShape {
    repository_arn: String,
    registry_id: String,
    repository_name: String,
    repository_uri: String,
    created_at: f64,
    image_tag_mutability: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    image_tag_mutability_exclusion_filters: Vec<ExclusionFilter>,
    image_scanning_configuration: ScanningConfiguration,
    encryption_configuration: EncryptionConfiguration,
}

impl RepositoryShape {
    pub(super) fn new(repository: &Repository, registry: &Registry, caller: &Caller) -> Self {
        let RepositoryArn {
            region,
            account,
            name,
        } = &repository.arn;
        let filter = |filter: &String| ExclusionFilter {
            filter_type: FilterType::Wildcard,
            filter: filter.clone(),
        };
        Self {
            repository_arn: repository.arn.to_string(),
            registry_id: account.to_string(),
            repository_name: name.to_string(),
            repository_uri: format!("{}/{name}", registry.authority(account, region, caller)),
            created_at: repository.created_at.as_seconds_f64(),
            image_tag_mutability: repository.tag_mutability.as_str(),
            image_tag_mutability_exclusion_filters: repository
                .tag_mutability
                .filters()
                .iter()
                .map(filter)
                .collect(),
            image_scanning_configuration: ScanningConfiguration {
                scan_on_push: repository.scan_on_push,
            },
            encryption_configuration: EncryptionConfiguration {
                encryption_type: "AES256".to_owned(),
                kms_key: None,
            },
        }
    }
}

/// `{"repository": …}`: the answer of several operations.
#[derive(Debug, Serialize)]
pub(super) struct RepositoryAnswer {
    repository: RepositoryShape,
}

impl RepositoryAnswer {
    pub(super) fn new(repository: &Repository, registry: &Registry, caller: &Caller) -> Self {
        Self {
            repository: RepositoryShape::new(repository, registry, caller),
        }
    }
}
