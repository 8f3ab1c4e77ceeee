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
    const TIME_LIMIT: Duration = Duration::from_secs(60);
    type Output = AdministratorKey;

    async fn run(self, host: &Host) -> Result<AdministratorKey, String> {
        let made = host.registry.create_account(&self.account).await;
        made.map(|administrator| AdministratorKey::new(administrator, host.region.clone()))
            .map_err(|error| with_sources(&error))
    }
}
