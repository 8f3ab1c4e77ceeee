//! Go's build information (debug/buildinfo): the version of Go, and the modules with their versions.

use memchr::memmem;

use super::elf::Elf;
use super::package;
use crate::{Evidence, Package, PackageKind};

/// What begins it, at a multiple of 16 bytes.
const MAGIC: &[u8] = b"\xff Go buildinf:";
const ALIGNMENT: usize = 16;

/// What stands around the list of modules.
const GUARD: usize = 16;

/// The longest list, in bytes.
const LIMIT: usize = 2 << 20;

/// The packages of a Go program; `None` if the bytes have no build information.
pub(super) fn packages(bytes: &[u8]) -> Option<Vec<Package>> {
    let (version, modules) = headers(bytes).find_map(|at| information(bytes, at))?;
    let mut packages = Vec::new();
    packages.extend(toolchain(version));
    packages.extend(modules.map(list).unwrap_or_default());
    Some(packages)
}

/// Whether the bytes have build information that is in another part of the program.
pub(super) fn points_elsewhere(bytes: &[u8]) -> bool {
    headers(bytes).any(|at| bytes.get(at + 15).is_some_and(|of| of & 2 == 0))
}

/// The places where build information begins.
fn headers(bytes: &[u8]) -> impl Iterator<Item = usize> {
    memmem::find_iter(bytes, MAGIC).filter(|at| at.is_multiple_of(ALIGNMENT))
}

/// The version and the list of modules, of whichever form the information at a place is.
fn information(bytes: &[u8], at: usize) -> Option<(&str, Option<&str>)> {
    let header = bytes.get(at..at + 32)?;
    let (version, modules) = if header[15] & 2 != 0 {
        // Since Go 1.18 both follow.
        let (version, rest) = inline(bytes.get(at + 32..)?)?;
        (version, inline(rest).map(|(modules, _)| modules))
    } else {
        let elf = Elf::new(bytes)?;
        let pointed = |index: usize| pointed(&elf, header, index);
        (pointed(0)?, pointed(1))
    };
    let version = std::str::from_utf8(version).ok()?;
    let known = version.starts_with("go1") || version.starts_with("devel");
    let modules = modules.filter(|modules| modules.len() > 2 * GUARD);
    let modules = modules.and_then(|modules| {
        let list = &modules[GUARD..modules.len() - GUARD];
        std::str::from_utf8(list).ok()
    });
    known.then_some((version, modules))
}

/// A length of up to five bytes, and as many bytes; then the rest.
fn inline(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut length = 0_usize;
    for (index, byte) in bytes.iter().take(5).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let bytes = &bytes[index + 1..];
            return (length <= LIMIT).then(|| bytes.split_at_checked(length))?;
        }
    }
    None
}

/// Before Go 1.18: the text that one of the two pointers of the header leads to, by way of its own
/// pointer and length.
fn pointed<'b>(elf: &Elf<'b>, header: &[u8], index: usize) -> Option<&'b [u8]> {
    let word = elf.word();
    let address = elf.number_in(header, 16 + index * word, word)?;
    let text = elf.at_address(address)?;
    let (address, length) = (
        elf.number_in(text, 0, word)?,
        elf.number_in(text, word, word)?,
    );
    elf.at_address(address)?.get(..length.min(LIMIT))
}

/// The standard library, by the version of Go: `go1.22.3 X:boringcrypto`, `go1.21rc2`.
fn toolchain(version: &str) -> Option<Package> {
    let shown = version
        .split_ascii_whitespace()
        .next()?
        .strip_prefix("go")?;
    let (release, pre) = ["rc", "beta"]
        .into_iter()
        .find_map(|word| {
            let (release, number) = shown.split_once(word)?;
            Some((release, format!("-{word}.{number}")))
        })
        .unwrap_or((shown, String::new()));
    let zeros = match release.matches('.').count() {
        0 => ".0.0",
        1 => ".0",
        _ => "",
    };
    package(
        PackageKind::Go,
        "stdlib",
        shown,
        format!("{release}{zeros}{pre}"),
    )
}

/// The modules of a list: lines of `mod`, `dep` and `=>`, which replaces the line before it.
fn list(text: &str) -> Vec<Package> {
    let mut packages = Vec::new();
    let mut own = None;
    for line in text.lines() {
        let mut fields = line.split('\t');
        let kind = fields.next().unwrap_or_default();
        if kind == "build"
            && let Some(flags) = fields.next().and_then(|of| of.strip_prefix("-ldflags="))
        {
            own = own.or_else(|| of_flags(text, flags));
        }
        if !matches!(kind, "mod" | "dep" | "=>") {
            continue;
        }
        if kind == "=>" {
            packages.pop();
        }
        let name = fields.next().unwrap_or_default();
        let version = fields.next().unwrap_or_default();
        packages.push(module(name, version));
    }
    packages.into_iter().flatten().chain(own).collect()
}

/// The program's own module, if its build did not know its version but put one into a variable:
/// `-X main.version=1.18.1`, or in a package of the module.
fn of_flags(text: &str, flags: &str) -> Option<Package> {
    let mut lines = text.lines();
    let own = lines.find_map(|line| line.strip_prefix("mod\t"))?;
    let (name, rest) = own.split_once('\t')?;
    if rest.split('\t').next()? != "(devel)" {
        return None;
    }
    let words = flags.split_ascii_whitespace();
    let words = words.map(|word| word.trim_matches(['"', '\'', '\\']));
    let mut versions = words.filter_map(|word| {
        let (variable, value) = word.strip_prefix("-X=").unwrap_or(word).split_once('=')?;
        let (package, variable) = variable.rsplit_once('.')?;
        let names_it = ["version", "ver"].contains(&variable.to_ascii_lowercase().as_str());
        let is_own = package == "main" || package.starts_with(name);
        let value = value.trim_matches(['"', '\'', '\\']);
        let version = value.strip_prefix('v').unwrap_or(value);
        let numbers = version.split(['-', '+']).next()?.split('.');
        let is_version = numbers.clone().count() == 3
            && numbers
                .into_iter()
                .all(|of| !of.is_empty() && of.bytes().all(|b| b.is_ascii_digit()));
        (names_it && is_own && is_version).then(|| format!("v{version}"))
    });
    let version = versions.next()?;
    Some(Package {
        evidence: Evidence::VersionString,
        ..module(name, &version)?
    })
}

/// A module; `None` if it has no version: it is the program itself, or a directory.
fn module(name: &str, version: &str) -> Option<Package> {
    let comparable = version.strip_prefix('v')?;
    let comparable = comparable.split('+').next().unwrap_or(comparable);
    package(PackageKind::Go, name, version, comparable.to_owned())
}
