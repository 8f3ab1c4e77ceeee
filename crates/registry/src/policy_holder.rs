//! The users, groups and roles that policies belong to, as the use cases see all three.

use bonded_iam::{PolicyKind, document_size};
use bonded_model::AccountId;

use crate::access::Allowed;
use crate::error::{Error, Result};
use crate::group::no_group;
use crate::quota::{self, Quota};
use crate::role::no_role;
use crate::target::{GroupNamed, RoleNamed, UserNamed};
use crate::user::no_user;

/// IAM's quota for all inline policies of a user together, in characters without white space.
const USER_POLICIES_LIMIT: usize = 2_048;

/// The same for a group.
const GROUP_POLICIES_LIMIT: usize = 5_120;

/// The same for a role.
const ROLE_POLICIES_LIMIT: usize = 10_240;

/// The user, group or role that policies belong to.
pub(crate) struct Holder<'a> {
    pub(crate) account: &'a AccountId,
    pub(crate) unique_id: &'a str,
    /// `user`, `group` or `role`, as AWS's texts say it.
    pub(crate) kind: &'static str,
    pub(crate) name: &'a str,
    /// How many characters all inline policies may have together.
    pub(crate) inline_limit: usize,
    /// Whether inline policies with these texts are within the limit together.
    pub(crate) fits: fn(&[String]) -> bool,
    /// How many managed policies may be attached.
    pub(crate) attached: &'static Quota,
    missing: fn(&str) -> Error,
}

impl Holder<'_> {
    /// It was deleted since it was judged.
    pub(crate) fn missing(&self) -> Error {
        (self.missing)(self.name)
    }
}

/// An [`Allowed`] user, group or role.
pub trait PolicyHolder: sealed::Held {}

impl PolicyHolder for Allowed<UserNamed> {}
impl PolicyHolder for Allowed<GroupNamed> {}
impl PolicyHolder for Allowed<RoleNamed> {}

pub(crate) mod sealed {
    use super::{Holder, Result};

    pub trait Held: Sync {
        /// Whose policies are read.
        #[expect(
            private_interfaces,
            reason = "the module is crate-private: nobody outside can call it"
        )]
        fn holder(&self) -> Result<Holder<'_>>;

        /// Whose policies are changed: not a service's role.
        #[expect(private_interfaces, reason = "see above")]
        fn changeable_holder(&self) -> Result<Holder<'_>>;

        fn change(&self) -> bonded_store::Change;
    }
}

use sealed::Held;

impl Held for Allowed<UserNamed> {
    #[expect(private_interfaces, reason = "see the trait")]
    fn holder(&self) -> Result<Holder<'_>> {
        let user = self.user()?;
        Ok(Holder {
            account: &user.account,
            unique_id: &user.id,
            kind: "user",
            name: &user.name,
            inline_limit: USER_POLICIES_LIMIT,
            fits: |texts| total_size(texts) <= USER_POLICIES_LIMIT,
            attached: &quota::POLICIES_PER_USER,
            missing: no_user,
        })
    }

    #[expect(private_interfaces, reason = "see the trait")]
    fn changeable_holder(&self) -> Result<Holder<'_>> {
        self.holder()
    }

    fn change(&self) -> bonded_store::Change {
        self.change()
    }
}

impl Held for Allowed<GroupNamed> {
    #[expect(private_interfaces, reason = "see the trait")]
    fn holder(&self) -> Result<Holder<'_>> {
        let group = self.group()?;
        Ok(Holder {
            account: &group.account,
            unique_id: &group.id,
            kind: "group",
            name: &group.name,
            inline_limit: GROUP_POLICIES_LIMIT,
            fits: |texts| total_size(texts) <= GROUP_POLICIES_LIMIT,
            attached: &quota::POLICIES_PER_GROUP,
            missing: no_group,
        })
    }

    #[expect(private_interfaces, reason = "see the trait")]
    fn changeable_holder(&self) -> Result<Holder<'_>> {
        self.holder()
    }

    fn change(&self) -> bonded_store::Change {
        self.change()
    }
}

impl Held for Allowed<RoleNamed> {
    #[expect(private_interfaces, reason = "see the trait")]
    fn holder(&self) -> Result<Holder<'_>> {
        let role = self.role()?;
        Ok(Holder {
            account: &role.account,
            unique_id: &role.id,
            kind: "role",
            name: &role.name,
            inline_limit: ROLE_POLICIES_LIMIT,
            fits: |texts| total_size(texts) <= ROLE_POLICIES_LIMIT,
            attached: &quota::POLICIES_PER_ROLE,
            missing: no_role,
        })
    }

    #[expect(private_interfaces, reason = "see the trait")]
    fn changeable_holder(&self) -> Result<Holder<'_>> {
        self.own_role()?;
        self.holder()
    }

    fn change(&self) -> bonded_store::Change {
        self.change()
    }
}

/// The size of several inline policies as IAM counts it.
fn total_size(texts: &[String]) -> usize {
    let sizes = texts
        .iter()
        .map(|text| document_size(text, PolicyKind::Identity));
    sizes.sum()
}
