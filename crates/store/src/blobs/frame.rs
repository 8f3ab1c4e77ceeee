//! The form of an object: a header, then frames of 65,536 plain bytes, each encrypted for itself.
//! ```text
//! header   "bondedob" ‖ version: u32 ‖ frame size: u32 ‖ object id: 16 ‖ key version id: 16
//!          ‖ data key wrapped by that key version: nonce 12 ‖ ciphertext 32 ‖ tag 16
//! frame i  nonce 12 ‖ ciphertext ‖ tag 16,   bound to object id ‖ i: u64 ‖ 1 if it is the last
//! ```
//! Numbers are little-endian. The wrapped data key is bound to the 48 bytes before it. Every frame
//! but the last is full; an empty object is one empty last frame. So a frame that is changed,
//! moved, left out, repeated or taken from another object does not open, nor does a cut object.
//! Nonces are random: a frame may be encrypted twice when an upload is resumed.

use aws_lc_rs::aead::LessSafeKey;
use zeroize::Zeroizing;

use super::ObjectId;
use crate::error::{Result, StoreError};
use crate::keys::{ID_LEN, KeyVersion, OVERHEAD, cipher, new_key, open, open_into, seal_into};

/// Plain bytes of a full frame.
pub(super) const FRAME: usize = 65_536;

/// Bytes of a full frame on disk.
pub(super) const SEALED_FRAME: usize = FRAME + OVERHEAD;

/// How many frames are read and written at a time: 256 KiB of plain bytes.
pub(super) const FRAMES_AT_ONCE: usize = 4;

const MAGIC: &[u8; 8] = b"bondedob";
const VERSION: u32 = 1;
const BOUND_LEN: usize = 8 + 4 + 4 + 16 + ID_LEN;

/// Bytes of a header.
pub(crate) const HEADER_LEN: usize = BOUND_LEN + 32 + OVERHEAD;

/// The header of an object.
#[derive(Clone)]
pub(crate) struct Header([u8; HEADER_LEN]);

impl Header {
    /// The header of a new object, whose data key is wrapped by `key_version`.
    pub(crate) fn new(object: ObjectId, key_version: &KeyVersion) -> Result<Self> {
        let mut bytes = Vec::with_capacity(HEADER_LEN);
        bytes.extend(Self::fixed());
        bytes.extend(object.0);
        bytes.extend(key_version.id);
        let bound = bytes.clone();
        seal_into(&mut bytes, &key_version.key, bound, &*new_key()?)?;
        Self::from_bytes(&bytes, object)
    }

    fn fixed() -> [u8; 16] {
        let mut fixed = [0; 16];
        fixed[..8].copy_from_slice(MAGIC);
        fixed[8..12].copy_from_slice(&VERSION.to_le_bytes());
        fixed[12..].copy_from_slice(&(FRAME as u32).to_le_bytes());
        fixed
    }

    /// Takes the header of the object `object` from `bytes`.
    pub(crate) fn from_bytes(bytes: &[u8], object: ObjectId) -> Result<Self> {
        let damaged = || StoreError::Corrupt(format!("the header of the object '{object}'"));
        let header: [u8; HEADER_LEN] = bytes.try_into().map_err(|_| damaged())?;
        if header[..16] != Self::fixed() || header[16..32] != object.0 {
            return Err(damaged());
        }
        Ok(Self(header))
    }

    /// The bytes, as they stand at the beginning of the object.
    pub(crate) fn as_bytes(&self) -> &[u8; HEADER_LEN] {
        &self.0
    }

    /// The key version that opens it.
    pub(crate) fn key_version(&self) -> [u8; ID_LEN] {
        let mut id = [0; ID_LEN];
        id.copy_from_slice(&self.0[32..BOUND_LEN]);
        id
    }

    /// The object's data key.
    pub(crate) fn open(&self, key_version: &KeyVersion) -> Result<LessSafeKey> {
        let (bound, wrapped) = self.0.split_at(BOUND_LEN);
        open(&key_version.key, bound, wrapped)
            .and_then(|key| key.as_slice().try_into().ok())
            .map(|key| cipher(&Zeroizing::new(key)))
            .ok_or_else(|| StoreError::Corrupt("the header of an object does not open".to_owned()))
    }
}

/// Where the frame `index` begins in the object.
pub(super) fn offset(index: u64) -> u64 {
    HEADER_LEN as u64 + index * SEALED_FRAME as u64
}

/// How many frames an object of `size` plain bytes has.
pub(super) fn count(size: u64) -> u64 {
    size.div_ceil(FRAME as u64).max(1)
}

/// Bytes on disk of an object of `size` plain bytes.
pub(super) fn sealed_len(size: u64) -> u64 {
    HEADER_LEN as u64 + size + count(size) * OVERHEAD as u64
}

fn place(object: ObjectId, index: u64, last: bool) -> [u8; 25] {
    let mut place = [0; 25];
    place[..16].copy_from_slice(&object.0);
    place[16..24].copy_from_slice(&index.to_le_bytes());
    place[24] = u8::from(last);
    place
}

/// Appends the frame `index` with the bytes `plain` to `out`.
pub(super) fn seal(
    out: &mut Vec<u8>,
    key: &LessSafeKey,
    object: ObjectId,
    index: u64,
    last: bool,
    plain: &[u8],
) -> Result<()> {
    seal_into(out, key, place(object, index, last), plain)
}

/// Opens the frame `index` into `out`; `None` if it is not what was written there.
pub(super) fn unseal(
    out: &mut [u8],
    key: &LessSafeKey,
    object: ObjectId,
    index: u64,
    last: bool,
    sealed: &[u8],
) -> Option<()> {
    open_into(out, key, place(object, index, last), sealed)
}
