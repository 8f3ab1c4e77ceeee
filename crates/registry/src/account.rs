//! Accounts, and the administrator each is made with.

use bonded_model::{AccountId, ResourceTags, Secret, Timestamp};
use bonded_store::{Change, NewAdministrator, User};

use crate::Registry;
use crate::error::{Error, Result};
use crate::random;

/// May do everything in its own account; what other accounts allow is theirs to say.
const ADMINISTRATOR_POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Sid":"AdministratorAccess","Effect":"Allow","Action":"*","Resource":"*"}]}"#;

/// The first user of an account with its access key, which is shown this once.
pub struct FirstAdministrator {
    /// The account.
    pub account: AccountId,
    /// The access key id.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: Secret,
}

impl Registry {
    /// Makes the account with a user `administrator`. For the operator of the host, who is no
    /// principal of any account.
    ///
    /// # Errors
    /// [`Error::AccountAlreadyExists`].
    pub async fn create_account(&self, account: &AccountId) -> Result<FirstAdministrator> {
        let (new, shown) = self.new_administrator(account)?;
        let change = self.operator_change(account)?;
        if self
            .store()
            .create_account(account, change.at, Some(&new), Some(&change))
            .await?
        {
            Ok(shown)
        } else {
            Err(Error::AccountAlreadyExists(account.clone()))
        }
    }

    /// Whether there is one account only.
    ///
    /// # Errors
    /// Rows cannot be read.
    pub async fn has_one_account(&self) -> Result<bool> {
        Ok(self.store().list_accounts().await?.len() == 1)
    }

    /// Makes `account` if no account exists at all.
    pub(crate) async fn bootstrap(
        &self,
        account: &AccountId,
    ) -> Result<Option<FirstAdministrator>> {
        let (new, shown) = self.new_administrator(account)?;
        let change = self.operator_change(account)?;
        let made = self
            .store()
            .bootstrap(account, change.at, Some(&new), Some(&change))
            .await?;
        Ok(made.then_some(shown))
    }

    fn new_administrator(
        &self,
        account: &AccountId,
    ) -> Result<(NewAdministrator, FirstAdministrator)> {
        let access_key_id = random::access_key_id("AKIA")?;
        let secret_access_key = random::secret_access_key()?;
        let user = User {
            id: random::unique_id("AIDA")?,
            account: account.clone(),
            name: "administrator".to_owned(),
            path: "/".to_owned(),
            created_at: self.clock().now(),
            tags: ResourceTags::new(),
            boundary: None,
        };
        let new = NewAdministrator {
            user,
            policy_name: "AdministratorAccess".to_owned(),
            policy_text: ADMINISTRATOR_POLICY.to_owned(),
            key_id: access_key_id.clone(),
            secret: secret_access_key.clone(),
        };
        Ok((
            new,
            FirstAdministrator {
                account: account.clone(),
                access_key_id,
                secret_access_key,
            },
        ))
    }

    /// What a change by the host's operator leaves behind.
    fn operator_change(&self, account: &AccountId) -> Result<Change> {
        let at: Timestamp = self.clock().now();
        let id = random::decision_id(at)?;
        let record = serde_json::json!({
            "id": id, "time": at, "operator": true, "action": "create account", "account": account,
        });
        Ok(Change {
            id,
            at,
            account: account.clone(),
            record: record.to_string(),
        })
    }
}
