//! HTML: findings for people, in one file that needs nothing else and does nothing.

use std::io::{self, Write};

use super::escape::html as text;
use super::sarif::is_web_address;
use super::{ImageFindings, problem_line};
use crate::{Finding, FindingCounts, OsRelease, ScanResult, Severity, UNRATED};

/// Nothing is loaded and nothing runs, whatever a name in an image may say.
const HEAD: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<style>
:root { color-scheme: light dark }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 90rem; padding: 0 1rem }
table { border-collapse: collapse; width: 100%; margin: 1rem 0 }
th, td { border-bottom: 1px solid #8886; padding: .3rem .6rem; text-align: left; vertical-align: top; overflow-wrap: anywhere }
th { font-weight: 600 }
code { font-size: .9em }
.CRITICAL { color: #fff; background: #a3122f } .HIGH { color: #fff; background: #b8500c }
.MEDIUM { color: #000; background: #f0c648 } .LOW { color: #000; background: #c5d9ee }
.CRITICAL, .HIGH, .MEDIUM, .LOW { border-radius: .3rem; padding: .05rem .4rem }
.incomplete { border: 2px solid #a3122f; padding: .5rem 1rem }
.suppressed { opacity: .6 }
@media print { body { margin: 0; font-size: 11px } tr { break-inside: avoid } }
</style>
"#;

/// Writes a report of images with a title: what they add up to, then the findings of each, the
/// worst first. Text from images and advisories is shown, never interpreted.
///
/// # Errors
/// Those of `out`.
pub fn write_html(
    title: &str,
    images: &[ImageFindings<'_>],
    out: &mut dyn Write,
) -> io::Result<()> {
    out.write_all(HEAD.as_bytes())?;
    let title = text(title);
    writeln!(
        out,
        "<title>{title}</title>\n</head>\n<body>\n<h1>{title}</h1>"
    )?;
    if images.len() > 1 {
        overview(images, out)?;
    }
    for (number, image) in images.iter().enumerate() {
        one(number, image, out)?;
    }
    writeln!(out, "</body>\n</html>")
}

fn overview(images: &[ImageFindings<'_>], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "<table>\n<tr><th>Image<th>Findings<th>Scan")?;
    for (number, image) in images.iter().enumerate() {
        let state = if image.result.is_complete() {
            "complete"
        } else {
            "not complete"
        };
        writeln!(
            out,
            "<tr><td><a href=\"#image-{number}\">{}</a><td>{}<td>{state}",
            text(&shown(image)),
            totals(image.result.counts())
        )?;
    }
    writeln!(out, "</table>")
}

fn shown(image: &ImageFindings<'_>) -> String {
    let name = image.subject.shown();
    match &image.subject.platform {
        Some(platform) => format!("{name} for {platform}"),
        None => name.to_owned(),
    }
}

fn totals(counts: FindingCounts) -> String {
    match counts.total {
        0 => "none".to_owned(),
        _ => counts.shown(),
    }
}

fn one(number: usize, image: &ImageFindings<'_>, out: &mut dyn Write) -> io::Result<()> {
    let result = image.result;
    let system = result
        .os
        .as_ref()
        .map_or("no system".to_owned(), OsRelease::shown);
    writeln!(
        out,
        "<section id=\"image-{number}\">\n<h2>{}</h2>\n<p><code>{}</code><br>{}, {} packages in {} \
         layers; {}</p>\n<p>Findings: {}</p>",
        text(&shown(image)),
        image.subject.digest,
        text(&system),
        result.packages.len(),
        result.layers.len(),
        result.advisories.shown(),
        totals(result.counts()),
    )?;
    if let Some(text_of_end) = result.without_updates() {
        writeln!(out, "<p class=\"incomplete\">{}</p>", text(&text_of_end))?;
    }
    if let Some(base) = &result.base {
        let of_base = result
            .counting()
            .filter(|f| base.has_layer(f.layer))
            .count();
        let hint = match base.tagged {
            true => "",
            false => ", whose place another image has taken: build upon that one",
        };
        writeln!(
            out,
            "<p>{of_base} of them are from the base image {} (<code>{}</code>){hint}; {} are not.</p>",
            text(&base.name),
            base.digest,
            result.counting().count() - of_base,
        )?;
    }
    if !result.problems.is_empty() {
        writeln!(
            out,
            "<div class=\"incomplete\"><p>The scan is not complete: what is not listed here is not \
             known to be absent.</p>\n<ul>"
        )?;
        for problem in &result.problems {
            writeln!(out, "<li>{}", text(&problem_line(problem)))?;
        }
        writeln!(out, "</ul></div>")?;
    }
    let mut findings: Vec<&Finding> = result.findings.iter().collect();
    findings.sort_by_key(|finding| std::cmp::Reverse((finding.severity, finding.score)));
    if !findings.is_empty() {
        writeln!(
            out,
            "<table>\n<tr><th>Severity<th>Vulnerability<th>Package<th>Installed<th>Fixed in\
             <th>Layer<th>File<th>About"
        )?;
        for finding in findings {
            row(result, finding, out)?;
        }
        writeln!(out, "</table>")?;
    }
    writeln!(out, "</section>")
}

fn row(result: &ScanResult, finding: &Finding, out: &mut dyn Write) -> io::Result<()> {
    let severity = finding.severity.map_or(UNRATED, Severity::name);
    let score = finding.score.map(|s| format!(" {s}")).unwrap_or_default();
    let id = match finding.url.as_deref().filter(|url| is_web_address(url)) {
        Some(url) => format!(
            "<a href=\"{}\" rel=\"noopener noreferrer nofollow\">{}</a>",
            text(url),
            text(&finding.id)
        ),
        None => text(&finding.id),
    };
    let (class, about) = match &finding.suppressed_by {
        Some(reason) => (
            " class=\"suppressed\"",
            format!("{} (does not count: {reason})", finding.title),
        ),
        None => ("", finding.title.clone()),
    };
    let about = match finding.exploitation().as_str() {
        "" => about,
        exploitation => format!("{about} ({exploitation})"),
    };
    let mut about = text(&about);
    for statement in &finding.disregarded {
        about += "<br>disregarded: ";
        about += &text(statement);
    }
    writeln!(
        out,
        "<tr{class}><td><span class=\"{severity}\">{severity}</span>{score}<td>{id}<td>{}<td>{}\
         <td>{}<td>{}{}<td><code>{}</code><td>{}",
        text(&finding.package),
        text(&finding.version),
        text(&finding.repaired_by().unwrap_or("-".to_owned())),
        finding.layer,
        result.base_of(finding).map_or("", |_| " (base)"),
        text(&finding.path),
        about,
    )
}
