//! The one place this crate draws random bytes: ids, keys and nonces.

use std::io;

use crate::error::{Result, StoreError};

/// Fills `out` from the system's generator.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place of the crate that may"
)]
pub(crate) fn fill(out: &mut [u8]) -> Result<()> {
    aws_lc_rs::rand::fill(out).map_err(|_| StoreError::Io {
        what: "cannot draw random bytes".to_owned(),
        source: io::Error::other("the generator failed"),
    })
}

/// `N` random bytes.
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N]> {
    let mut out = [0; N];
    fill(&mut out)?;
    Ok(out)
}

/// A random (version 4) UUID as text.
pub(crate) fn uuid() -> Result<String> {
    Ok(uuid::Builder::from_random_bytes(bytes()?)
        .into_uuid()
        .hyphenated()
        .to_string())
}
