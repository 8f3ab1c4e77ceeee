//! Policies ready to be evaluated.
//!
//! A policy version is an immutable row, so what was compiled from it is good for ever and is
//! cached by its id. Which versions a principal has is cached under its account's epoch, which
//! every change of policies, principals and credentials raises in its own transaction and which
//! every request reads with its credential: no decision outlives a policy, on any node.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bonded_iam::{NamedPolicy, Policy};
use bonded_model::AccountId;
use bonded_store::{
    CallerPolicies, FULL_ACCESS, IdentityPolicy, PolicyVersion, ServiceToken, Session, Store,
    StoreError,
};

use crate::error::Result;
use crate::service_token::bounds_policy;

/// How many compiled policies and principals are kept before the cache starts anew.
const LIMIT: usize = 4096;

/// A policy with the words explanations use for it and the version it was compiled from.
#[derive(Clone)]
pub(crate) struct Labelled {
    /// The id of the immutable row; for a session policy the session and its place.
    pub(crate) version: String,
    /// The policy under a name such as `inline policy 'ci'`.
    pub(crate) named: Arc<NamedPolicy>,
}

/// What decides on the side of a user or role, beside its session.
#[derive(Default)]
pub(crate) struct HolderPolicies {
    /// Its own policies and those of its groups.
    pub(crate) identity: Vec<Labelled>,
    /// Its permissions boundary.
    pub(crate) boundary: Option<Labelled>,
    /// What its account may do at most; empty if that is everything.
    pub(crate) service_control: Vec<Labelled>,
}

/// The cache.
#[derive(Default)]
pub(crate) struct Compiled {
    /// By version and label: one version may come to its holders in several ways.
    policies: Mutex<HashMap<(String, String), Arc<NamedPolicy>>>,
    holders: Mutex<HashMap<String, Held>>,
}

/// The policies of a principal as of an epoch of its account.
struct Held {
    epoch: i64,
    policies: Arc<HolderPolicies>,
}

impl Compiled {
    /// The policy of one version.
    ///
    /// # Errors
    /// The row does not parse, although it did when it was saved: corruption, and no decision.
    pub(crate) fn policy(&self, label: String, version: &PolicyVersion) -> Result<Labelled> {
        let named = self.compile(label, &version.id, &version.text)?;
        Ok(Labelled {
            version: version.id.clone(),
            named,
        })
    }

    /// The policies a session was made with; a session is an immutable row too.
    pub(crate) fn session_policies(&self, session: &Session) -> Result<Vec<Labelled>> {
        let compile = |(i, text): (usize, &String)| {
            let version = format!("{}#{i}", session.id);
            let named = self.compile("session policy".to_owned(), &version, text)?;
            Ok(Labelled { version, named })
        };
        session.policies.iter().enumerate().map(compile).collect()
    }

    /// The policy that holds a service token to its bounds, which never change.
    pub(crate) fn token_bounds(&self, token: &ServiceToken) -> Result<Labelled> {
        let version = format!("{}#0", token.id);
        let text = bounds_policy(&token.bounds);
        let named = self.compile("bounds of the service token".to_owned(), &version, &text)?;
        Ok(Labelled { version, named })
    }

    /// What decides on the side of a user or role: its account, its unique id and the epoch of the
    /// account that the request read.
    pub(crate) async fn holder_policies(
        &self,
        store: &Store,
        (account, holder, epoch): (&AccountId, &str, i64),
    ) -> Result<Arc<HolderPolicies>> {
        if let Some(held) = lock(&self.holders).get(holder)
            && held.epoch == epoch
        {
            return Ok(Arc::clone(&held.policies));
        }
        let rows = store.caller_policies(holder, account).await?;
        let policies = Arc::new(self.compile_holder(&rows)?);
        let mut holders = lock(&self.holders);
        // A slow reader must not put an older epoch's policies over a newer one's.
        if holders.get(holder).is_none_or(|held| held.epoch < epoch) {
            make_room(&mut holders);
            holders.insert(
                holder.to_owned(),
                Held {
                    epoch,
                    policies: Arc::clone(&policies),
                },
            );
        }
        Ok(policies)
    }

    /// The same of rows that were just read.
    pub(crate) fn compile_holder(&self, rows: &CallerPolicies) -> Result<HolderPolicies> {
        let identity = rows
            .identity
            .iter()
            .map(|row| self.policy(label(row), &row.version));
        let boundary = rows.boundary.as_ref().map(|(arn, version)| {
            self.policy(format!("permissions boundary '{}'", arn.name), version)
        });
        let service_control = rows.service_control.iter().map(|row| {
            let label = format!("service control policy '{}'", row.name);
            self.policy(label, &row.version)
        });
        // Alone it decides nothing.
        let unrestricted = matches!(&rows.service_control[..], [only] if only.name == FULL_ACCESS);
        Ok(HolderPolicies {
            identity: identity.collect::<Result<_>>()?,
            boundary: boundary.transpose()?,
            service_control: if unrestricted {
                Vec::new()
            } else {
                service_control.collect::<Result<_>>()?
            },
        })
    }

    fn compile(&self, label: String, version: &str, text: &str) -> Result<Arc<NamedPolicy>> {
        let key = (version.to_owned(), label);
        if let Some(named) = lock(&self.policies).get(&key) {
            return Ok(Arc::clone(named));
        }
        let policy = Policy::parse(text).map_err(|e| {
            StoreError::Corrupt(format!(
                "the policy version '{version}' does not parse: {e}"
            ))
        })?;
        let named = Arc::new(NamedPolicy {
            label: key.1.clone(),
            policy,
        });
        let mut policies = lock(&self.policies);
        make_room(&mut policies);
        policies.insert(key, Arc::clone(&named));
        Ok(named)
    }
}

/// What explanations call a policy of a user or role.
fn label(policy: &IdentityPolicy) -> String {
    let kind = match policy.managed {
        Some(_) => "managed policy",
        None => "inline policy",
    };
    let name = &policy.name;
    match &policy.group {
        Some(group) => format!("{kind} '{name}' of group '{group}'"),
        None => format!("{kind} '{name}'"),
    }
}

fn make_room<K, V>(map: &mut HashMap<K, V>) {
    if map.len() >= LIMIT {
        map.clear();
    }
}

/// The maps hold whole values only, so one left by a panicking thread is still right.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
