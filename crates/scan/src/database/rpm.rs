//! rpm's databases: `rpmdb.sqlite`, `Packages.db` (ndb) and `Packages` (Berkeley DB). All three hold
//! the headers of the installed packages; only how they are found differs.

mod berkeley;
mod header;
mod ndb;
mod sqlite;

use std::io::Read;

use super::{DATABASE_LIMIT, DatabaseError, FileOwner, push, too_large};
use crate::Package;

/// A part of a database: `None` if it lies outside.
fn part(bytes: &[u8], start: usize, length: usize) -> Option<&[u8]> {
    bytes.get(start..start.checked_add(length)?)
}

fn u16_be(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes: [u8; 2] = part(bytes, at, 2)?.try_into().ok()?;
    Some(u16::from_be_bytes(bytes).into())
}

fn u32_be(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes: [u8; 4] = part(bytes, at, 4)?.try_into().ok()?;
    usize::try_from(u32::from_be_bytes(bytes)).ok()
}

fn u16_le(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes: [u8; 2] = part(bytes, at, 2)?.try_into().ok()?;
    Some(u16::from_le_bytes(bytes).into())
}

fn u32_le(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes: [u8; 4] = part(bytes, at, 4)?.try_into().ok()?;
    usize::try_from(u32::from_le_bytes(bytes)).ok()
}

/// The packages of a database, whose form its first bytes tell, and whose the metadata of language
/// packages is.
///
/// # Errors
/// [`DatabaseError`] if it is too large, of no form that is known, or damaged.
pub(crate) fn parse_rpm(input: impl Read) -> Result<(Vec<Package>, Vec<FileOwner>), DatabaseError> {
    let mut bytes = Vec::new();
    input.take(DATABASE_LIMIT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > DATABASE_LIMIT {
        return Err(too_large("it", DATABASE_LIMIT));
    }
    let (mut packages, mut owners) = (Vec::new(), Vec::new());
    let mut take = |blob: &[u8]| -> Result<(), DatabaseError> {
        let found = header::parse(blob).map_err(DatabaseError::Damaged)?;
        if let Some((package, owner)) = found {
            push(&mut packages, package)?;
            owners.extend(owner);
        }
        Ok(())
    };
    if bytes.starts_with(b"SQLite format 3\0") {
        sqlite::each_package(&bytes, &mut take)?;
    } else if bytes.starts_with(b"RpmP") {
        ndb::each_package(&bytes, &mut take)?;
    } else if berkeley::is_one(&bytes) {
        berkeley::each_package(&bytes, &mut take)?;
    } else {
        return Err(DatabaseError::Damaged(
            "it is neither a database of SQLite, nor ndb, nor Berkeley DB",
        ));
    }
    Ok((packages, owners))
}

/// What is done with each header.
type Take<'t> = &'t mut dyn FnMut(&[u8]) -> Result<(), DatabaseError>;

#[cfg(test)]
mod tests;
