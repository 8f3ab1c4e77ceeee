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
    /// Whether inline policies with these texts are within the limit together.
    fits: fn(&[String]) -> bool,
}

/// An [`Allowed`] user or role.
pub trait PolicyHolder: sealed::Held {}

impl PolicyHolder for Allowed<UserNamed> {}
impl PolicyHolder for Allowed<RoleNamed> {}

mod sealed {
    use super::{
        Allowed, Holder, ROLE_POLICIES_LIMIT, Result, RoleNamed, USER_POLICIES_LIMIT, UserNamed,
        total_size,
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
                fits: |texts| total_size(texts) <= USER_POLICIES_LIMIT,
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
                fits: |texts| total_size(texts) <= ROLE_POLICIES_LIMIT,
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
        let put = self
            .store()
            .put_principal_policy(
                holder.unique_id,
                holder.account,
                (name, text),
                holder.fits,
                &allowed.change(),
            )
            .await?;
        put.map_err(|_| {
            let Holder {
                kind, name, limit, ..
            } = holder;
            Error::LimitExceeded(format!(
                "Maximum policy size of {limit} bytes exceeded for {kind} {name}"
            ))
        })
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

    /// The first user, role or session the policy names that does not exist here: AWS refuses to
    /// save a policy that trusts somebody who could be made later by anyone. Accounts are made by
    /// the operator alone, so one may be named before it is there.
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
        if principal.starts_with("AIDA") {
            return Ok(store.find_user_by_id(principal).await?.is_some());
        }
        if principal.starts_with("AROA") {
            return Ok(store.find_role_by_id(principal).await?.is_some());
        }
        let parts: Vec<&str> = principal.splitn(6, ':').collect();
        let ["arn", "aws", service, "", account, rest] = parts[..] else {
            return Ok(false);
        };
        let (Ok(account), Some((kind, path))) = (account.parse(), rest.split_once('/')) else {
            return Ok(false);
        };
        let name = path.rsplit('/').next().unwrap_or_default();
        match (service, kind) {
            ("iam", "user") => {
                let user = store.find_user(&account, name).await?;
                Ok(user.is_some_and(|user| user.arn() == principal))
            }
            ("iam", "role") => {
                let role = store.find_role(&account, name).await?;
                Ok(role.is_some_and(|role| role.arn() == principal))
            }
            // A session comes and goes; its role must be there.
            ("sts", "assumed-role") => match path.split_once('/') {
                Some((role, session)) if !session.contains('/') => {
                    Ok(store.find_role(&account, role).await?.is_some())
                }
                _ => Ok(false),
            },
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

/// The size of several inline policies as IAM counts it.
fn total_size(texts: &[String]) -> usize {
    let sizes = texts
        .iter()
        .map(|text| document_size(text, PolicyKind::Identity));
    sizes.sum()
}

fn missing(holder: &Holder<'_>, name: &str) -> Error {
    let kind = holder.kind;
    Error::NoSuchEntity(format!(
        "The {kind} policy with name {name} cannot be found."
    ))
}
