//! Programs that say what they were built from: Go's build information, and the list that
//! cargo-auditable puts into programs of Rust.

mod elf;
mod go;
mod rust;

use std::io::Read;

use super::DatabaseError;
use crate::{Package, PackageKind};

/// How much of a program is looked at at once, in bytes. Of a larger one the list of
/// cargo-auditable is not found; Go's information is, wherever it is.
const WINDOW: usize = 64 << 20;

/// How much two looks have in common: more than Go's information ever has.
const OVERLAP: usize = 4 << 20;

/// Whether a file begins as a program does: ELF, Mach-O or PE.
pub(super) fn is_one(four: &[u8]) -> bool {
    matches!(
        four,
        b"\x7fELF"
            | [b'M', b'Z', ..]
            | [0xfe, 0xed, 0xfa, 0xce | 0xcf]
            | [0xce | 0xcf, 0xfa, 0xed, 0xfe]
    )
}

/// The packages that a program was built from; none if it does not say so. What is damaged says
/// nothing.
///
/// # Errors
/// [`DatabaseError::Io`] only.
pub(crate) fn parse_executable(mut input: impl Read) -> Result<Vec<Package>, DatabaseError> {
    let mut bytes = Vec::new();
    (&mut input).take(WINDOW as u64).read_to_end(&mut bytes)?;
    let mut packages = rust::packages(&bytes);
    loop {
        if let Some(found) = go::packages(&bytes) {
            packages.extend(found);
            break;
        }
        if bytes.len() < WINDOW {
            break;
        }
        // Both are multiples of the alignment of what is looked for.
        bytes.drain(..WINDOW - OVERLAP);
        let more = (WINDOW - OVERLAP) as u64;
        (&mut input).take(more).read_to_end(&mut bytes)?;
    }
    packages.sort();
    packages.dedup();
    Ok(packages)
}

/// A package with the version that advisories know.
fn package(kind: PackageKind, name: &str, version: &str, comparable: String) -> Option<Package> {
    let is_token = super::node::is_token;
    (is_token(name) && is_token(version) && is_token(&comparable)).then(|| Package {
        kind,
        name: name.to_owned(),
        version: version.to_owned(),
        source_name: name.to_owned(),
        source_version: comparable,
        architecture: String::new(),
    })
}

#[cfg(test)]
mod tests;
