//! The file of advisories, read in place.

use std::fs::File;
use std::io;

use bonded_model::{Algorithm, Digest, Timestamp};
use sha2::{Digest as _, Sha256};

use super::map::Bytes;
use super::write::{
    DIGEST, FIXED, HEADER, LAST, LIMIT, MAGIC, NO_SCORE, SECTIONS, SEVERITIES, Section, VERSION,
};
use super::{End, Range};
use crate::{Rating, Score};

/// Advisories, as one import has made them. Many threads may read at once.
pub struct Advisories {
    bytes: Bytes,
    sections: [std::ops::Range<usize>; SECTIONS.len()],
    as_of: Timestamp,
    digest: Digest,
}

/// The file is not one of advisories, or not one that this version reads.
#[derive(Debug, thiserror::Error)]
pub enum InvalidAdvisories {
    /// It cannot be read.
    #[error("cannot read the advisories: {0}")]
    Io(#[from] io::Error),
    /// It is something else.
    #[error("the file does not hold advisories: make one with 'bonded advisories import'")]
    Foreign,
    /// It is of a version that is not read.
    #[error("the advisories are in a form of version {0}, and {VERSION} is read: import them anew")]
    Version(u32),
    /// It is not as it was written.
    #[error("the advisories are damaged, import them anew: {0}")]
    Damaged(&'static str),
}

/// How much is known of an ecosystem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EcosystemTotal {
    /// Its name with its release: `Debian:12`.
    pub ecosystem: String,
    /// The advisories about its packages.
    pub advisories: u32,
}

/// An advisory.
#[derive(Clone, Copy)]
pub(crate) struct Advisory<'a> {
    pub(crate) id: &'a str,
    /// The CVE that it is about; empty if it is about none or several.
    pub(crate) cve: &'a str,
    pub(crate) title: &'a str,
    pub(crate) url: &'a str,
    aliases: (u32, u32),
}

/// The advisories of one ecosystem.
#[derive(Clone, Copy)]
pub(crate) struct OfEcosystem<'a> {
    of: &'a Advisories,
    row: Row<'a>,
}

/// What an advisory says of one package. What is asked of it is read then: of most, only ranges are.
#[derive(Clone, Copy)]
pub(crate) struct Affected<'a> {
    of: &'a Advisories,
    pub(super) row: Row<'a>,
}

impl<'a> Affected<'a> {
    pub(crate) fn advisory(self) -> Advisory<'a> {
        self.of.advisory(self.row.u32(0))
    }

    pub(crate) fn rating(self) -> Option<Rating> {
        let severity = usize::from(self.row.u8(20)).checked_sub(1);
        let severity = severity.and_then(|index| SEVERITIES.get(index).copied());
        severity.map(|severity| Rating {
            severity,
            score: match self.row.u8(21) {
                NO_SCORE => None,
                tenths => Some(Score::from_tenths(tenths)),
            },
        })
    }

    pub(crate) fn vector(self) -> &'a str {
        self.of.text(self.row, 24)
    }

    pub(crate) fn rated_by(self) -> &'a str {
        self.of.text(self.row, 32)
    }

    pub(crate) fn ranges(self) -> impl Iterator<Item = Range<'a>> {
        rows(self.row, 4).map(move |index| {
            let row = self.of.row(Section::Ranges, index);
            let end = self.of.text(row, 8).into();
            Range {
                introduced: self.of.text(row, 0).into(),
                end: match row.u32(16) {
                    FIXED => End::Fixed(end),
                    LAST => End::Last(end),
                    LIMIT => End::Limit(end),
                    // Anything else would be damage; an open end errs on the safe side.
                    _ => End::Open,
                },
            }
        })
    }

    /// As [`versions`](Self::versions), of which few are read as text.
    pub(crate) fn version_bytes(self) -> impl Iterator<Item = &'a [u8]> {
        rows(self.row, 12).map(move |index| {
            let row = self.of.row(Section::Versions, index);
            self.of.text_bytes(row, 0).unwrap_or_default()
        })
    }

    /// Versions that are affected beside those in the ranges.
    pub(crate) fn versions(self) -> impl Iterator<Item = &'a str> {
        self.of.names(Section::Versions, rows(self.row, 12))
    }
}

/// A row of a section.
#[derive(Clone, Copy)]
pub(super) struct Row<'a>(&'a [u8]);

impl Row<'_> {
    /// The number at a place; 0 beyond the end, where a checked file has none.
    pub(super) fn u32(self, at: usize) -> u32 {
        let bytes = self
            .0
            .get(at..at + 4)
            .and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u32::from_le_bytes)
    }

    fn u8(self, at: usize) -> u8 {
        self.0.get(at).copied().unwrap_or_default()
    }
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let bytes = bytes
        .get(at..at + 8)
        .and_then(|bytes| bytes.try_into().ok());
    bytes.map_or(0, u64::from_le_bytes)
}

impl Advisories {
    /// Reads a file in place; it must not be changed afterwards, only replaced. Everything in it is
    /// checked first, in a time that is linear in its length.
    ///
    /// # Errors
    /// [`InvalidAdvisories`]
    pub fn map(file: &File) -> Result<Self, InvalidAdvisories> {
        if file.metadata()?.len() < HEADER as u64 {
            return Err(InvalidAdvisories::Foreign);
        }
        Self::checked(Bytes::map(file)?)
    }

    /// From the bytes of a file.
    ///
    /// # Errors
    /// [`InvalidAdvisories`]
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, InvalidAdvisories> {
        Self::checked(Bytes::Owned(bytes))
    }

    fn checked(bytes: Bytes) -> Result<Self, InvalidAdvisories> {
        use InvalidAdvisories::Damaged;
        if bytes.len() < HEADER || &bytes[..8] != MAGIC {
            return Err(InvalidAdvisories::Foreign);
        }
        let version = Row(&bytes).u32(8);
        if version != VERSION {
            return Err(InvalidAdvisories::Version(version));
        }
        if u64_at(&bytes, 24) != bytes.len() as u64
            || Row(&bytes).u32(12) as usize != SECTIONS.len()
        {
            return Err(Damaged("its length is another one"));
        }
        let mut hash = Sha256::new();
        hash.update(&bytes[..DIGEST.start]);
        hash.update([0; 32]);
        hash.update(&bytes[DIGEST.end..]);
        let hash = hash.finalize();
        if hash[..] != bytes[DIGEST] {
            return Err(Damaged("its checksum is another one"));
        }
        let mut sections: [std::ops::Range<usize>; SECTIONS.len()] = Default::default();
        for (index, (section, (_, size))) in sections.iter_mut().zip(SECTIONS).enumerate() {
            let at = HEADER + index * 16;
            let place = usize::try_from(u64_at(&bytes, at)).ok();
            let length = usize::try_from(u64_at(&bytes, at + 8)).ok();
            let end = place
                .zip(length)
                .and_then(|(place, length)| place.checked_add(length));
            let (Some(place), Some(end)) = (place, end) else {
                return Err(Damaged("a section is outside of it"));
            };
            if end > bytes.len() || place < HEADER || (end - place) % size != 0 {
                return Err(Damaged("a section is outside of it"));
            }
            *section = place..end;
        }
        let as_of = u64_at(&bytes, 16).cast_signed();
        let advisories = Self {
            digest: Digest::from_hash(Algorithm::Sha256, &hash),
            as_of: Timestamp::from_millis(as_of),
            bytes,
            sections,
        };
        advisories.check_rows().map_err(Damaged)?;
        Ok(advisories)
    }

    pub(super) fn names(
        &self,
        section: Section,
        rows: std::ops::Range<u32>,
    ) -> impl ExactSizeIterator<Item = &str> {
        rows.map(move |index| self.text(self.row(section, index), 0))
    }

    fn section(&self, section: Section) -> &[u8] {
        let range = self.sections[section as usize].clone();
        self.bytes.get(range).unwrap_or_default()
    }

    pub(super) fn count(&self, section: Section) -> u32 {
        let (_, size) = SECTIONS[section as usize];
        u32::try_from(self.section(section).len() / size).unwrap_or(u32::MAX)
    }

    pub(super) fn row(&self, section: Section, index: u32) -> Row<'_> {
        let (_, size) = SECTIONS[section as usize];
        let start = (index as usize).saturating_mul(size);
        let rows = self.section(section);
        Row(rows
            .get(start..start.saturating_add(size))
            .unwrap_or_default())
    }

    pub(super) fn checked_text(&self, row: Row<'_>, at: usize) -> Option<&str> {
        std::str::from_utf8(self.text_bytes(row, at)?).ok()
    }

    pub(super) fn text_bytes(&self, row: Row<'_>, at: usize) -> Option<&[u8]> {
        let (place, length) = (row.u32(at) as usize, row.u32(at + 4) as usize);
        self.section(Section::Texts)
            .get(place..place.checked_add(length)?)
    }

    pub(super) fn text(&self, row: Row<'_>, at: usize) -> &str {
        self.checked_text(row, at).unwrap_or_default()
    }

    /// What names the advisories: the SHA-256 of the file with the place of the checksum zero. The
    /// same records give the same.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// How old they are: when the newest of them was modified.
    #[must_use]
    pub fn as_of(&self) -> Timestamp {
        self.as_of
    }

    /// How much is known of each ecosystem, by name.
    pub fn ecosystems(&self) -> impl Iterator<Item = EcosystemTotal> {
        (0..self.count(Section::Ecosystems)).map(|index| {
            let row = self.row(Section::Ecosystems, index);
            EcosystemTotal {
                ecosystem: self.text(row, 0).to_owned(),
                advisories: row.u32(16),
            }
        })
    }

    /// How many advisories there are.
    #[must_use]
    pub fn count_advisories(&self) -> u32 {
        self.count(Section::Advisories)
    }

    /// Whether anything is known of an ecosystem, with its release.
    #[must_use]
    pub fn knows(&self, ecosystem: &str) -> bool {
        self.ecosystem(ecosystem).is_some()
    }

    pub(super) fn ecosystem(&self, name: &str) -> Option<Row<'_>> {
        self.search(
            Section::Ecosystems,
            0..self.count(Section::Ecosystems),
            name,
        )
    }

    /// The row of a name in a sorted section.
    pub(super) fn search(
        &self,
        section: Section,
        mut rows: std::ops::Range<u32>,
        name: &str,
    ) -> Option<Row<'_>> {
        while !rows.is_empty() {
            let middle = rows.start + (rows.end - rows.start) / 2;
            let row = self.row(section, middle);
            match self
                .text_bytes(row, 0)
                .unwrap_or_default()
                .cmp(name.as_bytes())
            {
                std::cmp::Ordering::Equal => return Some(row),
                std::cmp::Ordering::Less => rows.start = middle + 1,
                std::cmp::Ordering::Greater => rows.end = middle,
            }
        }
        None
    }

    /// Those of an ecosystem, with its release; `None` if nothing is known of it.
    pub(crate) fn of_ecosystem(&self, name: &str) -> Option<OfEcosystem<'_>> {
        let row = self.ecosystem(name)?;
        Some(OfEcosystem { of: self, row })
    }

    pub(super) fn affected<'a>(&'a self, row: Row<'a>) -> Affected<'a> {
        Affected { of: self, row }
    }

    fn advisory(&self, index: u32) -> Advisory<'_> {
        let row = self.row(Section::Advisories, index);
        Advisory {
            id: self.text(row, 0),
            cve: self.text(row, 8),
            title: self.text(row, 16),
            url: self.text(row, 24),
            aliases: (row.u32(32), row.u32(36)),
        }
    }

    /// The other names of an advisory: its aliases, and what it was made from.
    pub(crate) fn aliases(&self, advisory: Advisory<'_>) -> impl ExactSizeIterator<Item = &str> {
        let (first, count) = advisory.aliases;
        self.names(Section::Aliases, first..first.saturating_add(count))
    }
}

impl<'a> OfEcosystem<'a> {
    /// What advisories say of a package, in the order of their ids. The name is the one that
    /// advisories of the ecosystem use.
    pub(crate) fn about(self, name: &str) -> impl Iterator<Item = Affected<'a>> + use<'a> {
        let packages = rows(self.row, 8);
        let package = self.of.search(Section::Packages, packages, name);
        let affected = package.map_or(0..0, |row| rows(row, 8));
        affected.map(move |index| self.of.affected(self.of.row(Section::Affected, index)))
    }
}

/// The rows that a row refers to.
pub(super) fn rows(row: Row<'_>, at: usize) -> std::ops::Range<u32> {
    row.u32(at)..row.u32(at).saturating_add(row.u32(at + 4))
}
