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

#[derive(Deserialize)]
struct List {
    packages: Vec<Crate>,
}

#[derive(Deserialize)]
struct Crate {
    name: String,
    version: String,
    source: String,
    #[serde(default)]
    kind: String,
}

/// The crates that run in a program; none if it does not say.
pub(super) fn packages(bytes: &[u8]) -> Vec<Package> {
    let section = Elf::new(bytes).and_then(|elf| elf.section(b".dep-v0"));
    let Some(section) = section else {
        return Vec::new();
    };
    let list = serde_json::from_reader(ZlibDecoder::new(section).take(LIMIT));
    let crates = list.map_or(Vec::new(), |list: List| list.packages);
    let crates = crates.iter().filter(|of| {
        // What is local or from git is not what advisories of crates.io are about.
        matches!(of.source.as_str(), "crates.io" | "registry") && of.kind != "build"
    });
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
