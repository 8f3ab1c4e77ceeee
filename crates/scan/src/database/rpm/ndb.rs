//! ndb, rpm's own format (lib/backend/ndb/rpmpkg.c): pages of slots, which say where in the file the
//! headers are. All numbers are little-endian.

use super::{Take, part, u32_le};
use crate::database::DatabaseError;

const DAMAGED: DatabaseError = DatabaseError::Damaged("a slot of the ndb database is damaged");

const SLOT: usize = 16;

/// The slots of the first page, that are its header.
const HEADER_SLOTS: usize = 2;

const PAGE: usize = 4096;

/// Places are counted in these.
const BLOCK: usize = 16;

/// Calls `take` with the header of every package.
pub(super) fn each_package(bytes: &[u8], take: Take<'_>) -> Result<(), DatabaseError> {
    if u32_le(bytes, 4) != Some(0) {
        return Err(DatabaseError::Damaged(
            "the ndb database is of an unknown version",
        ));
    }
    let pages = u32_le(bytes, 12).ok_or(DAMAGED)?;
    let slots = pages
        .checked_mul(PAGE)
        .and_then(|length| part(bytes, 0, length));
    let slots = slots.ok_or(DAMAGED)?;
    // What the headers come to, together, is at most the file: slots do not share them.
    let mut left = bytes.len();
    for slot in slots.chunks_exact(SLOT).skip(HEADER_SLOTS) {
        if !slot.starts_with(b"Slot") {
            return Err(DAMAGED);
        }
        let place = u32_le(slot, 8).ok_or(DAMAGED)?;
        if place == 0 {
            continue;
        }
        let place = place.checked_mul(BLOCK).ok_or(DAMAGED)?;
        let head = part(bytes, place, BLOCK).ok_or(DAMAGED)?;
        if !head.starts_with(b"BlbS") || slot[4..8] != head[4..8] {
            return Err(DAMAGED);
        }
        let length = u32_le(head, 12).ok_or(DAMAGED)?;
        left = left.checked_sub(length).ok_or(DAMAGED)?;
        take(part(bytes, place + BLOCK, length).ok_or(DAMAGED)?)?;
    }
    Ok(())
}
