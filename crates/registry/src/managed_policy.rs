//! Managed policies and their versions.

use bonded_iam::PolicyKind;
use bonded_model::{AccountId, PolicyArn, ResourceTags};
use bonded_store::{
    DeleteVersion, ManagedPolicy, ManagedPolicyVersion, PolicyEntity, PolicyFilter, StoreError,
};

use crate::Registry;
use crate::access::Allowed;
use crate::error::{Error, Result};
use crate::inline_policy::validated;
use crate::quota;
use crate::random;
use crate::target::{Everything, PolicyNamed};

/// The path of the policies that only the roles of services have.
const SERVICE_ROLE_PATH: &str = "/aws-service-role/";

impl Allowed<PolicyNamed> {
    /// The policy that was judged.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`].
    pub fn policy(&self) -> Result<&ManagedPolicy> {
        self.found()
            .as_ref()
            .ok_or_else(|| no_policy(&self.target().arn))
    }

    /// The policy that was judged, unless it is AWS's, which nobody may change.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`]; [`Error::Validation`].
    pub(crate) fn own_policy(&self) -> Result<&ManagedPolicy> {
        let policy = self.policy()?;
        if policy.arn.owner.is_none() {
            return Err(Error::Validation(format!(
                "Policy {} is a policy of AWS and cannot be changed; make one of your own",
                policy.arn
            )));
        }
        Ok(policy)
    }
}

fn no_policy(arn: &PolicyArn) -> Error {
    Error::NoSuchEntity(format!("Policy {arn} was not found."))
}

fn no_version(arn: &PolicyArn, number: u32) -> Error {
    Error::NoSuchEntity(format!(
        "Policy {arn} version v{number} does not exist or is not attachable."
    ))
}

impl Registry {
    /// Makes a managed policy with its first version.
    ///
    /// # Errors
    /// [`Error::MalformedPolicyDocument`]; [`Error::EntityAlreadyExists`] if the name, ignoring
    /// case, is taken; [`Error::LimitExceeded`].
    pub async fn create_policy(
        &self,
        allowed: &Allowed<PolicyNamed>,
        text: &str,
        description: Option<String>,
        tags: ResourceTags,
    ) -> Result<ManagedPolicy> {
        let PolicyNamed { arn, viewer } = allowed.target().clone();
        validated(text, PolicyKind::Boundary)?;
        self.check_quota(&viewer, &quota::POLICIES, |counts| counts.policies)
            .await?;
        let now = allowed.caller().time();
        let policy = ManagedPolicy {
            id: random::unique_id("ANPA")?,
            arn,
            description,
            created_at: now,
            updated_at: now,
            default_version: 1,
            tags,
            attachments: 0,
            boundaries: 0,
        };
        let made = self
            .store()
            .create_managed_policy(&policy, text, &allowed.change())
            .await;
        match made {
            Err(StoreError::Conflict) => Err(Error::EntityAlreadyExists(format!(
                "A policy called {} already exists. Duplicate names are not allowed.",
                policy.arn.name
            ))),
            other => {
                other?;
                Ok(policy)
            }
        }
    }

    /// A page of at most `limit` managed policies, after a name and whether that is the account's
    /// own.
    ///
    /// # Errors
    /// Rows cannot be read.
    pub async fn list_policies(
        &self,
        allowed: &Allowed<Everything>,
        filter: PolicyFilter<'_>,
        after: Option<(&str, bool)>,
        limit: u32,
    ) -> Result<Vec<ManagedPolicy>> {
        Ok(self
            .store()
            .list_managed_policies(&allowed.target().0, filter, after, limit)
            .await?)
    }

    /// Deletes the policy with its last version.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`]; [`Error::DeleteConflict`] while it is attached, a boundary, or has
    /// other versions.
    pub async fn delete_policy(&self, allowed: &Allowed<PolicyNamed>) -> Result<()> {
        let policy = allowed.own_policy()?;
        let deleted = self
            .store()
            .delete_managed_policy(&policy.id, &allowed.change())
            .await??;
        deleted.then_some(()).ok_or_else(|| no_policy(&policy.arn))
    }

    /// Adds a version; it holds from the next request on if `set_default`.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`]; [`Error::MalformedPolicyDocument`]; [`Error::LimitExceeded`] if
    /// the policy has 5.
    pub async fn create_policy_version(
        &self,
        allowed: &Allowed<PolicyNamed>,
        text: &str,
        set_default: bool,
    ) -> Result<u32> {
        let policy = allowed.own_policy()?;
        validated(text, PolicyKind::Boundary)?;
        let limit = quota::POLICY_VERSIONS;
        let made = self
            .store()
            .create_policy_version(&policy.id, text, set_default, limit, &allowed.change())
            .await;
        match made {
            Err(StoreError::Conflict) => Err(no_policy(&policy.arn)),
            other => other?.map_err(|_| {
                Error::LimitExceeded(format!(
                    "A managed policy can have up to {limit} versions. Before you create a new version, you must delete an existing version."
                ))
            }),
        }
    }

    /// One version of the policy.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`].
    pub async fn policy_version(
        &self,
        allowed: &Allowed<PolicyNamed>,
        number: u32,
    ) -> Result<ManagedPolicyVersion> {
        let policy = allowed.policy()?;
        let found = self
            .store()
            .find_managed_policy_version(&policy.id, number)
            .await?;
        found.ok_or_else(|| no_version(&policy.arn, number))
    }

    /// All versions of the policy, the newest first; there are 5 at most.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`].
    pub async fn list_policy_versions(
        &self,
        allowed: &Allowed<PolicyNamed>,
    ) -> Result<Vec<ManagedPolicyVersion>> {
        let policy = allowed.policy()?;
        Ok(self
            .store()
            .list_managed_policy_versions(&policy.id)
            .await?)
    }

    /// Makes a version the one that holds, from the next request on.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`].
    pub async fn set_default_policy_version(
        &self,
        allowed: &Allowed<PolicyNamed>,
        number: u32,
    ) -> Result<()> {
        let policy = allowed.own_policy()?;
        let found = self
            .store()
            .set_default_policy_version(&policy.id, number, &allowed.change())
            .await?;
        found
            .then_some(())
            .ok_or_else(|| no_version(&policy.arn, number))
    }

    /// Deletes a version that is not the one that holds.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`]; [`Error::DeleteConflict`] for the default version.
    pub async fn delete_policy_version(
        &self,
        allowed: &Allowed<PolicyNamed>,
        number: u32,
    ) -> Result<()> {
        let policy = allowed.own_policy()?;
        let done = self
            .store()
            .delete_policy_version(&policy.id, number, &allowed.change())
            .await?;
        match done {
            DeleteVersion::Deleted => Ok(()),
            DeleteVersion::NotFound => Err(no_version(&policy.arn, number)),
            DeleteVersion::IsDefault => Err(Error::DeleteConflict(
                "Cannot delete the default version of a policy.".to_owned(),
            )),
        }
    }

    /// A page of the users, groups and roles that use the policy, each with its path, by unique id
    /// after `after`: as their boundary, or attached to them.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`].
    pub async fn list_policy_entities(
        &self,
        allowed: &Allowed<PolicyNamed>,
        boundary: bool,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<(PolicyEntity, String)>> {
        let policy = allowed.policy()?;
        let viewer = &allowed.target().viewer;
        Ok(self
            .store()
            .list_policy_entities(&policy.arn, viewer, boundary, after, limit)
            .await?)
    }

    /// The policy `arn` if `account` may attach it: its own, or one of AWS's that is not kept for
    /// the roles of services.
    pub(crate) async fn attachable(
        &self,
        arn: &PolicyArn,
        account: &AccountId,
    ) -> Result<ManagedPolicy> {
        let missing =
            || Error::NoSuchEntity(format!("Policy {arn} does not exist or is not attachable."));
        if arn.owner.as_ref().is_some_and(|owner| owner != account) {
            return Err(missing());
        }
        let found = self.store().find_managed_policy(arn, account).await?;
        let policy = found.ok_or_else(missing)?;
        if arn.owner.is_none() && arn.path.starts_with(SERVICE_ROLE_PATH) {
            return Err(Error::PolicyNotAttachable(format!(
                "Cannot attach a Service Role Policy to a Customer Role. {arn}"
            )));
        }
        Ok(policy)
    }
}
