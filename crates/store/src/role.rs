//! Roles of an account, and the trust policies that say who may assume them.

use bonded_model::{AccountId, ResourceTags, Timestamp};

use crate::Store;
use crate::change::{Change, next_epoch};
use crate::error::{Result, StoreError};
use crate::meta::{Row, Value};
use crate::policy::{PolicyVersion, insert_policy_version};
use crate::repository::{found, json, page};
use crate::user::{folded, prefix_end};

/// An IAM role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// The unique id, `AROA…`; never used again.
    pub id: String,
    /// Whose role.
    pub account: AccountId,
    /// The name, unique in the account without regard to case.
    pub name: String,
    /// The path, from `/` to `/`.
    pub path: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// What it is for.
    pub description: Option<String>,
    /// How long its sessions may be, in seconds.
    pub max_session_seconds: u32,
    /// Who may assume it. [`Store::create_role`] keeps the text and makes a new id.
    pub trust: PolicyVersion,
    /// Its tags, which conditions read as `aws:PrincipalTag/KEY`.
    pub tags: ResourceTags,
}

impl Role {
    /// `arn:aws:iam::ACCOUNT:role/PATH/NAME`.
    #[must_use]
    pub fn arn(&self) -> String {
        format!(
            "arn:aws:iam::{}:role{}{}",
            self.account, self.path, self.name
        )
    }

    /// Reads the columns `id` to `tags` of a role joined with its trust policy.
    pub(crate) fn from_row(row: &mut Row) -> Result<Self> {
        Ok(Self {
            id: row.text()?,
            account: row.parse()?,
            name: row.text()?,
            path: row.text()?,
            created_at: row.time()?,
            description: row.opt_text()?,
            max_session_seconds: u32::try_from(row.size()?).unwrap_or(u32::MAX),
            trust: PolicyVersion::from_row(row)?,
            tags: row.json()?,
        })
    }
}

impl Store {
    /// Creates a role without policies; gives it with the id of its trust policy.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the name, ignoring case, is taken or the account does not exist.
    pub async fn create_role(&self, role: &Role, change: &Change) -> Result<Role> {
        const SQL: &str = "INSERT INTO roles (id, account, name, folded_name, path, created_at, \
             description, max_session_seconds, trust_policy, tags) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
        let mut role = role.clone();
        role.trust = PolicyVersion::new(&role.trust.text)?;
        let values: [Value; 10] = [
            (&role.id).into(),
            role.account.as_str().into(),
            (&role.name).into(),
            folded(&role.name).into(),
            (&role.path).into(),
            role.created_at.into(),
            role.description.as_deref().into(),
            role.max_session_seconds.into(),
            (&role.trust.id).into(),
            json(&role.tags)?.into(),
        ];
        self.meta()
            .transact((values, role.clone(), change.clone()), |tx, input| {
                Box::pin(async move {
                    let (values, role, change) = &*input;
                    insert_policy_version(tx, &role.trust).await?;
                    tx.execute(SQL, values).await?;
                    next_epoch(tx, &role.account).await?;
                    change.insert(tx).await
                })
            })
            .await?;
        Ok(role)
    }

    /// The role called `name`, ignoring case.
    ///
    /// # Errors
    /// As every read.
    pub async fn find_role(&self, account: &AccountId, name: &str) -> Result<Option<Role>> {
        const SQL: &str = "SELECT r.id, r.account, r.name, r.path, r.created_at, r.description, \
             r.max_session_seconds, p.id, p.text, r.tags \
             FROM roles r JOIN policy_versions p ON p.id = r.trust_policy \
             WHERE r.account = $1 AND r.folded_name = $2";
        let values = [account.as_str().into(), folded(name).into()];
        let row = self.meta().optional(SQL, &values).await?;
        row.map(|mut row| Role::from_row(&mut row)).transpose()
    }

    /// The role with the unique id `id`.
    ///
    /// # Errors
    /// As every read.
    pub async fn find_role_by_id(&self, id: &str) -> Result<Option<Role>> {
        const SQL: &str = "SELECT r.id, r.account, r.name, r.path, r.created_at, r.description, \
             r.max_session_seconds, p.id, p.text, r.tags \
             FROM roles r JOIN policy_versions p ON p.id = r.trust_policy WHERE r.id = $1";
        let row = self.meta().optional(SQL, &[id.into()]).await?;
        row.map(|mut row| Role::from_row(&mut row)).transpose()
    }

    /// A page of the roles whose path begins with `path_prefix`, by name ignoring case: those
    /// behind the name `after`, at most `limit` and never more than 1,000.
    ///
    /// # Errors
    /// As every read.
    pub async fn list_roles(
        &self,
        account: &AccountId,
        path_prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Role>> {
        const SQL: &str = "SELECT r.id, r.account, r.name, r.path, r.created_at, r.description, \
             r.max_session_seconds, p.id, p.text, r.tags \
             FROM roles r JOIN policy_versions p ON p.id = r.trust_policy \
             WHERE r.account = $1 AND r.folded_name > $2 AND r.path >= $3 AND r.path < $4 \
             ORDER BY r.folded_name LIMIT $5";
        let values = [
            account.as_str().into(),
            folded(after.unwrap_or_default()).into(),
            path_prefix.into(),
            prefix_end(path_prefix).into(),
            page(limit),
        ];
        let rows = self.meta().all(SQL, &values).await?;
        rows.into_iter()
            .map(|mut row| Role::from_row(&mut row))
            .collect()
    }

    /// Deletes a role, and with it every session of it; `false` if there is none with the unique
    /// id `id`.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if it has policies.
    pub async fn delete_role(
        &self,
        id: &str,
        account: &AccountId,
        change: &Change,
    ) -> Result<bool> {
        const HELD: &str = "SELECT name FROM principal_policies WHERE principal = $1 LIMIT 1";
        const SQL: &str = "DELETE FROM roles WHERE id = $1";
        let values: [Value; 1] = [id.into()];
        self.meta()
            .transact((values, account.clone(), change.clone()), |tx, input| {
                Box::pin(async move {
                    let (id, account, change) = &*input;
                    if tx.optional(HELD, id).await?.is_some() {
                        return Err(StoreError::Conflict);
                    }
                    // Sessions are read only joined with their role; their rows expire.
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

    /// Replaces the trust policy of a role.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the role does not exist any more.
    pub async fn set_role_trust(
        &self,
        id: &str,
        account: &AccountId,
        text: &str,
        change: &Change,
    ) -> Result<()> {
        const SQL: &str = "UPDATE roles SET trust_policy = $1 WHERE id = $2";
        let version = PolicyVersion::new(text)?;
        let input = (id.to_owned(), account.clone(), version, change.clone());
        self.meta()
            .transact(input, |tx, input| {
                Box::pin(async move {
                    let (id, account, version, change) = &*input;
                    insert_policy_version(tx, version).await?;
                    found(tx.execute(SQL, &[(&version.id).into(), id.into()]).await?)?;
                    next_epoch(tx, account).await?;
                    change.insert(tx).await
                })
            })
            .await
    }
}
