//! Reports that leave this program: bills of materials (CycloneDX, SPDX) and findings (SARIF,
//! OpenVEX, CSV, HTML, JSON).
//!
//! Every report is a pure function of what it is about: the same image gives the same bytes, whose
//! only time is when the image was made. A scan that is not complete says so in every form.

mod csv;
mod cyclonedx;
mod escape;
mod html;
mod json;
mod openvex;
mod purl;
mod sarif;
mod spdx;

use bonded_model::{Digest, Timestamp};
use serde::{Serialize, Serializer};

use crate::{ImageInventory, OsRelease, Problem, ScanResult, ScannedPackage};

pub use csv::write_csv;
pub use cyclonedx::write_cyclonedx;
pub use html::write_html;
pub use json::{findings_json, findings_list_json, read_findings_json};
pub use openvex::write_openvex;
pub use purl::purl;
pub(crate) use purl::{distro, vendor};
pub use sarif::write_sarif;
pub use spdx::write_spdx;

/// The name and version of this program, as reports name their maker.
const TOOL: (&str, &str) = ("bonded", env!("CARGO_PKG_VERSION"));

/// The image that a report is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Its name, as people use it.
    pub name: Option<String>,
    /// The digest of its manifest.
    pub digest: Digest,
    /// `linux/arm64/v8`, if it is known.
    pub platform: Option<String>,
    /// When it was made, by its configuration.
    pub created: Option<Timestamp>,
}

impl Subject {
    /// What the image is called: its name, or its digest.
    #[must_use]
    pub fn shown(&self) -> &str {
        self.name.as_deref().unwrap_or(self.digest.as_str())
    }
}

/// What is in an image, for a bill of materials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// The operating system, if the image says which.
    pub os: Option<OsRelease>,
    /// The layers, the lowest first.
    pub layers: Vec<Digest>,
    /// Every package, sorted.
    pub packages: Vec<ScannedPackage>,
    /// Why this may not be all; empty if it is.
    pub problems: Vec<Problem>,
}

impl From<&ImageInventory> for Contents {
    fn from(image: &ImageInventory) -> Self {
        let packages = image.packages.iter();
        Self {
            os: image.os.clone(),
            layers: image.layers.clone(),
            packages: packages
                .map(|found| ScannedPackage {
                    licenses: found.package.licenses.clone(),
                    ..ScannedPackage::new(found, image.os.as_ref())
                })
                .collect(),
            problems: image.problems.clone(),
        }
    }
}

/// What was found in an image, for a report.
#[derive(Debug, Clone, Copy)]
pub struct ImageFindings<'a> {
    /// The image.
    pub subject: &'a Subject,
    /// What was found.
    pub result: &'a ScanResult,
}

/// Items that are made one by one while they are written: a report of a large image is never in
/// memory as a whole.
struct Each<I>(I);

impl<I> Serialize for Each<I>
where
    I: Iterator<Item: Serialize> + Clone,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.clone())
    }
}

/// The place of a problem and what it is, in a line.
fn problem_line(problem: &Problem) -> String {
    let mut line = String::new();
    if let Some(layer) = problem.layer {
        line += &format!("layer {layer}: ");
    }
    if let Some(path) = &problem.path {
        line += &format!("'{path}': ");
    }
    line + &problem.message
}

/// The hexadecimal part of the SHA-256 of a text.
fn fingerprint(text: &str) -> String {
    let digest = Digest::sha256(text.as_bytes());
    digest.as_str().trim_start_matches("sha256:").to_owned()
}

/// The name of a package within what its ecosystem groups packages by: `org.example` and `app` of
/// `org.example:app`, `@types` and `node` of `@types/node`.
fn grouped(package: &ScannedPackage) -> (Option<&str>, &str) {
    use crate::PackageKind::{Composer, Maven, Npm};
    let name = package.name.as_str();
    let split = match package.kind {
        Maven => name.split_once(':'),
        Npm => name.split_once('/').filter(|_| name.starts_with('@')),
        Composer => name.split_once('/'),
        _ => None,
    };
    split.map_or((None, name), |(group, name)| (Some(group), name))
}

#[cfg(test)]
mod tests;
