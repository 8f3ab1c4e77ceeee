//! Three levels of keys: root keys in the ring file, *key versions* in rows wrapped by a root key,
//! and one data key per object wrapped in its header (`blobs`).
//!
//! Key versions by purpose: one for sealed columns, one for secret access keys, two for the MAC of
//! tokens, one for the objects of each registry. Rotating the ring wraps these rows anew and
//! touches no object.

mod ring;
mod rotation;
mod seal;
mod version;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use bonded_model::{AccountId, Region, Timestamp};
use zeroize::Zeroizing;

use crate::advance::Watcher;
use crate::error::{Result, StoreError};
use crate::meta::{Meta, Value};
use ring::Ring;
pub(crate) use ring::check_place;
pub use ring::{export_key_ring, key_ring_ids};
pub use rotation::{KeyRing, RootKey};
pub(crate) use seal::{KeyBytes, OVERHEAD, Place, cipher, new_key, open, open_into, seal_into};
pub(crate) use version::{ID_LEN, KeyVersion};
use version::{INSERT, Unwrapped, Wrapped};

/// What a key version is for, and so whose it is. The words are in rows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Purpose {
    /// Sealed columns: manifests, states of uploads.
    Rows,
    /// Secret access keys, of users and of sessions.
    Secrets,
    /// The MAC of tokens.
    Tokens,
    /// The data keys of a registry's objects.
    Registry(AccountId, Region),
}

impl Purpose {
    /// Purpose, account and region, as the columns have them.
    fn columns(&self) -> [&str; 3] {
        match self {
            Self::Rows => ["rows", "", ""],
            Self::Secrets => ["secrets", "", ""],
            Self::Tokens => ["tokens", "", ""],
            Self::Registry(account, region) => ["registry", account.as_str(), region.as_str()],
        }
    }
}

/// The keys of the deployment.
pub(crate) struct Keys {
    /// As the file was when it was read or changed last.
    ring: RwLock<Arc<Ring>>,
    rows: KeyVersion,
    secrets: KeyVersion,
    /// Current key version of each registry that was used. They change only by a restart.
    registries: RwLock<HashMap<Purpose, Arc<KeyVersion>>>,
    /// Key versions that objects name.
    versions: RwLock<HashMap<[u8; ID_LEN], Arc<KeyVersion>>>,
}

impl Keys {
    /// Loads the ring at `path`, or makes one if nothing in the database is wrapped yet (the flag
    /// says so), unwraps the known rows and wraps anew what an older root key holds.
    pub(crate) async fn load(meta: &Meta, path: &Path, now: Timestamp) -> Result<(Self, bool)> {
        const ROOTS: &str = "SELECT DISTINCT root_key FROM key_versions";
        let used = meta.all(ROOTS, &[]).await?;
        let (ring, created) = match Ring::load(path)? {
            Some(ring) => (ring, false),
            None if used.is_empty() => Ring::create(path)?,
            None => {
                return Err(StoreError::KeyRing(format!(
                    "there is no key ring at '{}', but the database is sealed with one; restore it",
                    path.display()
                )));
            }
        };
        for mut row in used {
            ring.root(&row.text()?)?;
        }
        rotation::rewrap(meta, &ring, &Watcher::nobody()).await?;
        let rows = current_or_new(meta, &ring, &Purpose::Rows, now).await?;
        let secrets = current_or_new(meta, &ring, &Purpose::Secrets, now).await?;
        current_or_new(meta, &ring, &Purpose::Tokens, now).await?;
        let keys = Self {
            rows: rows.open(&ring)?.into_version(),
            secrets: secrets.open(&ring)?.into_version(),
            ring: RwLock::new(Arc::new(ring)),
            registries: RwLock::default(),
            versions: RwLock::default(),
        };
        Ok((keys, created))
    }

    fn ring(&self) -> Arc<Ring> {
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&ring)
    }

    fn set_ring(&self, ring: Ring) -> Arc<Ring> {
        let ring = Arc::new(ring);
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&ring);
        ring
    }

    /// Opens a key version. One that is wrapped by a root key which is not known here was wrapped
    /// after a rotation by another node: the file is read again.
    fn unwrap(&self, wrapped: &Wrapped) -> Result<Unwrapped> {
        let ring = self.ring();
        if ring.root(&wrapped.root_key).is_ok() {
            return wrapped.open(&ring);
        }
        match Ring::load(ring.path())? {
            Some(fresh) if fresh.root(&wrapped.root_key).is_ok() => {
                wrapped.open(&self.set_ring(fresh))
            }
            _ => wrapped.open(&ring),
        }
    }

    /// Seals the column of a row that `place` names.
    pub(crate) fn seal_row(&self, place: &Place, plain: &[u8]) -> Result<Vec<u8>> {
        self.rows.seal(place, plain)
    }

    /// Opens what [`Keys::seal_row`] gave.
    pub(crate) fn open_row(&self, place: &Place, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        self.rows.open(place, sealed)
    }

    /// Seals a secret access key.
    pub(crate) fn seal_secret(&self, place: &Place, plain: &[u8]) -> Result<Vec<u8>> {
        self.secrets.seal(place, plain)
    }

    /// Opens what [`Keys::seal_secret`] gave.
    pub(crate) fn open_secret(&self, place: &Place, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        self.secrets.open(place, sealed)
    }

    /// The key version that new objects of a registry are encrypted under.
    pub(crate) async fn registry(
        &self,
        meta: &Meta,
        account: &AccountId,
        region: &Region,
        now: Timestamp,
    ) -> Result<Arc<KeyVersion>> {
        let purpose = Purpose::Registry(account.clone(), region.clone());
        let known = self
            .registries
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&purpose)
            .cloned();
        if let Some(version) = known {
            return Ok(version);
        }
        let wrapped = current_or_new(meta, &self.ring(), &purpose, now).await?;
        let version = Arc::new(self.unwrap(&wrapped)?.into_version());
        let mut known = self
            .registries
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(known.entry(purpose).or_insert(version)))
    }

    /// The key version `id`, which the header of an object names.
    pub(crate) async fn version(&self, meta: &Meta, id: [u8; ID_LEN]) -> Result<Arc<KeyVersion>> {
        const SELECT: &str = "SELECT id, purpose, account, region, root_key, wrapped_key \
             FROM key_versions WHERE id = $1";
        let known = self
            .versions
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&id)
            .cloned();
        if let Some(version) = known {
            return Ok(version);
        }
        let row = meta.optional(SELECT, &[hex::encode(id).into()]).await?;
        let row = row.ok_or_else(|| {
            StoreError::Corrupt(format!("the key version '{}' is missing", hex::encode(id)))
        })?;
        let version = self.unwrap(&Wrapped::from_row(row)?)?.into_version();
        let version = Arc::new(version);
        let mut known = self
            .versions
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(known.entry(id).or_insert(version)))
    }

    /// The two newest key versions for tokens, newest first.
    pub(crate) async fn tokens(&self, meta: &Meta) -> Result<Vec<(String, KeyBytes)>> {
        const SELECT: &str = "SELECT id, purpose, account, region, root_key, wrapped_key \
             FROM key_versions WHERE purpose = $1 ORDER BY number DESC LIMIT 2";
        let [purpose, ..] = Purpose::Tokens.columns();
        let rows = meta.all(SELECT, &[purpose.into()]).await?;
        rows.into_iter()
            .map(|row| {
                let opened = self.unwrap(&Wrapped::from_row(row)?)?;
                Ok((hex::encode(opened.id), opened.key))
            })
            .collect()
    }

    /// Adds a key version for tokens; the one before the last stops being valid.
    pub(crate) async fn rotate_tokens(
        &self,
        meta: &Meta,
        made_before: Timestamp,
        now: Timestamp,
    ) -> Result<bool> {
        const LAST: &str = "SELECT number, created_at FROM key_versions WHERE purpose = $1 \
             ORDER BY number DESC LIMIT 1";
        const DELETE: &str = "DELETE FROM key_versions WHERE purpose = $1 AND number < $2";
        let fresh = Wrapped::new(&self.ring(), &Purpose::Tokens)?;
        meta.transact((fresh, made_before, now), |tx, input| {
            Box::pin(async move {
                let (fresh, made_before, now) = &*input;
                let mut number = 1;
                if let Some(mut row) = tx.optional(LAST, &[fresh.purpose().into()]).await? {
                    number += row.int()?;
                    if row.time()? >= *made_before {
                        return Ok(false);
                    }
                }
                tx.execute(INSERT, &fresh.insert(number, *now)).await?;
                let old: [Value; 2] = [fresh.purpose().into(), (number - 1).into()];
                tx.execute(DELETE, &old).await?;
                Ok(true)
            })
        })
        .await
    }
}

/// The newest key version for `purpose`; the first one is made here, by one of those who ask.
async fn current_or_new(
    meta: &Meta,
    ring: &Ring,
    purpose: &Purpose,
    now: Timestamp,
) -> Result<Wrapped> {
    const SELECT: &str = "SELECT id, purpose, account, region, root_key, wrapped_key \
         FROM key_versions WHERE purpose = $1 AND account = $2 AND region = $3 \
         ORDER BY number DESC LIMIT 1";
    let values = purpose.columns().map(Value::from);
    if let Some(row) = meta.optional(SELECT, &values).await? {
        return Wrapped::from_row(row);
    }
    let fresh = Wrapped::new(ring, purpose)?;
    let row = meta
        .transact((fresh, values, now), |tx, input| {
            Box::pin(async move {
                let (fresh, values, now) = &*input;
                tx.execute(INSERT, &fresh.insert(1, *now)).await?;
                tx.one(SELECT, values).await
            })
        })
        .await?;
    Wrapped::from_row(row)
}
