//! Which managed policies belong to which users, groups and roles: attached, or as a boundary.

use bonded_model::{AccountId, PolicyArn};

use crate::Store;
use crate::change::{Change, next_epoch};
use crate::error::{LimitExceeded, Result, StoreError};
use crate::meta::{Row, Tx, Value};
use crate::page::{folded, page, prefix_end};
use crate::policy::principal_exists;

/// A user, group or role that uses a managed policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyEntity {
    /// Its unique id, whose first letters tell what it is.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// What has a permissions boundary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bounded {
    /// A user.
    User,
    /// A role.
    Role,
}

fn read_arn(row: &mut Row) -> Result<PolicyArn> {
    let account = row.text()?;
    let owner = match account.as_str() {
        "" => None,
        account => Some(
            account
                .parse()
                .map_err(|_| StoreError::Corrupt("a policy of no account".to_owned()))?,
        ),
    };
    Ok(PolicyArn {
        owner,
        path: row.text()?,
        name: row.text()?,
    })
}

impl Store {
    /// Attaches a managed policy to a user, group or role that has less than `limit` others; it
    /// may be attached already.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if either does not exist any more. The inner error changes
    /// nothing.
    pub async fn attach_policy(
        &self,
        principal: &str,
        policy: &str,
        limit: u32,
        change: &Change,
    ) -> Result<Result<(), LimitExceeded>> {
        let pair = [principal.to_owned(), policy.to_owned()];
        self.meta()
            .transact((pair, limit, change.clone()), |tx, input| {
                Box::pin(async move {
                    let ([principal, policy], limit, change) = &*input;
                    attach(tx, principal, policy, *limit, change).await
                })
            })
            .await
    }

    /// Detaches a managed policy; `false` if it is not attached.
    ///
    /// # Errors
    /// As every write.
    pub async fn detach_policy(
        &self,
        principal: &str,
        policy: &str,
        change: &Change,
    ) -> Result<bool> {
        const SQL: &str =
            "DELETE FROM attached_policies WHERE principal = $1 AND managed_policy = $2";
        self.change_row(SQL, vec![principal.into(), policy.into()], change)
            .await
    }

    /// A page of the managed policies attached to a user, group or role whose path begins with
    /// `path_prefix`, by name ignoring case, behind `after`.
    ///
    /// # Errors
    /// As every read.
    pub async fn list_attached_policies(
        &self,
        principal: &str,
        path_prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<PolicyArn>> {
        const SQL: &str = "SELECT p.account, p.path, p.name FROM attached_policies a \
             JOIN managed_policies p ON p.id = a.managed_policy WHERE a.principal = $1 \
             AND p.path >= $2 AND p.path < $3 AND p.folded_name > $4 \
             ORDER BY p.folded_name, p.account LIMIT $5";
        let values = [
            principal.into(),
            path_prefix.into(),
            prefix_end(path_prefix).into(),
            folded(after.unwrap_or_default()).into(),
            page(limit),
        ];
        let rows = self.meta().all(SQL, &values).await?;
        rows.into_iter().map(|mut row| read_arn(&mut row)).collect()
    }

    /// A page of the users, groups and roles of `account` that a managed policy is attached to, or
    /// whose boundary it is, by unique id, behind `after`. Users and groups come before roles.
    ///
    /// # Errors
    /// As every read.
    pub async fn list_policy_entities(
        &self,
        arn: &PolicyArn,
        account: &AccountId,
        boundary: bool,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<(PolicyEntity, String)>> {
        const ATTACHED: &str = "SELECT e.id, e.name, e.path FROM attached_policies a \
             JOIN managed_policies p ON p.id = a.managed_policy \
             JOIN (SELECT id, name, path FROM users WHERE account = $1 \
             UNION ALL SELECT id, name, path FROM user_groups WHERE account = $1 \
             UNION ALL SELECT id, name, path FROM roles WHERE account = $1) AS e \
             ON e.id = a.principal \
             WHERE p.arn = $2 AND a.account = $1 AND e.id > $3 ORDER BY e.id LIMIT $4";
        const BOUNDARY: &str = "SELECT e.id, e.name, e.path FROM \
             (SELECT id, name, path FROM users WHERE account = $1 AND boundary = $2 \
             UNION ALL SELECT id, name, path FROM roles WHERE account = $1 AND boundary = $2) AS e \
             WHERE e.id > $3 ORDER BY e.id LIMIT $4";
        let values = [
            account.as_str().into(),
            arn.to_string().into(),
            after.unwrap_or_default().into(),
            page(limit),
        ];
        let sql = if boundary { BOUNDARY } else { ATTACHED };
        let rows = self.meta().all(sql, &values).await?;
        rows.into_iter()
            .map(|mut row| {
                let (id, name) = (row.text()?, row.text()?);
                Ok((PolicyEntity { id, name }, row.text()?))
            })
            .collect()
    }

    /// Sets or takes away the boundary of a user or role; `false` if there is none with the unique
    /// id `id`, or the policy does not exist any more.
    ///
    /// # Errors
    /// As every write.
    pub async fn set_boundary(
        &self,
        bounded: Bounded,
        id: &str,
        boundary: Option<&PolicyArn>,
        change: &Change,
    ) -> Result<bool> {
        const POLICY: &str = "SELECT id FROM managed_policies WHERE arn = $1";
        let sql = match bounded {
            Bounded::User => "UPDATE users SET boundary = $1 WHERE id = $2",
            Bounded::Role => "UPDATE roles SET boundary = $1 WHERE id = $2",
        };
        let text = boundary.map(PolicyArn::to_string);
        let row: [Value; 2] = [text.as_deref().into(), id.into()];
        self.meta()
            .transact((sql, row, change.clone()), |tx, input| {
                Box::pin(async move {
                    let (sql, row, change) = &*input;
                    if row[0] != Value::Null && tx.optional(POLICY, &row[..1]).await?.is_none() {
                        return Ok(false);
                    }
                    if tx.execute(sql, row).await? == 0 {
                        return Ok(false);
                    }
                    next_epoch(tx, &change.account).await?;
                    change.insert(tx).await?;
                    Ok(true)
                })
            })
            .await
    }
}

async fn attach(
    tx: &mut Tx<'_>,
    principal: &str,
    policy: &str,
    limit: u32,
    change: &Change,
) -> Result<Result<(), LimitExceeded>> {
    const OTHERS: &str =
        "SELECT COUNT(*) FROM attached_policies WHERE principal = $1 AND managed_policy <> $2";
    const INSERT: &str = "INSERT INTO attached_policies (principal, managed_policy, account) \
         VALUES ($1, $2, $3) ON CONFLICT (principal, managed_policy) DO NOTHING";
    if !principal_exists(tx, principal).await? {
        return Err(StoreError::Conflict);
    }
    let others = tx
        .one(OTHERS, &[principal.into(), policy.into()])
        .await?
        .int()?;
    if others >= i64::from(limit) {
        return Ok(Err(LimitExceeded(limit)));
    }
    let values = [
        principal.into(),
        policy.into(),
        change.account.as_str().into(),
    ];
    tx.execute(INSERT, &values).await?;
    next_epoch(tx, &change.account).await?;
    change.insert(tx).await?;
    Ok(Ok(()))
}
