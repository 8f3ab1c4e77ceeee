//! OpenID Connect providers: whose web identity tokens an account takes.

use bonded_iam::jwt::KeySet;
use bonded_model::ResourceTags;
use bonded_store::{OidcProvider, StoreError};

use crate::Registry;
use crate::access::Allowed;
use crate::error::{Error, Result};
use crate::issuer_keys::discover;
use crate::quota;
use crate::target::{Everything, OidcProviderNamed};
use crate::web_identity::is_reserved;

impl Allowed<OidcProviderNamed> {
    /// The provider that was judged.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`].
    pub fn oidc_provider(&self) -> Result<&OidcProvider> {
        self.found()
            .as_ref()
            .ok_or_else(|| no_provider(&self.target().arn()))
    }
}

fn no_provider(arn: &str) -> Error {
    Error::NoSuchEntity(format!("OpenIDConnect Provider not found for arn {arn}"))
}

impl Registry {
    /// Makes a provider. Its keys are fetched when a token is to be verified, not now.
    ///
    /// # Errors
    /// [`Error::EntityAlreadyExists`]; [`Error::LimitExceeded`].
    pub async fn create_oidc_provider(
        &self,
        allowed: &Allowed<OidcProviderNamed>,
        client_ids: Vec<String>,
        thumbprints: Vec<String>,
        tags: ResourceTags,
    ) -> Result<OidcProvider> {
        let OidcProviderNamed { account, url } = allowed.target().clone();
        if is_reserved(&url) {
            return Err(Error::InvalidInput(format!(
                "a provider at 'https://{url}' would set condition keys of AWS's own; it needs another name"
            )));
        }
        self.check_quota(&account, &quota::OIDC_PROVIDERS, |counts| {
            counts.oidc_providers
        })
        .await?;
        check_client_ids(&client_ids)?;
        let provider = OidcProvider {
            account,
            url,
            client_ids,
            thumbprints,
            jwks: None,
            created_at: allowed.caller().time(),
            tags,
        };
        let made = self
            .store()
            .create_oidc_provider(&provider, &allowed.change())
            .await;
        match made {
            Err(StoreError::Conflict) => Err(Error::EntityAlreadyExists(format!(
                "Provider with url https://{} already exists.",
                provider.url
            ))),
            other => {
                other?;
                Ok(provider)
            }
        }
    }

    /// All providers of the account; there are 100 at most.
    ///
    /// # Errors
    /// Rows cannot be read.
    pub async fn list_oidc_providers(
        &self,
        allowed: &Allowed<Everything>,
    ) -> Result<Vec<OidcProvider>> {
        Ok(self
            .store()
            .list_oidc_providers(&allowed.target().0)
            .await?)
    }

    /// Replaces the audiences of the provider by what `change` makes of them.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`]; [`Error::LimitExceeded`].
    pub async fn change_client_ids(
        &self,
        allowed: &Allowed<OidcProviderNamed>,
        change: impl FnOnce(&mut Vec<String>),
    ) -> Result<()> {
        let provider = allowed.oidc_provider()?;
        let mut client_ids = provider.client_ids.clone();
        change(&mut client_ids);
        check_client_ids(&client_ids)?;
        self.update_oidc_provider(allowed, &client_ids, &provider.thumbprints)
            .await
    }

    /// Replaces the thumbprints of the provider.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`].
    pub async fn set_thumbprints(
        &self,
        allowed: &Allowed<OidcProviderNamed>,
        thumbprints: &[String],
    ) -> Result<()> {
        let provider = allowed.oidc_provider()?;
        self.update_oidc_provider(allowed, &provider.client_ids, thumbprints)
            .await
    }

    async fn update_oidc_provider(
        &self,
        allowed: &Allowed<OidcProviderNamed>,
        client_ids: &[String],
        thumbprints: &[String],
    ) -> Result<()> {
        let arn = allowed.target().arn();
        let found = self
            .store()
            .update_oidc_provider(&arn, client_ids, thumbprints, &allowed.change())
            .await?;
        found.then_some(()).ok_or_else(|| no_provider(&arn))
    }

    /// The providers of every account. For the operator of the host.
    ///
    /// # Errors
    /// As every read.
    pub async fn all_oidc_providers(&self) -> Result<Vec<OidcProvider>> {
        let mut providers = Vec::new();
        for account in self.list_accounts().await? {
            providers.extend(self.store().list_oidc_providers(&account.id).await?);
        }
        Ok(providers)
    }

    /// Gives the keys of a provider, a JWK Set, which are then not fetched any more; or with `None`
    /// has them fetched again. For the operator of the host.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] if they are no keys; [`Error::NoSuchEntity`].
    pub async fn set_oidc_provider_keys(&self, arn: &str, jwks: Option<&str>) -> Result<()> {
        let provider = self.found_oidc_provider(arn).await?;
        if let Some(jwks) = jwks {
            KeySet::parse(jwks.as_bytes()).map_err(|e| Error::InvalidInput(e.to_string()))?;
        }
        let change = self.operator_change(&provider.account, "set the keys of an OIDC provider")?;
        let found = self
            .store()
            .set_oidc_provider_jwks(arn, jwks, &change)
            .await?;
        found.then_some(()).ok_or_else(|| no_provider(arn))
    }

    /// How many keys of a provider can be had now, given or fetched; or why none. For the operator
    /// of the host, who may look whenever.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`].
    pub async fn check_oidc_provider(
        &self,
        arn: &str,
    ) -> Result<std::result::Result<usize, String>> {
        let provider = self.found_oidc_provider(arn).await?;
        let keys = match &provider.jwks {
            Some(jwks) => KeySet::parse(jwks.as_bytes()).map_err(|e| e.to_string()),
            None => {
                let issuer = format!("https://{}", provider.url);
                match discover(self.fetch(), &issuer).await {
                    Ok(keys) => Ok(keys),
                    // Some call themselves so, and IAM leaves the slash out of their name.
                    Err(problem) => discover(self.fetch(), &format!("{issuer}/"))
                        .await
                        .map_err(|_| problem),
                }
            }
        };
        Ok(keys.map(|keys| keys.count()))
    }

    async fn found_oidc_provider(&self, arn: &str) -> Result<OidcProvider> {
        let found = self.store().find_oidc_provider(arn).await?;
        found.ok_or_else(|| no_provider(arn))
    }

    /// Deletes the provider; its tokens are not taken any more. As in AWS, deleting one that does
    /// not exist is no error.
    ///
    /// # Errors
    /// Rows cannot be written.
    pub async fn delete_oidc_provider(&self, allowed: &Allowed<OidcProviderNamed>) -> Result<()> {
        let arn = allowed.target().arn();
        self.store()
            .delete_oidc_provider(&arn, &allowed.change())
            .await?;
        Ok(())
    }
}

fn check_client_ids(client_ids: &[String]) -> Result<()> {
    if client_ids.len() > quota::CLIENT_IDS.limit as usize {
        return Err(quota::CLIENT_IDS.exceeded());
    }
    Ok(())
}
