//! `bonded advisories import`: records of the OSV schema, tables and statements become one file.

use std::fs::{self, File};
use std::io::{self, BufReader, Read as _};
use std::path::{Path, PathBuf};

use bonded_registry::Clock;
use bonded_scan::{
    ADVISORY_FILE_LIMIT, Advisories, AdvisoryImport, ImportReport, looked_up_ecosystem,
};
use bonded_store::{Unit, Watcher};
use clap::Args;
use flate2::read::MultiGzDecoder;
use serde::Serialize;

use super::mirror::Mirror;
use crate::cli::print::{self, Output, clean};
use crate::cli::progress::ProgressArgs;
use crate::cli::{Failure, Status, block_on};
use crate::files;

/// How deep directories may lie in each other.
const DEPTH: usize = 8;

/// How many percent fewer advisories of an ecosystem a new file may have.
const FEWER: u64 = 10;

/// Make one file of advisories in the OSV format, to scan with
///
/// Records with the same id are taken once, the newest; withdrawn ones are left out. The same
/// records give the same file. Files tell themselves what they are: beside records of OSV also
/// CISA's list of exploited vulnerabilities (JSON), FIRST's EPSS (CSV), feeds of NVD (JSON 2.0) and
/// records of CVE JSON 5, whose severities count where no advisory states one, and OpenVEX
/// documents, updateinfo.xml of Amazon Linux and Oracle Linux, and OVAL definitions of Oracle Linux
/// (com.oracle.elsa-YEAR.xml; those of all years are too long for one file). They may be compressed
/// with gzip; Oracle's, which are with bzip2, are unpacked before.
#[derive(Args)]
#[command(mut_arg("form", |form| form.short(None).long("format").help("The form of what is said about it")))]
pub(super) struct Import {
    /// A directory like OSV's bucket, with ECOSYSTEM/all.zip or ECOSYSTEM/ID.json; a zip archive
    /// of records; one record, table, OpenVEX document, updateinfo.xml or file of OVAL definitions;
    /// or the URL of a mirror of the bucket, of which '--mirror' keeps a copy
    #[arg(required = true, value_name = "DIRECTORY|ZIP|FILE|URL")]
    sources: Vec<PathBuf>,

    /// Where the copy of a mirror is kept: at first all of it is fetched, later what is newer
    #[arg(long, value_name = "DIRECTORY")]
    mirror: Option<PathBuf>,

    /// Of a mirror only this ecosystem, by the name of its directory; may be given several times
    /// [default: all that it lists and we know]
    #[arg(long, value_name = "NAME", requires = "mirror")]
    ecosystem: Vec<String>,

    /// Trust these authorities beside the system's when asking a mirror
    #[arg(long, value_name = "PEM", requires = "mirror")]
    authorities: Option<PathBuf>,

    /// The file to write, or to replace as a whole
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,

    /// Take in advisories of Wolfi and Chainguard, whose terms (CC BY-NC-ND, and a licence of
    /// Chainguard's for commercial scanners) you accept; else they are left out
    #[arg(long, value_name = "OF", value_parser = ["chainguard"])]
    accept_license: Option<String>,

    /// Replace the file even if an ecosystem has over 10 % fewer advisories than it has there
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    form: Output,

    #[command(flatten)]
    progress: ProgressArgs,
}

impl Import {
    pub(super) fn run(self) -> Result<(), Failure> {
        let watcher = self.progress.begin(self.form.is_quiet()).watcher();
        let mut sources = Vec::new();
        for source in &self.sources {
            match url(source) {
                Some(url) => sources.extend(self.mirrored(url, &watcher)?),
                None => sources.push(source.clone()),
            }
        }
        let (bytes, report) = made_of(&sources, self.accept_license.is_some(), &watcher)?;
        let advisories = Advisories::from_bytes(bytes.clone()).map_err(Failure::failed)?;
        if !self.force {
            compare(&self.output, &advisories)?;
        }
        let step = watcher.begin("write", None, Unit::Count);
        files::write(&self.output, &bytes, files::PUBLIC).map_err(|error| {
            Failure::failed(format!("cannot write '{}': {error}", self.output.display()))
        })?;
        step.end();
        tell(&report, &advisories, &self.output, self.form)
    }
}

impl Import {
    /// The directories of a mirror's ecosystems, in the copy that was made as new as it is.
    fn mirrored(&self, url: &str, watcher: &Watcher) -> Result<Vec<PathBuf>, Failure> {
        let Some(directory) = &self.mirror else {
            return Err(Failure::usage(
                "say with '--mirror DIRECTORY' where the copy of a mirror is kept",
            ));
        };
        let mirror = Mirror::open(url, directory, self.authorities.as_deref())?;
        let licensed = self.accept_license.is_some();
        block_on(mirror.fetch(&self.ecosystem, licensed, watcher))
    }
}

/// The file of advisories that directories and files make, and what is to be said of it. Those of
/// Wolfi and Chainguard are in it if that is `licensed`.
pub(in crate::cli) fn made_of(
    sources: &[PathBuf],
    licensed: bool,
    watcher: &Watcher,
) -> Result<(Vec<u8>, ImportReport), Failure> {
    let mut import = AdvisoryImport::new();
    if licensed {
        import.accept_chainguard();
    }
    let mut files = Vec::new();
    for source in sources {
        find(source, 0, &mut files)?;
    }
    let bytes = files.iter().map(|(_, bytes)| bytes).sum();
    let mut step = watcher.begin("read", Some(bytes), Unit::Bytes);
    for (file, bytes) in &files {
        take(&mut import, file)?;
        step.add(*bytes);
    }
    step.end();
    let step = watcher.begin("sort", None, Unit::Count);
    let finished = import.finish(Clock::system().now());
    let made = finished.map_err(Failure::failed)?;
    step.end();
    Ok(made)
}

/// The URL that a source is, if it is one.
fn url(source: &Path) -> Option<&str> {
    let text = source.to_str()?;
    let is_url = text.starts_with("https://") || text.starts_with("http://");
    is_url.then_some(text)
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let status = match error.kind() {
        io::ErrorKind::NotFound => Status::NotFound,
        _ => Status::Failed,
    };
    Failure::new(status, format!("cannot read '{}': {error}", path.display()))
}

/// Finds a file, or those in a directory that may be ours, with their lengths.
fn find(path: &Path, depth: usize, found: &mut Vec<(PathBuf, u64)>) -> Result<(), Failure> {
    let unreadable = |error: io::Error| unreadable(path, &error);
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_dir() {
        found.push((path.to_owned(), metadata.len()));
        return Ok(());
    }
    if depth >= DEPTH {
        return Err(Failure::failed(format!(
            "'{}' lies more than {DEPTH} directories deep",
            path.display()
        )));
    }
    let entries = fs::read_dir(path).map_err(unreadable)?;
    let paths: io::Result<Vec<PathBuf>> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect();
    let mut paths = paths.map_err(unreadable)?;
    paths.sort();
    for path in paths {
        let is_named = |ending: &str| path.extension().is_some_and(|is| is == ending);
        let is_list = path.ends_with("modified_id.csv");
        let mut known = ["json", "zip", "csv", "xml", "gz", "bz2", "xz", "zst"].iter();
        if path.is_dir() || (known.any(|ending| is_named(ending)) && !is_list) {
            find(&path, depth + 1, found)?;
        }
    }
    Ok(())
}

/// Takes in a file.
fn take(import: &mut AdvisoryImport, path: &Path) -> Result<(), Failure> {
    let unreadable = |error: &io::Error| unreadable(path, error);
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    let is_zip = path.extension().is_some_and(|ending| ending == "zip");
    if is_zip || starts_with_zip(path) {
        return import.add_zip(BufReader::new(file)).map_err(|error| {
            Failure::failed(format!("'{}' cannot be imported: {error}", path.display()))
        });
    }
    let mut json = Vec::new();
    let most = ADVISORY_FILE_LIMIT + 1;
    let read = match path.extension().is_some_and(|ending| ending == "gz") {
        true => MultiGzDecoder::new(BufReader::new(file))
            .take(most)
            .read_to_end(&mut json),
        false => file.take(most).read_to_end(&mut json),
    };
    read.map_err(|error| unreadable(&error))?;
    if json.len() as u64 > ADVISORY_FILE_LIMIT {
        return Err(Failure::failed(format!(
            "'{}' is longer than 256 MiB",
            path.display()
        )));
    }
    import.add_file(&path.display().to_string(), &json);
    Ok(())
}

/// Whether a file is a zip archive, whatever its name.
fn starts_with_zip(path: &Path) -> bool {
    let mut magic = [0; 4];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    read.is_ok() && magic == *b"PK\x03\x04"
}

/// Refuses advisories that know much less than those they would replace: a feed that broke.
pub(super) fn compare(output: &Path, new: &Advisories) -> Result<(), Failure> {
    let Ok(file) = File::open(output) else {
        return Ok(());
    };
    // A file that is none, or of another version, is no measure.
    let Ok(old) = Advisories::map(&file) else {
        return Ok(());
    };
    let known: std::collections::HashMap<String, u32> = new
        .ecosystems()
        .map(|total| (total.ecosystem, total.advisories))
        .collect();
    for total in old.ecosystems() {
        let before = u64::from(total.advisories);
        // Products of one system were ecosystems of their own once.
        let name = looked_up_ecosystem(&total.ecosystem);
        let now = known.get(&*name).copied().map_or(0, u64::from);
        if now * 100 < before * (100 - FEWER) {
            return Err(Failure::failed(format!(
                "'{}' has {before} advisories of '{}', and only {now} are found now: give \
                 '--force' if that is right",
                output.display(),
                total.ecosystem
            )));
        }
    }
    Ok(())
}

/// What an import says to programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Imported<'a> {
    file: &'a Path,
    digest: String,
    /// When the newest of them was modified.
    as_of: String,
    #[serde(flatten)]
    report: &'a ImportReport,
}

/// Says what was imported.
fn tell(
    report: &ImportReport,
    advisories: &Advisories,
    file: &Path,
    output: Output,
) -> Result<(), Failure> {
    let imported = Imported {
        file,
        digest: advisories.digest().to_string(),
        as_of: advisories.as_of().to_string(),
        report,
    };
    let ids = |imported: &Imported<'_>| vec![imported.digest.clone()];
    output.print(&imported, imported_lines, ids)?;
    left_out(report, output);
    Ok(())
}

/// What was imported, for people.
fn imported_lines(imported: &Imported<'_>) -> Vec<String> {
    let report = imported.report;
    let mut lines = vec![format!(
        "{} advisories as of {}, {}",
        report.advisories, imported.as_of, imported.digest
    )];
    let ecosystems = report.ecosystems.iter();
    lines.extend(ecosystems.map(|(ecosystem, count)| format!("  {ecosystem}: {count}")));
    let beside = [
        (report.exploited, "vulnerabilities listed as exploited"),
        (report.epss, "vulnerabilities with a probability of EPSS"),
        (report.ratings, "vulnerabilities rated by a table of CVEs"),
        (report.statements, "statements of OpenVEX documents"),
    ];
    let beside = beside.iter().filter(|(count, _)| *count > 0);
    lines.extend(beside.map(|(count, what)| format!("  {count} {what}")));
    lines
}

/// Says to people what was not imported, and to everybody what could not be read.
fn left_out(report: &ImportReport, output: Output) {
    if report.refused > 0 {
        let count = report.refused;
        print::error(format_args!(
            "left out: {count} not read, since they are no records"
        ));
    }
    for refused in &report.refused_first {
        print::error(clean(&format!("  {refused}")));
    }
    if report.not_understood > 0 {
        let count = report.not_understood;
        print::error(format_args!(
            "left out: {count} errata or packages of them that are not understood: nothing is \
             known of what they repair"
        ));
    }
    for reason in &report.not_understood_first {
        print::error(clean(&format!("  {reason}")));
    }
    let left_out = [
        (report.withdrawn, "withdrawn"),
        (report.superseded, "of which a newer record was there"),
        (
            report.not_licensed,
            "packages of Wolfi and Chainguard, whose terms were not accepted: '--accept-license chainguard'",
        ),
        (
            report.without_versions,
            "packages without a version or a range",
        ),
    ];
    for (count, what) in left_out.iter().filter(|(count, _)| *count > 0) {
        output.note(format_args!("left out: {count} {what}"));
    }
    for (ecosystem, count) in &report.unknown_ecosystems {
        output.note(format_args!(
            "left out: {count} packages of '{ecosystem}', whose versions we cannot order"
        ));
    }
    if report.without_order > 0 {
        let count = report.without_order;
        output.note(format_args!(
            "{count} bounds have no order: whether packages are affected by those cannot be decided"
        ));
    }
}
