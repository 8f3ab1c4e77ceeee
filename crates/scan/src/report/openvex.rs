//! OpenVEX 0.2.0: what is known of each vulnerability of an image, to hand on.
//!
//! <https://github.com/openvex/spec/blob/main/OPENVEX-SPEC.md>

use std::collections::HashMap;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Value, json};

use super::escape::percent;
use super::{Each, ImageFindings, Subject, TOOL, fingerprint, problem_line, purl};
use crate::{Finding, KERNEL_HEADERS, ScanResult, ScannedPackage, Undetermined};

/// The justifications that the specification knows.
const JUSTIFICATIONS: [&str; 5] = [
    "component_not_present",
    "vulnerable_code_not_present",
    "vulnerable_code_not_in_execute_path",
    "vulnerable_code_cannot_be_controlled_by_adversary",
    "inline_mitigations_already_exist",
];

#[derive(Serialize)]
struct Document<S> {
    #[serde(rename = "@context")]
    context: &'static str,
    #[serde(rename = "@id")]
    id: String,
    author: &'static str,
    timestamp: String,
    version: u8,
    tooling: String,
    statements: S,
}

/// Writes a document about images: each is a product, the packages are its parts. A finding that
/// counts is `affected`; one that an OpenVEX statement suppresses has the status of that statement,
/// kernel headers are `not_affected`, and one that the list of accepted vulnerabilities suppresses
/// stays `affected`, with the reason for which it is accepted. What could not be determined is
/// `under_investigation`. The document's time is that of the newest advisories; it has no place for
/// what keeps a scan from being complete but `tooling`.
///
/// # Errors
/// Those of `out`.
pub fn write_openvex(images: &[ImageFindings<'_>], out: &mut dyn Write) -> io::Result<()> {
    let of_each = images.iter().map(|image| {
        let (product, result) = (product(image.subject), image.result);
        (product, result, packages(result))
    });
    let of_each: Vec<_> = of_each.collect();
    let statements = of_each.iter().flat_map(|(product, result, packages)| {
        let about = |package, version, path| About {
            product,
            part: packages.get(&(package, version, path)).copied(),
            result,
        };
        let found = result.findings.iter().map(move |finding| {
            let at = (&*finding.package, &*finding.version, &*finding.path);
            of_finding(finding, &about(at.0, at.1, at.2))
        });
        let unknown = result.undetermined.iter().map(move |unknown| {
            let at = (&*unknown.package, &*unknown.version, &*unknown.path);
            of_undetermined(unknown, &about(at.0, at.1, at.2))
        });
        found.chain(unknown)
    });
    let newest = images.iter().map(|image| image.result.advisories.as_of);
    let names: Vec<&str> = images.iter().map(|i| i.subject.digest.as_str()).collect();
    let used = images.iter().map(|i| i.result.advisories.digest.as_str());
    let identity = names.iter().copied().chain(used).collect::<Vec<_>>();
    let document = Document {
        context: "https://openvex.dev/ns/v0.2.0",
        id: format!(
            "https://openvex.dev/docs/public/vex-{}",
            fingerprint(&identity.join("\n"))
        ),
        author: TOOL.0,
        timestamp: newest.max().map(|at| at.to_string()).unwrap_or_default(),
        version: 1,
        tooling: tooling(images),
        statements: Each(statements),
    };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    out.write_all(b"\n")
}

/// What made the document, and what it could not see.
fn tooling(images: &[ImageFindings<'_>]) -> String {
    let mut text = format!("{}/{}", TOOL.0, TOOL.1);
    for ImageFindings { subject, result } in images {
        for problem in &result.problems {
            text += &format!(
                "; {} not complete: {}",
                subject.shown(),
                problem_line(problem)
            );
        }
    }
    text
}

/// What a statement is about.
struct About<'a> {
    product: &'a str,
    part: Option<&'a ScannedPackage>,
    result: &'a ScanResult,
}

impl About<'_> {
    fn products(&self) -> Value {
        let part = self.part.map(|part| purl(part, self.result.os.as_ref()));
        let parts: Vec<Value> = part
            .map(|purl| json!({ "@id": purl }))
            .into_iter()
            .collect();
        json!([{ "@id": self.product, "subcomponents": parts }])
    }
}

/// The packages by what findings know them by.
fn packages(result: &ScanResult) -> HashMap<(&str, &str, &str), &ScannedPackage> {
    result
        .packages
        .iter()
        .map(|package| ((&*package.name, &*package.version, &*package.path), package))
        .collect()
}

/// The package URL of an image: `pkg:oci/app@sha256%3A…?repository_url=host/team/app`.
fn product(subject: &Subject) -> String {
    let name = subject.name.as_deref().unwrap_or("image");
    let name = name.split('@').next().unwrap_or(name);
    let (path, last) = name
        .rsplit_once('/')
        .map_or(("", name), |(path, last)| (path, last));
    let last = last.split(':').next().unwrap_or(last).to_lowercase();
    let mut purl = format!(
        "pkg:oci/{}@{}",
        percent(&last, ""),
        percent(subject.digest.as_str(), "")
    );
    if !path.is_empty() {
        purl += &format!(
            "?repository_url={}",
            percent(&format!("{path}/{last}"), ":/")
        );
    }
    purl
}

fn of_finding(finding: &Finding, about: &About<'_>) -> Value {
    let mut statement = json!({
        "vulnerability": { "name": finding.id, "aliases": finding.aliases },
        "products": about.products(),
    });
    match finding.suppressed_by.as_deref() {
        None => {
            statement["status"] = "affected".into();
            statement["action_statement"] = finding.remedy().into();
        }
        Some(KERNEL_HEADERS) => {
            statement["status"] = "not_affected".into();
            statement["justification"] = "vulnerable_code_not_present".into();
            statement["impact_statement"] = KERNEL_HEADERS.into();
        }
        Some(by) => match said(by) {
            Some((status, justification)) => {
                statement["status"] = status.into();
                if status == "not_affected" {
                    statement["impact_statement"] = by.into();
                    if let Some(justification) = justification {
                        statement["justification"] = justification.into();
                    }
                } else {
                    statement["status_notes"] = by.into();
                }
            }
            // Who accepts a vulnerability has it all the same.
            None => {
                statement["status"] = "affected".into();
                statement["action_statement"] = finding.remedy().into();
                statement["status_notes"] = format!("accepted: {by}").into();
            }
        },
    }
    statement
}

/// The status and the justification of the OpenVEX statement that suppresses a finding.
fn said(by: &str) -> Option<(&'static str, Option<&'static str>)> {
    let (_, said) = by.strip_prefix("OpenVEX '")?.rsplit_once("': ")?;
    let (status, rest) = said.split_once(' ').unwrap_or((said, ""));
    let justification = rest.trim_matches(['(', ')']);
    let known =
        |words: &'static [&'static str], word: &str| words.iter().copied().find(|w| *w == word);
    let status = known(&["not_affected", "fixed"], status)?;
    Some((status, known(&JUSTIFICATIONS, justification)))
}

fn of_undetermined(unknown: &Undetermined, about: &About<'_>) -> Value {
    json!({
        "vulnerability": { "name": unknown.advisory },
        "products": about.products(),
        "status": "under_investigation",
        "status_notes": unknown.reason,
    })
}
