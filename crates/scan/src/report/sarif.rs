//! SARIF 2.1.0 (OASIS): findings for code scanning, as GitHub takes them up.

use std::collections::HashMap;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Value, json};

use super::escape::percent;
use super::{Each, ImageFindings, TOOL, fingerprint, problem_line};
use crate::{Finding, Severity, UNRATED};

/// The most results of a run that GitHub takes up.
const RESULTS_LIMIT: usize = 25_000;

#[derive(Serialize)]
struct Log<R> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: R,
}

/// Writes the findings of images, a run for each. A finding's rule is its vulnerability; its place
/// is the layer and the file: the URI is the layer's digest, percent-encoded, then the path. What
/// keeps a scan from being complete is a notification, and its run was not successful.
///
/// # Errors
/// Those of `out`.
pub fn write_sarif(images: &[ImageFindings<'_>], out: &mut dyn Write) -> io::Result<()> {
    let log = Log {
        schema: "https://json.schemastore.org/sarif-2.1.0.json",
        version: "2.1.0",
        runs: Each(images.iter().map(run)),
    };
    serde_json::to_writer_pretty(&mut *out, &log)?;
    out.write_all(b"\n")
}

fn run(image: &ImageFindings<'_>) -> Value {
    let (subject, result) = (image.subject, image.result);
    let mut findings: Vec<&Finding> = result.findings.iter().collect();
    // The worst first, so that what is cut is the least.
    findings.sort_by_key(|finding| std::cmp::Reverse((finding.severity, finding.score)));
    let left_out = findings.len().saturating_sub(RESULTS_LIMIT);
    findings.truncate(RESULTS_LIMIT);
    let mut rules: Vec<Value> = Vec::new();
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    let mut results = Vec::new();
    for finding in findings {
        let number = *numbers.entry(&finding.id).or_insert_with(|| {
            rules.push(rule(finding));
            rules.len() - 1
        });
        results.push(result_of(image, finding, number));
    }
    let mut notifications: Vec<Value> = result
        .problems
        .iter()
        .map(|problem| notification("error", &problem_line(problem)))
        .collect();
    let without_updates = result.without_updates();
    notifications.extend(without_updates.map(|text| notification("warning", &text)));
    if left_out > 0 {
        let text = format!("{left_out} findings more, none worse than these, are left out");
        notifications.push(notification("warning", &text));
    }
    let name = subject.shown();
    let category = match &subject.platform {
        Some(platform) => format!("bonded/{name}/{platform}/"),
        None => format!("bonded/{name}/"),
    };
    json!({
        "tool": { "driver": {
            "name": TOOL.0, "version": TOOL.1, "semanticVersion": TOOL.1, "rules": rules,
        } },
        "automationDetails": { "id": category },
        "columnKind": "utf16CodeUnits",
        "invocations": [{
            "executionSuccessful": result.is_complete(),
            "toolExecutionNotifications": notifications,
        }],
        "properties": {
            "image": name,
            "digest": subject.digest.as_str(),
            "advisories": result.advisories.digest.as_str(),
            "advisoriesAsOf": result.advisories.as_of.to_string(),
            "endOfLife": result.end_of_life.as_ref().map(|end| end.date.as_str()),
        },
        "results": results,
    })
}

fn notification(level: &str, text: &str) -> Value {
    json!({ "level": level, "message": { "text": text } })
}

/// The level of a result, and a number for what has none of its own: GitHub ranks by it.
fn level(finding: &Finding) -> (&'static str, String) {
    let (level, score) = match finding.severity {
        Some(Severity::Critical) => ("error", "9.5"),
        Some(Severity::High) => ("error", "8.0"),
        Some(Severity::Medium) => ("warning", "5.5"),
        Some(Severity::Low) => ("note", "2.0"),
        Some(Severity::Informational | Severity::None) => ("note", "0.0"),
        // Nothing rates it: that is no reason to hide it.
        None => ("warning", "5.0"),
    };
    let score = finding.score.map_or(score.to_owned(), |s| s.to_string());
    (level, score)
}

fn rated(finding: &Finding) -> &'static str {
    finding.severity.map_or(UNRATED, Severity::name)
}

fn rule(finding: &Finding) -> Value {
    let (level, score) = level(finding);
    let title = match finding.title.as_str() {
        "" => format!("{} in {}", finding.id, finding.package),
        title => title.to_owned(),
    };
    let fixed = finding.repaired_by();
    let fixed = fixed.as_deref().unwrap_or("none is known");
    let text = format!(
        "{title}\nPackage: {}\nInstalled: {}\nFixed: {fixed}\nSeverity: {}\nAlso known as: {}",
        finding.package,
        finding.version,
        rated(finding),
        finding.aliases.join(", ")
    );
    let mut rule = json!({
        "id": finding.id,
        "name": "VulnerablePackage",
        "shortDescription": { "text": title },
        "fullDescription": { "text": title },
        "help": { "text": text },
        "defaultConfiguration": { "level": level },
        "properties": {
            "precision": "very-high",
            "security-severity": score,
            "tags": ["security", "vulnerability", rated(finding)],
        },
    });
    if let Some(url) = finding.url.as_deref().filter(|url| is_web_address(url)) {
        rule["helpUri"] = url.into();
    }
    rule
}

/// Whether a URL is one to follow; its characters are those that a URI may have.
pub(super) fn is_web_address(url: &str) -> bool {
    let plain = |c: char| c.is_ascii_graphic() && !"<>\"{}|\\^`[]".contains(c);
    (url.starts_with("https://") || url.starts_with("http://")) && url.chars().all(plain)
}

fn result_of(image: &ImageFindings<'_>, finding: &Finding, rule: usize) -> Value {
    let (level, _) = level(finding);
    let layer = image.result.layers.get(finding.layer as usize);
    let layer = layer.map_or("", |digest| digest.as_str());
    let fixed = match finding.repaired_by() {
        Some(fixed) => format!("fixed in {fixed}"),
        None => "no version without it is known".to_owned(),
    };
    let text = format!(
        "{} {} has {} ({}): {fixed}. Found in {} of layer {layer}",
        finding.package,
        finding.version,
        finding.id,
        rated(finding),
        finding.path
    );
    let identity = format!(
        "{}\n{}\n{}\n{}",
        finding.id, finding.package, finding.version, finding.path
    );
    let identity = fingerprint(&identity);
    let mut result = json!({
        "ruleId": finding.id,
        "ruleIndex": rule,
        "level": level,
        "message": { "text": text },
        "locations": [{
            "physicalLocation": {
                "artifactLocation": {
                    "uri": format!("{}/{}", percent(layer, ""), percent(&finding.path, "/:@+")),
                },
                "region": { "startLine": 1 },
            },
            "message": { "text": format!("{} {}", finding.package, finding.version) },
        }],
        "partialFingerprints": {
            "primaryLocationLineHash": format!("{}:1", identity.get(..16).unwrap_or_default()),
        },
    });
    let mut properties = json!({});
    if let Some(base) = image.result.base_of(finding) {
        properties["baseImage"] = base.name.as_str().into();
    }
    if let Some(date) = &finding.exploited {
        properties["exploitedSince"] = date.as_str().into();
    }
    if let Some(epss) = finding.epss {
        properties["epss"] = json!(epss);
    }
    // No suppression, not even a rejected one: who reads them may not tell them apart.
    if !finding.disregarded.is_empty() {
        properties["disregardedStatements"] = json!(finding.disregarded);
    }
    if properties != json!({}) {
        result["properties"] = properties;
    }
    if let Some(reason) = &finding.suppressed_by {
        result["suppressions"] = json!([{
            "kind": "external", "status": "accepted", "justification": reason,
        }]);
    }
    result
}
