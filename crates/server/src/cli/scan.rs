//! `bonded scan`: what is inside an image and what is wrong with it, without a server.

mod layout;
mod report;

use std::fs::File;
use std::path::{Path, PathBuf};

use bonded_model::Digest;
use bonded_scan::{
    Advisories, Contents, ImageInventory, LayerInventory, LayerLimits, LayerProblem, MatchOptions,
    ScanResult, Severity, Subject, inspect_layer, match_image, merge,
};
use clap::{Args, ValueEnum};

use super::{Failure, Status};
use layout::{Image, Layout, Selection};

/// Say what is in an image and what is wrong with it, without a server
///
/// What is wrong is looked up in a file of advisories; what is in it, a bill of materials, needs none.
#[derive(Args)]
pub(super) struct Scan {
    /// The image: oci:DIRECTORY, or oci:DIRECTORY:NAME with a name from the layout's index
    image: String,

    /// The advisories, as 'bonded advisories import' makes them; a bill of materials needs none
    #[arg(long, value_name = "FILE")]
    advisories: Option<PathBuf>,

    /// The form of the output
    #[arg(short, long, alias = "format", value_name = "FORM", value_enum, default_value_t = Form::Table)]
    output: Form,

    /// Also match packages of languages that are parts of the operating system's packages
    #[arg(long)]
    comprehensive: bool,

    /// The image of this name or digest, if the layout has several
    #[arg(long = "ref", value_name = "NAME|DIGEST")]
    reference: Option<String>,

    /// Of images for several platforms, only this one: linux/amd64, linux/arm64/v8
    #[arg(long, value_name = "OS/ARCHITECTURE[/VARIANT]")]
    platform: Option<String>,

    /// End with status 5 if a finding is as bad as this or worse, and with 6 if that is not known:
    /// the scan is not complete, or nothing rates a finding
    #[arg(long, value_enum, value_name = "SEVERITY")]
    fail_on: Option<FailOn>,
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
    pub(super) fn run(self) -> Result<(), Failure> {
        let (directory, name) = source(&self.image)?;
        let reference = match (name, self.reference) {
            (Some(_), Some(_)) => {
                return Err(Failure::usage(
                    "name the image once: after the directory, or with '--ref'",
                ));
            }
            (name, reference) => name.or(reference),
        };
        let selection = Selection {
            reference,
            platform: self.platform,
        };
        if self.output.is_bill_of_materials() {
            if self.fail_on.is_some() {
                return Err(Failure::usage(
                    "a bill of materials has no findings: '--fail-on' needs another form of output",
                ));
            }
            let layout = Layout::open(directory)?;
            let images = layout.images(&selection)?;
            let [image] = images.as_slice() else {
                return Err(Failure::usage(
                    "a bill of materials is of one image: choose one with '--ref' or '--platform'",
                ));
            };
            let contents = Contents::from(&inspect(&layout, image)?);
            return report::bill_of_materials(self.output, &image.subject(), &contents);
        }
        let Some(advisories) = self.advisories else {
            return Err(Failure::usage(
                "'--advisories FILE' is missing: without it only what is in an image can be said \
                 ('--output cyclonedx' or 'spdx')",
            ));
        };
        let advisories = open(&advisories)?;
        let layout = Layout::open(directory)?;
        let options = MatchOptions {
            comprehensive: self.comprehensive,
        };
        let mut scanned = Vec::new();
        for image in layout.images(&selection)? {
            let inventory = inspect(&layout, &image)?;
            scanned.push(Scanned {
                subject: image.subject(),
                result: match_image(&inventory, &advisories, options),
            });
        }
        report::findings(self.output, &self.image, &scanned)?;
        self.fail_on
            .map_or(Ok(()), |worst| judge(&scanned, worst.severity()))
    }
}

/// The directory and the name of `oci:DIRECTORY[:NAME]`.
fn source(text: &str) -> Result<(PathBuf, Option<String>), Failure> {
    let Some(rest) = text.strip_prefix("oci:").filter(|rest| !rest.is_empty()) else {
        return Err(Failure::usage(format!(
            "'{text}' names no image: 'oci:DIRECTORY' or 'oci:DIRECTORY:NAME' is expected"
        )));
    };
    if Path::new(rest).is_dir() {
        return Ok((rest.into(), None));
    }
    Ok(match rest.split_once(':') {
        Some((directory, name)) => (directory.into(), Some(name.to_owned())),
        None => (rest.into(), None),
    })
}

/// The advisories of a file.
fn open(path: &Path) -> Result<Advisories, Failure> {
    let unusable = |error: &dyn std::fmt::Display| {
        Failure::usage(format!(
            "cannot use the advisories '{}': {error}",
            path.display()
        ))
    };
    let file = File::open(path).map_err(|error| unusable(&error))?;
    Advisories::map(&file).map_err(|error| unusable(&error))
}

/// Looks into every layer of an image.
fn inspect(layout: &Layout, image: &Image) -> Result<ImageInventory, Failure> {
    let mut inventories: Vec<(Digest, LayerInventory)> = Vec::new();
    for layer in &image.layers {
        let inventory = match LayerProblem::of_media_type(layer.media_type.essence()) {
            Some(problem) => LayerInventory::of_problem(problem),
            None => {
                let mut blob = layout.layer(&layer.digest)?;
                let inventory = inspect_layer(&mut blob, &LayerLimits::default());
                let inventory =
                    inventory.map_err(|error| layout.unreadable(&layer.digest, &error))?;
                blob.verify()?;
                inventory
            }
        };
        inventories.push((layer.digest.clone(), inventory));
    }
    let layers: Vec<_> = inventories
        .iter()
        .map(|(digest, layer)| (digest.clone(), layer))
        .collect();
    Ok(merge(&layers))
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
