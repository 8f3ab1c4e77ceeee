//! What `bonded scan` prints.

use std::collections::HashSet;
use std::io::{self, BufWriter, Write};

use super::{Form, Scanned};
use crate::cli::Failure;
use crate::cli::print::{self, clean};
use bonded_scan::{
    Contents, Finding, ImageFindings, ScanResult, Severity, Subject, UNRATED, findings_json,
    findings_list_json, write_csv, write_cyclonedx, write_html, write_openvex, write_sarif,
    write_spdx,
};

/// Prints what is in an image.
pub(super) fn bill_of_materials(
    form: Form,
    subject: &Subject,
    contents: &Contents,
) -> Result<(), Failure> {
    match form {
        Form::Spdx => print_with(|out| write_spdx(subject, contents, out)),
        _ => print_with(|out| write_cyclonedx(subject, contents, out)),
    }
}

/// Prints what was found in images, which are called `title` together.
pub(super) fn findings(form: Form, title: &str, scanned: &[Scanned]) -> Result<(), Failure> {
    let images = images(scanned);
    match form {
        Form::Json => print::json(&findings_json(&images)),
        Form::Sarif => print_with(|out| write_sarif(&images, out)),
        Form::Openvex => print_with(|out| write_openvex(&images, out)),
        Form::Html => print_with(|out| write_html(title, &images, out)),
        Form::Csv => print_with(|out| write_csv(&images, out)),
        Form::Table | Form::Cyclonedx | Form::Spdx => {
            table(scanned);
            Ok(())
        }
    }
}

/// Prints what was found in images as a list in JSON, however many they are.
pub(super) fn list(scanned: &[Scanned]) -> Result<(), Failure> {
    print::json(&findings_list_json(&images(scanned)))
}

fn images(scanned: &[Scanned]) -> Vec<ImageFindings<'_>> {
    let images = scanned.iter();
    images
        .map(|Scanned { subject, result }| ImageFindings { subject, result })
        .collect()
}

/// Writes to standard output. Nobody may be reading any more, as in `bonded … | head`; that is no
/// failure.
fn print_with(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::failed(format!("cannot write the report: {error}")))
        }
        _ => Ok(()),
    }
}

/// The ids of what counts, each once, the worst first.
pub(super) fn ids(scanned: &[Scanned]) -> Result<(), Failure> {
    let mut findings: Vec<&Finding> = scanned.iter().flat_map(|of| of.result.counting()).collect();
    findings.sort_by_key(worst_first);
    let mut told = HashSet::new();
    for finding in findings {
        if told.insert(&finding.id) {
            print::text(&(clean(&finding.id) + "\n"))?;
        }
    }
    Ok(())
}

/// The order of findings: the worst first.
fn worst_first(finding: &&Finding) -> impl Ord + use<> {
    std::cmp::Reverse((finding.severity, finding.score))
}

/// For people: the findings, the worst first, and what they add up to.
fn table(scanned: &[Scanned]) {
    for (index, scanned) in scanned.iter().enumerate() {
        if index > 0 {
            print::line("");
        }
        for line in lines(scanned) {
            print::line(clean(&line));
        }
    }
}

fn lines(scanned: &Scanned) -> Vec<String> {
    let result = &scanned.result;
    let image = &scanned.subject;
    let mut title = match &image.name {
        Some(name) => format!("{name} ({})", image.digest),
        None => image.digest.to_string(),
    };
    if let Some(platform) = &image.platform {
        title.push_str(&format!(" for {platform}"));
    }
    let os = result
        .os
        .as_ref()
        .map_or("no system".to_owned(), bonded_scan::OsRelease::shown);
    let mut lines = vec![
        title,
        format!(
            "{os}, {} packages in {} layers; {}",
            result.packages.len(),
            result.layers.len(),
            result.advisories.shown()
        ),
        String::new(),
    ];
    let mut findings: Vec<&Finding> = result.findings.iter().collect();
    findings.sort_by_key(worst_first);
    if !findings.is_empty() {
        lines.append(&mut rows(&findings));
        lines.push(String::new());
    }
    lines.push(summary(result));
    let apart = result.findings.len() - result.counting().count();
    if apart > 0 {
        let reason = "what suppresses them is in the JSON, as 'suppressed_by'";
        lines.push(format!("{apart} more do not count: {reason}"));
    }
    lines.extend(result.without_updates());
    lines.extend(result.problems.iter().map(|problem| {
        let mut place = String::new();
        if let Some(layer) = problem.layer {
            place.push_str(&format!("layer {layer}: "));
        }
        if let Some(path) = &problem.path {
            place.push_str(&format!("'{path}': "));
        }
        format!("not complete: {place}{}", problem.message)
    }));
    lines
}

/// The findings in columns.
fn rows(findings: &[&Finding]) -> Vec<String> {
    let header = [
        "SEVERITY", "ID", "PACKAGE", "VERSION", "FIXED", "LAYER", "PATH",
    ];
    let mut rows = vec![header.map(str::to_owned)];
    rows.extend(findings.iter().map(|finding| {
        let severity = finding.severity.map_or(UNRATED, Severity::name);
        [
            severity.to_owned(),
            finding.id.clone(),
            finding.package.clone(),
            finding.version.clone(),
            finding.repaired_by().unwrap_or("-".to_owned()),
            finding.layer.to_string(),
            finding.path.clone(),
        ]
    }));
    let widths: Vec<usize> = (0..header.len())
        .map(|column| {
            rows.iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let lines = rows.iter().map(|row| {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    });
    lines.collect()
}

fn summary(result: &ScanResult) -> String {
    let counts = result.counts();
    let total = match counts.total {
        0 if result.is_complete() => return "no findings".to_owned(),
        0 => return "nothing was found, which proves nothing".to_owned(),
        1 => "1 finding".to_owned(),
        total => format!("{total} findings"),
    };
    format!("{total}: {}", counts.shown())
}
