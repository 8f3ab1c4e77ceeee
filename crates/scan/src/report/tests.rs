//! Reports of an image whose every text is hostile, and of one that is not complete.

use serde_json::{Value, json};

use super::*;
use crate::{AdvisoriesUsed, Finding, PackageKind, ProblemCode, Score, Severity};

const HOSTILE: &str = "=x\"<script>alert(1)</script>&'\u{202e}\r\n,";

fn subject() -> Subject {
    Subject {
        name: Some("team/app:v1".to_owned()),
        digest: Digest::sha256(b"image"),
        platform: Some("linux/amd64".to_owned()),
        created: Timestamp::parse_rfc3339("2026-01-02T03:04:05.678Z"),
    }
}

fn package(name: &str, path: &str) -> ScannedPackage {
    ScannedPackage {
        ecosystem: Some("Debian:12".to_owned()),
        kind: PackageKind::Deb,
        name: name.to_owned(),
        version: "1:2".to_owned(),
        source_name: "source".to_owned(),
        source_version: "2".to_owned(),
        architecture: "amd64".to_owned(),
        path: path.to_owned(),
        layer: 0,
        owner: None,
        vendor: String::new(),
        third_party: false,
        module: String::new(),
        licenses: Vec::new(),
        evidence: crate::Evidence::Recorded,
    }
}

fn finding(id: &str, severity: Option<Severity>) -> Finding {
    Finding {
        id: id.to_owned(),
        advisory: format!("DEBIAN-{id}"),
        aliases: Vec::new(),
        ecosystem: "Debian:12".to_owned(),
        package: HOSTILE.to_owned(),
        version: "1:2".to_owned(),
        architecture: "amd64".to_owned(),
        source_name: "source".to_owned(),
        fixed: None,
        fixed_with: None,
        severity,
        score: severity.map(|_| Score::from_tenths(98)),
        vector: None,
        rated_by: None,
        title: HOSTILE.to_owned(),
        url: Some(format!("javascript:{HOSTILE}")),
        path: "var/lib/dpkg/st atus".to_owned(),
        layer: 0,
        suppressed_by: None,
        disregarded: Vec::new(),
        attached: None,
        exploited: None,
        epss: None,
    }
}

fn result(problems: Vec<Problem>) -> ScanResult {
    ScanResult {
        base: None,
        end_of_life: None,
        os: Some(OsRelease {
            id: "debian".to_owned(),
            version_id: "12".to_owned(),
            ..OsRelease::default()
        }),
        layers: vec![Digest::sha256(b"layer")],
        packages: vec![
            package("tar", "a"),
            package("tar", "b"),
            package("tar", "a"),
        ],
        findings: vec![
            finding("CVE-2024-1", None),
            finding("CVE-2024-2", Some(Severity::Critical)),
        ],
        undetermined: Vec::new(),
        problems,
        advisories: AdvisoriesUsed {
            digest: Digest::sha256(b"advisories"),
            as_of: Timestamp::from_millis(0),
        },
        inventory_version: 1,
    }
}

fn contents(result: ScanResult) -> Contents {
    Contents {
        os: result.os,
        layers: result.layers,
        packages: result.packages,
        problems: result.problems,
    }
}

fn problem() -> Problem {
    Problem::new(ProblemCode::NothingRecognised, HOSTILE)
}

fn written(write: impl Fn(&mut dyn std::io::Write) -> std::io::Result<()>) -> String {
    let (mut bytes, mut again) = (Vec::new(), Vec::new());
    write(&mut bytes).unwrap();
    write(&mut again).unwrap();
    assert_eq!(bytes, again, "the same image gives the same bytes");
    String::from_utf8(bytes).unwrap()
}

#[test]
fn cyclonedx_lists_each_package_once_and_says_what_is_missing() {
    let contents = contents(result(vec![problem()]));
    let text = written(|out| write_cyclonedx(&subject(), &contents, out));
    let bom: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(bom["specVersion"], "1.6");
    assert_eq!(bom["metadata"]["timestamp"], "2026-01-02T03:04:05Z");
    let components = bom["components"].as_array().unwrap();
    let packages: Vec<&Value> = components
        .iter()
        .filter(|component| component["type"] == "library")
        .collect();
    assert_eq!(packages.len(), 2);
    assert_eq!(
        packages[0]["purl"],
        "pkg:deb/debian/tar@1:2?arch=amd64&distro=debian-12"
    );
    assert_eq!(packages[1]["evidence"]["occurrences"][0]["location"], "b");
    assert_eq!(components.len(), 3);
    assert_eq!(bom["compositions"][0]["aggregate"], "incomplete");
    assert_eq!(bom["properties"][0]["name"], "bonded:problem");
    assert_eq!(
        bom["dependencies"][0]["dependsOn"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
}

#[test]
fn spdx_lists_each_package_once_and_says_what_is_missing() {
    let contents = contents(result(vec![problem()]));
    let text = written(|out| write_spdx(&subject(), &contents, out));
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["packages"].as_array().unwrap().len(), 3);
    assert_eq!(document["relationships"].as_array().unwrap().len(), 3);
    assert!(
        document["comment"]
            .as_str()
            .unwrap()
            .starts_with("not complete: ")
    );
    let unknown = Subject {
        created: None,
        ..subject()
    };
    let text = written(|out| write_spdx(&unknown, &contents, out));
    assert!(
        text.contains("\"created\": \"1970-01-01T00:00:00Z\""),
        "{text}"
    );
}

#[test]
fn sarif_has_a_rule_for_each_vulnerability_the_worst_first() {
    let (subject, found) = (subject(), result(vec![problem()]));
    let images = [ImageFindings {
        subject: &subject,
        result: &found,
    }];
    let text = written(|out| write_sarif(&images, out));
    let log: Value = serde_json::from_str(&text).unwrap();
    let run = &log["runs"][0];
    assert_eq!(run["invocations"][0]["executionSuccessful"], false);
    assert_eq!(run["results"][0]["ruleId"], "CVE-2024-2");
    assert_eq!(run["results"][0]["level"], "error");
    assert_eq!(run["results"][1]["level"], "warning");
    let rule = &run["tool"]["driver"]["rules"][0];
    assert_eq!(rule["properties"]["security-severity"], "9.8");
    assert_eq!(rule["helpUri"], Value::Null, "it is no address of the web");
    let layer = Digest::sha256(b"layer").to_string().replace(':', "%3A");
    let place = &run["results"][0]["locations"][0]["physicalLocation"];
    let uri = format!("{layer}/var/lib/dpkg/st%20atus");
    assert_eq!(place["artifactLocation"]["uri"], json!(uri));
}

#[test]
fn csv_has_no_formula_and_a_line_for_what_is_not_known() {
    let (subject, found) = (subject(), result(vec![problem()]));
    let images = [ImageFindings {
        subject: &subject,
        result: &found,
    }];
    let text = written(|out| write_csv(&images, out));
    let lines: Vec<&str> = text.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 4, "{text}");
    assert!(lines[1].starts_with("problem,"), "{}", lines[1]);
    assert!(lines[2].contains("\"'=x\"\"<script>"), "{}", lines[2]);
}

#[test]
fn a_statement_that_does_not_count_is_told_and_suppresses_nothing() {
    let (subject, mut found) = (subject(), result(Vec::new()));
    found.findings.truncate(1);
    found.findings[0].disregarded = vec![HOSTILE.to_owned(), "not trusted: x".to_owned()];
    let images = [ImageFindings {
        subject: &subject,
        result: &found,
    }];
    let sarif: Value = serde_json::from_str(&written(|out| write_sarif(&images, out))).unwrap();
    let told = &sarif["runs"][0]["results"][0];
    assert_eq!(
        told["properties"]["disregardedStatements"],
        json!([HOSTILE, "not trusted: x"])
    );
    assert!(told.get("suppressions").is_none(), "{told}");
    let html = written(|out| write_html("title", &images, out));
    assert!(html.contains("<br>disregarded: not trusted: x"), "{html}");
    assert!(!html.contains("<script"), "{html}");
    let csv = written(|out| write_csv(&images, out));
    assert!(
        csv.lines().any(|line| line.ends_with("; not trusted: x\"")),
        "{csv}"
    );
}

#[test]
fn html_shows_text_and_never_interprets_it() {
    let (subject, found) = (subject(), result(vec![problem()]));
    let images = [ImageFindings {
        subject: &subject,
        result: &found,
    }; 2];
    let text = written(|out| write_html(HOSTILE, &images, out));
    assert!(!text.contains("<script"), "{text}");
    assert!(!text.contains("javascript:"), "{text}");
    assert!(!text.contains('\u{202e}'), "{text}");
    assert!(text.contains("not complete"), "{text}");
    assert!(text.contains("<span class=\"UNDEFINED\">UNDEFINED</span>"));
}

#[test]
fn openvex_says_who_is_affected_and_who_says_that_nobody_is() {
    let subject = Subject {
        name: Some("registry.example/team/App:v1".to_owned()),
        ..subject()
    };
    let suppressed = |by: &str| Finding {
        suppressed_by: Some(by.to_owned()),
        ..finding("CVE-2024-3", None)
    };
    let mut found = result(vec![problem()]);
    found.packages[0].name = HOSTILE.to_owned();
    found.packages[0].path = found.findings[0].path.clone();
    found.findings.extend([
        suppressed("OpenVEX 'https://vex.example/': x': not_affected (component_not_present)"),
        suppressed("OpenVEX 'a': not_affected (because)"),
        suppressed("OpenVEX 'a': fixed"),
        suppressed(crate::KERNEL_HEADERS),
        suppressed("allow list 'AV1' of Ada until 2026-12-01: behind a proxy"),
    ]);
    found.undetermined.push(crate::Undetermined {
        advisory: "GHSA-1".to_owned(),
        ecosystem: "PyPI".to_owned(),
        package: "a".to_owned(),
        version: "odd".to_owned(),
        path: "p".to_owned(),
        layer: 0,
        reason: "'odd' has no order".to_owned(),
    });
    let images = [ImageFindings {
        subject: &subject,
        result: &found,
    }];
    let text = written(|out| write_openvex(&images, out));
    let document: Value = serde_json::from_str(&text).unwrap();
    assert!(
        document["tooling"]
            .as_str()
            .unwrap()
            .contains("not complete")
    );
    let statements = document["statements"].as_array().unwrap();
    let said: Vec<_> = statements
        .iter()
        .map(|s| (s["status"].as_str().unwrap(), s["justification"].as_str()))
        .collect();
    let headers = Some("vulnerable_code_not_present");
    assert_eq!(
        said,
        [
            ("affected", None),
            ("affected", None),
            ("not_affected", Some("component_not_present")),
            ("not_affected", None),
            ("fixed", None),
            ("not_affected", headers),
            ("affected", None),
            ("under_investigation", None),
        ]
    );
    for statement in statements {
        match statement["status"].as_str() {
            Some("affected") => assert!(statement["action_statement"].is_string()),
            Some("not_affected") => assert!(statement["impact_statement"].is_string()),
            _ => {}
        }
        let product = statement["products"][0]["@id"].as_str().unwrap();
        let digest = subject.digest.as_str().replace(':', "%3A");
        let url = "repository_url=registry.example/team/app";
        assert_eq!(product, format!("pkg:oci/app@{digest}?{url}"));
    }
    let part = &statements[0]["products"][0]["subcomponents"][0]["@id"];
    assert!(part.as_str().unwrap().starts_with("pkg:deb/debian/"));
}
