//! Values as AWS's texts show them.

use std::fmt;

use bonded_model::Digest;

/// A value that may be absent, as AWS's texts show it.
pub(super) struct OrNull<'a, T>(pub(super) Option<&'a T>);

impl<T: fmt::Display> fmt::Display for OrNull<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(value) => value.fmt(f),
            None => f.write_str("null"),
        }
    }
}

/// How many digests a text names; a manifest may miss ten thousand.
const JOINED_LIMIT: usize = 100;

/// A list as AWS's texts show it: `a, b`.
pub(super) struct Joined<'a>(pub(super) &'a [Digest]);

impl fmt::Display for Joined<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, digest) in self.0.iter().take(JOINED_LIMIT).enumerate() {
            write!(f, "{}{digest}", if i == 0 { "" } else { ", " })?;
        }
        match self.0.len().saturating_sub(JOINED_LIMIT) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
