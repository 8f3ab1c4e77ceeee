//! OpenID Connect providers: whose web identity tokens an account takes.

use bonded_model::{AccountId, ResourceTags, Timestamp};

use crate::Store;
use crate::change::Change;
use crate::error::Result;
use crate::meta::{FromRow, Row, Value, json};

/// An identity provider of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidcProvider {
    /// Whose provider.
    pub account: AccountId,
    /// Its URL without `https://`, which tokens name as their issuer with it.
    pub url: String,
    /// The audiences it makes tokens for that are taken here.
    pub client_ids: Vec<String>,
    /// The SHA-1 of certificates, as AWS's API asks for them. Kept, not used.
    pub thumbprints: Vec<String>,
    /// Its keys as the operator gave them, a JWK Set; `None` where they are fetched.
    pub jwks: Option<String>,
    /// When it was created.
    pub created_at: Timestamp,
    /// Its tags.
    pub tags: ResourceTags,
}

impl OidcProvider {
    /// `arn:aws:iam::ACCOUNT:oidc-provider/URL`.
    #[must_use]
    pub fn arn(&self) -> String {
        format!("arn:aws:iam::{}:oidc-provider/{}", self.account, self.url)
    }
}

impl FromRow for OidcProvider {
    fn from_row(row: &mut Row) -> Result<Self> {
        Ok(Self {
            account: row.parse()?,
            url: row.text()?,
            client_ids: row.json()?,
            thumbprints: row.json()?,
            jwks: row.opt_text()?,
            created_at: row.time()?,
            tags: row.json()?,
        })
    }
}

impl Store {
    /// Creates a provider.
    ///
    /// # Errors
    /// [`crate::StoreError::Conflict`] if the account has one with this URL.
    pub async fn create_oidc_provider(
        &self,
        provider: &OidcProvider,
        change: &Change,
    ) -> Result<()> {
        const SQL: &str = "INSERT INTO oidc_providers \
             (id, account, url, client_ids, thumbprints, jwks, created_at, tags) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let values: Vec<Value> = vec![
            provider.arn().into(),
            provider.account.as_str().into(),
            (&provider.url).into(),
            json(&provider.client_ids)?.into(),
            json(&provider.thumbprints)?.into(),
            provider.jwks.as_deref().into(),
            provider.created_at.into(),
            json(&provider.tags)?.into(),
        ];
        self.change_row(SQL, values, change).await.map(drop)
    }

    /// The provider with this ARN.
    ///
    /// # Errors
    /// As every read.
    pub async fn find_oidc_provider(&self, arn: &str) -> Result<Option<OidcProvider>> {
        const SQL: &str = "SELECT account, url, client_ids, thumbprints, jwks, created_at, tags \
             FROM oidc_providers WHERE id = $1";
        self.meta().find(SQL, &[arn.into()]).await
    }

    /// The provider with this ARN, whose tokens are credentials: none of a closed account.
    ///
    /// # Errors
    /// As every read.
    pub async fn find_trusted_oidc_provider(&self, arn: &str) -> Result<Option<OidcProvider>> {
        const SQL: &str = "SELECT p.account, p.url, p.client_ids, p.thumbprints, p.jwks, \
             p.created_at, p.tags FROM oidc_providers p \
             JOIN accounts a ON a.id = p.account AND a.closed_at IS NULL WHERE p.id = $1";
        self.meta().find(SQL, &[arn.into()]).await
    }

    /// The providers of an account by URL: as many as the account may have.
    ///
    /// # Errors
    /// As every read.
    pub async fn list_oidc_providers(&self, account: &AccountId) -> Result<Vec<OidcProvider>> {
        const SQL: &str = "SELECT account, url, client_ids, thumbprints, jwks, created_at, tags \
             FROM oidc_providers WHERE account = $1 ORDER BY url LIMIT 1000";
        self.meta().list(SQL, &[account.as_str().into()]).await
    }

    /// Replaces the audiences and thumbprints of a provider; `false` if there is none with this
    /// ARN.
    ///
    /// # Errors
    /// As every write.
    pub async fn update_oidc_provider(
        &self,
        arn: &str,
        client_ids: &[String],
        thumbprints: &[String],
        change: &Change,
    ) -> Result<bool> {
        const SQL: &str =
            "UPDATE oidc_providers SET client_ids = $1, thumbprints = $2 WHERE id = $3";
        let values = vec![
            json(&client_ids)?.into(),
            json(&thumbprints)?.into(),
            arn.into(),
        ];
        self.change_row(SQL, values, change).await
    }

    /// Sets the keys of a provider, or with `None` has them fetched again; `false` if there is none
    /// with this ARN.
    ///
    /// # Errors
    /// As every write.
    pub async fn set_oidc_provider_jwks(
        &self,
        arn: &str,
        jwks: Option<&str>,
        change: &Change,
    ) -> Result<bool> {
        const SQL: &str = "UPDATE oidc_providers SET jwks = $1 WHERE id = $2";
        let values = vec![jwks.into(), arn.into()];
        self.change_row(SQL, values, change).await
    }

    /// Deletes a provider; `false` if there is none with this ARN.
    ///
    /// # Errors
    /// As every write.
    pub async fn delete_oidc_provider(&self, arn: &str, change: &Change) -> Result<bool> {
        const SQL: &str = "DELETE FROM oidc_providers WHERE id = $1";
        self.change_row(SQL, vec![arn.into()], change).await
    }
}
