//! Deleting what others may depend on: IAM refuses it until nothing does.

use crate::Store;
use crate::change::{Change, next_epoch};
use crate::error::Result;

/// Why a user, group, role, policy or instance profile cannot be deleted yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is still in use")]
pub enum InUse {
    /// The user has access keys.
    AccessKeys,
    /// The user has service tokens.
    ServiceTokens,
    /// The user, group or role has inline policies.
    InlinePolicies,
    /// Managed policies are attached to the user, group or role.
    AttachedPolicies,
    /// The user is in groups.
    Groups,
    /// The group has users.
    Users,
    /// The role is in instance profiles.
    InstanceProfiles,
    /// The instance profile has a role.
    Roles,
    /// The policy is attached, or is a boundary.
    Attachments,
    /// The policy has versions beside the default one.
    Versions,
}

pub(crate) const INLINE_POLICIES: (&str, InUse) = (
    "SELECT name FROM principal_policies WHERE principal = $1 LIMIT 1",
    InUse::InlinePolicies,
);

pub(crate) const ATTACHED_POLICIES: (&str, InUse) = (
    "SELECT managed_policy FROM attached_policies WHERE principal = $1 LIMIT 1",
    InUse::AttachedPolicies,
);

/// A deletion by unique id, which is `$1` in every statement.
pub(crate) struct DeleteUnlessUsed {
    /// What gives a row while the thing is in use.
    pub(crate) uses: &'static [(&'static str, InUse)],
    /// What deletes it; the last statement the thing itself.
    pub(crate) delete: &'static [&'static str],
}

impl Store {
    /// Runs `deletion` for the unique id `id`; `false` if there is no such thing.
    pub(crate) async fn delete_unless_used(
        &self,
        deletion: &'static DeleteUnlessUsed,
        id: &str,
        change: &Change,
    ) -> Result<Result<bool, InUse>> {
        let input = (deletion, [id.into()], change.clone());
        self.meta()
            .transact(input, |tx, input| {
                Box::pin(async move {
                    let (deletion, id, change) = &*input;
                    for (sql, in_use) in deletion.uses {
                        if tx.optional(sql, id).await?.is_some() {
                            return Ok(Err(*in_use));
                        }
                    }
                    let mut deleted = 0;
                    for sql in deletion.delete {
                        deleted = tx.execute(sql, id).await?;
                    }
                    if deleted == 0 {
                        return Ok(Ok(false));
                    }
                    next_epoch(tx, &change.account).await?;
                    change.insert(tx).await?;
                    Ok(Ok(true))
                })
            })
            .await
    }
}
