//! Findings of ECR's API as a table.

use serde_json::Value;

/// The rows of a table of enhanced findings, the worst first, with a head; one line if there are
/// none.
pub(in crate::cli) fn rows(findings: &[Value]) -> Vec<String> {
    if findings.is_empty() {
        return vec!["no findings".to_owned()];
    }
    let mut rows: Vec<(usize, [String; 5])> = findings.iter().map(row).collect();
    rows.sort();
    let head = ["SEVERITY", "ID", "PACKAGE", "VERSION", "FIXED IN"].map(str::to_owned);
    let rows: Vec<[String; 5]> = [head]
        .into_iter()
        .chain(rows.into_iter().map(|(_, row)| row))
        .collect();
    let width = |column: usize| {
        let of = |row: &[String; 5]| row[column].chars().count();
        rows.iter().map(of).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..5).map(width).collect();
    let line = |row: &[String; 5]| {
        let mut line = String::new();
        for (text, width) in row.iter().zip(&widths) {
            line += &format!("{text:width$}  ");
        }
        line.trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// A finding with its rank.
fn row(finding: &Value) -> (usize, [String; 5]) {
    const RANKS: [&str; 6] = [
        "CRITICAL",
        "HIGH",
        "UNDEFINED",
        "MEDIUM",
        "LOW",
        "INFORMATIONAL",
    ];
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let details = &finding["packageVulnerabilityDetails"];
    let package = &details["vulnerablePackages"][0];
    let severity = text(&finding["severity"]);
    let rank = RANKS.iter().position(|rank| *rank == severity);
    let row = [
        severity,
        text(&details["vulnerabilityId"]),
        text(&package["name"]),
        text(&package["version"]),
        text(&package["fixedInVersion"]),
    ];
    (rank.unwrap_or(RANKS.len()), row)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_worst_comes_first_and_columns_stand_under_one_another() {
        let finding = |severity: &str, id: &str, fixed: Option<&str>| {
            let package = json!({ "name": "p", "version": "1", "fixedInVersion": fixed });
            json!({ "severity": severity, "packageVulnerabilityDetails": {
                "vulnerabilityId": id, "vulnerablePackages": [package] } })
        };
        let findings = [
            finding("LOW", "CVE-1", Some("2")),
            finding("CRITICAL", "CVE-22", None),
        ];
        assert_eq!(
            rows(&findings),
            [
                "SEVERITY  ID      PACKAGE  VERSION  FIXED IN",
                "CRITICAL  CVE-22  p        1        -",
                "LOW       CVE-1   p        1        2",
            ]
        );
        assert_eq!(rows(&[]), ["no findings"]);
    }
}
