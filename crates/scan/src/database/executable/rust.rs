//! The list of crates that cargo-auditable puts into programs: JSON, compressed with zlib, in the
//! section `.dep-v0` (its PARSING.md).

use std::io::Read as _;

use flate2::read::ZlibDecoder;
use serde::Deserialize;

use super::elf::Elf;
use super::package;
use crate::{Package, PackageKind};

/// The longest list, expanded, in bytes: cargo-auditable's own readers have this limit.
const LIMIT: u64 = 8 << 20;

/// How many places are tried in one part of a program: some times what chance has in 64 MiB. Whoever
/// puts more there has no list found, and costs no more time.
const ATTEMPTS: usize = 1 << 16;

#[derive(Deserialize)]
struct List {
    packages: Vec<Crate>,
}

#[derive(Deserialize)]
struct Crate {
    name: String,
    version: String,
    #[serde(default)]
    kind: String,
}

/// The crates that run in a program; none if it does not say.
pub(super) fn packages(bytes: &[u8]) -> Vec<Package> {
    match Elf::new(bytes) {
        Some(elf) => elf.section(b".dep-v0").map_or(Vec::new(), listed),
        // Of other forms it is not known where their sections are.
        None => search(bytes),
    }
}

/// The crates on the first list that is somewhere in a part of a program; none if there is none.
pub(super) fn search(bytes: &[u8]) -> Vec<Package> {
    const START: &[u8] = b"{\"packages\":";
    // The first byte of zlib, and what its second can be.
    let starts = memchr::memchr_iter(0x78, bytes);
    let starts = starts.filter(|at| matches!(bytes.get(at + 1), Some(0x01 | 0x5e | 0x9c | 0xda)));
    for at in starts.take(ATTEMPTS) {
        let mut start = [0; START.len()];
        let head = bytes[at..].get(..256).unwrap_or(&bytes[at..]);
        if ZlibDecoder::new(head).read_exact(&mut start).is_ok() && start == START {
            let crates = listed(&bytes[at..]);
            if !crates.is_empty() {
                return crates;
            }
        }
    }
    Vec::new()
}

/// The crates on a list.
fn listed(compressed: &[u8]) -> Vec<Package> {
    let list = serde_json::Deserializer::from_reader(ZlibDecoder::new(compressed).take(LIMIT));
    let list = list.into_iter().next().and_then(Result::ok);
    let crates = list.map_or(Vec::new(), |list: List| list.packages);
    // What only the build needed is not in the program. What is from git or was vendored is: as a copy of
    // what crates.io has under its name, until something says otherwise.
    let crates = crates.iter().filter(|of| of.kind != "build");
    crates
        .filter_map(|of| {
            package(
                PackageKind::Cargo,
                &of.name,
                &of.version,
                of.version.clone(),
            )
        })
        .collect()
}
