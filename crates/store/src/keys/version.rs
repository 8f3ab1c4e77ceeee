//! Key versions: keys of the second level, and the rows they are wrapped in.

use aws_lc_rs::aead::LessSafeKey;
use bonded_model::Timestamp;
use zeroize::Zeroizing;

use super::Purpose;
use super::ring::Ring;
use super::seal::{KeyBytes, OVERHEAD, Place, cipher, new_key, open, seal, seal_into};
use crate::error::{Result, StoreError};
use crate::meta::{Row, Value};
use crate::random;

/// Bytes of the id of a key version, in front of everything that is sealed with one.
pub(crate) const ID_LEN: usize = 16;

/// A key of the second level, unwrapped.
pub(crate) struct KeyVersion {
    pub(crate) id: [u8; ID_LEN],
    pub(crate) key: LessSafeKey,
}

/// Adds what [`Wrapped::insert`] gives, unless another has.
pub(super) const INSERT: &str = "INSERT INTO key_versions \
     (id, purpose, account, region, root_key, wrapped_key, number, created_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING";

impl KeyVersion {
    /// Key version id ‖ nonce ‖ ciphertext ‖ tag.
    pub(super) fn seal(&self, place: &Place, plain: &[u8]) -> Result<Vec<u8>> {
        let mut out = Vec::with_capacity(ID_LEN + OVERHEAD + plain.len());
        out.extend(self.id);
        seal_into(&mut out, &self.key, place, plain)?;
        Ok(out)
    }

    pub(super) fn open(&self, place: &Place, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        sealed
            .strip_prefix(&self.id)
            .and_then(|sealed| open(&self.key, place, sealed))
            .ok_or_else(|| StoreError::Corrupt("a sealed column does not open".to_owned()))
    }
}

/// A row of `key_versions`.
pub(super) struct Wrapped {
    pub(super) id: String,
    pub(super) columns: [String; 3],
    pub(super) root_key: String,
    pub(super) wrapped_key: Vec<u8>,
}

/// A key version with the bytes of its key.
pub(super) struct Unwrapped {
    pub(super) id: [u8; ID_LEN],
    pub(super) key: KeyBytes,
}

impl Unwrapped {
    pub(super) fn into_version(self) -> KeyVersion {
        KeyVersion {
            id: self.id,
            key: cipher(&self.key),
        }
    }
}

impl Wrapped {
    pub(super) fn new(ring: &Ring, purpose: &Purpose) -> Result<Self> {
        let id = hex::encode(random::bytes::<ID_LEN>()?);
        let columns = purpose.columns().map(str::to_owned);
        Self::wrap(ring, id, columns, &new_key()?)
    }

    pub(super) fn wrap(
        ring: &Ring,
        id: String,
        columns: [String; 3],
        key: &KeyBytes,
    ) -> Result<Self> {
        let root = ring.current();
        let wrapped_key = seal(&root.key, place(&id, &columns), &**key)?;
        Ok(Self {
            id,
            columns,
            root_key: root.id.clone(),
            wrapped_key,
        })
    }

    pub(super) fn from_row(mut row: Row) -> Result<Self> {
        Ok(Self {
            id: row.text()?,
            columns: [row.text()?, row.text()?, row.text()?],
            root_key: row.text()?,
            wrapped_key: row.bytes()?,
        })
    }

    pub(super) fn purpose(&self) -> &str {
        &self.columns[0]
    }

    pub(super) fn insert(&self, number: i64, now: Timestamp) -> [Value; 8] {
        let [purpose, account, region] = &self.columns;
        [
            (&self.id).into(),
            purpose.into(),
            account.into(),
            region.into(),
            (&self.root_key).into(),
            self.wrapped_key.as_slice().into(),
            number.into(),
            now.into(),
        ]
    }

    pub(super) fn open(&self, ring: &Ring) -> Result<Unwrapped> {
        let root = ring.root(&self.root_key)?;
        let key = open(&root.key, place(&self.id, &self.columns), &self.wrapped_key)
            .and_then(|key| key.as_slice().try_into().ok())
            .ok_or_else(|| ring.wrong(&self.id))?;
        let mut id = [0; ID_LEN];
        hex::decode_to_slice(&self.id, &mut id)
            .map_err(|_| StoreError::Corrupt("a key version has a malformed id".to_owned()))?;
        Ok(Unwrapped {
            id,
            key: Zeroizing::new(key),
        })
    }
}

fn place(id: &str, [purpose, account, region]: &[String; 3]) -> Place {
    Place::new(&["key_versions", "wrapped_key", id, purpose, account, region])
}
