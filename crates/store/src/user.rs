//! Users of an account.

use bonded_model::{AccountId, ResourceTags, Timestamp};

use crate::Store;
use crate::change::{Change, next_epoch};
use crate::error::{Result, StoreError};
use crate::meta::{Row, Tx, Value};
use crate::repository::{json, page};

/// An IAM user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The unique id, `AIDA…`; never used again.
    pub id: String,
    /// Whose user.
    pub account: AccountId,
    /// The name, unique in the account without regard to case.
    pub name: String,
    /// The path, from `/` to `/`.
    pub path: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// Its tags, which conditions read as `aws:PrincipalTag/KEY`.
    pub tags: ResourceTags,
}

impl User {
    /// `arn:aws:iam::ACCOUNT:user/PATH/NAME`.
    #[must_use]
    pub fn arn(&self) -> String {
        format!(
            "arn:aws:iam::{}:user{}{}",
            self.account, self.path, self.name
        )
    }

    /// Reads the columns `id` to `tags`.
    pub(crate) fn from_row(row: &mut Row) -> Result<Self> {
        Ok(Self {
            id: row.text()?,
            account: row.parse()?,
            name: row.text()?,
            path: row.text()?,
            created_at: row.time()?,
            tags: row.json()?,
        })
    }

    pub(crate) async fn insert(&self, tx: &mut Tx<'_>) -> Result<()> {
        const SQL: &str = "INSERT INTO users \
             (id, account, name, folded_name, path, created_at, tags) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let values: [Value; 7] = [
            (&self.id).into(),
            self.account.as_str().into(),
            (&self.name).into(),
            folded(&self.name).into(),
            (&self.path).into(),
            self.created_at.into(),
            json(&self.tags)?.into(),
        ];
        tx.execute(SQL, &values).await?;
        Ok(())
    }
}

/// What two names of a user or role, equal but for case, have in common.
pub(crate) fn folded(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// The first text behind all that begin with `prefix`, in byte order.
pub(crate) fn prefix_end(prefix: &str) -> String {
    format!("{prefix}{}", char::MAX)
}

impl Store {
    /// Creates a user without policies or keys.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the name, ignoring case, is taken or the account does not exist.
    pub async fn create_user(&self, user: &User, change: &Change) -> Result<()> {
        self.meta()
            .transact((user.clone(), change.clone()), |tx, input| {
                Box::pin(async move {
                    let (user, change) = &*input;
                    user.insert(tx).await?;
                    next_epoch(tx, &user.account).await?;
                    change.insert(tx).await
                })
            })
            .await
    }

    /// The user called `name`, ignoring case.
    ///
    /// # Errors
    /// As every read.
    pub async fn find_user(&self, account: &AccountId, name: &str) -> Result<Option<User>> {
        const SQL: &str = "SELECT id, account, name, path, created_at, tags \
             FROM users WHERE account = $1 AND folded_name = $2";
        let values = [account.as_str().into(), folded(name).into()];
        let row = self.meta().optional(SQL, &values).await?;
        row.map(|mut row| User::from_row(&mut row)).transpose()
    }

    /// The user with the unique id `id`.
    ///
    /// # Errors
    /// As every read.
    pub async fn find_user_by_id(&self, id: &str) -> Result<Option<User>> {
        const SQL: &str =
            "SELECT id, account, name, path, created_at, tags FROM users WHERE id = $1";
        let row = self.meta().optional(SQL, &[id.into()]).await?;
        row.map(|mut row| User::from_row(&mut row)).transpose()
    }

    /// A page of the users whose path begins with `path_prefix`, by name ignoring case: those
    /// behind the name `after`, at most `limit` and never more than 1,000.
    ///
    /// # Errors
    /// As every read.
    pub async fn list_users(
        &self,
        account: &AccountId,
        path_prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<User>> {
        const SQL: &str = "SELECT id, account, name, path, created_at, tags FROM users \
             WHERE account = $1 AND folded_name > $2 AND path >= $3 AND path < $4 \
             ORDER BY folded_name LIMIT $5";
        let values = [
            account.as_str().into(),
            folded(after.unwrap_or_default()).into(),
            path_prefix.into(),
            prefix_end(path_prefix).into(),
            page(limit),
        ];
        let rows = self.meta().all(SQL, &values).await?;
        rows.into_iter()
            .map(|mut row| User::from_row(&mut row))
            .collect()
    }

    /// Deletes a user; `false` if there is none with the unique id `id`.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if it has access keys or policies.
    pub async fn delete_user(
        &self,
        id: &str,
        account: &AccountId,
        change: &Change,
    ) -> Result<bool> {
        const HELD: &str = "SELECT id FROM access_keys WHERE user_id = $1 \
             UNION ALL SELECT name FROM principal_policies WHERE principal = $1 LIMIT 1";
        const SQL: &str = "DELETE FROM users WHERE id = $1";
        let values: [Value; 1] = [id.into()];
        self.meta()
            .transact((values, account.clone(), change.clone()), |tx, input| {
                Box::pin(async move {
                    let (id, account, change) = &*input;
                    if tx.optional(HELD, id).await?.is_some() {
                        return Err(StoreError::Conflict);
                    }
                    if tx.execute(SQL, id).await? == 0 {
                        return Ok(false);
                    }
                    next_epoch(tx, account).await?;
                    change.insert(tx).await?;
                    Ok(true)
                })
            })
            .await
    }
}
