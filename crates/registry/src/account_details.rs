//! All users, groups, roles and managed policies of an account with what they have, in pages.

use bonded_model::{AccountId, PolicyArn};
use bonded_store::{
    Group, InstanceProfile, ManagedPolicy, ManagedPolicyVersion, PolicyFilter, Role, Usage, User,
};

use crate::Registry;
use crate::access::Allowed;
use crate::error::Result;
use crate::target::Everything;

/// How many policies, groups or profiles one thing can have at most, by IAM's quotas and more.
const EACH: u32 = 1000;

/// What the details are about, in the order in which they are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DetailKind {
    /// Users.
    User,
    /// Groups.
    Group,
    /// Roles.
    Role,
    /// The account's own managed policies.
    OwnPolicy,
    /// Those of AWS that are used in the account.
    AwsPolicy,
}

impl DetailKind {
    /// All, in order.
    pub const ALL: [Self; 5] = [
        Self::User,
        Self::Group,
        Self::Role,
        Self::OwnPolicy,
        Self::AwsPolicy,
    ];
}

/// The policies of a user, group or role.
#[derive(Debug)]
pub struct HeldPolicies {
    /// The inline ones: name and text.
    pub inline: Vec<(String, String)>,
    /// The managed ones.
    pub attached: Vec<PolicyArn>,
}

/// One thing with what it has.
#[derive(Debug)]
pub enum Detail {
    /// A user with the names of its groups.
    User(User, HeldPolicies, Vec<String>),
    /// A group.
    Group(Group, HeldPolicies),
    /// A role with its trust policy as it is shown, and the instance profiles it is in.
    Role(Box<Role>, String, HeldPolicies, Vec<InstanceProfile>),
    /// A managed policy with its versions.
    Policy(ManagedPolicy, Vec<ManagedPolicyVersion>),
}

impl Detail {
    /// Its name, unique in its kind.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::User(user, ..) => &user.name,
            Self::Group(group, _) => &group.name,
            Self::Role(role, ..) => &role.name,
            Self::Policy(policy, _) => &policy.arn.name,
        }
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> DetailKind {
        match self {
            Self::User(..) => DetailKind::User,
            Self::Group(..) => DetailKind::Group,
            Self::Role(..) => DetailKind::Role,
            Self::Policy(policy, _) if policy.arn.owner.is_none() => DetailKind::AwsPolicy,
            Self::Policy(..) => DetailKind::OwnPolicy,
        }
    }
}

impl Registry {
    /// A page of at most `limit` things of `kinds`, behind the one called `after` of its kind.
    ///
    /// # Errors
    /// Rows cannot be read.
    pub async fn list_account_details(
        &self,
        allowed: &Allowed<Everything>,
        kinds: &[DetailKind],
        after: Option<(DetailKind, &str)>,
        limit: u32,
    ) -> Result<Vec<Detail>> {
        let account = &allowed.target().0;
        let mut details = Vec::new();
        for kind in DetailKind::ALL {
            let begins = after.is_none_or(|(at, _)| kind >= at);
            let room = limit.saturating_sub(u32::try_from(details.len()).unwrap_or(u32::MAX));
            if !begins || !kinds.contains(&kind) || room == 0 {
                continue;
            }
            let name = after.filter(|(at, _)| *at == kind).map(|(_, name)| name);
            details.extend(self.details_of(account, kind, name, room).await?);
        }
        Ok(details)
    }

    async fn details_of(
        &self,
        account: &AccountId,
        kind: DetailKind,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Detail>> {
        let store = self.store();
        let mut details = Vec::new();
        match kind {
            DetailKind::User => {
                for user in store.list_users(account, "/", after, limit).await? {
                    let held = self.held_policies(&user.id).await?;
                    let groups = store.list_user_groups(&user.id, None, EACH).await?;
                    let names = groups.into_iter().map(|group| group.name).collect();
                    details.push(Detail::User(user, held, names));
                }
            }
            DetailKind::Group => {
                for group in store.list_groups(account, "/", after, limit).await? {
                    let held = self.held_policies(&group.id).await?;
                    details.push(Detail::Group(group, held));
                }
            }
            DetailKind::Role => {
                for role in store.list_roles(account, "/", after, limit).await? {
                    let held = self.held_policies(&role.id).await?;
                    let trust = self.shown_trust_policy(&role).await?;
                    let profiles = store.list_role_instance_profiles(&role.id, None, EACH);
                    let profiles = profiles.await?;
                    details.push(Detail::Role(Box::new(role), trust, held, profiles));
                }
            }
            DetailKind::OwnPolicy | DetailKind::AwsPolicy => {
                let own = kind == DetailKind::OwnPolicy;
                let filter = PolicyFilter {
                    own,
                    aws: !own,
                    used: (!own).then_some(Usage::Any),
                    path_prefix: "/",
                };
                let after = after.map(|name| (name, own));
                let policies = store.list_managed_policies(account, filter, after, limit);
                for policy in policies.await? {
                    let versions = store.list_managed_policy_versions(&policy.id).await?;
                    details.push(Detail::Policy(policy, versions));
                }
            }
        }
        Ok(details)
    }

    async fn held_policies(&self, id: &str) -> Result<HeldPolicies> {
        let inline = self.store().principal_policies(id).await?;
        let inline = inline.into_iter();
        let attached = self.store().list_attached_policies(id, "/", None, EACH);
        Ok(HeldPolicies {
            inline: inline.map(|row| (row.name, row.version.text)).collect(),
            attached: attached.await?,
        })
    }
}
