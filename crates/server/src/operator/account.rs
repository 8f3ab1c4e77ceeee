//! Accounts, as the operator makes them.

use std::time::Duration;

use bonded_model::AccountId;
use serde::{Deserialize, Serialize};

use super::{Host, Operation};
use crate::administrator::AdministratorKey;
use crate::cli::with_sources;

/// A new account with its first administrator, whose key is the answer, shown this once.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateAccount {
    pub(crate) account: AccountId,
}

impl Operation for CreateAccount {
    const NAME: &'static str = "CreateAccount";
    const TIME_LIMIT: Duration = Duration::from_mins(1);
    type Output = AdministratorKey;

    async fn run(self, host: &Host) -> Result<AdministratorKey, String> {
        let made = host.registry.create_account(&self.account).await;
        made.map(|administrator| AdministratorKey::new(administrator, host.region.clone()))
            .map_err(|error| with_sources(&error))
    }
}

/// Every account, in order.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListAccounts {}

/// An account as the operator sees it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AccountEntry {
    pub(crate) account: AccountId,
    pub(crate) alias: Option<String>,
    pub(crate) created: String,
    pub(crate) closed: Option<String>,
}

impl Operation for ListAccounts {
    const NAME: &'static str = "ListAccounts";
    const TIME_LIMIT: Duration = Duration::from_mins(1);
    type Output = Vec<AccountEntry>;

    async fn run(self, host: &Host) -> Result<Vec<AccountEntry>, String> {
        let accounts = host.registry.list_accounts().await;
        let accounts = accounts.map_err(|error| with_sources(&error))?;
        let entry = |account: bonded_registry::Account| AccountEntry {
            account: account.id,
            alias: account.alias,
            created: account.created_at.to_string(),
            closed: account.closed_at.map(|at| at.to_string()),
        };
        Ok(accounts.into_iter().map(entry).collect())
    }
}

/// Ends the credentials of an account for ever.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CloseAccount {
    pub(crate) account: AccountId,
}

impl Operation for CloseAccount {
    const NAME: &'static str = "CloseAccount";
    const TIME_LIMIT: Duration = Duration::from_mins(1);
    type Output = ();

    async fn run(self, host: &Host) -> Result<(), String> {
        let closed = host.registry.close_account(&self.account).await;
        closed.map_err(|error| with_sources(&error))
    }
}

/// The service control policies of an account, by name.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListPolicies {
    pub(crate) account: AccountId,
}

impl Operation for ListPolicies {
    const NAME: &'static str = "ListPolicies";
    const TIME_LIMIT: Duration = Duration::from_mins(1);
    type Output = Vec<(String, String)>;

    async fn run(self, host: &Host) -> Result<Vec<(String, String)>, String> {
        let policies = host.registry.service_control_policies(&self.account).await;
        policies.map_err(|error| with_sources(&error))
    }
}

/// Says what an account may do at most.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AttachPolicy {
    pub(crate) account: AccountId,
    pub(crate) name: String,
    pub(crate) text: String,
}

impl Operation for AttachPolicy {
    const NAME: &'static str = "AttachPolicy";
    const TIME_LIMIT: Duration = Duration::from_mins(1);
    type Output = ();

    async fn run(self, host: &Host) -> Result<(), String> {
        let Self {
            account,
            name,
            text,
        } = self;
        let attached = host
            .registry
            .attach_service_control_policy(&account, &name, &text)
            .await;
        attached.map_err(|error| with_sources(&error))
    }
}

/// Takes a service control policy away.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DetachPolicy {
    pub(crate) account: AccountId,
    pub(crate) name: String,
}

impl Operation for DetachPolicy {
    const NAME: &'static str = "DetachPolicy";
    const TIME_LIMIT: Duration = Duration::from_mins(1);
    type Output = ();

    async fn run(self, host: &Host) -> Result<(), String> {
        let detached = host
            .registry
            .detach_service_control_policy(&self.account, &self.name)
            .await;
        detached.map_err(|error| with_sources(&error))
    }
}
