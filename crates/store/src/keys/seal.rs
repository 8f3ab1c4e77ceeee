//! AES-256-GCM with a random nonce, bound to the place the ciphertext is kept in.
//!
//! A sealed text moved to another table, column or row does not open.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use crate::error::{Result, StoreError};
use crate::random;

/// Bytes of a key.
pub(crate) const KEY_LEN: usize = 32;

/// Bytes that sealing adds: the nonce before, the tag behind.
pub(crate) const OVERHEAD: usize = NONCE_LEN + TAG_LEN;

/// Bytes of an authentication tag.
pub(crate) const TAG_LEN: usize = 16;

/// A key's bytes, wiped when dropped.
pub(crate) type KeyBytes = Zeroizing<[u8; KEY_LEN]>;

/// New random key bytes.
pub(crate) fn new_key() -> Result<KeyBytes> {
    let mut key = Zeroizing::new([0; KEY_LEN]);
    random::fill(&mut *key)?;
    Ok(key)
}

/// `key`, ready to seal and open.
pub(crate) fn cipher(key: &KeyBytes) -> LessSafeKey {
    // Only a wrong length could fail, and the type has the right one.
    #[expect(clippy::expect_used, reason = "the type fixes the length")]
    let unbound = UnboundKey::new(&AES_256_GCM, &**key).expect("a key of 32 bytes");
    LessSafeKey::new(unbound)
}

/// Where a sealed text is kept: the associated data. Parts are length-prefixed, so that no two
/// places have the same bytes.
pub(crate) struct Place(Vec<u8>);

impl Place {
    /// The place `parts` names, such as `["access_keys", "secret", ID]`.
    pub(crate) fn new(parts: &[&str]) -> Self {
        let mut bytes = Vec::with_capacity(64);
        for part in parts {
            bytes.extend((part.len() as u64).to_le_bytes());
            bytes.extend(part.as_bytes());
        }
        Self(bytes)
    }
}

impl AsRef<[u8]> for Place {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// `plain` encrypted: nonce ‖ ciphertext ‖ tag.
pub(crate) fn seal(key: &LessSafeKey, place: impl AsRef<[u8]>, plain: &[u8]) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(plain.len() + OVERHEAD);
    seal_into(&mut out, key, place, plain)?;
    Ok(out)
}

/// Appends to `out` what [`seal`] gives.
pub(crate) fn seal_into(
    out: &mut Vec<u8>,
    key: &LessSafeKey,
    place: impl AsRef<[u8]>,
    plain: &[u8],
) -> Result<()> {
    let nonce: [u8; NONCE_LEN] = random::bytes()?;
    out.extend(nonce);
    let start = out.len();
    out.extend(plain);
    let tag = key
        .seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(place),
            &mut out[start..],
        )
        .map_err(|_| StoreError::Corrupt("encryption failed".to_owned()))?;
    out.extend(tag.as_ref());
    Ok(())
}

/// Decrypts `sealed` into `out`, which has its length less [`OVERHEAD`]; `None` if a byte of it,
/// the key or the place is not the one it was sealed with.
pub(crate) fn open_into(
    out: &mut [u8],
    key: &LessSafeKey,
    place: impl AsRef<[u8]>,
    sealed: &[u8],
) -> Option<()> {
    let (nonce, rest) = sealed.split_first_chunk::<NONCE_LEN>()?;
    let (ciphertext, tag) = rest.split_last_chunk::<TAG_LEN>()?;
    if ciphertext.len() != out.len() {
        return None;
    }
    let nonce = Nonce::assume_unique_for_key(*nonce);
    key.open_separate_gather(nonce, Aad::from(place), ciphertext, tag, out)
        .ok()
}

/// What [`seal`] was given; `None` as for [`open_into`].
pub(crate) fn open(
    key: &LessSafeKey,
    place: impl AsRef<[u8]>,
    sealed: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let mut out = Zeroizing::new(vec![0; sealed.len().checked_sub(OVERHEAD)?]);
    open_into(&mut out, key, place, sealed)?;
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_key_place_and_bytes_open() {
        let (key, other) = (cipher(&new_key().unwrap()), cipher(&new_key().unwrap()));
        let place = || Place::new(&["t", "c", "1"]);
        let sealed = seal(&key, place(), b"text").unwrap();
        assert_eq!(*open(&key, place(), &sealed).unwrap(), b"text");
        assert!(open(&other, place(), &sealed).is_none());
        for parts in [&["t", "c", "2"][..], &["t", "c1", ""], &["tc", "1"], &[]] {
            assert!(
                open(&key, Place::new(parts), &sealed).is_none(),
                "{parts:?}"
            );
        }
        for i in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[i] ^= 1;
            assert!(open(&key, place(), &changed).is_none(), "byte {i}");
            assert!(open(&key, place(), &sealed[..i]).is_none(), "length {i}");
        }
    }

    #[test]
    fn the_same_text_is_never_sealed_alike() {
        let key = cipher(&new_key().unwrap());
        let seal = || seal(&key, Place::new(&[]), b"text").unwrap();
        assert_ne!(seal(), seal());
    }
}
