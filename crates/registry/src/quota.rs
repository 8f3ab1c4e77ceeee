//! IAM's quotas, and the texts that say that one is reached.
//!
//! Source: IAM user guide, "IAM and AWS STS quotas". The numbers are AWS's defaults.

use bonded_model::AccountId;
use bonded_store::IdentityCounts;

use crate::Registry;
use crate::error::{Error, Result};

/// A quota by the name AWS's texts and `GetAccountSummary` have for it.
pub struct Quota {
    /// Its name.
    pub name: &'static str,
    /// How many there may be.
    pub limit: u32,
}

impl Quota {
    const fn new(name: &'static str, limit: u32) -> Self {
        Self { name, limit }
    }

    /// The error of one more.
    pub(crate) fn exceeded(&self) -> Error {
        let Self { name, limit } = self;
        Error::LimitExceeded(format!("Cannot exceed quota for {name}: {limit}"))
    }
}

/// Users of an account.
pub const USERS: Quota = Quota::new("UsersPerAccount", 5000);
/// Groups of an account.
pub const GROUPS: Quota = Quota::new("GroupsPerAccount", 300);
/// Roles of an account.
pub const ROLES: Quota = Quota::new("RolesPerAccount", 1000);
/// An account's own managed policies.
pub const POLICIES: Quota = Quota::new("PoliciesPerAccount", 1500);
/// Instance profiles of an account.
pub const INSTANCE_PROFILES: Quota = Quota::new("InstanceProfilesPerAccount", 1000);
/// OpenID Connect providers of an account.
pub const OIDC_PROVIDERS: Quota = Quota::new("OpenIdConnectProvidersPerAccount", 100);
/// Access keys of a user.
pub const ACCESS_KEYS: Quota = Quota::new("AccessKeysPerUser", 2);
/// Service tokens of a user. AWS has 2, which is for people who take turns with them, not for one
/// each of many machines.
pub const SERVICE_TOKENS: Quota = Quota::new("ServiceSpecificCredentialsPerUser", 50);
/// Groups a user is in.
pub const GROUPS_PER_USER: Quota = Quota::new("GroupsPerUser", 10);
/// Managed policies attached to a user.
pub const POLICIES_PER_USER: Quota = Quota::new("PoliciesPerUser", 10);
/// Managed policies attached to a group.
pub const POLICIES_PER_GROUP: Quota = Quota::new("PoliciesPerGroup", 10);
/// Managed policies attached to a role.
pub const POLICIES_PER_ROLE: Quota = Quota::new("PoliciesPerRole", 10);
/// Tags of a user, role, policy, instance profile or provider.
pub const TAGS: Quota = Quota::new("TagsPerResource", bonded_model::TAGS_LIMIT as u32);
/// Audiences of a provider.
pub const CLIENT_IDS: Quota = Quota::new("ClientIdsPerOpenIdConnectProvider", 100);
/// Characters of a trust policy that are not white space.
pub const TRUST_POLICY: Quota = Quota::new("ACLSizePerRole", 4096);
/// Characters of a managed policy that are not white space.
pub const POLICY_SIZE: Quota = Quota::new("PolicySize", 6144);
/// Versions of a managed policy.
pub const POLICY_VERSIONS: u32 = 5;

impl Registry {
    /// Whether `account` may have one more of what `count` counts. Two requests at once may both
    /// be told so: a quota keeps an account from growing without end and is no promise to the one.
    pub(crate) async fn check_quota(
        &self,
        account: &AccountId,
        quota: &Quota,
        count: impl Fn(&IdentityCounts) -> u64,
    ) -> Result<()> {
        let counts = self.store().identity_counts(account).await?;
        if count(&counts) >= u64::from(quota.limit) {
            return Err(quota.exceeded());
        }
        Ok(())
    }
}
