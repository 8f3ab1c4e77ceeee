//! The long-lived access keys of users.

use bonded_model::{AccountId, Secret, Timestamp};

use crate::Store;
use crate::change::{Change, next_epoch};
use crate::error::{Result, StoreError};
use crate::keys::Place;
use crate::meta::{Row, Tx, Value};

/// An access key, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessKey {
    /// The id that requests name, `AKIA…`.
    pub id: String,
    /// The unique id of the user it belongs to.
    pub user_id: String,
    /// Whether it may be used.
    pub active: bool,
    /// When it was created.
    pub created_at: Timestamp,
}

/// The user has as many access keys as it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the user has {0} access keys, which is the limit; delete one first")]
pub struct LimitExceeded(pub u32);

/// Where the secret of an access key or session is kept.
pub(crate) fn secret_place(table: &str, id: &str) -> Place {
    Place::new(&[table, "sealed_secret", id])
}

impl AccessKey {
    fn from_row(mut row: Row) -> Result<Self> {
        Ok(Self {
            id: row.text()?,
            user_id: row.text()?,
            active: row.boolean()?,
            created_at: row.time()?,
        })
    }

    /// Adds the key with its secret, sealed.
    pub(crate) async fn insert(&self, tx: &mut Tx<'_>, sealed_secret: &[u8]) -> Result<()> {
        const SQL: &str = "INSERT INTO access_keys \
             (id, user_id, sealed_secret, active, created_at) VALUES ($1, $2, $3, $4, $5)";
        let values: [Value; 5] = [
            (&self.id).into(),
            (&self.user_id).into(),
            sealed_secret.into(),
            self.active.into(),
            self.created_at.into(),
        ];
        tx.execute(SQL, &values).await?;
        Ok(())
    }
}

impl Store {
    /// Adds the active access key `id` to a user that has less than `limit`.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the user does not exist any more or the id is taken.
    #[expect(
        clippy::too_many_arguments,
        reason = "each is a column or a bound of this row"
    )]
    pub async fn create_access_key(
        &self,
        account: &AccountId,
        user_id: &str,
        id: &str,
        secret: &Secret,
        now: Timestamp,
        limit: u32,
        change: &Change,
    ) -> Result<Result<AccessKey, LimitExceeded>> {
        const COUNT: &str = "SELECT COUNT(*) FROM access_keys WHERE user_id = $1";
        let key = AccessKey {
            id: id.to_owned(),
            user_id: user_id.to_owned(),
            active: true,
            created_at: now,
        };
        let place = secret_place("access_keys", id);
        let sealed = self
            .keys()
            .seal_secret(&place, secret.expose().as_bytes())?;
        let input = (key, sealed, limit, account.clone(), change.clone());
        self.meta()
            .transact(input, |tx, input| {
                Box::pin(async move {
                    let (key, sealed, limit, account, change) = &*input;
                    let held = tx.one(COUNT, &[(&key.user_id).into()]).await?.int()?;
                    if held >= i64::from(*limit) {
                        return Ok(Err(LimitExceeded(*limit)));
                    }
                    key.insert(tx, sealed).await?;
                    next_epoch(tx, account).await?;
                    change.insert(tx).await?;
                    Ok(Ok(key.clone()))
                })
            })
            .await
    }

    /// The access keys of a user, in the order they were created.
    ///
    /// # Errors
    /// As every read.
    pub async fn list_access_keys(&self, user_id: &str) -> Result<Vec<AccessKey>> {
        const SQL: &str = "SELECT id, user_id, active, created_at FROM access_keys \
             WHERE user_id = $1 ORDER BY created_at, id";
        let rows = self.meta().all(SQL, &[user_id.into()]).await?;
        rows.into_iter().map(AccessKey::from_row).collect()
    }

    /// Enables or disables an access key of a user; `false` if it has none of that id.
    ///
    /// # Errors
    /// As every write.
    pub async fn set_access_key_active(
        &self,
        user_id: &str,
        id: &str,
        active: bool,
        change: &Change,
    ) -> Result<bool> {
        const SQL: &str = "UPDATE access_keys SET active = $1 WHERE user_id = $2 AND id = $3";
        let values = vec![active.into(), user_id.into(), id.into()];
        self.change_access_key(SQL, values, change).await
    }

    /// Deletes an access key of a user; `false` if it has none of that id.
    ///
    /// # Errors
    /// As every write.
    pub async fn delete_access_key(
        &self,
        user_id: &str,
        id: &str,
        change: &Change,
    ) -> Result<bool> {
        const SQL: &str = "DELETE FROM access_keys WHERE user_id = $1 AND id = $2";
        let values = vec![user_id.into(), id.into()];
        self.change_access_key(SQL, values, change).await
    }

    /// Runs `sql`; if it met a row, with the change and the new epoch of the user's account.
    async fn change_access_key(
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
}

/// The secret in `sealed`, read back.
pub(crate) fn open_secret(store: &Store, place: &Place, sealed: &[u8]) -> Result<Secret> {
    let bytes = store.keys().open_secret(place, sealed)?;
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| StoreError::Corrupt("a secret is not text".to_owned()))?;
    Ok(Secret::new(text.to_owned()))
}
