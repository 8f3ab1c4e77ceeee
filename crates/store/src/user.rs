//! Users of an account.

use bonded_model::{AccountId, ResourceTags, Timestamp};

use crate::Store;
use crate::change::{Change, next_epoch};
use crate::error::Result;
use crate::in_use::{ATTACHED_POLICIES, DeleteUnlessUsed, INLINE_POLICIES, InUse};
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

    /// Reads the columns `id` to `boundary`.
    pub(crate) fn from_row(row: &mut Row) -> Result<Self> {
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
        let row = self.meta().optional(SQL, &values).await?;
        row.map(|mut row| User::from_row(&mut row)).transpose()
    }

    /// The user with the unique id `id`.
    ///
    /// # Errors
    /// As every read.
    pub async fn find_user_by_id(&self, id: &str) -> Result<Option<User>> {
        const SQL: &str =
            "SELECT id, account, name, path, created_at, tags, boundary FROM users WHERE id = $1";
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
        const SQL: &str = "SELECT id, account, name, path, created_at, tags, boundary FROM users \
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
