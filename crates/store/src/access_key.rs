//! The long-lived access keys of users.

use bonded_model::{AccountId, Secret, Timestamp};

use crate::Store;
use crate::change::{Change, next_epoch};
use crate::error::{LimitExceeded, Result, StoreError};
use crate::keys::Place;
use crate::meta::{FromRow, Row, Tx, Value};
use crate::user::User;

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
    /// When and for what it was used last, to the minute.
    pub last_used: Option<LastUsed>,
}

/// When and for what a credential was used last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastUsed {
    /// When.
    pub at: Timestamp,
    /// The region that was addressed.
    pub region: String,
    /// The service that was called, such as `ecr`; not kept for a role.
    pub service: Option<String>,
}

impl LastUsed {
    /// Reads the columns of time and region, and that of the service if the row has one.
    pub(crate) fn from_row(row: &mut Row, with_service: bool) -> Result<Option<Self>> {
        let (at, region) = (row.opt_int()?, row.opt_text()?);
        let service = if with_service { row.opt_text()? } else { None };
        Ok(at.zip(region).map(|(at, region)| Self {
            at: Timestamp::from_millis(at),
            region,
            service,
        }))
    }
}

/// Where the secret of an access key or session is kept.
pub(crate) fn secret_place(table: &str, id: &str) -> Place {
    Place::new(&[table, "sealed_secret", id])
}

impl AccessKey {
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

impl FromRow for AccessKey {
    /// Reads the columns `id` to `last_used_service`.
    fn from_row(row: &mut Row) -> Result<Self> {
        Ok(Self {
            id: row.text()?,
            user_id: row.text()?,
            active: row.boolean()?,
            created_at: row.time()?,
            last_used: LastUsed::from_row(row, true)?,
        })
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
            last_used: None,
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
        const SQL: &str = "SELECT id, user_id, active, created_at, last_used_at, \
             last_used_region, last_used_service FROM access_keys \
             WHERE user_id = $1 ORDER BY created_at, id";
        self.meta().list(SQL, &[user_id.into()]).await
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
        self.change_row(SQL, values, change).await
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
        self.change_row(SQL, values, change).await
    }

    /// The access key `id` with its user.
    ///
    /// # Errors
    /// As every read.
    pub async fn find_access_key_holder(&self, id: &str) -> Result<Option<(AccessKey, User)>> {
        const SQL: &str = "SELECT k.id, k.user_id, k.active, k.created_at, k.last_used_at, \
             k.last_used_region, k.last_used_service, \
             u.id, u.account, u.name, u.path, u.created_at, u.tags, u.boundary \
             FROM access_keys k JOIN users u ON u.id = k.user_id WHERE k.id = $1";
        self.meta().find(SQL, &[id.into()]).await
    }

    /// Notes that the access key `id` was used, unless that was noted after `not_since`. Durable
    /// with the next change.
    ///
    /// # Errors
    /// As every write.
    pub async fn note_access_key_use(
        &self,
        id: &str,
        last_used: &LastUsed,
        not_since: Timestamp,
    ) -> Result<()> {
        const SQL: &str = "UPDATE access_keys SET last_used_at = $1, last_used_region = $2, \
             last_used_service = $3 \
             WHERE id = $4 AND (last_used_at IS NULL OR last_used_at < $5)";
        let values: [Value; 5] = [
            last_used.at.into(),
            (&last_used.region).into(),
            last_used.service.as_deref().into(),
            id.into(),
            not_since.into(),
        ];
        self.meta().execute_soon(SQL, values).await.map(drop)
    }
}

/// The secret in `sealed`, read back.
pub(crate) fn open_secret(store: &Store, place: &Place, sealed: &[u8]) -> Result<Secret> {
    let bytes = store.keys().open_secret(place, sealed)?;
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| StoreError::Corrupt("a secret is not text".to_owned()))?;
    Ok(Secret::new(text.to_owned()))
}
