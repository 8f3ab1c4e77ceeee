//! When repositories are scanned.

use bonded_model::{
    AccountId, RegistryScanning, RepositoryArn, RepositoryName, ScanFrequency, ScanType,
    ScanningFilter,
};
use bonded_registry::target::{Everything, Repositories};
use bonded_registry::{
    Action, Allowed, Caller, Checks, Error, Registry, RepositoryScanning, Result,
};
use serde::{Deserialize, Serialize};

use super::shapes::{ScanningConfiguration, repository};
use crate::aws::Operation;

/// The most rules of a registry.
const RULES_LIMIT: usize = 2;

/// The most filters of a rule.
const FILTERS_LIMIT: usize = 100;

/// The most repositories that one request asks about.
const NAMES_LIMIT: usize = 25;

/// `PutImageScanningConfiguration`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PutImageScanningConfiguration {
    registry_id: Option<AccountId>,
    repository_name: RepositoryName,
    image_scanning_configuration: ScanningConfiguration,
}

/// `PutImageScanningConfigurationResponse`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ImageScanningAnswer {
    registry_id: String,
    repository_name: String,
    image_scanning_configuration: ScanningConfiguration,
}

impl Operation for PutImageScanningConfiguration {
    const NAME: &'static str = "PutImageScanningConfiguration";
    const ACTION: Action = Action::new("ecr:PutImageScanningConfiguration");
    const EXAMPLE: &'static str =
        r#"{"repositoryName":"team/app","imageScanningConfiguration":{"scanOnPush":true}}"#;
    type Target = RepositoryArn;
    type Output = ImageScanningAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<RepositoryArn>> {
        let arn = repository(caller, self.registry_id.as_ref(), &self.repository_name);
        Ok(Checks::new(Self::ACTION, arn))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<RepositoryArn>,
    ) -> Result<ImageScanningAnswer> {
        let scanning = self.image_scanning_configuration;
        registry
            .set_scan_on_push(&allowed, scanning.scan_on_push)
            .await?;
        let RepositoryArn { account, name, .. } = allowed.target();
        Ok(ImageScanningAnswer {
            registry_id: account.to_string(),
            repository_name: name.to_string(),
            image_scanning_configuration: scanning,
        })
    }
}

/// `GetRegistryScanningConfiguration`.
#[derive(Debug, Deserialize)]
pub(super) struct GetRegistryScanningConfiguration {}

/// `GetRegistryScanningConfigurationResponse`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetRegistryScanningAnswer {
    registry_id: String,
    scanning_configuration: RegistryScanning,
}

impl Operation for GetRegistryScanningConfiguration {
    const NAME: &'static str = "GetRegistryScanningConfiguration";
    const ACTION: Action = Action::new("ecr:GetRegistryScanningConfiguration");
    const EXAMPLE: &'static str = "{}";
    type Target = Everything;
    type Output = GetRegistryScanningAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<Everything>> {
        Ok(Checks::new(Self::ACTION, Everything::of(caller)))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<Everything>,
    ) -> Result<GetRegistryScanningAnswer> {
        Ok(GetRegistryScanningAnswer {
            registry_id: allowed.target().0.to_string(),
            scanning_configuration: registry.registry_scanning(&allowed).await?,
        })
    }
}

/// `PutRegistryScanningConfiguration`: what is left out gets its default.
#[derive(Debug, Deserialize)]
pub(super) struct PutRegistryScanningConfiguration {
    #[serde(flatten)]
    scanning: RegistryScanning,
}

/// `PutRegistryScanningConfigurationResponse`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PutRegistryScanningAnswer {
    registry_scanning_configuration: RegistryScanning,
}

impl Operation for PutRegistryScanningConfiguration {
    const NAME: &'static str = "PutRegistryScanningConfiguration";
    const ACTION: Action = Action::new("ecr:PutRegistryScanningConfiguration");
    const EXAMPLE: &'static str = r#"{"scanType":"BASIC","rules":[{"scanFrequency":"SCAN_ON_PUSH","repositoryFilters":[{"filter":"prod","filterType":"WILDCARD"}]}]}"#;
    type Target = Everything;
    type Output = PutRegistryScanningAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<Everything>> {
        check(&self.scanning)?;
        Ok(Checks::new(Self::ACTION, Everything::of(caller)))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<Everything>,
    ) -> Result<PutRegistryScanningAnswer> {
        registry
            .set_registry_scanning(&allowed, &self.scanning)
            .await?;
        Ok(PutRegistryScanningAnswer {
            registry_scanning_configuration: self.scanning,
        })
    }
}

/// ECR's rules of a configuration.
fn check(scanning: &RegistryScanning) -> Result<()> {
    let most = |field: &str, most: usize| {
        let text = format!("Member must have length less than or equal to {most}");
        Err(Error::parameter(field, text))
    };
    if scanning.rules.len() > RULES_LIMIT {
        return most("rules", RULES_LIMIT);
    }
    for (i, rule) in scanning.rules.iter().enumerate() {
        if scanning.scan_type == ScanType::Basic
            && rule.scan_frequency == ScanFrequency::ContinuousScan
        {
            return Err(Error::Validation(
                "the scan frequency CONTINUOUS_SCAN is for the scan type ENHANCED; use SCAN_ON_PUSH"
                    .to_owned(),
            ));
        }
        if rule.scan_frequency == ScanFrequency::Manual {
            return Err(Error::Validation(
                "the scan frequency MANUAL has no rules; repositories without a rule are scanned by hand"
                    .to_owned(),
            ));
        }
        let same = |other: &bonded_model::ScanningRule| other.scan_frequency == rule.scan_frequency;
        if scanning.rules[..i].iter().any(same) {
            return Err(Error::Validation(
                "two rules have the same scan frequency; put their filters into one".to_owned(),
            ));
        }
        if rule.repository_filters.len() > FILTERS_LIMIT {
            return most("rules.repositoryFilters", FILTERS_LIMIT);
        }
        if let Some(filter) = rule.repository_filters.iter().find(|f| !f.is_valid()) {
            return Err(Error::parameter(
                "rules.repositoryFilters.filter",
                format!(
                    "must satisfy regular expression '{}'; it is '{}'",
                    ScanningFilter::PATTERN,
                    filter
                        .filter
                        .chars()
                        .take(255)
                        .flat_map(char::escape_debug)
                        .collect::<String>()
                ),
            ));
        }
    }
    Ok(())
}

/// `BatchGetRepositoryScanningConfiguration`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BatchGetRepositoryScanningConfiguration {
    repository_names: Vec<RepositoryName>,
}

/// `BatchGetRepositoryScanningConfigurationResponse`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BatchScanningAnswer {
    scanning_configurations: Vec<RepositoryScanningShape>,
    failures: Vec<ScanningFailure>,
}

/// `RepositoryScanningConfiguration`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RepositoryScanningShape {
    repository_arn: String,
    repository_name: String,
    scan_on_push: bool,
    scan_frequency: ScanFrequency,
    applied_scan_filters: Vec<ScanningFilter>,
}

/// `RepositoryScanningConfigurationFailure`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ScanningFailure {
    repository_name: String,
    failure_code: &'static str,
    failure_reason: String,
}

impl From<RepositoryScanning> for RepositoryScanningShape {
    fn from(scanning: RepositoryScanning) -> Self {
        Self {
            repository_arn: scanning.arn.to_string(),
            repository_name: scanning.arn.name.to_string(),
            scan_on_push: scanning.frequency != ScanFrequency::Manual,
            scan_frequency: scanning.frequency,
            applied_scan_filters: scanning.filters,
        }
    }
}

impl Operation for BatchGetRepositoryScanningConfiguration {
    const NAME: &'static str = "BatchGetRepositoryScanningConfiguration";
    const ACTION: Action = Action::new("ecr:BatchGetRepositoryScanningConfiguration");
    const EXAMPLE: &'static str = r#"{"repositoryNames":["team/app"]}"#;
    type Target = Repositories;
    type Output = BatchScanningAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<Repositories>> {
        if self.repository_names.len() > NAMES_LIMIT {
            return Err(Error::parameter(
                "repositoryNames",
                format!("Member must have length less than or equal to {NAMES_LIMIT}"),
            ));
        }
        let (account, region) = (caller.account().clone(), caller.region().clone());
        let target = Repositories::named(account, region, self.repository_names.clone())?;
        Ok(Checks::new(Self::ACTION, target))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<Repositories>,
    ) -> Result<BatchScanningAnswer> {
        let mut answer = BatchScanningAnswer {
            scanning_configurations: Vec::new(),
            failures: Vec::new(),
        };
        for found in registry.repository_scanning(&allowed).await? {
            match found {
                Ok(scanning) => answer.scanning_configurations.push(scanning.into()),
                Err(arn) => answer.failures.push(ScanningFailure {
                    repository_name: arn.name.to_string(),
                    failure_code: "REPOSITORY_NOT_FOUND",
                    failure_reason: Error::RepositoryNotFound(arn).to_string(),
                }),
            }
        }
        Ok(answer)
    }
}
