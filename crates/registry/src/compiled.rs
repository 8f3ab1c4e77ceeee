//! Policies ready to be evaluated.
//!
//! A policy version is an immutable row, so what was compiled from it is good for ever and is
//! cached by its id. Which versions a principal has is cached under its account's epoch, which
//! every change of policies, principals and credentials raises in its own transaction and which
//! every request reads with its credential: no decision outlives a policy, on any node.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bonded_iam::{NamedPolicy, Policy};
use bonded_store::{NamedPolicy as AttachedPolicy, PolicyVersion, Session, Store, StoreError};

use crate::error::Result;

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

/// The cache.
#[derive(Default)]
pub(crate) struct Compiled {
    policies: Mutex<HashMap<String, Arc<NamedPolicy>>>,
    holders: Mutex<HashMap<String, Held>>,
}

/// The identity policies of a principal as of an epoch of its account.
struct Held {
    epoch: i64,
    policies: Arc<[Labelled]>,
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

    /// The identity policies of the user or role with the unique id `holder`, as of `epoch`.
    pub(crate) async fn identity_policies(
        &self,
        store: &Store,
        holder: &str,
        epoch: i64,
    ) -> Result<Arc<[Labelled]>> {
        if let Some(held) = lock(&self.holders).get(holder)
            && held.epoch == epoch
        {
            return Ok(Arc::clone(&held.policies));
        }
        let rows = store.principal_policies(holder).await?;
        let label = |row: &AttachedPolicy| format!("inline policy '{}'", row.name);
        let policies: Arc<[Labelled]> = rows
            .iter()
            .map(|row| self.policy(label(row), &row.version))
            .collect::<Result<_>>()?;
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

    fn compile(&self, label: String, version: &str, text: &str) -> Result<Arc<NamedPolicy>> {
        if let Some(named) = lock(&self.policies).get(version) {
            return Ok(Arc::clone(named));
        }
        let policy = Policy::parse(text).map_err(|e| {
            StoreError::Corrupt(format!(
                "the policy version '{version}' does not parse: {e}"
            ))
        })?;
        let named = Arc::new(NamedPolicy { label, policy });
        let mut policies = lock(&self.policies);
        make_room(&mut policies);
        policies.insert(version.to_owned(), Arc::clone(&named));
        Ok(named)
    }
}

fn make_room<V>(map: &mut HashMap<String, V>) {
    if map.len() >= LIMIT {
        map.clear();
    }
}

/// The maps hold whole values only, so one left by a panicking thread is still right.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
