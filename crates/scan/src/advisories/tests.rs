use bonded_model::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::write::{DIGEST, HEADER};
use super::*;
use crate::Severity;

fn now() -> Timestamp {
    Timestamp::parse_rfc3339("2026-01-01T00:00:00Z").unwrap()
}

fn record(id: &str, modified: &str, more: &Value) -> Value {
    let mut record = json!({
        "id": id, "modified": modified,
        "affected": [{
            "package": { "ecosystem": "PyPI", "name": "Zope.Interface" },
            "ranges": [{ "type": "ECOSYSTEM", "events": [{ "introduced": "0" }, { "fixed": "2" }] }],
        }],
    });
    for (name, value) in more.as_object().unwrap() {
        record[name] = value.clone();
    }
    record
}

fn import(records: &[Value]) -> (Vec<u8>, ImportReport) {
    let mut import = AdvisoryImport::new();
    for record in records {
        import.add_record(record.to_string().as_bytes()).unwrap();
    }
    import.finish(now()).unwrap()
}

fn open(records: &[Value]) -> Advisories {
    Advisories::from_bytes(import(records).0).unwrap()
}

/// The ids of the advisories about a package.
fn in_ecosystem<'a>(advisories: &'a Advisories, ecosystem: &str) -> OfEcosystem<'a> {
    advisories.of_ecosystem(ecosystem).unwrap()
}

fn about(advisories: &Advisories, ecosystem: &str, name: &str) -> Vec<String> {
    let about = in_ecosystem(advisories, ecosystem).about(name);
    about
        .map(|affected| affected.advisory().id.to_owned())
        .collect()
}

fn severity(advisories: &Advisories, name: &str) -> Option<Severity> {
    let mut about = in_ecosystem(advisories, "PyPI").about(name);
    about.next().unwrap().rating().map(|rating| rating.severity)
}

const TIME: &str = "2025-05-01T00:00:00Z";

#[test]
fn the_same_records_give_the_same_bytes() {
    let records: Vec<_> = (0..20)
        .map(|n| record(&format!("A-{n}"), TIME, &json!({})))
        .collect();
    let mut reversed = records.clone();
    reversed.reverse();
    reversed.extend(records[..3].to_vec());
    assert_eq!(import(&records).0, import(&reversed).0);
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for record in &records {
        let options = zip::write::SimpleFileOptions::default();
        zip.start_file(format!("{}.json", record["id"].as_str().unwrap()), options)
            .unwrap();
        std::io::Write::write_all(&mut zip, record.to_string().as_bytes()).unwrap();
    }
    let mut from_zip = AdvisoryImport::new();
    from_zip.add_zip(zip.finish().unwrap()).unwrap();
    assert_eq!(import(&records).0, from_zip.finish(now()).unwrap().0);
}

#[test]
fn the_newest_record_of_an_id_counts_unless_it_was_withdrawn() {
    let old = record("A", "2024-01-01T00:00:00Z", &json!({ "summary": "old" }));
    let new = record("A", "2024-01-02T00:00:00Z", &json!({ "summary": "new" }));
    let other = record("B", "0001-01-01T00:00:00Z", &json!({}));
    let withdrawn = record("A", TIME, &json!({ "withdrawn": TIME }));
    for records in [[&old, &new, &other], [&new, &old, &other]] {
        let advisories = open(&records.map(Clone::clone));
        let title = in_ecosystem(&advisories, "PyPI")
            .about("zope-interface")
            .next()
            .unwrap()
            .advisory()
            .title;
        assert_eq!(title, "new");
        assert_eq!(advisories.as_of().to_string(), "2024-01-02T00:00:00Z");
    }
    let (bytes, report) = import(&[new, withdrawn, old, other]);
    let advisories = Advisories::from_bytes(bytes).unwrap();
    assert_eq!(about(&advisories, "PyPI", "zope-interface"), ["B"]);
    assert_eq!(
        (report.advisories, report.withdrawn, report.superseded),
        (1, 1, 2)
    );
}

#[test]
fn times_of_the_future_say_nothing_of_the_age() {
    let advisories = open(&[
        record("A", "2027-01-01T00:00:00Z", &json!({})),
        record("B", "2025-01-01T00:00:00Z", &json!({})),
    ]);
    assert_eq!(advisories.as_of().to_string(), "2025-01-01T00:00:00Z");
}

#[test]
fn what_cannot_be_matched_is_counted() {
    let other = json!({ "affected": [
        { "package": { "ecosystem": "Plan 9", "name": "rc" }, "versions": ["1"] },
        { "package": { "ecosystem": "npm", "name": "empty" } },
        { "package": { "ecosystem": "npm", "name": "git" }, "ranges": [
            { "type": "GIT", "events": [{ "introduced": "0" }] } ] },
        { "package": { "ecosystem": "Debian:12", "name": "odd" }, "ranges": [
            { "type": "ECOSYSTEM", "events": [{ "introduced": "0" }, { "fixed": "x:1" }] } ] },
        { "package": { "ecosystem": "crates.io", "name": "old" }, "versions": ["1"],
          "database_specific": { "informational": "unmaintained" } },
        {},
    ] });
    let mut import = AdvisoryImport::new();
    import
        .add_record(record("A", TIME, &other).to_string().as_bytes())
        .unwrap();
    for text in ["", "[]", "{}", r#"{"id":""}"#, r#"{"id":"A","affected":7}"#] {
        import.add_file("odd.json", text.as_bytes());
    }
    let (bytes, report) = import.finish(now()).unwrap();
    assert_eq!(report.unknown_ecosystems["Plan 9"], 1);
    assert_eq!(
        (
            report.without_versions,
            report.without_order,
            report.refused
        ),
        (2, 1, 5)
    );
    assert!(report.refused_first[0].starts_with("'odd.json': "));
    let advisories = Advisories::from_bytes(bytes).unwrap();
    let ecosystems: Vec<_> = advisories
        .ecosystems()
        .map(|total| total.ecosystem)
        .collect();
    assert_eq!(ecosystems, ["Debian:12"]);
    assert!(AdvisoryImport::new().finish(now()).is_err());
}

const HIGH: &str = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N";
const LOW: &str = "CVSS:3.1/AV:P/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N";

fn vector(score: &str) -> Value {
    json!({ "type": "CVSS_V3", "score": score })
}

/// A record about a package, with more members of its own and of what it affects.
fn of(id: &str, package: &str, more: &Value, affected: &Value) -> Value {
    let mut record = record(id, TIME, more);
    record["affected"][0]["package"]["name"] = package.into();
    for (name, value) in affected.as_object().unwrap() {
        record["affected"][0][name] = value.clone();
    }
    record
}

#[test]
fn the_severity_is_the_first_that_is_stated() {
    let urgent = json!({ "ecosystem_specific": { "urgency": "medium" } });
    let word = |word: &str| json!({ "severity": word });
    let both = json!({ "severity": [vector(HIGH)], "database_specific": word("LOW") });
    let nothing = json!({});
    let advisories = open(&[
        of(
            "A",
            "affected",
            &json!({ "severity": [vector(LOW)] }),
            &json!({ "severity": [vector(HIGH)] }),
        ),
        of("B", "record", &both, &urgent),
        of(
            "C",
            "word",
            &json!({ "database_specific": word("MODERATE") }),
            &urgent,
        ),
        of("D", "urgency", &nothing, &urgent),
        of(
            "E",
            "worst",
            &json!({ "severity": [vector(LOW), vector(HIGH)] }),
            &nothing,
        ),
        of(
            "F",
            "broken",
            &json!({ "severity": [vector("CVSS:3.1/AV:N")] }),
            &nothing,
        ),
    ]);
    for (package, want) in [
        ("affected", Some(Severity::High)),
        ("record", Some(Severity::High)),
        ("word", Some(Severity::Medium)),
        ("urgency", Some(Severity::Medium)),
        ("worst", Some(Severity::High)),
        ("broken", None),
    ] {
        assert_eq!(severity(&advisories, package), want, "{package}");
    }
}

#[test]
fn what_states_no_severity_has_that_of_other_records_of_the_same() {
    let urgent = json!({ "ecosystem_specific": { "urgency": "medium" } });
    let nothing = json!({});
    let advisories = open(&[
        of(
            "A",
            "urgency",
            &json!({ "aliases": ["CVE-2025-1"] }),
            &urgent,
        ),
        of(
            "B",
            "alias",
            &json!({ "aliases": ["CVE-2025-1"] }),
            &nothing,
        ),
        of(
            "C",
            "upstream",
            &json!({ "upstream": ["CVE-2025-1"] }),
            &nothing,
        ),
        of(
            "D",
            "related",
            &json!({ "related": ["CVE-2025-1"] }),
            &nothing,
        ),
        of(
            "CVE-2025-1",
            "rated",
            &json!({ "severity": [vector(HIGH)] }),
            &nothing,
        ),
        of("E", "reverse", &nothing, &nothing),
        of(
            "F",
            "names it",
            &json!({ "aliases": ["E"], "severity": [vector(LOW)] }),
            &nothing,
        ),
    ]);
    for (package, want) in [
        ("urgency", Some(Severity::Medium)),
        ("alias", Some(Severity::High)),
        ("upstream", Some(Severity::High)),
        ("related", None),
        ("reverse", Some(Severity::Low)),
    ] {
        assert_eq!(severity(&advisories, package), want, "{package}");
    }
    let alias = in_ecosystem(&advisories, "PyPI")
        .about("alias")
        .next()
        .unwrap();
    assert_eq!(alias.rated_by(), "CVE-2025-1");
    assert_eq!(alias.rating().unwrap().score.unwrap().tenths(), 75);
}

#[test]
fn a_finding_is_named_by_its_one_cve() {
    let named = |more: &Value| {
        let advisories = open(&[record("GHSA-1", TIME, more)]);
        let cve = in_ecosystem(&advisories, "PyPI")
            .about("zope-interface")
            .next()
            .unwrap()
            .advisory()
            .cve;
        cve.to_owned()
    };
    for (more, want) in [
        (json!({}), ""),
        (json!({ "aliases": ["PYSEC-1", "CVE-2", "CVE-1"] }), "CVE-2"),
        (json!({ "upstream": ["CVE-1"] }), "CVE-1"),
        (json!({ "upstream": ["CVE-1", "CVE-2"] }), ""),
        (json!({ "related": ["CVE-1"] }), ""),
    ] {
        assert_eq!(named(&more), want, "{more}");
    }
}

#[test]
fn alpines_second_mention_does_not_prolong_a_vulnerability() {
    let entry = |package: &str, fixed: &str| {
        json!({ "package": { "ecosystem": "Alpine:v3.18", "name": package }, "ranges": [
            { "type": "ECOSYSTEM", "events": [{ "introduced": "0" }, { "fixed": fixed }] } ] })
    };
    let affected = [
        entry("a", "2-r0"),
        entry("a", "1-r0"),
        entry("a", "3-r0"),
        entry("b", "5-r0"),
    ];
    let advisories = open(&[record("A", TIME, &json!({ "affected": affected }))]);
    let fixed = |name: &str| {
        let about = in_ecosystem(&advisories, "Alpine:v3.18").about(name);
        let ranges = about.flat_map(|affected| affected.ranges().collect::<Vec<_>>());
        ranges
            .filter_map(|range| range.fixed().map(str::to_owned))
            .collect::<Vec<_>>()
    };
    assert_eq!(fixed("a"), ["1-r0"]);
    assert_eq!(fixed("b"), ["5-r0"]);
}

#[test]
fn any_damage_is_noticed() {
    let bytes = import(&[record("A", TIME, &json!({ "aliases": ["B"] }))]).0;
    assert!(Advisories::from_bytes(bytes.clone()).is_ok());
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        assert!(Advisories::from_bytes(damaged).is_err(), "{at}");
        assert!(
            Advisories::from_bytes(bytes[..at].to_vec()).is_err(),
            "{at}"
        );
    }
    let longer = [bytes, vec![0]].concat();
    assert!(Advisories::from_bytes(longer).is_err());
}

proptest! {
    /// Of a file that somebody has made to do harm: its checksum is right, nothing else need be.
    #[test]
    fn a_hostile_file_is_refused_or_harmless(
        changes in proptest::collection::vec((0.0..1.0_f64, any::<u8>()), 1..6),
    ) {
        let mut bytes = import(&[
            record("A", TIME, &json!({ "aliases": ["CVE-2025-1"] })),
            record("B", TIME, &json!({ "severity": [{ "type": "Ubuntu", "score": "high" }] })),
        ]).0;
        for (at, byte) in changes {
            let most = bytes.len() - 1;
            let at = (HEADER - 40 + (at * (bytes.len() - HEADER + 40) as f64) as usize).min(most);
            bytes[at] = byte;
        }
        bytes[DIGEST].fill(0);
        let digest = Sha256::digest(&bytes);
        bytes[DIGEST].copy_from_slice(&digest);
        if let Ok(advisories) = Advisories::from_bytes(bytes) {
            for total in advisories.ecosystems().collect::<Vec<_>>() {
                for affected in in_ecosystem(&advisories, &total.ecosystem).about("zope-interface") {
                    let _ = affected.ranges().count();
                    let _ = affected.versions().count();
                    let _ = advisories.aliases(affected.advisory()).count();
                }
            }
        }
    }

    #[test]
    fn no_bytes_make_a_record_panic(text in "\\PC{0,200}") {
        let mut import = AdvisoryImport::new();
        import.add_file("x", text.as_bytes());
        let _ = Advisories::from_bytes(text.into_bytes());
    }
}

#[test]
fn tables_and_statements_add_to_what_an_advisory_says() {
    let record = json!({
        "id": "PYSEC-1", "modified": "2026-01-01T00:00:00Z", "aliases": ["CVE-2026-1"],
        "affected": [{"package": {"ecosystem": "PyPI", "name": "flask"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2"}]}]}],
    });
    let nvd = json!({"format": "NVD_CVE", "vulnerabilities": [{"cve": {"id": "CVE-2026-1",
        "metrics": {"cvssMetricV31": [{"type": "Primary", "cvssData": {
            "vectorString": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}}]}}}]});
    let kev = json!({"catalogVersion": "1", "vulnerabilities": [
        {"cveID": "CVE-2026-1", "dateAdded": "2026-01-05"},
        {"cveID": "CVE-2026-2", "dateAdded": "2026-01-05"}]});
    let statement = |product: &str, part: &str| {
        let parts: Vec<_> = Some(json!({"@id": part}))
            .into_iter()
            .filter(|_| !part.is_empty())
            .collect();
        json!({"@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://vex.example/1",
            "statements": [{"vulnerability": {"name": "CVE-2026-1"}, "status": "not_affected",
                "justification": "vulnerable_code_not_present",
                "products": [{"@id": product, "subcomponents": parts}]}]})
    };
    let package = |name: &str, path: &str| crate::ImagePackage {
        package: crate::Package::new(crate::PackageKind::Python, name, "1"),
        path: path.to_owned(),
        layer: 0,
        owner: None,
        attached: None,
    };
    let image = crate::ImageInventory {
        packages: vec![
            package("flask", "srv/app"),
            package("app", "srv/app"),
            package("other", "srv/other"),
        ],
        ..Default::default()
    };
    for (product, part, suppressed) in [
        ("pkg:pypi/flask", "", true),
        ("pkg:pypi/flask@1", "", true),
        ("pkg:pypi/Flask@v1?x=y", "", true),
        ("pkg:pypi/flask@1.1", "", false),
        ("pkg:npm/flask", "", false),
        ("pkg:pypi/app", "pkg:pypi/flask@1", true),
        ("pkg:pypi/other", "pkg:pypi/flask", false),
        ("pkg:oci/app", "pkg:pypi/flask", false),
    ] {
        let mut import = AdvisoryImport::new();
        for file in [&record, &nvd, &kev, &statement(product, part)] {
            import.add_file("file", file.to_string().as_bytes());
        }
        import.add_file("epss.csv", b"cve,epss,percentile\nCVE-2026-1,0.5,0.75\n");
        import.add_file("other.json", b"{}");
        let now = Timestamp::parse_rfc3339("2026-02-01T00:00:00Z").unwrap();
        let (bytes, report) = import.finish(now).unwrap();
        let beside = (
            report.exploited,
            report.epss,
            report.ratings,
            report.statements,
        );
        assert_eq!((beside, report.refused), ((2, 1, 1, 1), 1));
        let advisories = Advisories::from_bytes(bytes).unwrap();
        let result = crate::match_image(&image, &advisories, crate::MatchOptions::default());
        let finding = &result.findings[0];
        assert_eq!(finding.severity, Some(Severity::Critical));
        assert_eq!(finding.rated_by.as_deref(), Some("NVD"));
        assert_eq!(finding.exploited.as_deref(), Some("2026-01-05"));
        let percentile = finding.epss.unwrap().percentile;
        assert_eq!(percentile, crate::Probability::new(0.75).unwrap());
        let by = "OpenVEX 'https://vex.example/1': not_affected (vulnerable_code_not_present)";
        let want = suppressed.then_some(by);
        assert_eq!(finding.suppressed_by.as_deref(), want, "{product} {part}");
        assert_eq!(result.counts().critical, u64::from(!suppressed));
    }
}
