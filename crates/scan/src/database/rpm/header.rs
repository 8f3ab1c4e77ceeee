//! The header of a package: an index of tags, and their values (rpm's `hdrblob`).

use super::{part, u32_be};
use crate::database::{FileOwner, PACKAGE_LIMIT, may_be_read};
use crate::license::all_stated;
use crate::path::clean;
use crate::{Package, PackageKind};

const NAME: usize = 1000;
const VERSION: usize = 1001;
const RELEASE: usize = 1002;
const EPOCH: usize = 1003;
const VENDOR: usize = 1011;
const LICENSE: usize = 1014;
const PACKAGER: usize = 1015;
const ARCHITECTURE: usize = 1022;
const SOURCE: usize = 1044;
const DIRECTORY_OF_FILE: usize = 1116;
const FILE_NAMES: usize = 1117;
const DIRECTORIES: usize = 1118;
const MODULE: usize = 5096;

/// What is known of a value: its type, its place and how many there are.
#[derive(Clone, Copy)]
struct Value {
    kind: usize,
    place: usize,
    count: usize,
}

const INT32: usize = 4;
const STRING: usize = 6;
const STRINGS: usize = 8;

/// The most files of one package: some of the kernel's have 50,000.
const FILES_LIMIT: usize = 4 * PACKAGE_LIMIT;

struct Header<'b> {
    index: &'b [u8],
    data: &'b [u8],
}

/// The package of a header; `None` for a key that rpm keeps among the packages.
pub(super) fn parse(blob: &[u8]) -> Result<Option<(Package, Option<FileOwner>)>, &'static str> {
    const DAMAGED: &str = "the header of a package is damaged";
    let (entries, length) = u32_be(blob, 0).zip(u32_be(blob, 4)).ok_or(DAMAGED)?;
    let index = entries.checked_mul(16).ok_or(DAMAGED)?;
    let header = Header {
        index: part(blob, 8, index).ok_or(DAMAGED)?,
        data: part(blob, 8 + index, length).ok_or(DAMAGED)?,
    };
    let text = |tag| header.text(tag).filter(|text| is_token(text));
    let name = text(NAME).ok_or("a package has no name")?;
    if name == "gpg-pubkey" {
        return Ok(None);
    }
    let version = text(VERSION).ok_or("a package has no version")?;
    let release = text(RELEASE).ok_or("a package has no release")?;
    let version = match header.number(EPOCH, 0) {
        None | Some(0) => format!("{version}-{release}"),
        Some(epoch) => format!("{epoch}:{version}-{release}"),
    };
    let source = text(SOURCE).and_then(source);
    let (source_name, source_version) = source.unwrap_or((name, &version));
    let owner = header.owner(name);
    let vendor = header.text(VENDOR).or_else(|| header.text(PACKAGER));
    let package = Package {
        source_name: source_name.to_owned(),
        source_version: source_version.to_owned(),
        architecture: text(ARCHITECTURE).unwrap_or_default().to_owned(),
        vendor: vendor.unwrap_or_default().chars().take(100).collect(),
        module: text(MODULE).map(stream).unwrap_or_default(),
        licenses: all_stated(header.text(LICENSE)),
        ..Package::new(PackageKind::Rpm, name, &version)
    };
    Ok(Some((package, owner)))
}

/// The name and version in the name of a source package's file: `curl-7.76.1-23.el9.src.rpm`.
fn source(file: &str) -> Option<(&str, &str)> {
    let stem = file
        .strip_suffix(".src.rpm")
        .or(file.strip_suffix(".nosrc.rpm"))?;
    let (rest, _) = stem.rsplit_once('-')?;
    let (name, _) = rest.rsplit_once('-')?;
    Some((name, &stem[name.len() + 1..]))
}

/// The module and its stream in a label: `nodejs:18:8080020230322142316:63b34585`.
fn stream(label: &str) -> String {
    let parts: Vec<&str> = label.splitn(3, ':').take(2).collect();
    parts.join(":")
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.len() <= 1024 && text.bytes().all(|byte| byte.is_ascii_graphic())
}

impl<'b> Header<'b> {
    fn value(&self, tag: usize) -> Option<Value> {
        let entries = self.index.chunks_exact(16);
        let mut entries = entries.filter(|entry| u32_be(entry, 0) == Some(tag));
        let entry = entries.next()?;
        Some(Value {
            kind: u32_be(entry, 4)?,
            place: u32_be(entry, 8)?,
            count: u32_be(entry, 12)?,
        })
    }

    /// The text at a place, up to its NUL.
    fn text_at(&self, place: usize) -> Option<&'b str> {
        let rest = self.data.get(place..)?;
        let end = rest.iter().position(|byte| *byte == 0)?;
        std::str::from_utf8(&rest[..end]).ok()
    }

    fn text(&self, tag: usize) -> Option<&'b str> {
        let value = self.value(tag)?;
        matches!(value.kind, STRING | STRINGS).then(|| self.text_at(value.place))?
    }

    fn number(&self, tag: usize, index: usize) -> Option<usize> {
        let value = self
            .value(tag)
            .filter(|value| value.kind == INT32 && index < value.count)?;
        u32_be(self.data, value.place.checked_add(index.checked_mul(4)?)?)
    }

    /// Every text of a list.
    fn texts(&self, tag: usize) -> impl Iterator<Item = &'b str> {
        let value = self.value(tag).filter(|value| value.kind == STRINGS);
        let count = value.map_or(0, |value| value.count.min(FILES_LIMIT));
        let mut place = value.map_or(0, |value| value.place);
        (0..count).map_while(move |_| {
            let rest = self.data.get(place..)?;
            let end = rest.iter().position(|byte| *byte == 0)?;
            place += end + 1;
            // A name that is not UTF-8 is of no file that is looked for.
            Some(std::str::from_utf8(&rest[..end]).unwrap_or_default())
        })
    }

    /// Which metadata of language packages and which programs are among the package's files.
    fn owner(&self, package: &str) -> Option<FileOwner> {
        let directories: Vec<&str> = self.texts(DIRECTORIES).collect();
        let value = self.value(DIRECTORY_OF_FILE)?;
        let mut paths = Vec::new();
        for (index, name) in self.texts(FILE_NAMES).enumerate().take(value.count) {
            let place = value.place.checked_add(index * 4)?;
            let directory = directories.get(u32_be(self.data, place)?)?;
            let path = format!("{directory}{name}");
            if may_be_read(path.trim_start_matches('/')) {
                paths.push(clean(&path));
            }
        }
        (!paths.is_empty()).then(|| FileOwner {
            package: package.to_owned(),
            paths,
        })
    }
}
