//! What a change leaves behind: its audit record, and a new epoch of the account.

use bonded_model::{AccountId, Timestamp};

use crate::Store;
use crate::error::Result;
use crate::meta::{FromRow, Row, Tx, Value};

/// The audit record of a change. It is written in the transaction of the change itself: there is
/// no change without its record and no record of a change that did not happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The decision's id. A second change with the same id is a [`crate::StoreError::Conflict`].
    pub id: String,
    /// When the decision was made.
    pub at: Timestamp,
    /// Whose resource was changed.
    pub account: AccountId,
    /// The decision as JSON.
    pub record: String,
}

impl Change {
    /// Writes the record.
    pub(crate) async fn insert(&self, tx: &mut Tx<'_>) -> Result<()> {
        const SQL: &str = "INSERT INTO changes (id, at, account, record) VALUES ($1, $2, $3, $4)";
        let values = [
            (&self.id).into(),
            self.at.into(),
            self.account.as_str().into(),
            (&self.record).into(),
        ];
        tx.execute(SQL, &values).await?;
        Ok(())
    }
}

impl FromRow for Change {
    fn from_row(row: &mut Row) -> Result<Self> {
        Ok(Self {
            id: row.text()?,
            at: row.time()?,
            account: row.parse()?,
            record: row.text()?,
        })
    }
}

/// Makes every decision cached for `account` void from this transaction on.
pub(crate) async fn next_epoch(tx: &mut Tx<'_>, account: &AccountId) -> Result<()> {
    const SQL: &str = "INSERT INTO epochs (account, epoch) VALUES ($1, 1) \
         ON CONFLICT (account) DO UPDATE SET epoch = epochs.epoch + 1";
    tx.execute(SQL, &[account.as_str().into()]).await?;
    Ok(())
}

impl Store {
    /// Runs `sql`; if it met a row, with `change` and a new epoch of its account. Says whether it
    /// did.
    pub(crate) async fn change_row(
        &self,
        sql: &'static str,
        values: Vec<Value>,
        change: &Change,
    ) -> Result<bool> {
        self.meta()
            .transact((sql, values, change.clone()), |tx, input| {
                Box::pin(async move {
                    let (sql, values, change) = &*input;
                    if tx.execute(sql, values).await? == 0 {
                        return Ok(false);
                    }
                    next_epoch(tx, &change.account).await?;
                    change.insert(tx).await?;
                    Ok(true)
                })
            })
            .await
    }

    /// The record of the change with the decision id `id`.
    ///
    /// # Errors
    /// As every read: the database failed, or the row is damaged.
    pub async fn find_change(&self, id: &str) -> Result<Option<Change>> {
        const SQL: &str = "SELECT id, at, account, record FROM changes WHERE id = $1";
        self.meta().find(SQL, &[id.into()]).await
    }

    /// The epoch of `account`: it grows with every change that a decision about the account's
    /// principals or resources may depend on. An account without changes has epoch 0.
    ///
    /// # Errors
    /// As every read.
    pub async fn epoch(&self, account: &AccountId) -> Result<i64> {
        const SQL: &str = "SELECT epoch FROM epochs WHERE account = $1";
        let row = self
            .meta()
            .optional(SQL, &[account.as_str().into()])
            .await?;
        row.map_or(Ok(0), |mut row| row.int())
    }
}
