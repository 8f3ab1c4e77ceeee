//! The file of advisories: how it is laid out, and the writing of it.
//!
//! All numbers are little-endian. A header, and sections of rows of fixed size that refer to each
//! other by index and to texts by place and length:
//!
//! ```text
//! 0    "BONDEDAV"
//! 8    u32 format version, u32 count of sections
//! 16   i64 how old the advisories are, milliseconds since 1970
//! 24   u64 length of the file
//! 32   SHA-256 of the file with these 32 bytes zero
//! 64   for each section: u64 place, u64 length, in bytes
//! ```

use std::collections::{BTreeMap, HashMap, HashSet};

use bonded_model::Timestamp;
use sha2::{Digest as _, Sha256};

use super::End;
use super::import::{ImportError, Kept, KeptAffected};
use super::severities::Rated;
use super::tables::Tables;
use super::vex::{Statements, VexStatus};
use crate::Severity;

pub(super) const MAGIC: &[u8; 8] = b"BONDEDAV";
pub(super) const VERSION: u32 = 2;
pub(super) const HEADER: usize = 64;
pub(super) const DIGEST: std::ops::Range<usize> = 32..64;

/// The sections, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    /// Texts, one after the other.
    Texts,
    /// Text name, u32 first package, u32 packages, u32 advisories; sorted by name.
    Ecosystems,
    /// Text name, u32 first affected, u32 affected; sorted by name within an ecosystem.
    Packages,
    /// u32 advisory, u32 first range, u32 ranges, u32 first version, u32 versions, u8 severity,
    /// u8 score in tenths, u16 zero, text vector, text rated by.
    Affected,
    /// Text introduced, text end, u32 kind of end.
    Ranges,
    /// Text.
    Versions,
    /// Text id, text CVE, text title, text URL, u32 first alias, u32 aliases, i64 modified,
    /// i64 published.
    Advisories,
    /// Text.
    Aliases,
    /// Text CVE, text date since when it is listed as exploited, u32 probability and u32 percentile
    /// of EPSS in hundred thousandths; sorted by CVE.
    Facts,
    /// Text vulnerability, text product and its version, text part and its version, text
    /// justification, text document, u32 status; sorted by vulnerability, of one the latest last.
    Statements,
}

/// Each section with the size of its rows.
pub(super) const SECTIONS: [(Section, usize); 10] = [
    (Section::Texts, 1),
    (Section::Ecosystems, 20),
    (Section::Packages, 16),
    (Section::Affected, 40),
    (Section::Ranges, 20),
    (Section::Versions, 8),
    (Section::Advisories, 56),
    (Section::Aliases, 8),
    (Section::Facts, 24),
    (Section::Statements, 60),
];

/// The number of a probability that there is not.
pub(super) const NO_PROBABILITY: u32 = u32::MAX;

/// The kinds of ends of ranges.
pub(super) const OPEN: u32 = 0;
pub(super) const FIXED: u32 = 1;
pub(super) const LAST: u32 = 2;
pub(super) const LIMIT: u32 = 3;

/// Every severity by its number in the file; 0 is unrated.
pub(super) const SEVERITIES: [Severity; 6] = [
    Severity::None,
    Severity::Informational,
    Severity::Low,
    Severity::Medium,
    Severity::High,
    Severity::Critical,
];

/// The number of a score that there is not.
pub(super) const NO_SCORE: u8 = 255;

/// A section being written.
#[derive(Default)]
struct Rows(Vec<u8>);

impl Rows {
    fn u32(&mut self, number: u32) -> &mut Self {
        self.0.extend(number.to_le_bytes());
        self
    }

    fn i64(&mut self, number: i64) -> &mut Self {
        self.0.extend(number.to_le_bytes());
        self
    }

    fn text(&mut self, (place, length): (u32, u32)) -> &mut Self {
        self.u32(place).u32(length)
    }

    fn count(&self, section: Section) -> Result<u32, ImportError> {
        let (_, size) = SECTIONS[section as usize];
        number(self.0.len() / size)
    }
}

fn number(count: usize) -> Result<u32, ImportError> {
    u32::try_from(count).map_err(|_| ImportError::TooLarge("one of its tables is full"))
}

/// The texts, each once.
#[derive(Default)]
struct Texts<'k> {
    bytes: Vec<u8>,
    known: HashMap<&'k str, (u32, u32)>,
}

impl<'k> Texts<'k> {
    fn place(&mut self, text: &'k str) -> Result<(u32, u32), ImportError> {
        if text.is_empty() {
            return Ok((0, 0));
        }
        if let Some(place) = self.known.get(text) {
            return Ok(*place);
        }
        let place = (number(self.bytes.len())?, number(text.len())?);
        self.bytes.extend(text.as_bytes());
        self.known.insert(text, place);
        Ok(place)
    }
}

/// A package by name, with what advisories, by index, say of it.
type PackageOf<'k> = (&'k str, Vec<(u32, &'k KeptAffected)>);

struct Writer<'k> {
    texts: Texts<'k>,
    sections: [Rows; 10],
}

/// Everything that is written.
pub(super) struct All<'k> {
    pub(super) records: &'k BTreeMap<String, Kept>,
    pub(super) tables: &'k Tables,
    pub(super) statements: &'k Statements,
}

/// The file with all records.
pub(super) fn file(all: &All<'_>, as_of: Timestamp) -> Result<Vec<u8>, ImportError> {
    let records = all.records;
    let mut writer = Writer {
        texts: Texts::default(),
        sections: Default::default(),
    };
    let mut by_package: BTreeMap<(&str, &str), Vec<(u32, &KeptAffected)>> = BTreeMap::new();
    for (index, (id, kept)) in (0_u32..).zip(records) {
        writer.advisory(id, kept)?;
        for affected in &kept.affected {
            let key = (affected.ecosystem.as_str(), affected.name.as_str());
            by_package.entry(key).or_default().push((index, affected));
        }
    }
    let mut ecosystems: BTreeMap<&str, Vec<PackageOf<'_>>> = BTreeMap::new();
    for ((ecosystem, name), affected) in by_package {
        ecosystems
            .entry(ecosystem)
            .or_default()
            .push((name, affected));
    }
    for (ecosystem, packages) in ecosystems {
        let advisories = packages.iter().flat_map(|(_, affected)| affected);
        let advisories: std::collections::BTreeSet<u32> =
            advisories.map(|(advisory, _)| *advisory).collect();
        let name = writer.texts.place(ecosystem)?;
        let first = writer.rows(Section::Packages).count(Section::Packages)?;
        let row = writer.rows(Section::Ecosystems);
        row.text(name).u32(first).u32(number(packages.len())?);
        row.u32(number(advisories.len())?);
        for (name, affected) in packages {
            let name = writer.texts.place(name)?;
            let first = writer.rows(Section::Affected).count(Section::Affected)?;
            let row = writer.rows(Section::Packages);
            row.text(name).u32(first).u32(number(affected.len())?);
            for (advisory, affected) in affected {
                writer.affected(advisory, affected)?;
            }
        }
    }
    let named: HashSet<&str> = records
        .iter()
        .flat_map(|(id, kept)| kept.aliases.iter().chain(&kept.upstream).chain([id]))
        .map(String::as_str)
        .collect();
    writer.facts(all.tables, &named)?;
    writer.statements(all.statements, &named)?;
    writer.finish(as_of)
}

impl<'k> Writer<'k> {
    fn rows(&mut self, section: Section) -> &mut Rows {
        &mut self.sections[section as usize]
    }

    fn advisory(&mut self, id: &'k str, kept: &'k Kept) -> Result<(), ImportError> {
        let first = self.rows(Section::Aliases).count(Section::Aliases)?;
        let mut aliases: Vec<&'k str> = Vec::new();
        for alias in kept.aliases.iter().chain(&kept.upstream) {
            if alias != id && !aliases.contains(&alias.as_str()) {
                aliases.push(alias);
            }
        }
        for alias in &aliases {
            let place = self.texts.place(alias)?;
            self.rows(Section::Aliases).text(place);
        }
        let texts = [id, cve(id, kept), &kept.title, &kept.url];
        for text in texts {
            let place = self.texts.place(text)?;
            self.rows(Section::Advisories).text(place);
        }
        let row = self.rows(Section::Advisories);
        row.u32(first).u32(number(aliases.len())?);
        row.i64(kept.modified).i64(kept.published);
        Ok(())
    }

    fn affected(&mut self, advisory: u32, affected: &'k KeptAffected) -> Result<(), ImportError> {
        let first_range = self.rows(Section::Ranges).count(Section::Ranges)?;
        for range in &affected.ranges {
            let (end, kind) = match &range.end {
                End::Open => ("", OPEN),
                End::Fixed(end) => (&**end, FIXED),
                End::Last(end) => (&**end, LAST),
                End::Limit(end) => (&**end, LIMIT),
            };
            let introduced = self.texts.place(&range.introduced)?;
            let end = self.texts.place(end)?;
            self.rows(Section::Ranges)
                .text(introduced)
                .text(end)
                .u32(kind);
        }
        let first_version = self.rows(Section::Versions).count(Section::Versions)?;
        for version in &affected.versions {
            let place = self.texts.place(version)?;
            self.rows(Section::Versions).text(place);
        }
        let (severity, score, vector, by) = match &affected.rated {
            None => (0, NO_SCORE, "", ""),
            Some(rated) => rated_row(rated),
        };
        let (vector, by) = (self.texts.place(vector)?, self.texts.place(by)?);
        let (ranges, versions) = (affected.ranges.len(), affected.versions.len());
        let row = self.rows(Section::Affected);
        row.u32(advisory).u32(first_range).u32(number(ranges)?);
        row.u32(first_version).u32(number(versions)?);
        row.0.extend([severity, score, 0, 0]);
        row.text(vector).text(by);
        Ok(())
    }

    /// What tables say of vulnerabilities that an advisory names.
    fn facts(&mut self, tables: &'k Tables, named: &HashSet<&str>) -> Result<(), ImportError> {
        for (cve, row) in &tables.0 {
            let exploited = row.exploited.as_deref().unwrap_or_default();
            if !named.contains(cve.as_str()) || (exploited.is_empty() && row.epss.is_none()) {
                continue;
            }
            let (cve, exploited) = (self.texts.place(cve)?, self.texts.place(exploited)?);
            let none = (NO_PROBABILITY, NO_PROBABILITY);
            let epss = row.epss.map_or(none, |(score, percentile)| {
                (
                    score.hundred_thousandths(),
                    percentile.hundred_thousandths(),
                )
            });
            let row = self.rows(Section::Facts);
            row.text(cve).text(exploited).u32(epss.0).u32(epss.1);
        }
        Ok(())
    }

    fn statements(
        &mut self,
        statements: &'k Statements,
        named: &HashSet<&str>,
    ) -> Result<(), ImportError> {
        let mut all: Vec<_> = statements.0.iter().collect();
        all.retain(|(about, _)| named.contains(about.vulnerability.as_str()));
        // Said comes before what it is about, so that of one vulnerability the latest is the last.
        all.sort_by_key(|(about, said)| (&about.vulnerability, *said, *about));
        for (about, said) in all {
            let texts = [
                &about.vulnerability,
                &about.product.0,
                &about.product.1,
                &about.part.0,
                &about.part.1,
                &said.justification,
                &said.by,
            ];
            for text in texts {
                let place = self.texts.place(text)?;
                self.rows(Section::Statements).text(place);
            }
            let all = VexStatus::ALL.iter();
            let status = all.clone().position(|status| *status == said.status);
            let status = number(status.unwrap_or_default())?;
            self.rows(Section::Statements).u32(status);
        }
        Ok(())
    }

    fn finish(mut self, as_of: Timestamp) -> Result<Vec<u8>, ImportError> {
        self.sections[Section::Texts as usize] = Rows(self.texts.bytes);
        let mut file = Vec::new();
        file.extend(MAGIC);
        file.extend(VERSION.to_le_bytes());
        file.extend(number(SECTIONS.len())?.to_le_bytes());
        file.extend(as_of.as_millis().to_le_bytes());
        let mut place = HEADER + SECTIONS.len() * 16;
        let length = place + self.sections.iter().map(|rows| rows.0.len()).sum::<usize>();
        file.extend((length as u64).to_le_bytes());
        file.extend([0; 32]);
        for rows in &self.sections {
            file.extend((place as u64).to_le_bytes());
            file.extend((rows.0.len() as u64).to_le_bytes());
            place += rows.0.len();
        }
        for rows in &self.sections {
            file.extend(&rows.0);
        }
        let digest = Sha256::digest(&file);
        file[DIGEST].copy_from_slice(&digest);
        Ok(file)
    }
}

/// The CVE that an advisory is about: its own id, or the first alias that is one, or the one CVE that
/// it was made from. Empty if it is about none, or about several: those have an id in common, the
/// advisory's own.
fn cve<'k>(id: &'k str, kept: &'k Kept) -> &'k str {
    let is_cve = |name: &&'k str| name.starts_with("CVE-");
    let aliases = kept.aliases.iter().map(String::as_str);
    if let Some(cve) = [id].into_iter().chain(aliases).find(is_cve) {
        return cve;
    }
    let mut upstream = kept.upstream.iter().map(String::as_str).filter(is_cve);
    match (upstream.next(), upstream.next()) {
        (Some(cve), None) => cve,
        _ => "",
    }
}

fn rated_row(rated: &Rated) -> (u8, u8, &str, &str) {
    let index = SEVERITIES
        .iter()
        .position(|severity| *severity == rated.rating.severity);
    let severity = index.map_or(0, |index| index as u8 + 1);
    let score = rated.rating.score.map_or(NO_SCORE, crate::Score::tenths);
    (severity, score, &rated.vector, &rated.by)
}
