//! `bonded scan diff`: what a change of an image brings and what it repairs.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use bonded_scan::{
    Difference, Finding, MatchOptions, ScanResult, Severity, UNRATED, match_image,
    read_findings_json,
};
use clap::Args;
use serde::Serialize;

use super::images::Selection;
use super::input::Input;
use super::{FailOn, open};
use crate::cli::print::Output;
use crate::cli::progress::ProgressArgs;
use crate::cli::{Failure, Status};

/// The longest result that is read from a file, in bytes.
const FILE_LIMIT: u64 = 256 << 20;

/// Say what differs between two images, or between a result that was kept and an image now
///
/// A vulnerability of a package is one finding whatever version the package has: an update that
/// does not repair it makes no new one.
#[derive(Args)]
pub(super) struct Diff {
    /// The first image, as 'bonded scan' takes it, or a file that 'bonded scan -o json' printed
    #[arg(value_name = "BEFORE")]
    before: String,

    /// The second
    #[arg(value_name = "AFTER")]
    after: String,

    /// The advisories, as 'bonded advisories import' makes them; files of results have their own
    #[arg(long, value_name = "FILE")]
    advisories: Option<PathBuf>,

    /// Of images for several platforms, the one that is compared: linux/amd64, linux/arm64/v8
    #[arg(long, value_name = "OS/ARCHITECTURE[/VARIANT]")]
    platform: Option<String>,

    /// End with status 5 if a new finding is as bad as one of these or worse, and with 6 if that is
    /// not known
    #[arg(long, value_enum, value_name = "SEVERITY,…", value_delimiter = ',')]
    fail_on_new: Vec<FailOn>,

    #[command(flatten)]
    output: Output,

    #[command(flatten)]
    progress: ProgressArgs,
}

/// A side of the comparison.
struct Side {
    name: String,
    result: ScanResult,
}

/// The difference in JSON.
#[derive(Serialize)]
struct DiffJson<'a> {
    before: SideJson<'a>,
    after: SideJson<'a>,
    #[serde(flatten)]
    difference: &'a Difference<'a>,
}

#[derive(Serialize)]
struct SideJson<'a> {
    name: &'a str,
    complete: bool,
    findings: u64,
}

impl Diff {
    pub(super) fn run(self) -> Result<(), Failure> {
        let (before, after) = (self.side(&self.before)?, self.side(&self.after)?);
        let difference = Difference::between(&before.result, &after.result);
        let worst = self.fail_on_new.iter().map(|fail_on| fail_on.severity());
        let judged = match worst.min() {
            Some(least) => judge(&difference, &after.result, least),
            None => Ok(()),
        };
        let ids = |of: &Difference<'_>| of.new.iter().map(|finding| finding.id.clone()).collect();
        let json = DiffJson {
            before: before.json(),
            after: after.json(),
            difference: &difference,
        };
        self.output.print(
            &json,
            |_| table(&before, &after, &difference),
            |_| ids(&difference),
        )?;
        judged
    }

    /// What was found in an image, or is in a file.
    fn side(&self, text: &str) -> Result<Side, Failure> {
        let path = Path::new(text);
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
            && path.is_file()
        {
            return of_file(path);
        }
        let Some(advisories) = &self.advisories else {
            return Err(Failure::usage(
                "'--advisories FILE' is missing: only files of results need none",
            ));
        };
        let advisories = open(advisories)?;
        let (input, reference) = Input::open(text)?;
        let selection = Selection {
            reference,
            platform: self.platform.clone(),
        };
        let progress = self.progress.begin(self.output.is_quiet());
        let mut images = input.look_into(&selection, &progress)?;
        match (images.pop(), images.is_empty()) {
            (Some(image), true) => Ok(Side {
                name: image.subject.shown().to_owned(),
                result: match_image(&image.inventory, &advisories, MatchOptions::default()),
            }),
            _ => Err(Failure::usage(format!(
                "'{text}' is several images: choose one with '--platform'"
            ))),
        }
    }
}

/// A result that `bonded scan -o json` printed.
fn of_file(path: &Path) -> Result<Side, Failure> {
    let unusable = |error: &dyn std::fmt::Display| {
        let path = path.display();
        Failure::failed(format!(
            "'{path}' is no result of 'bonded scan -o json': {error}"
        ))
    };
    let file = std::fs::File::open(path).map_err(|error| unusable(&error))?;
    let mut bytes = Vec::new();
    let read = file.take(FILE_LIMIT + 1).read_to_end(&mut bytes);
    read.map_err(|error| unusable(&error))?;
    if bytes.len() as u64 > FILE_LIMIT {
        return Err(unusable(&format!("it is longer than {FILE_LIMIT} bytes")));
    }
    let kept = read_findings_json(&bytes);
    let (subject, result) = kept.map_err(|error| unusable(&error))?;
    Ok(Side {
        name: subject.shown().to_owned(),
        result,
    })
}

impl Side {
    fn json(&self) -> SideJson<'_> {
        SideJson {
            name: &self.name,
            complete: self.result.is_complete(),
            findings: self.result.counts().total,
        }
    }
}

/// Fails if a new finding is as bad as `least`, or if that cannot be ruled out.
fn judge(difference: &Difference<'_>, after: &ScanResult, least: Severity) -> Result<(), Failure> {
    let new = difference.new.iter();
    let bad = new.filter(|finding| finding.severity.is_some_and(|rated| rated >= least));
    let count = bad.count();
    if count > 0 {
        let message = format!("{count} new findings are {least} or worse");
        return Err(Failure::new(Status::Blocked, message));
    }
    let is_unrated = |finding: &&Finding| finding.severity.is_none();
    if !after.is_complete() || difference.new.iter().any(is_unrated) {
        return Err(Failure::new(
            Status::Unknown,
            format!("no new finding is rated {least} or worse, but not everything is known"),
        ));
    }
    Ok(())
}

/// For people: what is new, what is fixed, which packages changed.
fn table(before: &Side, after: &Side, difference: &Difference<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    for (mark, side) in [("-", before), ("+", after)] {
        let state = match side.result.is_complete() {
            true => "",
            false => ", not complete",
        };
        let count = side.result.counts().total;
        lines.push(format!("{mark} {}: {count} findings{state}", side.name));
    }
    for (word, findings) in [("new", &difference.new), ("fixed", &difference.fixed)] {
        if findings.is_empty() {
            continue;
        }
        lines.push(String::new());
        let mut findings = findings.clone();
        findings.sort_by_key(|finding| std::cmp::Reverse((finding.severity, finding.score)));
        lines.extend(findings.iter().map(|finding| {
            let severity = finding.severity.map_or(UNRATED, Severity::name);
            let fixed = match finding.repaired_by() {
                Some(fixed) if word == "new" => format!("  (fixed in {fixed})"),
                _ => String::new(),
            };
            let (id, package, version) = (&finding.id, &finding.package, &finding.version);
            format!("{word:5}  {severity:13}  {id}  {package} {version}{fixed}")
        }));
    }
    if !difference.packages.is_empty() {
        lines.push(String::new());
    }
    let versions = |versions: &[&str]| match versions {
        [] => "none".to_owned(),
        versions => versions.join(", "),
    };
    lines.extend(difference.packages.iter().map(|change| {
        let (kind, name) = (change.kind.name(), change.name);
        let (before, after) = (versions(&change.before), versions(&change.after));
        format!("{kind}:{name}  {before} -> {after}")
    }));
    lines.push(String::new());
    lines.push(format!(
        "{} new, {} fixed, {} unchanged",
        difference.new.len(),
        difference.fixed.len(),
        difference.unchanged.len()
    ));
    lines
}
