//! The keys of identity providers, as the operator sees to them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Host, Operation};
use crate::cli::with_sources;

/// An identity provider as the operator sees it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProviderEntry {
    pub(crate) arn: String,
    pub(crate) audiences: Vec<String>,
    /// Whether its keys were given; they are fetched otherwise.
    pub(crate) keys_given: bool,
}

/// The identity providers of every account.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListProviders {}

impl Operation for ListProviders {
    const NAME: &'static str = "ListOidcProviders";
    const TIME_LIMIT: Duration = Duration::from_mins(1);
    type Output = Vec<ProviderEntry>;

    async fn run(self, host: &Host) -> Result<Vec<ProviderEntry>, String> {
        let providers = host.registry.all_oidc_providers().await;
        let providers = providers.map_err(|error| with_sources(&error))?;
        let entry = |provider: bonded_registry::OidcProvider| ProviderEntry {
            arn: provider.arn(),
            audiences: provider.client_ids,
            keys_given: provider.jwks.is_some(),
        };
        Ok(providers.into_iter().map(entry).collect())
    }
}

/// Gives the keys of a provider, or with none has them fetched again.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetProviderKeys {
    pub(crate) arn: String,
    pub(crate) jwks: Option<String>,
}

impl Operation for SetProviderKeys {
    const NAME: &'static str = "SetOidcProviderKeys";
    const TIME_LIMIT: Duration = Duration::from_mins(1);
    type Output = ();

    async fn run(self, host: &Host) -> Result<(), String> {
        let Self { arn, jwks } = self;
        let set = host.registry.set_oidc_provider_keys(&arn, jwks.as_deref());
        set.await.map_err(|error| with_sources(&error))
    }
}

/// Looks for the keys of a provider as for a token, and says how many there are.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CheckProvider {
    pub(crate) arn: String,
}

impl Operation for CheckProvider {
    const NAME: &'static str = "CheckOidcProvider";
    const TIME_LIMIT: Duration = Duration::from_mins(1);
    type Output = usize;

    async fn run(self, host: &Host) -> Result<usize, String> {
        let checked = host.registry.check_oidc_provider(&self.arn).await;
        checked.map_err(|error| with_sources(&error))?
    }
}
