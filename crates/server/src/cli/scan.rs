//! `bonded scan`: what is inside an image and what is wrong with it, without a server.

mod layout;
mod report;

use std::fs::File;
use std::path::{Path, PathBuf};

use bonded_model::Digest;
use bonded_scan::{
    Advisories, LayerInventory, LayerLimits, LayerProblem, MatchOptions, ScanResult, Severity,
    inspect_layer, match_image, merge,
};
use clap::{Args, ValueEnum};

use super::{Failure, Status};
use layout::{Image, Layout, Selection};

/// Scan an image in an OCI layout with advisories from a file, without a server
#[derive(Args)]
pub(super) struct Scan {
    /// The image: oci:DIRECTORY, or oci:DIRECTORY:NAME with a name from the layout's index
    image: String,

    /// The advisories, as 'bonded advisories import' makes them
    #[arg(long, value_name = "FILE")]
    advisories: PathBuf,

    /// The form of the output
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,

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

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Table,
    /// For programs: docs/reference/scan-json.md
    Json,
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
    image: Image,
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
        let advisories = open(&self.advisories)?;
        let layout = Layout::open(directory)?;
        let selection = Selection {
            reference,
            platform: self.platform,
        };
        let options = MatchOptions {
            comprehensive: self.comprehensive,
        };
        let mut scanned = Vec::new();
        for image in layout.images(&selection)? {
            let result = scan(&layout, &image, &advisories, options)?;
            scanned.push(Scanned { image, result });
        }
        match self.format {
            Format::Table => report::table(&scanned),
            Format::Json => report::json(&scanned)?,
        }
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

/// Looks into every layer of an image and matches what is there.
fn scan(
    layout: &Layout,
    image: &Image,
    advisories: &Advisories,
    options: MatchOptions,
) -> Result<ScanResult, Failure> {
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
    Ok(match_image(&merge(&layers), advisories, options))
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
