//! CSV (RFC 4180): findings for a spreadsheet.

use std::io::{self, Write};

use super::escape::csv as cell;
use super::{ImageFindings, problem_line};
use crate::{Severity, UNRATED};

/// The columns, of which only more may come.
const COLUMNS: [&str; 22] = [
    "record",
    "image",
    "digest",
    "platform",
    "severity",
    "score",
    "id",
    "advisory",
    "package",
    "version",
    "fixed",
    "ecosystem",
    "path",
    "layer",
    "suppressed_by",
    "title",
    "url",
    "base_image",
    "exploited_since",
    "epss",
    "end_of_life",
    "disregarded_statements",
];

/// Writes a line for each finding, whose `record` is `finding`, and one for each problem that keeps
/// a scan from being complete, whose `record` is `problem`. No cell is taken for a formula.
///
/// # Errors
/// Those of `out`.
pub fn write_csv(images: &[ImageFindings<'_>], out: &mut dyn Write) -> io::Result<()> {
    line(out, COLUMNS.map(str::to_owned))?;
    for ImageFindings { subject, result } in images {
        let image = || {
            let name = subject.name.clone().unwrap_or_default();
            let platform = subject.platform.clone().unwrap_or_default();
            [name, subject.digest.to_string(), platform]
        };
        let layer = |number: Option<u32>| {
            let layer = number.and_then(|number| result.layers.get(number as usize));
            layer.map(ToString::to_string).unwrap_or_default()
        };
        let end_of_life = || {
            let end = result.end_of_life.as_ref();
            end.map(|end| end.date.clone()).unwrap_or_default()
        };
        for problem in &result.problems {
            let [name, digest, platform] = image();
            let mut cells: [String; 22] = Default::default();
            cells[..4].clone_from_slice(&["problem".to_owned(), name, digest, platform]);
            cells[4] = "UNKNOWN".to_owned();
            cells[12] = problem.path.clone().unwrap_or_default();
            cells[13] = layer(problem.layer);
            cells[15] = problem_line(problem);
            cells[20] = end_of_life();
            line(out, cells)?;
        }
        for finding in &result.findings {
            let [name, digest, platform] = image();
            let severity = finding.severity.map_or(UNRATED, Severity::name);
            line(
                out,
                [
                    "finding".to_owned(),
                    name,
                    digest,
                    platform,
                    severity.to_owned(),
                    finding.score.map(|s| s.to_string()).unwrap_or_default(),
                    finding.id.clone(),
                    finding.advisory.clone(),
                    finding.package.clone(),
                    finding.version.clone(),
                    finding.repaired_by().unwrap_or_default(),
                    finding.ecosystem.clone(),
                    finding.path.clone(),
                    layer(Some(finding.layer)),
                    finding.suppressed_by.clone().unwrap_or_default(),
                    finding.title.clone(),
                    finding.url.clone().unwrap_or_default(),
                    result
                        .base_of(finding)
                        .map_or_else(String::new, |b| b.name.clone()),
                    finding.exploited.clone().unwrap_or_default(),
                    finding
                        .epss
                        .map_or_else(String::new, |epss| epss.score.as_f64().to_string()),
                    end_of_life(),
                    finding.disregarded.join("; "),
                ],
            )?;
        }
    }
    Ok(())
}

fn line(out: &mut dyn Write, cells: [String; 22]) -> io::Result<()> {
    let cells = cells.map(|text| cell(&text));
    write!(out, "{}\r\n", cells.join(","))
}
