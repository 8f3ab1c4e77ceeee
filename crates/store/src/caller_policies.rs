//! Everything that decides on the caller's side, by the unique id of a user or role, on one
//! snapshot.

use bonded_model::{AccountId, PolicyArn};

use crate::Store;
use crate::error::{Result, StoreError};
use crate::meta::{Body, FromRow as _, Tx};
use crate::policy::{NamedPolicy, PolicyVersion};

/// The policies on the side of a user or role.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallerPolicies {
    /// Its own policies and, of a user, those of its groups.
    pub identity: Vec<IdentityPolicy>,
    /// Its permissions boundary.
    pub boundary: Option<(PolicyArn, PolicyVersion)>,
    /// The service control policies of its account, by name.
    pub service_control: Vec<NamedPolicy>,
}

/// A policy of a user, group or role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityPolicy {
    /// The name of the policy.
    pub name: String,
    /// Its ARN, if it is a managed one.
    pub managed: Option<PolicyArn>,
    /// The group that brings it to a user.
    pub group: Option<String>,
    /// Its text.
    pub version: PolicyVersion,
}

impl Store {
    /// The policies on the side of the user or role with the unique id `principal` of `account`.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if its boundary does not exist: it must not be left out.
    pub async fn caller_policies(
        &self,
        principal: &str,
        account: &AccountId,
    ) -> Result<CallerPolicies> {
        let (principal, account) = (principal.to_owned(), account.clone());
        let body: Body<CallerPolicies> = Box::new(move |tx| {
            let (principal, account) = (principal.clone(), account.clone());
            Box::pin(async move {
                Ok(CallerPolicies {
                    identity: identity(tx, &principal).await?,
                    boundary: boundary(tx, &principal).await?,
                    service_control: service_control(tx, &account).await?,
                })
            })
        });
        self.meta().read(body).await
    }
}

async fn identity(tx: &mut Tx<'_>, principal: &str) -> Result<Vec<IdentityPolicy>> {
    const SQL: &str = "SELECT h.group_name, CAST(NULL AS TEXT), p.name, v.id, v.text FROM \
         (SELECT CAST($1 AS TEXT) AS id, CAST(NULL AS TEXT) AS group_name \
          UNION ALL SELECT g.id, g.name FROM group_members m \
          JOIN user_groups g ON g.id = m.group_id WHERE m.user_id = $1) AS h \
         JOIN principal_policies p ON p.principal = h.id \
         JOIN policy_versions v ON v.id = p.policy \
         UNION ALL SELECT h.group_name, p.arn, p.name, v.id, v.text FROM \
         (SELECT CAST($1 AS TEXT) AS id, CAST(NULL AS TEXT) AS group_name \
          UNION ALL SELECT g.id, g.name FROM group_members m \
          JOIN user_groups g ON g.id = m.group_id WHERE m.user_id = $1) AS h \
         JOIN attached_policies a ON a.principal = h.id \
         JOIN managed_policies p ON p.id = a.managed_policy \
         JOIN managed_policy_versions n \
         ON n.managed_policy = p.id AND n.number = p.default_version \
         JOIN policy_versions v ON v.id = n.policy";
    let rows = tx.all(SQL, &[principal.into()]).await?;
    let mut policies = Vec::with_capacity(rows.len());
    for mut row in rows {
        policies.push(IdentityPolicy {
            group: row.opt_text()?,
            managed: row.opt_text()?.map(|text| policy_arn(&text)).transpose()?,
            name: row.text()?,
            version: PolicyVersion::from_row(&mut row)?,
        });
    }
    policies.sort_by(|a, b| position(a).cmp(&position(b)));
    Ok(policies)
}

/// Where a policy stands among the others: the principal's own before those of its groups, inline
/// ones before managed ones, AWS's before the account's.
fn position(policy: &IdentityPolicy) -> (Option<&str>, Option<Option<&str>>, &str) {
    let managed = policy.managed.as_ref();
    let owner = managed.map(|arn| arn.owner.as_ref().map(AccountId::as_str));
    (policy.group.as_deref(), owner, &policy.name)
}

fn policy_arn(text: &str) -> Result<PolicyArn> {
    text.parse()
        .map_err(|_| StoreError::Corrupt(format!("'{text}' is the ARN of no managed policy")))
}

async fn boundary(tx: &mut Tx<'_>, principal: &str) -> Result<Option<(PolicyArn, PolicyVersion)>> {
    const OF: &str = "SELECT boundary FROM users WHERE id = $1 \
         UNION ALL SELECT boundary FROM roles WHERE id = $1";
    let Some(mut row) = tx.optional(OF, &[principal.into()]).await? else {
        return Ok(None);
    };
    let Some(text) = row.opt_text()? else {
        return Ok(None);
    };
    let arn = policy_arn(&text)?;
    let version = default_version(tx, &arn).await?;
    let version = version.ok_or_else(|| {
        StoreError::Corrupt(format!("the boundary '{text}' of a principal is gone"))
    })?;
    Ok(Some((arn, version)))
}

/// The text of a managed policy that holds.
async fn default_version(tx: &mut Tx<'_>, arn: &PolicyArn) -> Result<Option<PolicyVersion>> {
    const SQL: &str = "SELECT v.id, v.text FROM managed_policies p \
         JOIN managed_policy_versions n \
         ON n.managed_policy = p.id AND n.number = p.default_version \
         JOIN policy_versions v ON v.id = n.policy WHERE p.arn = $1";
    tx.find(SQL, &[arn.to_string().into()]).await
}

async fn service_control(tx: &mut Tx<'_>, account: &AccountId) -> Result<Vec<NamedPolicy>> {
    const SQL: &str = "SELECT p.name, v.id, v.text FROM service_control_policies p \
         JOIN policy_versions v ON v.id = p.policy WHERE p.account = $1 ORDER BY p.name";
    tx.list(SQL, &[account.as_str().into()]).await
}
