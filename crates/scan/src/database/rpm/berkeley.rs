//! Berkeley DB hash tables, as rpm made them until 2020: pages with pairs of a key and a value, whose
//! value is the header of a package, as a rule on overflow pages of its own (db_page.h).

use super::{Take, part, u16_be, u16_le, u32_be, u32_le};
use crate::database::DatabaseError;

const DAMAGED: DatabaseError = DatabaseError::Damaged("a page of the Berkeley database is damaged");

const HASH_MAGIC: usize = 0x0006_1561;
const PAGE_HEADER: usize = 26;
const HASH_UNSORTED: u8 = 2;
const HASH: u8 = 13;
const OVERFLOW: u8 = 7;

/// The kinds of items on a page of the table.
const ITEM_DATA: u8 = 1;
const ITEM_OVERFLOW: u8 = 3;

/// Whether the bytes are a hash table, of either byte order.
pub(super) fn is_one(bytes: &[u8]) -> bool {
    u32_le(bytes, 12) == Some(HASH_MAGIC) || u32_be(bytes, 12) == Some(HASH_MAGIC)
}

struct Database<'b> {
    bytes: &'b [u8],
    page: usize,
    little: bool,
    /// How many more pages values may go on over: each is there once in a sound file.
    left: usize,
}

/// Calls `take` with the header of every package.
pub(super) fn each_package(bytes: &[u8], take: Take<'_>) -> Result<(), DatabaseError> {
    let mut database = Database {
        bytes,
        page: 0,
        little: u32_le(bytes, 12) == Some(HASH_MAGIC),
        left: 0,
    };
    let page = database.u32(bytes, 20).ok_or(DAMAGED)?;
    if !(512..=65_536).contains(&page) || !page.is_power_of_two() {
        return Err(DAMAGED);
    }
    if bytes.get(24).is_some_and(|algorithm| *algorithm != 0) {
        return Err(DatabaseError::Damaged("the Berkeley database is encrypted"));
    }
    database.page = page;
    database.left = bytes.len() / page;
    for number in 0..bytes.len() / page {
        let page = part(bytes, number * page, page).ok_or(DAMAGED)?;
        if matches!(page.get(25), Some(&HASH | &HASH_UNSORTED)) {
            database.pairs(page, take)?;
        }
    }
    Ok(())
}

impl<'b> Database<'b> {
    fn u16(&self, bytes: &[u8], at: usize) -> Option<usize> {
        if self.little {
            u16_le(bytes, at)
        } else {
            u16_be(bytes, at)
        }
    }

    fn u32(&self, bytes: &[u8], at: usize) -> Option<usize> {
        if self.little {
            u32_le(bytes, at)
        } else {
            u32_be(bytes, at)
        }
    }

    /// The values on a page of the table.
    fn pairs(&mut self, page: &'b [u8], take: Take<'_>) -> Result<(), DatabaseError> {
        let entries = self.u16(page, 20).ok_or(DAMAGED)?;
        // Items grow from the end of the page: each ends where the one before it begins.
        for index in (1..entries).step_by(2) {
            let place = self.u16(page, PAGE_HEADER + 2 * index).ok_or(DAMAGED)?;
            let end = self
                .u16(page, PAGE_HEADER + 2 * (index - 1))
                .ok_or(DAMAGED)?;
            match page.get(place) {
                Some(&ITEM_OVERFLOW) => {
                    let first = self.u32(page, place + 4).ok_or(DAMAGED)?;
                    let length = self.u32(page, place + 8).ok_or(DAMAGED)?;
                    take(&self.overflow(first, length)?)?;
                }
                // The count of the last number given is among the packages, in four bytes.
                Some(&ITEM_DATA) => {
                    let item = page.get(place + 1..end).ok_or(DAMAGED)?;
                    if item.len() > 16 {
                        take(item)?;
                    }
                }
                _ => return Err(DAMAGED),
            }
        }
        Ok(())
    }

    /// A value on pages of its own.
    fn overflow(&mut self, first: usize, length: usize) -> Result<Vec<u8>, DatabaseError> {
        if length > self.bytes.len() {
            return Err(DAMAGED);
        }
        let mut value = Vec::new();
        let mut next = first;
        while value.len() < length {
            self.left = self.left.checked_sub(1).ok_or(DAMAGED)?;
            let start = next.checked_mul(self.page).ok_or(DAMAGED)?;
            let page = part(self.bytes, start, self.page).ok_or(DAMAGED)?;
            if page.get(25) != Some(&OVERFLOW) {
                return Err(DAMAGED);
            }
            // On such a page the place of the free part is the length of what is on it.
            let count = self.u16(page, 22).ok_or(DAMAGED)?;
            if count == 0 {
                return Err(DAMAGED);
            }
            value.extend(part(page, PAGE_HEADER, count).ok_or(DAMAGED)?);
            next = self.u32(page, 16).ok_or(DAMAGED)?;
        }
        value.truncate(length);
        Ok(value)
    }
}
