//! Roles of an account, and the trust policies that say who may assume them.

use bonded_model::{AccountId, PolicyArn, ResourceTags, Timestamp};

use crate::Store;
use crate::access_key::LastUsed;
use crate::change::{Change, next_epoch};
use crate::error::Result;
use crate::in_use::{ATTACHED_POLICIES, DeleteUnlessUsed, INLINE_POLICIES, InUse};
use crate::meta::{FromRow, Row, Value, json};
use crate::page::{by_path, folded};
use crate::policy::{PolicyVersion, insert_policy_version};
use crate::repository::found;

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
    /// The ARN of the managed policy that bounds what its sessions may do.
    pub boundary: Option<String>,
    /// When a session of it was used last, to the minute.
    pub last_used: Option<LastUsed>,
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
}

/// The statement that gives roles, of which `$where` says which and in what order: what
/// [`Role::from_row`] reads.
macro_rules! select_role {
    ($where:literal) => {
        concat!(
            "SELECT r.id, r.account, r.name, r.path, r.created_at, r.description, \
             r.max_session_seconds, p.id, p.text, r.tags, r.boundary, r.last_used_at, \
             r.last_used_region \
             FROM roles r JOIN policy_versions p ON p.id = r.trust_policy ",
            $where
        )
    };
}

impl FromRow for Role {
    /// Reads the columns `id` to `last_used_region` of a role joined with its trust policy.
    fn from_row(row: &mut Row) -> Result<Self> {
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
            boundary: row.opt_text()?,
            last_used: LastUsed::from_row(row, false)?,
        })
    }
}

impl Store {
    /// Creates a role without policies; gives it with the id of its trust policy.
    ///
    /// # Errors
    /// [`crate::StoreError::Conflict`] if the name, ignoring case, is taken or the account does not exist.
    pub async fn create_role(&self, role: &Role, change: &Change) -> Result<Role> {
        self.insert_role(role, None, change).await
    }

    /// [`Store::create_role`] with a managed policy attached.
    ///
    /// # Errors
    /// [`crate::StoreError::Conflict`] also if the policy does not exist.
    pub async fn create_role_with_policy(
        &self,
        role: &Role,
        policy: &PolicyArn,
        change: &Change,
    ) -> Result<Role> {
        self.insert_role(role, Some(policy), change).await
    }

    async fn insert_role(
        &self,
        role: &Role,
        policy: Option<&PolicyArn>,
        change: &Change,
    ) -> Result<Role> {
        const SQL: &str = "INSERT INTO roles (id, account, name, folded_name, path, created_at, \
             description, max_session_seconds, trust_policy, tags, boundary) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
        let mut role = role.clone();
        role.trust = PolicyVersion::new(&role.trust.text)?;
        let values: [Value; 11] = [
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
            role.boundary.as_deref().into(),
        ];
        const ATTACH: &str = "INSERT INTO attached_policies (principal, managed_policy, account) \
             SELECT r.id, p.id, r.account FROM roles r, managed_policies p \
             WHERE r.id = $1 AND p.arn = $2";
        let attach = policy.map(|arn| [(&role.id).into(), arn.to_string().into()]);
        let input = (values, attach, role.clone(), change.clone());
        self.meta()
            .transact(input, |tx, input| {
                Box::pin(async move {
                    let (values, attach, role, change) = &*input;
                    insert_policy_version(tx, &role.trust).await?;
                    tx.execute(SQL, values).await?;
                    if let Some(attach) = attach {
                        found(tx.execute(ATTACH, attach).await?)?;
                    }
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
        const SQL: &str = select_role!("WHERE r.account = $1 AND r.folded_name = $2");
        let values = [account.as_str().into(), folded(name).into()];
        self.meta().find(SQL, &values).await
    }

    /// The role with the unique id `id`.
    ///
    /// # Errors
    /// As every read.
    pub async fn find_role_by_id(&self, id: &str) -> Result<Option<Role>> {
        const SQL: &str = select_role!("WHERE r.id = $1");
        self.meta().find(SQL, &[id.into()]).await
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
        const SQL: &str = select_role!(
            "WHERE r.account = $1 AND r.folded_name > $2 AND r.path >= $3 AND r.path < $4 \
             ORDER BY r.folded_name LIMIT $5"
        );
        let values = by_path(account, path_prefix, after, limit);
        self.meta().list(SQL, &values).await
    }

    /// Changes the description and the longest session of a role; `false` if there is none with
    /// the unique id `id`.
    ///
    /// # Errors
    /// As every write.
    pub async fn update_role(
        &self,
        id: &str,
        description: Option<&str>,
        max_session_seconds: u32,
        change: &Change,
    ) -> Result<bool> {
        const SQL: &str = "UPDATE roles SET description = $1, max_session_seconds = $2 \
             WHERE id = $3";
        let values = vec![description.into(), max_session_seconds.into(), id.into()];
        self.change_row(SQL, values, change).await
    }

    /// Deletes a role, and with it every session of it; `false` if there is none with the unique
    /// id `id`.
    ///
    /// # Errors
    /// As every write. The inner error changes nothing.
    pub async fn delete_role(&self, id: &str, change: &Change) -> Result<Result<bool, InUse>> {
        self.delete_unless_used(&DELETE_ROLE, id, change).await
    }

    /// Deletes a service-linked role with what is attached to it; `false` if there is none with
    /// the unique id `id`.
    ///
    /// # Errors
    /// As every write.
    pub async fn delete_service_linked_role(&self, id: &str, change: &Change) -> Result<bool> {
        let deleted = self
            .delete_unless_used(&DELETE_SERVICE_LINKED_ROLE, id, change)
            .await?;
        Ok(deleted == Ok(true))
    }

    /// Notes that a session of the role `id` was used, unless that was noted after `not_since`.
    /// Durable with the next change.
    ///
    /// # Errors
    /// As every write.
    pub async fn note_role_use(
        &self,
        id: &str,
        last_used: &LastUsed,
        not_since: Timestamp,
    ) -> Result<()> {
        const SQL: &str = "UPDATE roles SET last_used_at = $1, last_used_region = $2 \
             WHERE id = $3 AND (last_used_at IS NULL OR last_used_at < $4)";
        let values: [Value; 4] = [
            last_used.at.into(),
            (&last_used.region).into(),
            id.into(),
            not_since.into(),
        ];
        self.meta().execute_soon(SQL, values).await.map(drop)
    }

    /// Replaces the trust policy of a role.
    ///
    /// # Errors
    /// [`crate::StoreError::Conflict`] if the role does not exist any more.
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

// Sessions are read only joined with their role; their rows expire.
const DELETE_ROLE: DeleteUnlessUsed = DeleteUnlessUsed {
    uses: &[
        INLINE_POLICIES,
        ATTACHED_POLICIES,
        (
            "SELECT id FROM instance_profiles WHERE role = $1 LIMIT 1",
            InUse::InstanceProfiles,
        ),
    ],
    delete: &["DELETE FROM roles WHERE id = $1"],
};

const DELETE_SERVICE_LINKED_ROLE: DeleteUnlessUsed = DeleteUnlessUsed {
    uses: &[],
    delete: &[
        "DELETE FROM attached_policies WHERE principal = $1",
        "DELETE FROM roles WHERE id = $1",
    ],
};
