//! The users and roles that resource and trust policies name.
//!
//! A policy is saved with their unique ids in place of their ARNs: who is deleted and made again
//! under the same name is another principal, whom the policy does not name. What is shown has the
//! ARN of each as it is now, and the id of one that was deleted (iam.md §4).

use std::collections::HashMap;

use bonded_iam::{MalformedPolicy, Policy, rewrite_principals};
use bonded_model::json;
use bonded_store::StoreError;
use serde_json::Value;

use crate::Registry;
use crate::error::Result;

impl Registry {
    /// `text`, which is `policy`, as it is saved. The inner error names the first user, role or
    /// session that does not exist: AWS refuses to save a policy that trusts somebody who could be
    /// made later by anyone. Accounts are made by the operator alone, so one may be named before
    /// it is there.
    pub(crate) async fn bind_principals(
        &self,
        text: &str,
        policy: &Policy,
    ) -> Result<std::result::Result<String, MalformedPolicy>> {
        let mut ids = HashMap::new();
        for principal in policy.principals() {
            match self.find_principal(principal).await? {
                Found::Nobody => return Ok(Err(MalformedPolicy::unknown_principal(principal))),
                Found::Session => {}
                Found::Principal { id, .. } => {
                    ids.insert(principal.to_owned(), id);
                }
            }
        }
        Ok(Ok(rewritten(text, &ids)?))
    }

    /// `text`, as [`Registry::bind_principals`] saved it, as it is shown.
    pub(crate) async fn show_principals(&self, text: &str) -> Result<String> {
        // Most policies name accounts and services only.
        if !text.contains("\"AIDA") && !text.contains("\"AROA") {
            return Ok(text.to_owned());
        }
        let policy = Policy::parse(text)
            .map_err(|e| StoreError::Corrupt(format!("a saved policy does not parse: {e}")))?;
        let mut arns = HashMap::new();
        for principal in policy.principals() {
            if let Found::Principal { arn, .. } = self.find_principal(principal).await? {
                arns.insert(principal.to_owned(), arn);
            }
        }
        rewritten(text, &arns)
    }

    /// The trust policy of a role as it is shown.
    ///
    /// # Errors
    /// Rows cannot be read.
    pub async fn shown_trust_policy(&self, role: &bonded_store::Role) -> Result<String> {
        self.show_principals(&role.trust.text).await
    }

    async fn find_principal(&self, principal: &str) -> Result<Found> {
        let store = self.store();
        if principal.starts_with("AIDA") {
            let user = store.find_user_by_id(principal).await?;
            return Ok(user.map_or(Found::Nobody, |user| Found::new(&user.id, user.arn())));
        }
        if principal.starts_with("AROA") {
            let role = store.find_role_by_id(principal).await?;
            return Ok(role.map_or(Found::Nobody, |role| Found::new(&role.id, role.arn())));
        }
        let parts: Vec<&str> = principal.splitn(6, ':').collect();
        let ["arn", "aws", service, "", account, rest] = parts[..] else {
            return Ok(Found::Nobody);
        };
        let (Ok(account), Some((kind, path))) = (account.parse(), rest.split_once('/')) else {
            return Ok(Found::Nobody);
        };
        let name = path.rsplit('/').next().unwrap_or_default();
        let found = match (service, kind) {
            ("iam", "user") => {
                let user = store.find_user(&account, name).await?;
                user.map(|user| Found::new(&user.id, user.arn()))
            }
            ("iam", "role") => {
                let role = store.find_role(&account, name).await?;
                role.map(|role| Found::new(&role.id, role.arn()))
            }
            // A session comes and goes; its role must be there.
            ("sts", "assumed-role") => {
                return match path.split_once('/') {
                    Some((role, session)) if !session.contains('/') => {
                        let role = store.find_role(&account, role).await?;
                        Ok(role.map_or(Found::Nobody, |_| Found::Session))
                    }
                    _ => Ok(Found::Nobody),
                };
            }
            _ => None,
        };
        // Names are found in any case, but an ARN is that of its very letters.
        let exact =
            found.filter(|found| matches!(found, Found::Principal { arn, .. } if arn == principal));
        Ok(exact.unwrap_or(Found::Nobody))
    }
}

/// Whom a principal names.
enum Found {
    /// Nobody here.
    Nobody,
    /// Sessions of a role that exists.
    Session,
    /// A user or role.
    Principal { id: String, arn: String },
}

impl Found {
    fn new(id: &str, arn: String) -> Self {
        Self::Principal {
            id: id.to_owned(),
            arn,
        }
    }
}

/// The document with these principals replaced; as it was if there are none.
fn rewritten(text: &str, replacements: &HashMap<String, String>) -> Result<String> {
    if replacements.is_empty() {
        return Ok(text.to_owned());
    }
    let mut document: Value = json::parse(text.as_bytes())
        .map_err(|e| StoreError::Corrupt(format!("a policy is not JSON: {e}")))?;
    rewrite_principals(&mut document, |principal| {
        replacements.get(principal).cloned()
    });
    Ok(document.to_string())
}
