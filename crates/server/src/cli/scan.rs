//! `bonded scan`: what is inside an image and what is wrong with it, without a server.

mod diff;
mod docker_archive;
mod files;
mod images;
mod input;
mod layout;
mod registry;
mod report;
mod repository;
mod root_file_system;
mod show;

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use bonded_registry::Clock;
use bonded_scan::{Advisories, Contents, MatchOptions, ScanResult, Severity, Subject, match_image};
use clap::{Args, Subcommand, ValueEnum};

use super::progress::ProgressForm;
use super::{Failure, Status};
use images::Selection;
use input::Input;

/// Say what is in an image and what is wrong with it, without a server
///
/// What is wrong is looked up in a file of advisories; what is in it, a bill of materials, needs none.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct ScanCommand {
    #[command(subcommand)]
    action: Option<Action>,

    #[command(flatten)]
    scan: Option<Scan>,
}

#[derive(Subcommand)]
enum Action {
    Diff(Box<diff::Diff>),
    Report(Box<repository::Report>),
    Show(Box<show::Show>),
}

impl ScanCommand {
    pub(super) fn run(self) -> Result<(), Failure> {
        match (self.action, self.scan) {
            (Some(Action::Diff(diff)), _) => diff.run(),
            (Some(Action::Report(report)), _) => report.run(),
            (Some(Action::Show(show)), _) => show.run(),
            (None, Some(scan)) => scan.run(),
            (None, None) => Err(Failure::usage("name an image to scan")),
        }
    }
}

#[derive(Args)]
struct Scan {
    /// The image: HOST/REPOSITORY:TAG of a registry that you are logged in to; a file that docker
    /// save or podman save made, or '-' for standard input; oci:DIRECTORY[:NAME], an OCI layout;
    /// rootfs:DIRECTORY, the root of a file system
    image: String,

    /// The advisories, as 'bonded advisories import' makes them; a bill of materials needs none
    #[arg(long, value_name = "FILE")]
    advisories: Option<PathBuf>,

    /// The form of the output
    #[arg(short, long, alias = "format", value_name = "FORM", value_enum, default_value_t = Form::Table)]
    output: Form,

    /// Print the ids of the vulnerabilities alone, each once
    #[arg(short, long, conflicts_with = "output")]
    quiet: bool,

    /// Also match packages of languages that are parts of the operating system's packages
    #[arg(long)]
    comprehensive: bool,

    /// The image of this name or digest, if there are several
    #[arg(long = "ref", value_name = "NAME|DIGEST")]
    reference: Option<String>,

    /// Of images for several platforms, only this one: linux/amd64, linux/arm64/v8
    #[arg(long, value_name = "OS/ARCHITECTURE[/VARIANT]")]
    platform: Option<String>,

    /// End with status 5 if a finding is as bad as this or worse, and with 6 if that is not known:
    /// the scan is not complete, or nothing rates a finding
    #[arg(long, value_enum, value_name = "SEVERITY")]
    fail_on: Option<FailOn>,

    /// How far it is, on standard error
    // Not `ProgressArgs`: clap does not see a command in what only flattens.
    #[arg(long, value_name = "FORM", value_enum, default_value_t = ProgressForm::Auto)]
    progress: ProgressForm,
}

/// The form of a report.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people
    Table,
    /// For programs: docs/reference/scan-json.md
    Json,
    /// What is in the image: CycloneDX 1.6 in JSON
    Cyclonedx,
    /// What is in the image: SPDX 2.3 in JSON
    Spdx,
    /// For code scanning, such as GitHub's: SARIF 2.1.0
    Sarif,
    /// What is known of each vulnerability, to hand on: OpenVEX 0.2.0
    Openvex,
    /// For people, in one file to hand on
    Html,
    /// For a spreadsheet
    Csv,
}

impl Form {
    /// Whether it says what is in an image, not what is wrong with it.
    fn is_bill_of_materials(self) -> bool {
        matches!(self, Self::Cyclonedx | Self::Spdx)
    }

    /// The word of `GetImageReport`; a table is made of the JSON.
    fn of_api(self) -> &'static str {
        match self {
            Self::Table | Self::Json => "JSON",
            Self::Cyclonedx => "CYCLONEDX_1_6",
            Self::Spdx => "SPDX_2_3",
            Self::Sarif => "SARIF_2_1_0",
            Self::Openvex => "OPENVEX_0_2_0",
            Self::Html => "HTML",
            Self::Csv => "CSV",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    Low,
    Medium,
    High,
    Critical,
}

impl FailOn {
    fn severity(self) -> Severity {
        match self {
            Self::Low => Severity::Low,
            Self::Medium => Severity::Medium,
            Self::High => Severity::High,
            Self::Critical => Severity::Critical,
        }
    }
}

/// An image with what was found in it.
struct Scanned {
    subject: Subject,
    result: ScanResult,
}

impl Scan {
    fn run(self) -> Result<(), Failure> {
        if self.output.is_bill_of_materials() && self.fail_on.is_some() {
            return Err(Failure::usage(
                "a bill of materials has no findings: '--fail-on' needs another form of output",
            ));
        }
        let advisories = match &self.advisories {
            Some(path) => Some(open(path)?),
            None if self.output.is_bill_of_materials() => None,
            None => {
                return Err(Failure::usage(
                    "'--advisories FILE' is missing: without it only what is in an image can be \
                     said ('--output cyclonedx' or 'spdx')",
                ));
            }
        };
        let inspected = self.look_into()?;
        let options = MatchOptions {
            comprehensive: self.comprehensive,
            now: Some(Clock::system().now()),
        };
        let advisories = match advisories {
            Some(advisories) if !self.output.is_bill_of_materials() => advisories,
            _ => {
                let [image] = inspected.as_slice() else {
                    return Err(Failure::usage(
                        "a bill of materials is of one image: choose one with '--ref' or '--platform'",
                    ));
                };
                let contents = Contents::from(&image.inventory);
                return report::bill_of_materials(self.output, &image.subject, &contents);
            }
        };
        let scanned = inspected.into_iter().map(|image| Scanned {
            result: match_image(&image.inventory, &advisories, options),
            subject: image.subject,
        });
        let scanned: Vec<Scanned> = scanned.collect();
        match self.quiet {
            true => report::ids(&scanned)?,
            false => report::findings(self.output, &self.image, &scanned)?,
        }
        self.fail_on
            .map_or(Ok(()), |worst| judge(&scanned, worst.severity()))
    }

    /// Looks into the images that are meant.
    fn look_into(&self) -> Result<Vec<input::Inspected>, Failure> {
        let (input, name) = Input::open(&self.image)?;
        let reference = match (name, &self.reference) {
            (Some(_), Some(_)) => {
                return Err(Failure::usage(
                    "name the image once: after the directory or file, or with '--ref'",
                ));
            }
            (name, reference) => name.or_else(|| reference.clone()),
        };
        let selection = Selection {
            reference,
            platform: self.platform.clone(),
        };
        input.look_into(&selection, &self.progress.begin(self.quiet))
    }
}

/// The advisories of a file.
fn open(path: &Path) -> Result<Advisories, Failure> {
    let unusable = |error: &dyn std::fmt::Display| {
        Failure::usage(format!(
            "cannot use the advisories '{}': {error}",
            path.display()
        ))
    };
    let file = File::open(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            unusable(&"there is no such file; 'bonded advisories import' makes one")
        }
        _ => unusable(&error),
    })?;
    if path.is_dir() {
        return Err(unusable(&"it is a directory, not a file"));
    }
    Advisories::map(&file).map_err(|error| unusable(&error))
}

/// Fails if a finding is as bad as `worst`, or if that cannot be ruled out.
fn judge(scanned: &[Scanned], worst: Severity) -> Result<(), Failure> {
    let bad = scanned.iter().flat_map(|scanned| scanned.result.counting());
    let count = bad
        .filter(|finding| finding.severity.is_some_and(|rated| rated >= worst))
        .count();
    if count > 0 {
        let message = format!("{count} findings are {worst} or worse");
        return Err(Failure::new(Status::Blocked, message));
    }
    let unknown =
        |scanned: &&Scanned| !scanned.result.is_complete() || scanned.result.counts().unrated > 0;
    match scanned.iter().filter(unknown).count() {
        0 => Ok(()),
        _ => Err(Failure::new(
            Status::Unknown,
            format!("no finding is rated {worst} or worse, but not everything is known"),
        )),
    }
}

#[cfg(test)]
mod tests;
