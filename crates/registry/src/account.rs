//! Accounts, and the administrator each is made with.

use bonded_iam::PolicyKind;
use bonded_model::{AccountId, Digest, RepositoryArn, ResourceTags, Secret, Timestamp};
use bonded_store::{
    Account, Change, FULL_ACCESS, IdentityCounts, NewAdministrator, StoreError, User,
};
use serde_json::{Value, json};

use crate::Registry;
use crate::access::Allowed;
use crate::error::{Error, Result};
use crate::inline_policy::validated;
use crate::random;
use crate::target::Everything;

/// May do everything in its own account; what other accounts allow is theirs to say.
const ADMINISTRATOR_POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Sid":"AdministratorAccess","Effect":"Allow","Action":"*","Resource":"*"}]}"#;

/// How many service control policies an account may have: AWS's quota for a target.
const SERVICE_CONTROL_POLICIES: u32 = 5;

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
        let change = self.operator_change(account, "create account")?;
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

    /// The alias of the caller's account.
    ///
    /// # Errors
    /// Rows cannot be read.
    pub async fn account_alias(&self, allowed: &Allowed<Everything>) -> Result<Option<String>> {
        let account = self.store().find_account(&allowed.target().0).await?;
        Ok(account.and_then(|account| account.alias))
    }

    /// Gives the caller's account an alias, in place of the one it has.
    ///
    /// # Errors
    /// [`Error::EntityAlreadyExists`] if another account has it.
    pub async fn create_account_alias(
        &self,
        allowed: &Allowed<Everything>,
        alias: &str,
    ) -> Result<()> {
        match self
            .store()
            .set_account_alias(alias, &allowed.change())
            .await
        {
            Err(StoreError::Conflict) => Err(Error::EntityAlreadyExists(format!(
                "The account alias {alias} already exists."
            ))),
            other => Ok(other?),
        }
    }

    /// Takes the alias from the caller's account.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`] if it has another one or none.
    pub async fn delete_account_alias(
        &self,
        allowed: &Allowed<Everything>,
        alias: &str,
    ) -> Result<()> {
        let found = self
            .store()
            .delete_account_alias(alias, &allowed.change())
            .await?;
        found.then_some(()).ok_or_else(|| {
            Error::NoSuchEntity(format!("The account alias {alias} cannot be found."))
        })
    }

    /// How many there are of each thing of IAM in the caller's account.
    ///
    /// # Errors
    /// Rows cannot be read.
    pub async fn account_summary(&self, allowed: &Allowed<Everything>) -> Result<IdentityCounts> {
        Ok(self.store().identity_counts(&allowed.target().0).await?)
    }

    /// All accounts, in order. For the operator of the host.
    ///
    /// # Errors
    /// Rows cannot be read.
    pub async fn list_accounts(&self) -> Result<Vec<Account>> {
        Ok(self.store().list_accounts().await?)
    }

    /// Closes an account: none of its credentials is known from the next request on. What it owns
    /// stays. For the operator of the host.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`] if it does not exist or is closed; [`Error::InvalidInput`] for the
    /// default account.
    pub async fn close_account(&self, account: &AccountId) -> Result<()> {
        if account == self.default_account() {
            return Err(Error::InvalidInput(format!(
                "the account '{account}' is the default account of this server, which cannot be closed"
            )));
        }
        let change = self.operator_change(account, "close account")?;
        let closed = self.store().close_account(&change).await?;
        closed.then_some(()).ok_or_else(|| no_open_account(account))
    }

    /// The service control policies attached to an account, each with its name. For the operator
    /// of the host.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`].
    pub async fn service_control_policies(
        &self,
        account: &AccountId,
    ) -> Result<Vec<(String, String)>> {
        self.open_account(account).await?;
        let policies = self.store().service_control_policies(account).await?;
        Ok(policies
            .into_iter()
            .map(|policy| (policy.name, policy.version.text))
            .collect())
    }

    /// Attaches a service control policy to an account, in place of one of the same name: what it
    /// does not allow nobody in the account may do, from the next request on. For the operator of
    /// the host.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`]; [`Error::MalformedPolicyDocument`]; [`Error::LimitExceeded`] if 5
    /// others are attached.
    pub async fn attach_service_control_policy(
        &self,
        account: &AccountId,
        name: &str,
        text: &str,
    ) -> Result<()> {
        self.open_account(account).await?;
        if name != FULL_ACCESS {
            validated(text, PolicyKind::ServiceControl)?;
        }
        let change = self.operator_change(account, "attach service control policy")?;
        let attached = self
            .store()
            .attach_service_control_policy(name, text, SERVICE_CONTROL_POLICIES, &change)
            .await?;
        attached.map_err(|limit| {
            Error::LimitExceeded(format!(
                "an account can have {} service control policies; detach one first",
                limit.0
            ))
        })
    }

    /// Detaches a service control policy from an account. For the operator of the host.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`] if it is not attached, or is the only one.
    pub async fn detach_service_control_policy(
        &self,
        account: &AccountId,
        name: &str,
    ) -> Result<()> {
        let change = self.operator_change(account, "detach service control policy")?;
        let detached = self
            .store()
            .detach_service_control_policy(name, &change)
            .await?;
        detached.then_some(()).ok_or_else(|| {
            Error::NoSuchEntity(format!(
                "the policy '{name}' is not attached to the account '{account}', or is the only one; an account always has one"
            ))
        })
    }

    async fn open_account(&self, account: &AccountId) -> Result<()> {
        let found = self.store().find_account(account).await?;
        match found {
            Some(found) if found.closed_at.is_none() => Ok(()),
            _ => Err(no_open_account(account)),
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
        let change = self.operator_change(account, "create account")?;
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
    pub(crate) fn operator_change(&self, account: &AccountId, action: &str) -> Result<Change> {
        self.change_by("operator", account, json!({ "action": action }))
    }

    /// What a change by the registry itself leaves behind: what it did, and on what.
    pub(crate) fn own_change(
        &self,
        on: &RepositoryArn,
        action: &str,
        of: &Digest,
    ) -> Result<Change> {
        let what = json!({ "action": action, "resource": on.to_string(), "digest": of.as_str() });
        self.change_by("registry", &on.account, what)
    }

    /// What a change that no caller has asked for leaves behind.
    fn change_by(&self, whose: &str, account: &AccountId, mut record: Value) -> Result<Change> {
        let at: Timestamp = self.clock().now();
        let id = random::decision_id(at)?;
        record[whose] = true.into();
        record["id"] = id.as_str().into();
        record["time"] = json!(at);
        record["account"] = json!(account);
        Ok(Change {
            id,
            at,
            account: account.clone(),
            record: record.to_string(),
        })
    }
}

fn no_open_account(account: &AccountId) -> Error {
    Error::NoSuchEntity(format!(
        "there is no open account '{account}'; 'bonded account list' shows all"
    ))
}
