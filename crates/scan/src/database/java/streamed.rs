//! An archive that is too large for memory, from its front to its end: each file by the header before
//! it, then the list at the end, by which Java goes (APPNOTE.TXT 6.3.10, 4.3).
//!
//! The list has to name the files that were seen, and where they were; the end, this list. An archive
//! that Java may take for another one is damaged.

use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, BufRead, Read};

use flate2::bufread::DeflateDecoder;

use super::{DAMAGED, FILES_LIMIT, Level, Walk};
use crate::counted::Counted;
use crate::database::{DatabaseError, too_large};

/// The most that the files of an archive may come to, where their ends are found by expanding them.
const EXPANDED_LIMIT: u64 = 8 << 30;

/// The sizes of a file are after it, not before.
const SIZES_FOLLOW: u16 = 1 << 3;

const ENCRYPTED: u16 = 1;

const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// In place of a size that has more than 32 bits, and is in an extra field.
const IN_EXTRA: u32 = u32::MAX;

/// A header before a file.
struct Header {
    flags: u16,
    method: u16,
    compressed: u64,
    is_64_bit: bool,
    name: String,
}

/// A file, as what is before it and what is in the list have to say alike.
#[derive(Hash)]
struct Entry<'n> {
    name: &'n str,
    /// Where its header begins.
    offset: u64,
    method: u16,
    compressed: u64,
}

/// Files, however often and in whatever order, as a sum of hashes with a key that nobody knows.
#[derive(Default)]
struct Entries {
    key: RandomState,
    count: usize,
    sum: u64,
}

impl Entries {
    fn add(&mut self, entry: &Entry<'_>) -> Result<(), DatabaseError> {
        self.count += 1;
        if self.count > FILES_LIMIT {
            return Err(too_large("its list of files", FILES_LIMIT as u64));
        }
        self.sum = self.sum.wrapping_add(self.key.hash_one(entry));
        Ok(())
    }
}

impl Walk {
    /// Looks at an archive whose file has a name.
    pub(super) fn streamed(
        &mut self,
        input: impl BufRead,
        file: &str,
    ) -> Result<(), DatabaseError> {
        let mut input = Counted::new(input);
        let mut level = Level::default();
        let mut files = Entries::default();
        let mut left = EXPANDED_LIMIT;
        let (list, mut signature) = loop {
            let offset = input.at();
            let signature: [u8; 4] = array(&mut input)?;
            if &signature != b"PK\x03\x04" {
                break (offset, signature);
            }
            let header = Header::read(&mut input)?;
            let begin = input.at();
            let after = self.content(&mut level, &header, &mut input, &mut left)?;
            files.add(&Entry {
                name: &header.name,
                offset,
                method: header.method,
                compressed: input.at() - begin - after,
            })?;
        };
        if files.count == 0 {
            return Err(DatabaseError::Damaged(
                "it has more than 64 MiB and something before its files, which is not read",
            ));
        }
        let mut listed = Entries {
            key: files.key.clone(),
            ..Entries::default()
        };
        let mut end = list;
        while &signature == b"PK\x01\x02" {
            add_listed(&mut listed, &mut input)?;
            end = input.at();
            signature = array(&mut input)?;
        }
        if (listed.count, listed.sum) != (files.count, files.sum) {
            return Err(DatabaseError::Damaged(
                "its list of files names others than are in it",
            ));
        }
        ends(&mut input, signature, list, end - list)?;
        self.end(level, file, "")
    }

    /// Looks at a file, and leaves what is read at the next header: how many bytes there are between.
    fn content(
        &mut self,
        level: &mut Level,
        header: &Header,
        input: &mut impl BufRead,
        left: &mut u64,
    ) -> Result<u64, DatabaseError> {
        if header.flags & ENCRYPTED != 0 {
            return Err(DatabaseError::Damaged("a file in it is encrypted"));
        }
        let follow = header.flags & SIZES_FOLLOW != 0;
        match (header.method, follow) {
            (STORED, false) => {
                let mut content = input.take(header.compressed);
                self.file(level, &header.name, &mut content, "", 0)?;
                skip(&mut content)?;
                end_is(content.limit())?;
                Ok(0)
            }
            (DEFLATED, false) => {
                let mut content = input.take(header.compressed);
                self.file(
                    level,
                    &header.name,
                    DeflateDecoder::new(&mut content),
                    "",
                    0,
                )?;
                skip(&mut content)?;
                end_is(content.limit())?;
                Ok(0)
            }
            (DEFLATED, true) => {
                let mut content = DeflateDecoder::new(&mut *input).take(*left);
                self.file(level, &header.name, &mut content, "", 0)?;
                skip(&mut content)?;
                *left = content.limit();
                let decoder = content.into_inner();
                if *left == 0 {
                    return Err(too_large("what is in it", EXPANDED_LIMIT));
                }
                let compressed = decoder.total_in();
                descriptor(input, compressed, header.is_64_bit)
            }
            (STORED, true) => Err(DatabaseError::Damaged(
                "it has more than 64 MiB and a file whose end is not known before the end of all",
            )),
            _ => Err(DatabaseError::Damaged(
                "a file in it is compressed in a way that Java does not read",
            )),
        }
    }
}

impl Header {
    /// Reads what follows the signature.
    fn read(input: &mut impl Read) -> Result<Self, DatabaseError> {
        let fixed: [u8; 26] = array(input)?;
        let name = text(input, u16_at(&fixed, 22))?;
        let extra = bytes(input, u16_at(&fixed, 24))?;
        let (compressed, expanded) = (u32_at(&fixed, 14), u32_at(&fixed, 18));
        let wide = wide_sizes(&extra);
        Ok(Self {
            flags: u16_at(&fixed, 2),
            method: u16_at(&fixed, 4),
            compressed: match (compressed, wide) {
                // The extra field has those that are not here, the expanded one first.
                (IN_EXTRA, Some(wide)) => {
                    let at = if expanded == IN_EXTRA { 8 } else { 0 };
                    let size = wide.get(at..at + 8).and_then(|of| of.try_into().ok());
                    size.map(u64::from_le_bytes).ok_or(DAMAGED)?
                }
                (size, _) => u64::from(size),
            },
            is_64_bit: wide.is_some(),
            name,
        })
    }
}

/// Adds an entry of the list, whose signature was read.
fn add_listed(listed: &mut Entries, input: &mut impl Read) -> Result<(), DatabaseError> {
    let fixed: [u8; 42] = array(input)?;
    let name = text(input, u16_at(&fixed, 24))?;
    let extra = bytes(input, u16_at(&fixed, 26))?;
    bytes(input, u16_at(&fixed, 28))?;
    // The extra field has those of the sizes and the place that are not here, in this order.
    let mut wide = wide_sizes(&extra).unwrap_or_default().chunks_exact(8);
    let mut number = |at: usize| match u32_at(&fixed, at) {
        IN_EXTRA => {
            let number = wide.next().and_then(|of| of.try_into().ok());
            number.map(u64::from_le_bytes).ok_or(DAMAGED)
        }
        number => Ok(u64::from(number)),
    };
    let _expanded = number(20)?;
    let compressed = number(16)?;
    let offset = number(38)?;
    listed.add(&Entry {
        name: &name,
        offset,
        method: u16_at(&fixed, 6),
        compressed,
    })
}

/// Reads the end of the archive, whose first signature was read. It has to say that the list is
/// `length` bytes from `place` on, and nothing may follow that could be another end.
fn ends(
    input: &mut impl BufRead,
    mut signature: [u8; 4],
    place: u64,
    length: u64,
) -> Result<(), DatabaseError> {
    let is_list = |said: [u64; 2], magic: u64| {
        let is_same = |(said, is)| said == is || said == magic;
        said.into_iter().zip([length, place]).all(is_same)
    };
    if &signature == b"PK\x06\x06" {
        let size = u64::from_le_bytes(array(input)?);
        let record: [u8; 44] = array(input)?;
        let said = [36, 28]
            .map(|at| u64::from(u32_at(&record, at + 4)) << 32 | u64::from(u32_at(&record, at)));
        let [place, length] = said;
        let locator: [u8; 4] = match size {
            44 => array(input)?,
            _ => return Err(DAMAGED),
        };
        let _: [u8; 16] = array(input)?;
        if !is_list([length, place], u64::MAX) || &locator != b"PK\x06\x07" {
            return Err(DAMAGED);
        }
        signature = array(input)?;
    }
    let record: [u8; 18] = match &signature {
        b"PK\x05\x06" => array(input)?,
        _ => return Err(DAMAGED),
    };
    let said = [
        u64::from(u32_at(&record, 8)),
        u64::from(u32_at(&record, 12)),
    ];
    let comment = bytes(input, u16_at(&record, 16))?;
    let another = memchr::memmem::find(&comment, b"PK\x05\x06").is_some();
    match is_list(said, u64::from(IN_EXTRA)) && !another && input.fill_buf()?.is_empty() {
        true => Ok(()),
        false => Err(DAMAGED),
    }
}

/// What follows a file whose sizes were not known before: perhaps a signature, the checksum, the
/// sizes. How many bytes that is.
fn descriptor(
    input: &mut impl BufRead,
    compressed: u64,
    is_64_bit: bool,
) -> Result<u64, DatabaseError> {
    let mut length = 4;
    let first: [u8; 4] = array(input)?;
    if &first == b"PK\x07\x08" {
        array::<4>(input)?;
        length += 4;
    }
    length += if is_64_bit { 16 } else { 8 };
    let stated = match is_64_bit {
        true => {
            let sizes: [u8; 16] = array(input)?;
            sizes
                .first_chunk()
                .map_or(0, |size| u64::from_le_bytes(*size))
        }
        false => {
            let sizes: [u8; 8] = array(input)?;
            u64::from(u32_at(&sizes, 0))
        }
    };
    match stated == compressed {
        true => Ok(length),
        false => Err(DAMAGED),
    }
}

/// The sizes of 64 bits in an extra field.
fn wide_sizes(extra: &[u8]) -> Option<&[u8]> {
    let mut rest = extra;
    while rest.len() >= 4 {
        let (kind, length) = (u16_at(rest, 0), usize::from(u16_at(rest, 2)));
        let content = rest.get(4..4 + length)?;
        if kind == 1 {
            return Some(content);
        }
        rest = &rest[4 + length..];
    }
    None
}

fn end_is(left: u64) -> Result<(), DatabaseError> {
    match left {
        0 => Ok(()),
        _ => Err(DAMAGED),
    }
}

fn skip(input: &mut impl Read) -> Result<(), DatabaseError> {
    io::copy(input, &mut io::sink()).map_err(|_| DAMAGED)?;
    Ok(())
}

fn array<const N: usize>(input: &mut impl Read) -> Result<[u8; N], DatabaseError> {
    let mut bytes = [0; N];
    match input.read_exact(&mut bytes) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(DAMAGED),
        Err(error) => Err(error.into()),
        Ok(()) => Ok(bytes),
    }
}

fn bytes(input: &mut impl Read, length: u16) -> Result<Vec<u8>, DatabaseError> {
    let mut bytes = Vec::new();
    input.take(u64::from(length)).read_to_end(&mut bytes)?;
    match bytes.len() == usize::from(length) {
        true => Ok(bytes),
        false => Err(DAMAGED),
    }
}

fn text(input: &mut impl Read, length: u16) -> Result<String, DatabaseError> {
    Ok(String::from_utf8_lossy(&bytes(input, length)?).into_owned())
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    let two = bytes.get(at..at + 2).and_then(|of| of.try_into().ok());
    two.map_or(0, u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let four = bytes.get(at..at + 4).and_then(|of| of.try_into().ok());
    four.map_or(0, u32::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use proptest::prelude::*;
    use zip::CompressionMethod;
    use zip::write::SimpleFileOptions;

    use super::super::{DATABASE_LIMIT, Found, parse_java};
    use super::*;

    const POM: &str = "META-INF/maven/g/a/pom.properties";

    fn files() -> Vec<(&'static str, Vec<u8>)> {
        let pom = |version: &str| format!("groupId=g\nartifactId=a\nversion={version}\n");
        let mut inner = zip::ZipWriter::new(Cursor::new(Vec::new()));
        inner.start_file(POM, SimpleFileOptions::default()).unwrap();
        inner.write_all(pom("2").as_bytes()).unwrap();
        vec![
            ("META-INF/MANIFEST.MF", b"Manifest-Version: 1.0\n".to_vec()),
            (POM, pom("1").into_bytes()),
            ("lib/inner.jar", inner.finish().unwrap().into_inner()),
            ("g/a/Large.class", b"PK\x03\x04 code ".repeat(5000)),
            ("g/a/", Vec::new()),
        ]
    }

    fn jar(method: CompressionMethod) -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in files() {
            let options = SimpleFileOptions::default().compression_method(method);
            zip.start_file(name, options).unwrap();
            zip.write_all(&content).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    /// As `jar` of the JDK writes it: the sizes follow.
    fn written_in_one_go() -> Vec<u8> {
        let mut zip = zip::ZipWriter::new_stream(Vec::new());
        for (name, content) in files() {
            zip.start_file(name, SimpleFileOptions::default()).unwrap();
            zip.write_all(&content).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    fn small(bytes: &[u8]) -> Vec<Found> {
        parse_java(bytes, "app.jar", bytes.len() as u64).unwrap()
    }

    fn large(bytes: &[u8]) -> Result<Vec<Found>, DatabaseError> {
        parse_java(bytes, "app.jar", DATABASE_LIMIT + 1)
    }

    #[test]
    fn what_is_read_in_one_go_is_what_is_read_by_the_list() {
        for bytes in [
            jar(CompressionMethod::Stored),
            jar(CompressionMethod::Deflated),
            written_in_one_go(),
        ] {
            let found = large(&bytes).unwrap();
            assert_eq!(found.len(), 2, "{found:?}");
            assert_eq!(found, small(&bytes));
        }
        let bytes = written_in_one_go();
        assert_ne!(u16_at(&bytes, 6) & SIZES_FOLLOW, 0, "the sizes follow");
    }

    #[test]
    fn what_java_may_take_for_another_archive_is_damaged() {
        let bytes = jar(CompressionMethod::Deflated);
        let end = bytes.len() - 22;
        let list = u32_at(&bytes, end + 16) as usize;
        let changed = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = bytes.clone();
            change(&mut bytes);
            bytes
        };
        for (what, bytes) in [
            ("two archives", [bytes.clone(), bytes.clone()].concat()),
            (
                "a program before it",
                [b"#!/bin/sh\n".to_vec(), bytes.clone()].concat(),
            ),
            (
                "another place of a file",
                changed(&|bytes| bytes[list + 42] ^= 1),
            ),
            (
                "another size of a file",
                changed(&|bytes| bytes[list + 20] ^= 1),
            ),
            ("another method", changed(&|bytes| bytes[list + 10] ^= 8)),
            ("another name", changed(&|bytes| bytes[list + 46] ^= 1)),
            ("a longer list", changed(&|bytes| bytes[end + 12] ^= 1)),
            (
                "another place of the list",
                changed(&|bytes| bytes[end + 16] ^= 1),
            ),
            ("an encrypted file", changed(&|bytes| bytes[6] |= 1)),
            (
                "an end in the comment",
                changed(&|bytes| {
                    bytes[end + 20] = 4;
                    bytes.extend(b"PK\x05\x06");
                }),
            ),
            ("bytes after its end", changed(&|bytes| bytes.push(0))),
        ] {
            assert!(
                matches!(large(&bytes), Err(DatabaseError::Damaged(_))),
                "{what}"
            );
        }
        // A comment is no harm.
        let commented = changed(&|bytes| {
            bytes[end + 20] = 4;
            bytes.extend(b"fine");
        });
        assert_eq!(large(&commented).unwrap().len(), 2);
    }

    #[test]
    fn what_is_cut_is_damaged() {
        for bytes in [jar(CompressionMethod::Stored), written_in_one_go()] {
            for end in (0..bytes.len()).step_by(7) {
                assert!(large(&bytes[..end]).is_err(), "{end}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_damage_makes_it_panic(at in 0.0..1.0_f64, byte: u8) {
            let mut bytes = written_in_one_go();
            let at = (at * bytes.len() as f64) as usize;
            bytes[at] = byte;
            let _ = large(&bytes);
        }
    }
}
