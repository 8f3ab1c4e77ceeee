//! Groups of an account, and the users in them.

use bonded_model::{AccountId, Timestamp};

use crate::Store;
use crate::change::{Change, next_epoch};
use crate::error::{LimitExceeded, Result, StoreError};
use crate::in_use::{ATTACHED_POLICIES, DeleteUnlessUsed, INLINE_POLICIES, InUse};
use crate::meta::{FromRow, Row, Tx, Value};
use crate::page::{by_name, by_path, folded};
use crate::user::User;

/// An IAM group. It is no principal: its policies are those of its users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The unique id, `AGPA…`; never used again.
    pub id: String,
    /// Whose group.
    pub account: AccountId,
    /// The name, unique in the account without regard to case.
    pub name: String,
    /// The path, from `/` to `/`.
    pub path: String,
    /// When it was created.
    pub created_at: Timestamp,
}

impl Group {
    /// `arn:aws:iam::ACCOUNT:group/PATH/NAME`.
    #[must_use]
    pub fn arn(&self) -> String {
        format!(
            "arn:aws:iam::{}:group{}{}",
            self.account, self.path, self.name
        )
    }
}

impl FromRow for Group {
    fn from_row(row: &mut Row) -> Result<Self> {
        Ok(Self {
            id: row.text()?,
            account: row.parse()?,
            name: row.text()?,
            path: row.text()?,
            created_at: row.time()?,
        })
    }
}

const DELETE_GROUP: DeleteUnlessUsed = DeleteUnlessUsed {
    uses: &[
        INLINE_POLICIES,
        ATTACHED_POLICIES,
        (
            "SELECT user_id FROM group_members WHERE group_id = $1 LIMIT 1",
            InUse::Users,
        ),
    ],
    delete: &["DELETE FROM user_groups WHERE id = $1"],
};

impl Store {
    /// Creates a group without users or policies.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the name, ignoring case, is taken.
    pub async fn create_group(&self, group: &Group, change: &Change) -> Result<()> {
        const SQL: &str = "INSERT INTO user_groups \
             (id, account, name, folded_name, path, created_at) VALUES ($1, $2, $3, $4, $5, $6)";
        let values = vec![
            (&group.id).into(),
            group.account.as_str().into(),
            (&group.name).into(),
            folded(&group.name).into(),
            (&group.path).into(),
            group.created_at.into(),
        ];
        self.change_row(SQL, values, change).await.map(drop)
    }

    /// The group called `name`, ignoring case.
    ///
    /// # Errors
    /// As every read.
    pub async fn find_group(&self, account: &AccountId, name: &str) -> Result<Option<Group>> {
        const SQL: &str = "SELECT id, account, name, path, created_at FROM user_groups \
             WHERE account = $1 AND folded_name = $2";
        let values = [account.as_str().into(), folded(name).into()];
        self.meta().find(SQL, &values).await
    }

    /// A page of the groups whose path begins with `path_prefix`, as [`Store::list_users`].
    ///
    /// # Errors
    /// As every read.
    pub async fn list_groups(
        &self,
        account: &AccountId,
        path_prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Group>> {
        const SQL: &str = "SELECT id, account, name, path, created_at FROM user_groups \
             WHERE account = $1 AND folded_name > $2 AND path >= $3 AND path < $4 \
             ORDER BY folded_name LIMIT $5";
        let values = by_path(account, path_prefix, after, limit);
        self.meta().list(SQL, &values).await
    }

    /// Gives a group another name, another path, or both; `false` if there is none with the unique
    /// id `id`.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the name, ignoring case, is taken.
    pub async fn rename_group(
        &self,
        id: &str,
        name: &str,
        path: &str,
        change: &Change,
    ) -> Result<bool> {
        const SQL: &str =
            "UPDATE user_groups SET name = $1, folded_name = $2, path = $3 WHERE id = $4";
        let values = vec![name.into(), folded(name).into(), path.into(), id.into()];
        self.change_row(SQL, values, change).await
    }

    /// Deletes a group; `false` if there is none with the unique id `id`.
    ///
    /// # Errors
    /// As every write. The inner error changes nothing.
    pub async fn delete_group(&self, id: &str, change: &Change) -> Result<Result<bool, InUse>> {
        self.delete_unless_used(&DELETE_GROUP, id, change).await
    }

    /// Puts a user into a group, where it may be already, if it is in less than `limit` groups.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if group or user does not exist any more. The inner error changes
    /// nothing.
    pub async fn add_to_group(
        &self,
        group: &str,
        user: &str,
        limit: u32,
        change: &Change,
    ) -> Result<Result<(), LimitExceeded>> {
        let input = ([group.to_owned(), user.to_owned()], limit, change.clone());
        self.meta()
            .transact(input, |tx, input| {
                Box::pin(async move {
                    let ([group, user], limit, change) = &*input;
                    add_to_group(tx, group, user, *limit, change).await
                })
            })
            .await
    }

    /// Takes a user out of a group; `false` if it is not in it.
    ///
    /// # Errors
    /// As every write.
    pub async fn remove_from_group(
        &self,
        group: &str,
        user: &str,
        change: &Change,
    ) -> Result<bool> {
        const SQL: &str = "DELETE FROM group_members WHERE group_id = $1 AND user_id = $2";
        self.change_row(SQL, vec![group.into(), user.into()], change)
            .await
    }

    /// A page of the users of a group by name, as [`Store::list_users`].
    ///
    /// # Errors
    /// As every read.
    pub async fn list_group_users(
        &self,
        group: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<User>> {
        const SQL: &str = "SELECT u.id, u.account, u.name, u.path, u.created_at, u.tags, u.boundary \
             FROM group_members m JOIN users u ON u.id = m.user_id \
             WHERE m.group_id = $1 AND u.folded_name > $2 ORDER BY u.folded_name LIMIT $3";
        let values = by_name(group, after, limit);
        self.meta().list(SQL, &values).await
    }

    /// A page of the groups of a user by name, as [`Store::list_users`].
    ///
    /// # Errors
    /// As every read.
    pub async fn list_user_groups(
        &self,
        user: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Group>> {
        const SQL: &str = "SELECT g.id, g.account, g.name, g.path, g.created_at \
             FROM group_members m JOIN user_groups g ON g.id = m.group_id \
             WHERE m.user_id = $1 AND g.folded_name > $2 ORDER BY g.folded_name LIMIT $3";
        let values = by_name(user, after, limit);
        self.meta().list(SQL, &values).await
    }
}

async fn add_to_group(
    tx: &mut Tx<'_>,
    group: &str,
    user: &str,
    limit: u32,
    change: &Change,
) -> Result<Result<(), LimitExceeded>> {
    const BOTH: &str = "SELECT g.id FROM user_groups g, users u WHERE g.id = $1 AND u.id = $2";
    const OTHERS: &str = "SELECT COUNT(*) FROM group_members WHERE user_id = $1 AND group_id <> $2";
    const INSERT: &str = "INSERT INTO group_members (group_id, user_id) VALUES ($1, $2) \
         ON CONFLICT (group_id, user_id) DO NOTHING";
    let pair: [Value; 2] = [group.into(), user.into()];
    if tx.optional(BOTH, &pair).await?.is_none() {
        return Err(StoreError::Conflict);
    }
    let others = tx.one(OTHERS, &[user.into(), group.into()]).await?.int()?;
    if others >= i64::from(limit) {
        return Ok(Err(LimitExceeded(limit)));
    }
    tx.execute(INSERT, &pair).await?;
    next_epoch(tx, &change.account).await?;
    change.insert(tx).await?;
    Ok(Ok(()))
}
