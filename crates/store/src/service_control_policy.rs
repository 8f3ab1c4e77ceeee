//! Service control policies: what an account may do at most. The operator of the host attaches
//! them; nobody in the account can change them.

use bonded_model::AccountId;

use crate::Store;
use crate::change::{Change, next_epoch};
use crate::error::{LimitExceeded, Result};
use crate::meta::{Tx, Value};
use crate::policy::{NamedPolicy, PolicyVersion, insert_policy_version};

/// The policy that every account begins with, which allows everything.
pub const FULL_ACCESS: &str = "FullAWSAccess";

/// The id of its text, which the migrations insert.
const FULL_ACCESS_VERSION: &str = "aws-FullAWSAccess";

impl Store {
    /// Attaches the policy `name` to the account of `change`, in place of one of the same name, if
    /// it has less than `limit` others. [`FULL_ACCESS`] has always the same text.
    ///
    /// # Errors
    /// [`crate::StoreError::Conflict`] if the account does not exist. The inner error changes
    /// nothing.
    pub async fn attach_service_control_policy(
        &self,
        name: &str,
        text: &str,
        limit: u32,
        change: &Change,
    ) -> Result<Result<(), LimitExceeded>> {
        let input = (
            name.to_owned(),
            PolicyVersion::new(text)?,
            limit,
            change.clone(),
        );
        self.meta()
            .transact(input, |tx, input| {
                Box::pin(async move {
                    let (name, version, limit, change) = &*input;
                    attach(tx, name, version, *limit, change).await
                })
            })
            .await
    }

    /// Detaches the policy `name` from the account of `change`; `false` if it is not attached, or
    /// is the only one: an account always has one.
    ///
    /// # Errors
    /// As every write.
    pub async fn detach_service_control_policy(&self, name: &str, change: &Change) -> Result<bool> {
        const SQL: &str = "DELETE FROM service_control_policies WHERE account = $1 AND name = $2 \
             AND EXISTS (SELECT 1 FROM service_control_policies p \
             WHERE p.account = $1 AND p.name <> $2)";
        let values = vec![change.account.as_str().into(), name.into()];
        self.change_row(SQL, values, change).await
    }

    /// The policies attached to an account, by name.
    ///
    /// # Errors
    /// As every read.
    pub async fn service_control_policies(&self, account: &AccountId) -> Result<Vec<NamedPolicy>> {
        const SQL: &str = "SELECT p.name, v.id, v.text FROM service_control_policies p \
             JOIN policy_versions v ON v.id = p.policy WHERE p.account = $1 ORDER BY p.name";
        self.meta().list(SQL, &[account.as_str().into()]).await
    }

    /// Closes the account of `change`: its credentials are not found any more, from the next
    /// request on. `false` if it does not exist or is closed.
    ///
    /// # Errors
    /// [`crate::StoreError::Conflict`] if another request changed it at the same time.
    pub async fn close_account(&self, change: &Change) -> Result<bool> {
        const SQL: &str = "UPDATE accounts SET closed_at = $1 WHERE id = $2 AND closed_at IS NULL";
        let values = vec![change.at.into(), change.account.as_str().into()];
        self.change_row(SQL, values, change).await
    }
}

async fn attach(
    tx: &mut Tx<'_>,
    name: &str,
    version: &PolicyVersion,
    limit: u32,
    change: &Change,
) -> Result<Result<(), LimitExceeded>> {
    const OTHERS: &str =
        "SELECT COUNT(*) FROM service_control_policies WHERE account = $1 AND name <> $2";
    const SQL: &str = "INSERT INTO service_control_policies (account, name, policy) \
         VALUES ($1, $2, $3) \
         ON CONFLICT (account, name) DO UPDATE SET policy = excluded.policy";
    let account: Value = change.account.as_str().into();
    let others = tx
        .one(OTHERS, &[account.clone(), name.into()])
        .await?
        .int()?;
    if others >= i64::from(limit) {
        return Ok(Err(LimitExceeded(limit)));
    }
    let id = if name == FULL_ACCESS {
        FULL_ACCESS_VERSION
    } else {
        insert_policy_version(tx, version).await?;
        &version.id
    };
    tx.execute(SQL, &[account, name.into(), id.into()]).await?;
    next_epoch(tx, &change.account).await?;
    change.insert(tx).await?;
    Ok(Ok(()))
}
