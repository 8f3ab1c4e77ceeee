//! Instance profiles: what AWS's tools put a role into for a machine. Nothing here runs machines;
//! the rows exist so that such tools can keep their state.

use bonded_model::{AccountId, ResourceTags, Timestamp};

use crate::Store;
use crate::change::Change;
use crate::error::Result;
use crate::in_use::{DeleteUnlessUsed, InUse};
use crate::meta::{FromRow, Row, Value, json};
use crate::page::{by_name, by_path, folded};

/// An instance profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceProfile {
    /// The unique id, `AIPA…`; never used again.
    pub id: String,
    /// Whose profile.
    pub account: AccountId,
    /// The name, unique in the account without regard to case.
    pub name: String,
    /// The path, from `/` to `/`.
    pub path: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// The unique id of the role in it.
    pub role: Option<String>,
    /// Its tags.
    pub tags: ResourceTags,
}

impl InstanceProfile {
    /// `arn:aws:iam::ACCOUNT:instance-profile/PATH/NAME`.
    #[must_use]
    pub fn arn(&self) -> String {
        format!(
            "arn:aws:iam::{}:instance-profile{}{}",
            self.account, self.path, self.name
        )
    }
}

impl FromRow for InstanceProfile {
    fn from_row(row: &mut Row) -> Result<Self> {
        Ok(Self {
            id: row.text()?,
            account: row.parse()?,
            name: row.text()?,
            path: row.text()?,
            created_at: row.time()?,
            role: row.opt_text()?,
            tags: row.json()?,
        })
    }
}

const DELETE: DeleteUnlessUsed = DeleteUnlessUsed {
    uses: &[(
        "SELECT role FROM instance_profiles WHERE id = $1 AND role IS NOT NULL",
        InUse::Roles,
    )],
    delete: &["DELETE FROM instance_profiles WHERE id = $1"],
};

impl Store {
    /// Creates an instance profile.
    ///
    /// # Errors
    /// [`crate::StoreError::Conflict`] if the name, ignoring case, is taken.
    pub async fn create_instance_profile(
        &self,
        profile: &InstanceProfile,
        change: &Change,
    ) -> Result<()> {
        const SQL: &str = "INSERT INTO instance_profiles \
             (id, account, name, folded_name, path, created_at, role, tags) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let values: Vec<Value> = vec![
            (&profile.id).into(),
            profile.account.as_str().into(),
            (&profile.name).into(),
            folded(&profile.name).into(),
            (&profile.path).into(),
            profile.created_at.into(),
            profile.role.as_deref().into(),
            json(&profile.tags)?.into(),
        ];
        self.change_row(SQL, values, change).await.map(drop)
    }

    /// The instance profile called `name`, ignoring case.
    ///
    /// # Errors
    /// As every read.
    pub async fn find_instance_profile(
        &self,
        account: &AccountId,
        name: &str,
    ) -> Result<Option<InstanceProfile>> {
        const SQL: &str = "SELECT id, account, name, path, created_at, role, tags \
             FROM instance_profiles WHERE account = $1 AND folded_name = $2";
        let values = [account.as_str().into(), folded(name).into()];
        self.meta().find(SQL, &values).await
    }

    /// A page of the instance profiles whose path begins with `path_prefix`, as
    /// [`Store::list_users`].
    ///
    /// # Errors
    /// As every read.
    pub async fn list_instance_profiles(
        &self,
        account: &AccountId,
        path_prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<InstanceProfile>> {
        const SQL: &str = "SELECT id, account, name, path, created_at, role, tags \
             FROM instance_profiles \
             WHERE account = $1 AND folded_name > $2 AND path >= $3 AND path < $4 \
             ORDER BY folded_name LIMIT $5";
        let values = by_path(account, path_prefix, after, limit);
        self.meta().list(SQL, &values).await
    }

    /// A page of the instance profiles that a role is in, by name.
    ///
    /// # Errors
    /// As every read.
    pub async fn list_role_instance_profiles(
        &self,
        role: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<InstanceProfile>> {
        const SQL: &str = "SELECT id, account, name, path, created_at, role, tags \
             FROM instance_profiles WHERE role = $1 AND folded_name > $2 \
             ORDER BY folded_name LIMIT $3";
        let values = by_name(role, after, limit);
        self.meta().list(SQL, &values).await
    }

    /// Puts a role into an instance profile that has none; `false` if it has one.
    ///
    /// # Errors
    /// [`crate::StoreError::Conflict`] if the role does not exist any more.
    pub async fn add_role_to_instance_profile(
        &self,
        profile: &str,
        role: &str,
        change: &Change,
    ) -> Result<bool> {
        const SQL: &str = "UPDATE instance_profiles SET role = $1 WHERE id = $2 AND role IS NULL";
        self.change_row(SQL, vec![role.into(), profile.into()], change)
            .await
    }

    /// Takes a role out of an instance profile; `false` if it is not in it.
    ///
    /// # Errors
    /// As every write.
    pub async fn remove_role_from_instance_profile(
        &self,
        profile: &str,
        role: &str,
        change: &Change,
    ) -> Result<bool> {
        const SQL: &str = "UPDATE instance_profiles SET role = NULL WHERE id = $1 AND role = $2";
        self.change_row(SQL, vec![profile.into(), role.into()], change)
            .await
    }

    /// Deletes an instance profile; `false` if there is none with the unique id `id`.
    ///
    /// # Errors
    /// As every write. The inner error changes nothing.
    pub async fn delete_instance_profile(
        &self,
        id: &str,
        change: &Change,
    ) -> Result<Result<bool, InUse>> {
        self.delete_unless_used(&DELETE, id, change).await
    }
}
