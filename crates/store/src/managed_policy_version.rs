//! The versions of managed policies, of which one holds.

use bonded_model::Timestamp;

use crate::Store;
use crate::change::{Change, next_epoch};
use crate::error::{LimitExceeded, Result, StoreError};
use crate::managed_policy::number;
use crate::meta::{FromRow, Row, Tx, Value};
use crate::policy::{PolicyVersion, insert_policy_version};

/// A version of a managed policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagedPolicyVersion {
    /// 1 for the first.
    pub number: u32,
    /// Whether it is the one that holds.
    pub is_default: bool,
    /// When it was created.
    pub created_at: Timestamp,
    /// Its text.
    pub document: PolicyVersion,
}

/// Why a version cannot be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeleteVersion {
    /// It is deleted.
    Deleted,
    /// The policy has no such version.
    NotFound,
    /// It is the one that holds.
    IsDefault,
}

impl FromRow for ManagedPolicyVersion {
    fn from_row(row: &mut Row) -> Result<Self> {
        Ok(Self {
            number: number(row.size()?),
            is_default: row.boolean()?,
            created_at: row.time()?,
            document: PolicyVersion::from_row(row)?,
        })
    }
}

impl Store {
    /// Adds a version to a policy that has less than `limit`, and makes it the default if
    /// `set_default`; gives its number.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the policy does not exist any more. The inner error changes
    /// nothing.
    pub async fn create_policy_version(
        &self,
        policy: &str,
        text: &str,
        set_default: bool,
        limit: u32,
        change: &Change,
    ) -> Result<Result<u32, LimitExceeded>> {
        let version = PolicyVersion::new(text)?;
        let input = (
            policy.to_owned(),
            version,
            set_default,
            limit,
            change.clone(),
        );
        self.meta()
            .transact(input, |tx, input| {
                Box::pin(async move {
                    let (policy, version, set_default, limit, change) = &*input;
                    add_version(tx, policy, version, *set_default, *limit, change).await
                })
            })
            .await
    }

    /// The version `number` of a managed policy.
    ///
    /// # Errors
    /// As every read.
    pub async fn find_managed_policy_version(
        &self,
        policy: &str,
        number: u32,
    ) -> Result<Option<ManagedPolicyVersion>> {
        const SQL: &str = "SELECT v.number, CASE WHEN v.number = p.default_version \
             THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END, v.created_at, d.id, d.text \
             FROM managed_policy_versions v JOIN managed_policies p ON p.id = v.managed_policy \
             JOIN policy_versions d ON d.id = v.policy \
             WHERE v.managed_policy = $1 AND v.number = $2";
        self.meta().find(SQL, &[policy.into(), number.into()]).await
    }

    /// The versions of a managed policy, the newest first.
    ///
    /// # Errors
    /// As every read.
    pub async fn list_managed_policy_versions(
        &self,
        policy: &str,
    ) -> Result<Vec<ManagedPolicyVersion>> {
        const SQL: &str = "SELECT v.number, CASE WHEN v.number = p.default_version \
             THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END, v.created_at, d.id, d.text \
             FROM managed_policy_versions v JOIN managed_policies p ON p.id = v.managed_policy \
             JOIN policy_versions d ON d.id = v.policy \
             WHERE v.managed_policy = $1 ORDER BY v.number DESC";
        self.meta().list(SQL, &[policy.into()]).await
    }

    /// Makes a version the one that holds; `false` if the policy has no such version.
    ///
    /// # Errors
    /// As every write.
    pub async fn set_default_policy_version(
        &self,
        policy: &str,
        number: u32,
        change: &Change,
    ) -> Result<bool> {
        const SQL: &str = "UPDATE managed_policies SET default_version = $1, updated_at = $2 \
             WHERE id = $3 AND EXISTS (SELECT 1 FROM managed_policy_versions v \
             WHERE v.managed_policy = $3 AND v.number = $1)";
        let values = vec![number.into(), change.at.into(), policy.into()];
        self.change_row(SQL, values, change).await
    }

    /// Deletes a version that is not the default one.
    ///
    /// # Errors
    /// As every write.
    pub async fn delete_policy_version(
        &self,
        policy: &str,
        number: u32,
        change: &Change,
    ) -> Result<DeleteVersion> {
        const SQL: &str = "DELETE FROM managed_policy_versions \
             WHERE managed_policy = $1 AND number = $2 AND NOT EXISTS \
             (SELECT 1 FROM managed_policies WHERE id = $1 AND default_version = $2)";
        let values = vec![policy.into(), number.into()];
        if self.change_row(SQL, values, change).await? {
            return Ok(DeleteVersion::Deleted);
        }
        let found = self.find_managed_policy_version(policy, number).await?;
        Ok(found.map_or(DeleteVersion::NotFound, |_| DeleteVersion::IsDefault))
    }
}

pub(crate) async fn insert_version(
    tx: &mut Tx<'_>,
    policy: &Value,
    number: u32,
    version: &PolicyVersion,
    now: Timestamp,
) -> Result<()> {
    const SQL: &str = "INSERT INTO managed_policy_versions \
         (managed_policy, number, policy, created_at) VALUES ($1, $2, $3, $4)";
    insert_policy_version(tx, version).await?;
    let values = [
        policy.clone(),
        number.into(),
        (&version.id).into(),
        now.into(),
    ];
    tx.execute(SQL, &values).await.map(drop)
}

async fn add_version(
    tx: &mut Tx<'_>,
    policy: &str,
    version: &PolicyVersion,
    set_default: bool,
    limit: u32,
    change: &Change,
) -> Result<Result<u32, LimitExceeded>> {
    const COUNT: &str = "SELECT COUNT(*) FROM managed_policy_versions WHERE managed_policy = $1";
    const NEXT: &str = "UPDATE managed_policies SET last_version = last_version + 1, \
         updated_at = $1, default_version = CASE CAST($2 AS BIGINT) WHEN 1 THEN last_version + 1 \
         ELSE default_version END WHERE id = $3 RETURNING last_version";
    let held = tx.one(COUNT, &[policy.into()]).await?.int()?;
    if held >= i64::from(limit) {
        return Ok(Err(LimitExceeded(limit)));
    }
    let values = [
        change.at.into(),
        i64::from(set_default).into(),
        policy.into(),
    ];
    let row = tx.optional(NEXT, &values).await?;
    let number = number(row.ok_or(StoreError::Conflict)?.size()?);
    insert_version(tx, &policy.into(), number, version, change.at).await?;
    next_epoch(tx, &change.account).await?;
    change.insert(tx).await?;
    Ok(Ok(number))
}
