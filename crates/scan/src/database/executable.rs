//! Programs that say what they were built from: Go's build information, and the list that
//! cargo-auditable puts into programs of Rust; and those whose own version can be told.

mod elf;
mod go;
mod program;
mod rust;

use std::io::{self, BufRead};

use super::DatabaseError;
use crate::{Package, PackageKind};
pub(crate) use program::is_judged_program;

/// How much of a program is looked at at once, in bytes.
const WINDOW: usize = 64 << 20;

/// Which part of it two looks have in common: 4 MiB, more than anything that is looked for has.
const OVERLAP: usize = 16;

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

/// The packages that a program at `path` was built from, and what it is itself; none if it does not
/// say so. What is damaged says nothing. `bytes` is where the program is looked at: memory that one
/// program after another may use.
///
/// # Errors
/// [`DatabaseError::Io`]; [`DatabaseError::Damaged`] if it says so in a place that is not looked at.
pub(crate) fn parse_executable(
    input: impl BufRead,
    path: &str,
    bytes: &mut Vec<u8>,
) -> Result<Vec<Package>, DatabaseError> {
    bytes.clear();
    parse(input, path, bytes, WINDOW)
}

fn parse(
    mut input: impl BufRead,
    path: &str,
    bytes: &mut Vec<u8>,
    window: usize,
) -> Result<Vec<Package>, DatabaseError> {
    fill(&mut input, bytes, window)?;
    let is_whole = bytes.len() < window;
    let mut search = program::Search::new(path);
    let mut packages = rust::packages(bytes);
    let (mut has_crates, mut has_modules, mut elsewhere) = (!packages.is_empty(), false, false);
    loop {
        if !has_modules && let Some(found) = go::packages(bytes) {
            packages.extend(found);
            has_modules = true;
        }
        // What is at the end of a file says where the list is; without it, it is looked for.
        if !is_whole && !has_modules && !has_crates {
            let found = rust::search(bytes);
            has_crates = !found.is_empty();
            packages.extend(found);
            elsewhere |= go::points_elsewhere(bytes);
        }
        search.look(bytes);
        let is_done = (has_modules || has_crates) && search.is_over();
        if bytes.len() < window || is_done {
            break;
        }
        // Both are multiples of the alignment of what is looked for.
        let more = window - window / OVERLAP;
        bytes.drain(..more);
        fill(&mut input, bytes, window)?;
    }
    if elsewhere && !has_modules {
        return Err(DatabaseError::Damaged(
            "it is a program of Go before 1.18 of more than 64 MiB, whose modules are not read",
        ));
    }
    packages.extend(search.packages());
    packages.sort();
    packages.dedup();
    Ok(packages)
}

/// Reads until there are `length` bytes, or to the end.
fn fill(input: &mut impl BufRead, bytes: &mut Vec<u8>, length: usize) -> io::Result<()> {
    while bytes.len() < length {
        let more = input.fill_buf()?;
        let read = more.len().min(length - bytes.len());
        if read == 0 {
            break;
        }
        bytes.extend_from_slice(&more[..read]);
        input.consume(read);
    }
    Ok(())
}

/// A package with the version that advisories know.
fn package(kind: PackageKind, name: &str, version: &str, comparable: String) -> Option<Package> {
    let is_token = super::node::is_token;
    (is_token(name) && is_token(version) && is_token(&comparable)).then(|| Package {
        source_version: comparable,
        ..Package::new(kind, name, version)
    })
}

#[cfg(test)]
mod tests;
