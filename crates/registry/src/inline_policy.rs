//! The inline policies of users and roles, and what may be saved as a policy at all.

use bonded_iam::{Policy, PolicyKind, document_size};
use bonded_model::AccountId;

use crate::Registry;
use crate::access::Allowed;
use crate::error::{Error, Result};
use crate::target::{RoleNamed, UserNamed};

/// IAM's quota for all inline policies of a user together, in characters without white space.
const USER_POLICIES_LIMIT: usize = 2_048;

/// The same for a role.
const ROLE_POLICIES_LIMIT: usize = 10_240;

/// The user or role that inline policies are attached to.
struct Holder<'a> {
    account: &'a AccountId,
    unique_id: &'a str,
    /// `user` or `role`, as AWS's texts say it.
    kind: &'static str,
    name: &'a str,
    limit: usize,
}

/// An [`Allowed`] user or role.
pub trait PolicyHolder: sealed::Held {}

impl PolicyHolder for Allowed<UserNamed> {}
impl PolicyHolder for Allowed<RoleNamed> {}

mod sealed {
    use super::{
        Allowed, Holder, ROLE_POLICIES_LIMIT, Result, RoleNamed, USER_POLICIES_LIMIT, UserNamed,
    };

    pub trait Held: Sync {
        #[expect(
            private_interfaces,
            reason = "the module is private: nobody outside can call it"
        )]
        fn holder(&self) -> Result<Holder<'_>>;
        fn change(&self) -> bonded_store::Change;
    }

    impl Held for Allowed<UserNamed> {
        #[expect(private_interfaces, reason = "see the trait")]
        fn holder(&self) -> Result<Holder<'_>> {
            let user = self.user()?;
            Ok(Holder {
                account: &user.account,
                unique_id: &user.id,
                kind: "user",
                name: &user.name,
                limit: USER_POLICIES_LIMIT,
            })
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
                limit: ROLE_POLICIES_LIMIT,
            })
        }

        fn change(&self) -> bonded_store::Change {
            self.change()
        }
    }
}

impl Registry {
    /// Sets the inline policy `name` of the user or role; it holds from the next request on.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`]; [`Error::MalformedPolicyDocument`]; [`Error::LimitExceeded`] if
    /// all inline policies together would be too long.
    pub async fn put_inline_policy(
        &self,
        allowed: &impl PolicyHolder,
        name: &str,
        text: &str,
    ) -> Result<()> {
        let holder = allowed.holder()?;
        validated(text, PolicyKind::Identity)?;
        let size = |text: &str| document_size(text, PolicyKind::Identity);
        let others = self.store().principal_policies(holder.unique_id).await?;
        let others = others
            .iter()
            .filter(|policy| policy.name != name)
            .map(|policy| &policy.version.text);
        let total: usize = others.map(|other| size(other)).sum::<usize>() + size(text);

        if total > holder.limit {
            let Holder {
                kind, name, limit, ..
            } = holder;
            return Err(Error::LimitExceeded(format!(
                "Maximum policy size of {limit} bytes exceeded for {kind} {name}"
            )));
        }
        let Holder {
            account, unique_id, ..
        } = holder;
        Ok(self
            .store()
            .put_principal_policy(unique_id, account, name, text, &allowed.change())
            .await?)
    }

    /// The text of the inline policy `name` of the user or role.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`].
    pub async fn inline_policy(&self, allowed: &impl PolicyHolder, name: &str) -> Result<String> {
        let holder = allowed.holder()?;
        let found = self
            .store()
            .find_principal_policy(holder.unique_id, name)
            .await?;
        found
            .map(|version| version.text)
            .ok_or_else(|| missing(&holder, name))
    }

    /// Deletes the inline policy `name` of the user or role.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`].
    pub async fn delete_inline_policy(
        &self,
        allowed: &impl PolicyHolder,
        name: &str,
    ) -> Result<()> {
        let holder = allowed.holder()?;
        let Holder {
            account, unique_id, ..
        } = holder;
        let found = self
            .store()
            .delete_principal_policy(unique_id, account, name, &allowed.change())
            .await?;
        found.then_some(()).ok_or_else(|| missing(&holder, name))
    }

    /// The first principal the policy names that does not exist here: AWS refuses to save a policy
    /// that trusts somebody who could be made later by anyone.
    pub(crate) async fn missing_principal(&self, policy: &Policy) -> Result<Option<String>> {
        for principal in policy.principals() {
            if !self.principal_exists(principal).await? {
                return Ok(Some(principal.to_owned()));
            }
        }
        Ok(None)
    }

    async fn principal_exists(&self, principal: &str) -> Result<bool> {
        let store = self.store();
        if let Ok(account) = principal.parse::<AccountId>() {
            return Ok(store.account_exists(&account).await?);
        }
        let parts: Vec<&str> = principal.splitn(6, ':').collect();
        let ["arn", "aws", service @ ("iam" | "sts"), "", account, rest] = parts[..] else {
            return Ok(false);
        };
        let Ok(account) = account.parse::<AccountId>() else {
            return Ok(false);
        };
        let name = rest.rsplit('/').next().unwrap_or_default();
        match (service, rest.split('/').next().unwrap_or_default()) {
            ("iam", "root") if rest == "root" => Ok(store.account_exists(&account).await?),
            ("iam", "user") => Ok(store
                .find_user(&account, name)
                .await?
                .is_some_and(|user| user.arn() == principal)),
            ("iam", "role") => Ok(store
                .find_role(&account, name)
                .await?
                .is_some_and(|role| role.arn() == principal)),
            // A session exists while it lasts; its role must exist.
            ("sts", "assumed-role") => {
                let role = rest.split('/').nth(1).unwrap_or_default();
                Ok(
                    rest.split('/').count() == 3
                        && store.find_role(&account, role).await?.is_some(),
                )
            }
            _ => Ok(false),
        }
    }
}

/// The policy in `text`, fit to be saved as `kind`.
pub(crate) fn validated(text: &str, kind: PolicyKind) -> Result<Policy> {
    bonded_iam::validate(text, kind).map_err(|e| {
        if e.is_too_long() {
            Error::LimitExceeded(e.to_string())
        } else {
            Error::MalformedPolicyDocument(e.to_string())
        }
    })
}

fn missing(holder: &Holder<'_>, name: &str) -> Error {
    let kind = holder.kind;
    Error::NoSuchEntity(format!(
        "The {kind} policy with name {name} cannot be found."
    ))
}
