//! Advisories from records of the OSV schema.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Seek};

use bonded_model::{Timestamp, shown};
use sha2::{Digest as _, Sha256};

use super::Range;
use super::alpine::repaired_first;
use super::packed::packed;
use super::ranges::ranges;
use super::record::{AffectedRecord, Record};
use super::report::ImportReport;
use super::severities::{self, Rated, Ratings};
use super::tables::{Table, Tables};
use super::vex::Statements;
use super::write;
use super::{errata, gems};
use crate::Ecosystem;
use crate::distribution::looked_up;

/// The longest record, in bytes: those of distributions with long lists reach a few MiB.
const RECORD_LIMIT: u64 = 32 << 20;

/// The longest file, in bytes: a year of NVD's feeds is the longest.
pub const FILE_LIMIT: u64 = 256 << 20;

/// The longest name, id or version that is kept, in bytes.
const TEXT_LIMIT: usize = 1024;

/// How many refused records a report names.
const REFUSED_LIMIT: usize = 20;

/// Notices that are no vulnerabilities (RustSec).
const NOTICES: [&str; 2] = ["unmaintained", "notice"];

/// Gathers records, in any order and from any number of sources, into the file that
/// [`Advisories`](super::Advisories) reads.
///
/// Of records with the same id the one that was modified last counts. Records that were withdrawn
/// are left out, and so is what they say of packages from ecosystems whose versions have no order
/// here: the report counts both.
#[derive(Default)]
pub struct AdvisoryImport {
    records: BTreeMap<String, Kept>,
    tables: Tables,
    statements: Statements,
    accepts_chainguard: bool,
    report: ImportReport,
}

/// The bytes are not a record.
#[derive(Debug, thiserror::Error)]
#[error("not a record of the OSV schema: {0}")]
pub struct InvalidRecord(String);

/// An import that cannot be finished.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A zip archive cannot be read.
    #[error("cannot read the zip archive: {0}")]
    Zip(#[from] zip::result::ZipError),
    /// Nothing was imported.
    #[error(
        "no advisories were found: give a directory or zip archive with records of the OSV schema"
    )]
    Empty,
    /// There is more than the file can hold.
    #[error("there are more advisories than one file holds: {0}")]
    TooLarge(&'static str),
}

/// A record, as far as it counts.
pub(super) struct Kept {
    pub(super) modified: i64,
    pub(super) published: i64,
    pub(super) aliases: Vec<String>,
    pub(super) upstream: Vec<String>,
    pub(super) title: String,
    pub(super) url: String,
    pub(super) affected: Vec<KeptAffected>,
    own: Option<Rated>,
    withdrawn: bool,
    /// Decides between records of the same time.
    hash: [u8; 32],
}

pub(super) struct KeptAffected {
    pub(super) ecosystem: String,
    pub(super) name: String,
    pub(super) ranges: Vec<Range<'static>>,
    pub(super) versions: Vec<String>,
    pub(super) rated: Option<Rated>,
    distribution: Option<Rated>,
}

impl AdvisoryImport {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in advisories of Wolfi and Chainguard too, whose terms (CC BY-NC-ND, and a licence of
    /// Chainguard's for commercial scanners) the operator accepts; else they are left out.
    pub fn accept_chainguard(&mut self) {
        self.accepts_chainguard = true;
    }

    /// Takes in one record.
    ///
    /// # Errors
    /// [`InvalidRecord`] if the bytes are not one; the import can go on.
    pub fn add_record(&mut self, json: &[u8]) -> Result<(), InvalidRecord> {
        let record: Record = serde_json::from_slice(json)
            .map_err(|error| InvalidRecord(shown(&error.to_string())))?;
        let texts = [&record.aliases, &record.upstream];
        let texts = texts.into_iter().flatten().chain([&record.id]);
        if !texts.into_iter().all(|text| is_text(text)) {
            return Err(InvalidRecord(
                "an id is empty, has a control character or is longer than 1024 bytes".to_owned(),
            ));
        }
        let kept = self.kept(&record, Sha256::digest(json).into());
        match self.records.get(&record.id) {
            Some(known) => {
                self.report.superseded += 1;
                if (known.modified, known.hash) < (kept.modified, kept.hash) {
                    self.records.insert(record.id, kept);
                }
            }
            None => {
                self.records.insert(record.id, kept);
            }
        }
        Ok(())
    }

    /// Takes in a file, which tells itself what it is: a record; a table of exploited
    /// vulnerabilities (CISA's KEV), of probabilities (FIRST's EPSS) or of ratings (a feed of NVD's
    /// in JSON 2.0, a record of CVE JSON 5); an `OpenVEX` document; an `updateinfo.xml` of Amazon
    /// Linux or Oracle Linux; Oracle's OVAL definitions. If it is none, or damaged, the
    /// report says so under `name`.
    pub fn add_file(&mut self, name: &str, bytes: &[u8]) {
        if let Some(reason) = packed(bytes) {
            return self.refuse(name, &reason);
        }
        let record = match bytes.len() as u64 > RECORD_LIMIT {
            true => Err(InvalidRecord("it is longer than 32 MiB".to_owned())),
            false => self.add_record(bytes),
        };
        let Err(no_record) = record else {
            return;
        };
        let report = &mut self.report;
        let table = self.tables.add(bytes).map(|table| match table {
            Some(Table::Exploited(count)) => Some((&mut report.exploited, count)),
            Some(Table::Epss(count)) => Some((&mut report.epss, count)),
            Some(Table::Ratings(count)) => Some((&mut report.ratings, count)),
            None => None,
        });
        match table {
            Ok(Some((sum, count))) => *sum += count,
            Ok(None) => match self.statements.add(bytes) {
                Ok(Some(count)) => self.report.statements += count,
                Ok(None) => self.add_updates(name, bytes, &no_record),
                Err(damaged) => self.refuse(name, &damaged),
            },
            Err(damaged) => self.refuse(name, &damaged),
        }
    }

    /// Takes in an `updateinfo.xml` or OVAL definitions.
    fn add_updates(&mut self, name: &str, bytes: &[u8], no_record: &InvalidRecord) {
        match errata::read(bytes) {
            Ok(Some(errata)) => {
                for reason in errata.not_understood {
                    self.not_understood(name, &reason);
                }
                for record in errata.records {
                    if let Err(error) = self.add_record(record.to_string().as_bytes()) {
                        self.refuse(name, &error.to_string());
                    }
                }
            }
            Ok(None) => self.refuse(name, &no_record.to_string()),
            Err(damaged) => self.refuse(name, &damaged),
        }
    }

    /// Takes in every `.json` and `.csv` file of a zip archive, such as OSV's `all.zip`.
    ///
    /// # Errors
    /// [`ImportError::Zip`] if the archive is damaged. What it had before is then taken in: the
    /// import should be given up.
    pub fn add_zip(&mut self, archive: impl Read + Seek) -> Result<(), ImportError> {
        let mut archive = zip::ZipArchive::new(archive)?;
        let mut json = Vec::new();
        for index in 0..archive.len() {
            let file = archive.by_index(index)?;
            let name = file.name()?.into_owned();
            let is_known = name.ends_with(".json") || name.ends_with(".csv");
            if !file.is_file() || !is_known || name.ends_with("modified_id.csv") {
                continue;
            }
            json.clear();
            let read = file.take(FILE_LIMIT + 1).read_to_end(&mut json);
            read.map_err(zip::result::ZipError::Io)?;
            match json.len() as u64 > FILE_LIMIT {
                true => self.refuse(&name, "it is longer than 256 MiB"),
                false => self.add_file(&name, &json),
            }
        }
        Ok(())
    }

    /// The file with everything that was taken in, and what that was.
    ///
    /// `now` is only used to tell records that claim to be from the future, which some do: the
    /// newest of the others says how old the advisories are.
    ///
    /// # Errors
    /// [`ImportError::Empty`] and [`ImportError::TooLarge`].
    pub fn finish(mut self, now: Timestamp) -> Result<(Vec<u8>, ImportReport), ImportError> {
        let all = self.records.len();
        self.records.retain(|_, kept| !kept.withdrawn);
        self.report.withdrawn = (all - self.records.len()) as u64;
        self.rate();
        self.records.retain(|_, kept| !kept.affected.is_empty());
        if self.records.is_empty() {
            return Err(ImportError::Empty);
        }
        self.count();
        let times = self.records.values().map(|kept| kept.modified);
        let past = times.filter(|time| *time <= now.as_millis());
        let as_of = Timestamp::from_millis(past.max().unwrap_or_default());
        let all = write::All {
            records: &self.records,
            tables: &self.tables,
            statements: &self.statements,
        };
        Ok((write::file(&all, as_of)?, self.report))
    }

    fn not_understood(&mut self, name: &str, reason: &str) {
        self.report.not_understood += 1;
        if self.report.not_understood_first.len() < REFUSED_LIMIT {
            let reason = shown(reason);
            let first = &mut self.report.not_understood_first;
            first.push(format!("'{name}': {reason}"));
        }
    }

    fn refuse(&mut self, name: &str, reason: &str) {
        self.report.refused += 1;
        if self.report.refused_first.len() < REFUSED_LIMIT {
            self.report
                .refused_first
                .push(format!("'{name}': {reason}"));
        }
    }

    fn kept(&mut self, record: &Record, hash: [u8; 32]) -> Kept {
        let millis = |text: &str| Timestamp::parse_rfc3339(text).map_or(0, Timestamp::as_millis);
        let affected = record.affected.iter();
        let withdrawn = record.is_withdrawn();
        let mut affected = match withdrawn {
            true => Vec::new(),
            false => affected
                .filter_map(|affected| self.kept_affected(affected, &record.id))
                .collect(),
        };
        one_for_products(&mut affected);
        repaired_first(&mut affected);
        Kept {
            modified: millis(&record.modified),
            published: millis(&record.published),
            aliases: record.aliases.clone(),
            upstream: record.upstream.clone(),
            title: record.title(),
            url: record.url(),
            affected,
            own: severities::of_record(record),
            withdrawn,
            hash,
        }
    }

    fn kept_affected(&mut self, affected: &AffectedRecord, id: &str) -> Option<KeptAffected> {
        let package = affected.package.as_ref()?;
        let specific = &affected.database_specific;
        if specific.not_affected || NOTICES.contains(&specific.informational.as_str()) {
            return None;
        }
        let Ok((ecosystem, _)) = Ecosystem::with_release(&package.ecosystem) else {
            let name = package.ecosystem.split(':').next().unwrap_or_default();
            let name: String = name.chars().take(100).collect();
            *self.report.unknown_ecosystems.entry(name).or_default() += 1;
            return None;
        };
        let of_chainguard = matches!(ecosystem, Ecosystem::Wolfi | Ecosystem::Chainguard);
        if of_chainguard && !self.accepts_chainguard {
            self.report.not_licensed += 1;
            return None;
        }
        let name = ecosystem.package_name(&package.name).into_owned();
        if !is_text(&name) || !is_text(&package.ecosystem) {
            return None;
        }
        let order = ecosystem.version_order();
        let mut all = Vec::new();
        for range in affected.ranges.iter().filter(|range| range.kind != "GIT") {
            all.extend(ranges(range, order));
        }
        if let Some(safe) = &specific.safe
            && all.is_empty()
            && ecosystem == Ecosystem::RubyGems
        {
            all = gems::affected(safe.iter());
        }
        all.sort();
        all.dedup();
        let bounds = all.iter().flat_map(Range::bounds);
        let unordered = bounds.filter(|bound| order.compare(bound, bound).is_err());
        self.report.without_order += unordered.count() as u64;
        // A list of versions repeats what the ranges say, nearly always.
        let implied = |version: &str| {
            let version = order.comparison(version);
            let mut ranges = all.iter().map(|range| range.contains(&version));
            ranges.any(|inside| inside == Ok(true))
        };
        let versions = affected.versions.iter().filter(|version| is_text(version));
        let versions: BTreeSet<&String> = versions.filter(|version| !implied(version)).collect();
        if all.is_empty() && versions.is_empty() {
            self.report.without_versions += 1;
            return None;
        }
        Some(KeptAffected {
            ecosystem: looked_up(&package.ecosystem).into_owned(),
            name,
            versions: versions.into_iter().cloned().collect(),
            ranges: all,
            rated: severities::of_affected(affected, id),
            distribution: severities::of_distribution(affected, id),
        })
    }

    /// Gives every package of every record its severity.
    fn rate(&mut self) {
        let mut ratings = Ratings::default();
        for (id, kept) in &self.records {
            let own = kept
                .affected
                .iter()
                .filter_map(|affected| affected.rated.as_ref());
            if let Some(rated) = own.chain(&kept.own).max() {
                let names = kept.aliases.iter().chain([id]).map(String::as_str);
                ratings.add(names, rated);
            }
        }
        for (id, kept) in &mut self.records {
            let names = kept.aliases.iter().chain(&kept.upstream).chain([id]);
            let other = ratings.worst(names.clone().map(String::as_str), id);
            let rows = names.filter_map(|name| self.tables.0.get(name));
            let rated = rows.filter_map(|row| row.nvd.as_ref().or(row.record.as_ref()));
            let other = other.or(rated.max());
            for affected in &mut kept.affected {
                let first = [&affected.rated, &kept.own, &affected.distribution];
                let first = first.into_iter().find_map(Option::as_ref);
                affected.rated = first.or(other).cloned();
            }
        }
    }

    fn count(&mut self) {
        self.report.advisories = self.records.len() as u64;
        for kept in self.records.values() {
            let ecosystems = kept.affected.iter().map(|affected| &affected.ecosystem);
            for ecosystem in ecosystems.collect::<BTreeSet<_>>() {
                *self.report.ecosystems.entry(ecosystem.clone()).or_default() += 1;
            }
        }
    }
}

/// Drops what an entry repeats for another product of the same system, whose ecosystem is one.
fn one_for_products(affected: &mut Vec<KeptAffected>) {
    let mut known = BTreeSet::new();
    affected.retain(|of| {
        let is_shared = of.ecosystem.starts_with("Red Hat:") || of.ecosystem.starts_with("SUSE:");
        let key = (&of.ecosystem, &of.name, &of.ranges, &of.versions);
        !is_shared || known.insert(Sha256::digest(format!("{key:?}")))
    });
}

/// Whether a text can be a name, an id or a version.
fn is_text(text: &str) -> bool {
    !text.is_empty() && text.len() <= TEXT_LIMIT && !text.chars().any(char::is_control)
}
