//! Managed policies: the account's own, and AWS's, which every account has.

use bonded_model::{AccountId, PolicyArn, ResourceTags, Timestamp};

use crate::Store;
use crate::change::{Change, next_epoch};
use crate::error::{Result, StoreError};
use crate::in_use::{DeleteUnlessUsed, InUse};
use crate::managed_policy_version::insert_version;
use crate::meta::{FromRow, Row, Value, json};
use crate::page::{folded, page, prefix_end};
use crate::policy::PolicyVersion;

/// A managed policy, as an account sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagedPolicy {
    /// The unique id, `ANPA…`; never used again.
    pub id: String,
    /// Its owner, path and name.
    pub arn: PolicyArn,
    /// What it is for.
    pub description: Option<String>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When its newest version was created or another one made the default.
    pub updated_at: Timestamp,
    /// The number of the version that holds.
    pub default_version: u32,
    /// Its tags.
    pub tags: ResourceTags,
    /// To how many users, groups and roles of the account it is attached.
    pub attachments: u64,
    /// Of how many users and roles of the account it is the boundary.
    pub boundaries: u64,
}

/// Which managed policies a list has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PolicyFilter<'a> {
    /// The account's own.
    pub own: bool,
    /// AWS's.
    pub aws: bool,
    /// Only those that are attached in the account, or boundaries there.
    pub used: Option<Usage>,
    /// What their path begins with.
    pub path_prefix: &'a str,
}

/// How a managed policy is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// In either way.
    Any,
    /// Attached to a user, group or role.
    Attached,
    /// As the boundary of a user or role.
    Boundary,
}

impl FromRow for ManagedPolicy {
    fn from_row(row: &mut Row) -> Result<Self> {
        let (id, account) = (row.text()?, row.text()?);
        let owner = match account.as_str() {
            "" => None,
            account => Some(
                account
                    .parse()
                    .map_err(|_| StoreError::Corrupt("a policy of no account".to_owned()))?,
            ),
        };
        Ok(Self {
            id,
            arn: PolicyArn {
                owner,
                name: row.text()?,
                path: row.text()?,
            },
            description: row.opt_text()?,
            created_at: row.time()?,
            updated_at: row.time()?,
            default_version: number(row.size()?),
            tags: row.json()?,
            attachments: row.size()?,
            boundaries: row.size()?,
        })
    }
}

pub(crate) fn number(size: u64) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}

/// How the rows call the owner.
fn owner(arn: &PolicyArn) -> &str {
    arn.owner.as_ref().map_or("", AccountId::as_str)
}

const DELETE: DeleteUnlessUsed = DeleteUnlessUsed {
    uses: &[
        (
            "SELECT principal FROM attached_policies WHERE managed_policy = $1 LIMIT 1",
            InUse::Attachments,
        ),
        (
            "SELECT x.id FROM managed_policies p JOIN users x ON x.boundary = p.arn \
             WHERE p.id = $1 LIMIT 1",
            InUse::Attachments,
        ),
        (
            "SELECT x.id FROM managed_policies p JOIN roles x ON x.boundary = p.arn \
             WHERE p.id = $1 LIMIT 1",
            InUse::Attachments,
        ),
        (
            "SELECT v.number FROM managed_policies p \
             JOIN managed_policy_versions v ON v.managed_policy = p.id \
             WHERE p.id = $1 AND v.number <> p.default_version LIMIT 1",
            InUse::Versions,
        ),
    ],
    delete: &[
        "DELETE FROM managed_policy_versions WHERE managed_policy = $1",
        "DELETE FROM managed_policies WHERE id = $1",
    ],
};

impl Store {
    /// Creates a managed policy of an account with its first version.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the name, ignoring case, is taken.
    pub async fn create_managed_policy(
        &self,
        policy: &ManagedPolicy,
        text: &str,
        change: &Change,
    ) -> Result<()> {
        const SQL: &str = "INSERT INTO managed_policies (id, account, name, folded_name, path, arn, \
             description, created_at, updated_at, default_version, last_version, tags) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, 1, 1, $9)";
        let values: [Value; 9] = [
            (&policy.id).into(),
            owner(&policy.arn).into(),
            (&policy.arn.name).into(),
            folded(&policy.arn.name).into(),
            (&policy.arn.path).into(),
            policy.arn.to_string().into(),
            policy.description.as_deref().into(),
            policy.created_at.into(),
            json(&policy.tags)?.into(),
        ];
        let input = (values, PolicyVersion::new(text)?, change.clone());
        self.meta()
            .transact(input, |tx, input| {
                Box::pin(async move {
                    let (values, version, change) = &*input;
                    tx.execute(SQL, values).await?;
                    insert_version(tx, &values[0], 1, version, change.at).await?;
                    next_epoch(tx, &change.account).await?;
                    change.insert(tx).await
                })
            })
            .await
    }

    /// The managed policy `arn` as `viewer` sees it.
    ///
    /// # Errors
    /// As every read.
    pub async fn find_managed_policy(
        &self,
        arn: &PolicyArn,
        viewer: &AccountId,
    ) -> Result<Option<ManagedPolicy>> {
        const SQL: &str = "SELECT p.id, p.account, p.name, p.path, p.description, p.created_at, \
             p.updated_at, p.default_version, p.tags, \
             (SELECT COUNT(*) FROM attached_policies a \
              WHERE a.managed_policy = p.id AND a.account = $1), \
             (SELECT COUNT(*) FROM users x WHERE x.account = $1 AND x.boundary = p.arn) \
             + (SELECT COUNT(*) FROM roles x WHERE x.account = $1 AND x.boundary = p.arn) \
             FROM managed_policies p WHERE p.arn = $2";
        let values = [viewer.as_str().into(), arn.to_string().into()];
        self.meta().find(SQL, &values).await
    }

    /// A page of the managed policies that `viewer` sees, by name ignoring case, AWS's before its
    /// own: those behind the name and ownership `after`.
    ///
    /// # Errors
    /// As every read.
    pub async fn list_managed_policies(
        &self,
        viewer: &AccountId,
        filter: PolicyFilter<'_>,
        after: Option<(&str, bool)>,
        limit: u32,
    ) -> Result<Vec<ManagedPolicy>> {
        const SQL: &str = "SELECT id, account, name, path, description, created_at, updated_at, \
             default_version, tags, attachments, boundaries FROM (\
             SELECT p.id, p.account, p.name, p.folded_name, p.path, p.description, p.created_at, \
             p.updated_at, p.default_version, p.tags, \
             (SELECT COUNT(*) FROM attached_policies a \
              WHERE a.managed_policy = p.id AND a.account = $1) AS attachments, \
             (SELECT COUNT(*) FROM users x WHERE x.account = $1 AND x.boundary = p.arn) \
             + (SELECT COUNT(*) FROM roles x WHERE x.account = $1 AND x.boundary = p.arn) \
             AS boundaries \
             FROM managed_policies p WHERE p.account IN ($2, $3) \
             AND (p.folded_name, p.account) > ($4, $5) AND p.path >= $6 AND p.path < $7\
             ) AS policies \
             WHERE (CAST($8 AS BIGINT) = 0 OR attachments > 0) \
             AND (CAST($9 AS BIGINT) = 0 OR boundaries > 0) \
             AND (CAST($10 AS BIGINT) = 0 OR attachments + boundaries > 0) \
             ORDER BY folded_name, account LIMIT $11";
        // An account that no policy has.
        let none = || Value::from("-");
        let account = || Value::from(viewer.as_str());
        let (name, owned) = after.unwrap_or_default();
        let is = |usage| Value::from(i64::from(filter.used == Some(usage)));
        let values = [
            account(),
            if filter.own { account() } else { none() },
            if filter.aws { "".into() } else { none() },
            folded(name).into(),
            if owned { account() } else { "".into() },
            filter.path_prefix.into(),
            prefix_end(filter.path_prefix).into(),
            is(Usage::Attached),
            is(Usage::Boundary),
            is(Usage::Any),
            page(limit),
        ];
        self.meta().list(SQL, &values).await
    }

    /// Deletes a managed policy with its last version; `false` if there is none with the unique id
    /// `id`.
    ///
    /// # Errors
    /// As every write. The inner error changes nothing.
    pub async fn delete_managed_policy(
        &self,
        id: &str,
        change: &Change,
    ) -> Result<Result<bool, InUse>> {
        self.delete_unless_used(&DELETE, id, change).await
    }
}
