//! Users of an account.

use bonded_model::{AccountId, ResourceTags, Timestamp};

use crate::Store;
use crate::change::{Change, next_epoch};
use crate::error::Result;
use crate::in_use::{ATTACHED_POLICIES, DeleteUnlessUsed, INLINE_POLICIES, InUse};
use crate::meta::{FromRow, Row, Tx, Value, json};
use crate::page::{by_path, folded};

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
    /// The ARN of the managed policy that bounds what it may do.
    pub boundary: Option<String>,
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

    pub(crate) async fn insert(&self, tx: &mut Tx<'_>) -> Result<()> {
        const SQL: &str = "INSERT INTO users \
             (id, account, name, folded_name, path, created_at, tags, boundary) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let values: [Value; 8] = [
            (&self.id).into(),
            self.account.as_str().into(),
            (&self.name).into(),
            folded(&self.name).into(),
            (&self.path).into(),
            self.created_at.into(),
            json(&self.tags)?.into(),
            self.boundary.as_deref().into(),
        ];
        tx.execute(SQL, &values).await?;
        Ok(())
    }
}

impl FromRow for User {
    /// Reads the columns `id` to `boundary`.
    fn from_row(row: &mut Row) -> Result<Self> {
        Ok(Self {
            id: row.text()?,
            account: row.parse()?,
            name: row.text()?,
            path: row.text()?,
            created_at: row.time()?,
            tags: row.json()?,
            boundary: row.opt_text()?,
        })
    }
}

impl Store {
    /// Creates a user without policies or keys.
    ///
    /// # Errors
    /// [`crate::StoreError::Conflict`] if the name, ignoring case, is taken or the account does not exist.
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
        const SQL: &str = "SELECT id, account, name, path, created_at, tags, boundary \
             FROM users WHERE account = $1 AND folded_name = $2";
        let values = [account.as_str().into(), folded(name).into()];
        self.meta().find(SQL, &values).await
    }

    /// The user with the unique id `id`.
    ///
    /// # Errors
    /// As every read.
    pub async fn find_user_by_id(&self, id: &str) -> Result<Option<User>> {
        const SQL: &str =
            "SELECT id, account, name, path, created_at, tags, boundary FROM users WHERE id = $1";
        self.meta().find(SQL, &[id.into()]).await
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
        const SQL: &str = "SELECT id, account, name, path, created_at, tags, boundary FROM users \
             WHERE account = $1 AND folded_name > $2 AND path >= $3 AND path < $4 \
             ORDER BY folded_name LIMIT $5";
        let values = by_path(account, path_prefix, after, limit);
        self.meta().list(SQL, &values).await
    }

    /// Gives a user another name, another path, or both; `false` if there is none with the unique
    /// id `id`. Policies and keys hang on the unique id and stay.
    ///
    /// # Errors
    /// [`crate::StoreError::Conflict`] if the name, ignoring case, is taken.
    pub async fn rename_user(
        &self,
        id: &str,
        name: &str,
        path: &str,
        change: &Change,
    ) -> Result<bool> {
        const SQL: &str = "UPDATE users SET name = $1, folded_name = $2, path = $3 WHERE id = $4";
        let values = vec![name.into(), folded(name).into(), path.into(), id.into()];
        self.change_row(SQL, values, change).await
    }

    /// Deletes a user with its sessions; `false` if there is none with the unique id `id`.
    ///
    /// # Errors
    /// As every write. The inner error changes nothing.
    pub async fn delete_user(&self, id: &str, change: &Change) -> Result<Result<bool, InUse>> {
        self.delete_unless_used(&DELETE_USER, id, change).await
    }
}

const DELETE_USER: DeleteUnlessUsed = DeleteUnlessUsed {
    uses: &[
        (
            "SELECT id FROM access_keys WHERE user_id = $1 LIMIT 1",
            InUse::AccessKeys,
        ),
        (
            "SELECT id FROM service_tokens WHERE user_id = $1 LIMIT 1",
            InUse::ServiceTokens,
        ),
        INLINE_POLICIES,
        ATTACHED_POLICIES,
        (
            "SELECT group_id FROM group_members WHERE user_id = $1 LIMIT 1",
            InUse::Groups,
        ),
    ],
    // Sessions are read only joined with their user; their rows expire.
    delete: &["DELETE FROM users WHERE id = $1"],
};
