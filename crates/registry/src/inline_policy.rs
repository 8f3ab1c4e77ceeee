//! The inline policies of users, groups and roles, and what may be saved as a policy at all.

use bonded_iam::{Policy, PolicyKind};

use crate::Registry;
use crate::error::{Error, Result};
use crate::policy_holder::{Holder, PolicyHolder};
use crate::quota;

impl Registry {
    /// Sets the inline policy `name` of the user, group or role; it holds from the next request on.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`]; [`Error::MalformedPolicyDocument`]; [`Error::LimitExceeded`] if
    /// all inline policies together would be too long; [`Error::UnmodifiableEntity`] for a
    /// service's role.
    pub async fn put_inline_policy(
        &self,
        allowed: &impl PolicyHolder,
        name: &str,
        text: &str,
    ) -> Result<()> {
        let holder = allowed.changeable_holder()?;
        validated(text, PolicyKind::Identity)?;
        let put = self
            .store()
            .put_principal_policy(
                holder.unique_id,
                (name, text),
                holder.fits,
                &allowed.change(),
            )
            .await?;
        put.map_err(|_| {
            let Holder {
                kind,
                name,
                inline_limit,
                ..
            } = holder;
            Error::LimitExceeded(format!(
                "Maximum policy size of {inline_limit} bytes exceeded for {kind} {name}"
            ))
        })
    }

    /// The text of the inline policy `name` of the user, group or role.
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

    /// The names of the inline policies of the user, group or role, in byte order. Their texts are
    /// bounded together, so the list is too.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`].
    pub async fn list_inline_policies(&self, allowed: &impl PolicyHolder) -> Result<Vec<String>> {
        let holder = allowed.holder()?;
        Ok(self
            .store()
            .list_principal_policies(holder.unique_id)
            .await?)
    }

    /// Deletes the inline policy `name` of the user, group or role.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`]; [`Error::UnmodifiableEntity`] for a service's role.
    pub async fn delete_inline_policy(
        &self,
        allowed: &impl PolicyHolder,
        name: &str,
    ) -> Result<()> {
        let holder = allowed.changeable_holder()?;
        let found = self
            .store()
            .delete_principal_policy(holder.unique_id, name, &allowed.change())
            .await?;
        found.then_some(()).ok_or_else(|| missing(&holder, name))
    }
}

/// The policy in `text`, fit to be saved as `kind`; [`PolicyKind::Boundary`] for every managed
/// policy.
pub(crate) fn validated(text: &str, kind: PolicyKind) -> Result<Policy> {
    bonded_iam::validate(text, kind).map_err(|e| match kind {
        _ if !e.is_too_long() => Error::MalformedPolicyDocument(e.to_string()),
        PolicyKind::Boundary => quota::POLICY_SIZE.exceeded(),
        PolicyKind::Trust => quota::TRUST_POLICY.exceeded(),
        _ => Error::LimitExceeded(e.to_string()),
    })
}

fn missing(holder: &Holder<'_>, name: &str) -> Error {
    let kind = holder.kind;
    Error::NoSuchEntity(format!(
        "The {kind} policy with name {name} cannot be found."
    ))
}
