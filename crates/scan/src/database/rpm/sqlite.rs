//! As much of SQLite's file format as the table `Packages` needs (sqlite.org, "Database File
//! Format"): B-trees of tables, and rows that go on in overflow pages.

use super::{Take, part, u16_be, u32_be};
use crate::database::DatabaseError;

const DAMAGED: DatabaseError = DatabaseError::Damaged("a page of its B-trees is damaged");

/// How deep a tree may be: with 2^32 pages it is much less.
const DEPTH: usize = 20;

struct Database<'b> {
    bytes: &'b [u8],
    page: usize,
    /// The part of a page that is used.
    usable: usize,
    /// How many more pages may be looked at: each is there once in a sound file.
    left: usize,
}

/// Calls `take` with the header of every package.
pub(super) fn each_package(bytes: &[u8], take: Take<'_>) -> Result<(), DatabaseError> {
    let page = match u16_be(bytes, 16) {
        Some(1) => 65_536,
        Some(page) if page >= 512 && page.is_power_of_two() => page,
        _ => return Err(DAMAGED),
    };
    let reserved = usize::from(*bytes.get(20).ok_or(DAMAGED)?);
    let mut database = Database {
        bytes,
        page,
        usable: page
            .checked_sub(reserved)
            .filter(|usable| *usable >= 480)
            .ok_or(DAMAGED)?,
        left: bytes.len() / page + 1,
    };
    let mut root = None;
    database.rows(1, 0, &mut |record| {
        let columns = columns(record).ok_or(DAMAGED)?;
        if let [kind, name, _, page, ..] = columns.as_slice()
            && (kind.bytes, name.bytes) == (b"table", b"Packages")
        {
            root = page.number();
        }
        Ok(())
    })?;
    let root = root.ok_or(DatabaseError::Damaged("it has no table 'Packages'"))?;
    database.left = bytes.len() / page + 1;
    database.rows(root, 0, &mut |record| {
        let columns = columns(record).ok_or(DAMAGED)?;
        let blob = columns.iter().rfind(|column| column.is_blob);
        take(blob.ok_or(DAMAGED)?.bytes)
    })
}

impl<'b> Database<'b> {
    /// A page, counted from 1, and where its header begins.
    fn page(&mut self, number: usize) -> Result<(&'b [u8], usize), DatabaseError> {
        self.left = self.left.checked_sub(1).ok_or(DAMAGED)?;
        let start = number
            .checked_sub(1)
            .and_then(|number| number.checked_mul(self.page));
        let page = start
            .and_then(|start| part(self.bytes, start, self.page))
            .ok_or(DAMAGED)?;
        Ok((page, if number == 1 { 100 } else { 0 }))
    }

    /// Every record of the table whose tree has its root at a page.
    fn rows(
        &mut self,
        number: usize,
        depth: usize,
        row: &mut dyn FnMut(&[u8]) -> Result<(), DatabaseError>,
    ) -> Result<(), DatabaseError> {
        if depth > DEPTH {
            return Err(DAMAGED);
        }
        let (page, start) = self.page(number)?;
        let cells = u16_be(page, start + 3).ok_or(DAMAGED)?;
        let (leaf, pointers) = match page.get(start) {
            Some(0x0d) => (true, start + 8),
            Some(0x05) => (false, start + 12),
            _ => return Err(DAMAGED),
        };
        for cell in 0..cells {
            let at = u16_be(page, pointers + 2 * cell).ok_or(DAMAGED)?;
            if leaf {
                row(&self.record(page, at)?)?;
            } else {
                let child = u32_be(page, at).ok_or(DAMAGED)?;
                self.rows(child, depth + 1, row)?;
            }
        }
        if !leaf {
            let last = u32_be(page, start + 8).ok_or(DAMAGED)?;
            self.rows(last, depth + 1, row)?;
        }
        Ok(())
    }

    /// The record in a cell of a leaf, with what overflows.
    fn record(&mut self, page: &[u8], at: usize) -> Result<Vec<u8>, DatabaseError> {
        let (length, at) = varint(page, at).ok_or(DAMAGED)?;
        let (_, at) = varint(page, at).ok_or(DAMAGED)?;
        if length > self.bytes.len() {
            return Err(DAMAGED);
        }
        let most = self.usable - 35;
        let least = (self.usable - 12) * 32 / 255 - 23;
        let local = match length {
            _ if length <= most => length,
            _ => match least + (length - least) % (self.usable - 4) {
                some if some <= most => some,
                _ => least,
            },
        };
        let mut record = part(page, at, local).ok_or(DAMAGED)?.to_vec();
        let mut next = match length > local {
            true => u32_be(page, at + local).ok_or(DAMAGED)?,
            false => 0,
        };
        while record.len() < length {
            let (page, _) = self.page(next)?;
            let count = (length - record.len()).min(self.usable - 4);
            record.extend(part(page, 4, count).ok_or(DAMAGED)?);
            next = u32_be(page, 0).ok_or(DAMAGED)?;
        }
        Ok(record)
    }
}

/// A value of a record.
struct Column<'r> {
    bytes: &'r [u8],
    is_blob: bool,
    is_number: bool,
}

impl Column<'_> {
    fn number(&self) -> Option<usize> {
        if !self.is_number || self.bytes.len() > 8 {
            return None;
        }
        let value = self
            .bytes
            .iter()
            .fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
        usize::try_from(value).ok()
    }
}

/// The values of a record; `None` if it is damaged.
fn columns(record: &[u8]) -> Option<Vec<Column<'_>>> {
    let (end, mut at) = varint(record, 0)?;
    let mut value = end;
    let mut columns = Vec::new();
    while at < end {
        let (kind, next) = varint(record, at)?;
        at = next;
        let length = match kind {
            0 | 8 | 9 | 10 | 11 => 0,
            1..=4 => kind,
            5 => 6,
            6 | 7 => 8,
            kind => (kind - 12) / 2,
        };
        columns.push(Column {
            bytes: part(record, value, length)?,
            is_blob: kind >= 12 && kind % 2 == 0,
            is_number: (1..=6).contains(&kind),
        });
        value = value.checked_add(length)?;
    }
    Some(columns)
}

/// A number of one to nine bytes, and where the next begins.
fn varint(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let mut value: u64 = 0;
    for index in 0..8 {
        let byte = *bytes.get(at.checked_add(index)?)?;
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((usize::try_from(value).ok()?, at + index + 1));
        }
    }
    let last = *bytes.get(at.checked_add(8)?)?;
    let value = value << 8 | u64::from(last);
    Some((usize::try_from(value).ok()?, at + 9))
}
