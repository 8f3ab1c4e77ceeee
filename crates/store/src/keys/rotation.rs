//! Another root key while the server serves: it is added to the file, every key version is wrapped by
//! it in bounded steps, and the old one leaves the file when it wraps nothing.
//!
//! No object is touched and no key version changes, so nothing that is in use stops working. A node
//! that is cut off in between goes on when it starts.

use std::sync::Arc;

use super::Keys;
use super::ring::Ring;
use super::version::Wrapped;
use crate::Store;
use crate::advance::{Unit, Watcher};
use crate::error::{Result, StoreError};
use crate::meta::{Meta, Value};
use crate::thread::blocking;

/// How many key versions are wrapped anew in one transaction.
const REWRAP_STEP: u32 = 500;

/// The key ring of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRing {
    /// The file, as this node knows it.
    pub path: std::path::PathBuf,
    /// Its root keys, the current one first.
    pub roots: Vec<RootKey>,
}

/// A root key, without the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootKey {
    /// Its id, which is derived from it.
    pub id: String,
    /// Whether new key versions are wrapped by it.
    pub current: bool,
    /// Whether it is to be the current one after the next rotation.
    pub next: bool,
    /// How many key versions it wraps.
    pub wraps: u64,
}

impl Store {
    /// The root keys of the ring.
    ///
    /// # Errors
    /// As every read; [`StoreError::KeyRing`] if the file is not readable any more.
    pub async fn key_ring(&self) -> Result<KeyRing> {
        const WRAPS: &str = "SELECT root_key, COUNT(*) FROM key_versions GROUP BY root_key";
        self.keys().reload().await?;
        let ring = self.keys().ring();
        let mut wraps = std::collections::HashMap::new();
        for mut row in self.meta().all(WRAPS, &[]).await? {
            wraps.insert(row.text()?, row.size()?);
        }
        let roots = ring.roots().iter().enumerate().map(|(n, root)| RootKey {
            id: root.id.clone(),
            current: n == 0,
            next: root.next,
            wraps: wraps.get(&root.id).copied().unwrap_or(0),
        });
        Ok(KeyRing {
            path: ring.path().to_owned(),
            roots: roots.collect(),
        })
    }

    /// Adds a root key to the ring file, or takes the one that was prepared, and wraps every key
    /// version by it, of which `watcher` is told. With `prepare` one is added and nothing is wrapped yet, so that each node can
    /// get the file first.
    ///
    /// # Errors
    /// [`StoreError::KeyRing`], or the file or a row cannot be written. The file is whole in any
    /// case; rows that were not wrapped anew are at the next rotation or start.
    pub async fn rotate_key_ring(&self, prepare: bool, watcher: &Watcher) -> Result<()> {
        let path = self.keys().ring().path().to_owned();
        let step = watcher.begin("ring", None, Unit::Count);
        let ring = blocking(move || Ring::rotate(&path, prepare)).await?;
        step.end();
        rewrap(self.meta(), &self.keys().set_ring(ring), watcher).await
    }

    /// Takes the root key `id` out of the ring file, if it wraps nothing.
    ///
    /// # Errors
    /// [`StoreError::KeyRing`] if it wraps something, is the current one, or is not there.
    pub async fn retire_root_key(&self, id: &str) -> Result<()> {
        let ring = self.key_ring().await?;
        let wraps = ring.roots.iter().find(|root| root.id == id);
        let wraps = wraps
            .filter(|root| !root.current)
            .map_or(0, |root| root.wraps);
        if wraps > 0 {
            return Err(StoreError::KeyRing(format!(
                "the root key '{id}' wraps {wraps} keys; rotate the key ring, on each node that has it as \
                 its current one, and retire it then"
            )));
        }
        let id = id.to_owned();
        let changed = blocking(move || Ring::retire(&ring.path, &id)).await?;
        self.keys().set_ring(changed);
        Ok(())
    }
}

impl Keys {
    /// Reads the ring file again, which another node or the operator may have changed. One that
    /// lacks what is in use is refused, and the one in memory goes on.
    async fn reload(&self) -> Result<()> {
        let known = self.ring();
        let fresh = blocking(move || {
            let fresh = Ring::load(known.path())?.ok_or_else(|| {
                let path = known.path().display();
                StoreError::KeyRing(format!(
                    "there is no key ring at '{path}' any more; restore it"
                ))
            })?;
            fresh.root(&known.current().id)?;
            Ok(fresh)
        });
        self.set_ring(fresh.await?);
        Ok(())
    }
}

/// Wraps by the current root key what another one wraps, but for the next one: what that wraps was
/// wrapped by a node which is ahead of this one.
pub(super) async fn rewrap(meta: &Meta, ring: &Ring, watcher: &Watcher) -> Result<()> {
    const COUNT: &str = "SELECT COUNT(*) FROM key_versions WHERE root_key <> $1 AND root_key <> $2";
    const SELECT: &str = "SELECT id, purpose, account, region, root_key, wrapped_key \
         FROM key_versions WHERE root_key <> $1 AND root_key <> $2 ORDER BY id LIMIT $3";
    const UPDATE: &str = "UPDATE key_versions SET root_key = $1, wrapped_key = $2 \
         WHERE id = $3 AND root_key = $4";
    let current = &ring.current().id;
    let next = ring.roots().iter().find(|root| root.next);
    let next = next.map_or("", |root| root.id.as_str());
    let all = meta.optional(COUNT, &[current.into(), next.into()]).await?;
    let all = all.map(|mut row| row.size()).transpose()?;
    let mut step = watcher.begin("keys", all, Unit::Count);
    loop {
        let values = [current.into(), next.into(), REWRAP_STEP.into()];
        let old = meta.all(SELECT, &values).await?;
        if old.is_empty() {
            step.end();
            return Ok(());
        }
        let count = old.len() as u64;
        let mut updates = Vec::with_capacity(old.len());
        for row in old {
            let old = Wrapped::from_row(row)?;
            let key = old.open(ring)?.key;
            let new = Wrapped::wrap(ring, old.id, old.columns, &key)?;
            updates.push([
                new.root_key.into(),
                new.wrapped_key.into(),
                new.id.into(),
                old.root_key.into(),
            ]);
        }
        meta.transact(updates, |tx, updates: Arc<Vec<[Value; 4]>>| {
            Box::pin(async move {
                for values in &*updates {
                    tx.execute(UPDATE, values).await?;
                }
                Ok(())
            })
        })
        .await?;
        step.add(count);
    }
}
