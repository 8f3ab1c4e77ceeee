//! Room on the disk: uploads end before it is full, so that the database and the audit log never
//! meet a full one, and deleting and collecting stay possible.

use rustix::fs::statvfs;

use crate::Store;
use crate::error::{Result, StoreError};

/// Of how many parts of the file system one is kept free: 5 %.
const KEPT: u64 = 20;

/// As much is kept of a large file system, at most: 64 GiB.
const KEPT_LIMIT: u64 = 64 * 1024 * 1024 * 1024;

impl Store {
    /// Whether the file system of the data directory has room for an upload: more than 5 % of it or
    /// 64 GiB are free. One call of the system, of microseconds.
    ///
    /// # Errors
    /// [`StoreError::Full`] if it has not.
    pub fn check_room(&self) -> Result<()> {
        let data = self.data();
        let failed = StoreError::io(format!("cannot ask for the room in '{}'", data.display()));
        let found = statvfs(data).map_err(|e| failed(e.into()))?;
        let total = found.f_blocks.saturating_mul(found.f_frsize);
        let free = found.f_bavail.saturating_mul(found.f_frsize);
        if free > kept(total) {
            return Ok(());
        }
        Err(StoreError::Full(format!(
            "'{}' has {free} bytes free of {total}, and {} are kept for the database",
            data.display(),
            kept(total)
        )))
    }
}

/// How many bytes of a file system of `total` bytes uploads leave free.
fn kept(total: u64) -> u64 {
    (total / KEPT).min(KEPT_LIMIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_the_disk_is_kept_and_no_more_than_a_database_needs() {
        let gib = 1024 * 1024 * 1024;
        for (total, expected) in [
            (0, 0),
            (64, 3),
            (200 * gib, 10 * gib),
            (4096 * gib, 64 * gib),
        ] {
            assert_eq!(kept(total), expected);
        }
    }
}
