use bonded_model::{Digest, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::VersionOrder;
use crate::{AdvisoryImport, ImagePackage, OsRelease, PackageKind, match_image};

/// Advisories of ids that are given, about packages of few names and versions, so that much
/// happens to be about the same.
fn records() -> impl Strategy<Value = Vec<Value>> {
    let events = prop_oneof![
        (0..6_u8).prop_map(|fixed| json!([{"introduced": "0"}, {"fixed": fixed.to_string()}])),
        (0..6_u8)
            .prop_map(|last| json!([{"introduced": "1"}, {"last_affected": last.to_string()}])),
        Just(json!([{"introduced": "0"}])),
        Just(json!([{"introduced": "0"}, {"fixed": "no version"}])),
    ];
    let ecosystem = prop_oneof![
        Just("PyPI"),
        Just("Debian:12"),
        Just("Debian:13"),
        Just("npm")
    ];
    let severity = prop_oneof![
        Just(Value::Null),
        Just(json!("LOW")),
        Just(json!("CRITICAL"))
    ];
    let record = (
        0..8_u8,
        ecosystem,
        "[ab]",
        events,
        severity,
        any::<bool>(),
        0..3_u8,
    );
    let record = record.prop_map(
        |(id, ecosystem, name, events, severity, withdrawn, listed)| {
            json!({
                "id": format!("X-{id}"), "modified": format!("2026-01-0{}T00:00:00Z", id % 3 + 1),
                "aliases": [format!("CVE-2026-{}", id / 2)],
                "withdrawn": withdrawn.then_some("2026-01-01T00:00:00Z"),
                "database_specific": {"severity": severity},
                "affected": [{
                    "package": {"ecosystem": ecosystem, "name": name},
                    "ranges": [{"type": "ECOSYSTEM", "events": events}],
                    "versions": [listed.to_string()],
                }],
            })
        },
    );
    prop::collection::vec(record, 1..12)
}

fn advisories(records: &[Value], beside: &[Value]) -> Option<Advisories> {
    let mut import = AdvisoryImport::new();
    for file in beside {
        import.add_file("beside", file.to_string().as_bytes());
    }
    for record in records {
        import.add_record(record.to_string().as_bytes()).unwrap();
    }
    let now = Timestamp::parse_rfc3339("2026-02-01T00:00:00Z").unwrap();
    let (bytes, report) = import.finish(now).ok()?;
    assert_eq!(report.refused, 0);
    Some(Advisories::from_bytes(bytes).unwrap())
}

/// A statement about a package, or a list of exploited vulnerabilities.
fn beside() -> impl Strategy<Value = Vec<Value>> {
    let status = prop_oneof![Just("not_affected"), Just("affected"), Just("fixed")];
    let part = prop_oneof![Just(None), Just(Some("pkg:pypi/a"))];
    let statement = (0..4_u8, "[abc]", status, part).prop_map(|(id, name, status, part)| {
        let parts: Vec<Value> = part.iter().map(|part| json!({"@id": part})).collect();
        json!({"@context": "https://openvex.dev/ns/v0.2.0", "@id": "doc", "statements": [{
            "vulnerability": {"name": format!("CVE-2026-{id}")}, "status": status,
            "products": [{"@id": format!("pkg:pypi/{name}"), "subcomponents": parts}],
        }]})
    });
    let exploited = (0..4_u8).prop_map(|id| {
        json!({"catalogVersion": "1", "vulnerabilities": [
            {"cveID": format!("CVE-2026-{id}"), "dateAdded": "2026-01-01"},
        ]})
    });
    prop::collection::vec(prop_oneof![statement, exploited], 0..3)
}

fn image() -> impl Strategy<Value = ImageInventory> {
    let kind = prop_oneof![
        Just(PackageKind::Python),
        Just(PackageKind::Deb),
        Just(PackageKind::Npm)
    ];
    let package = (kind, "[abc]", "[0-6]|odd version", any::<bool>());
    let package = package.prop_map(|(kind, name, version, owned)| ImagePackage {
        package: Package {
            source_name: name.clone(),
            ..Package::new(
                kind,
                &match kind {
                    PackageKind::Deb => format!("{name}-bin"),
                    _ => name.clone(),
                },
                &version,
            )
        },
        // In one of two places, so that some are beside each other.
        path: format!("srv/{}", name == "c"),
        layer: 0,
        owner: (owned && kind != PackageKind::Deb).then(|| "deb:x".to_owned()),
        attached: None,
    });
    (prop::collection::vec(package, 0..8), 12..14_u8).prop_map(|(packages, release)| {
        ImageInventory {
            os: Some(OsRelease {
                id: "debian".to_owned(),
                version_id: release.to_string(),
                ..OsRelease::default()
            }),
            layers: vec![Digest::sha256(b"layer")],
            packages,
            problems: Vec::new(),
        }
    })
}

/// A result without the advisories that it names.
fn result(image: &ImageInventory, advisories: &Advisories) -> Value {
    let result = match_image(image, advisories, MatchOptions::default());
    let mut json = serde_json::to_value(result).unwrap();
    json["advisories"] = Value::Null;
    json
}

#[test]
fn a_branch_of_composer_is_neither_affected_nor_not() {
    let record = |id: &str, name: &str, affected: Value| {
        let package = json!({"ecosystem": "Packagist", "name": name});
        let mut affected = affected;
        affected["package"] = package;
        json!({"id": id, "modified": "2026-01-01T00:00:00Z", "affected": [affected]})
    };
    let events = json!([{"introduced": "0"}, {"fixed": "2"}]);
    let records = [
        record(
            "X-1",
            "a/range",
            json!({"ranges": [{"type": "ECOSYSTEM", "events": events}]}),
        ),
        record("X-2", "a/list", json!({"versions": ["dev-main"]})),
    ];
    let advisories = advisories(&records, &[]).unwrap();
    for (name, version, want) in [
        ("a/range", "1", Some("Ok(Some(\"2\"))")),
        ("a/range", "2", None),
        ("a/range", "dev-main", Some("Err")),
        ("a/range", "1.x-dev", Some("Err")),
        ("a/list", "dev-main", Some("Ok(None)")),
    ] {
        let of = Advisories::of_ecosystem(&advisories, "Packagist").unwrap();
        let judge = Judge::new(Ecosystem::Packagist, version);
        let judged: Vec<_> = judge.all(of.about(name)).collect();
        let shown = judged.first().map(|(_, judged)| format!("{judged:?}"));
        let starts = |want: &str| {
            shown
                .as_deref()
                .is_some_and(|shown| shown.starts_with(want))
        };
        assert!(
            want.map_or(shown.is_none(), starts),
            "{name} {version}: {shown:?}"
        );
    }
}

proptest! {
    #[test]
    fn an_image_without_a_changed_package_version_has_the_result_of_a_new_match(
        before in records(), more in records(), kept in any::<u8>(),
        beside_before in beside(), beside_now in beside(), images in prop::collection::vec(image(), 1..5),
    ) {
        // Some of the records stay as they are.
        let keep = usize::from(kept) % (before.len() + 1);
        let now: Vec<Value> = before[..keep].iter().chain(&more).cloned().collect();
        let (Some(before), Some(now)) = (advisories(&before, &beside_before), advisories(&now, &beside_now)) else {
            return Ok(());
        };
        let changed = ChangedPackages::between(&before, &now);
        for image in images {
            let versions = PackageVersions::of(&image, MatchOptions::default());
            let versions = PackageVersions::decode(&versions.encode().unwrap()).unwrap();
            let any = versions.iter().any(|version| version.changed(&before, &now));
            let some = versions.of_packages(&changed).any(|version| version.changed(&before, &now));
            // Looking at the packages that differ finds all that changed.
            prop_assert_eq!(any, some);
            if !any {
                prop_assert_eq!(result(&image, &before), result(&image, &now));
            }
        }
        prop_assert!(ChangedPackages::between(&now, &now).is_empty());
    }
}

#[test]
fn an_image_is_matched_again_for_what_is_about_its_versions_only() {
    let record = |id: &str, name: &str, fixed: &str, word: &str| {
        json!({"id": id, "modified": "2026-01-01T00:00:00Z",
            "database_specific": {"severity": word},
            "affected": [{"package": {"ecosystem": "PyPI", "name": name},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": fixed}]}]}]})
    };
    let before = advisories(
        &[
            record("A", "flask", "2", "LOW"),
            record("B", "jinja2", "3", "LOW"),
        ],
        &[],
    )
    .unwrap();
    let version = |version: &str| PackageVersion {
        ecosystem: "PyPI".to_owned(),
        name: "flask".to_owned(),
        version: version.to_owned(),
    };
    for (now, changed) in [
        (record("A", "flask", "2", "LOW"), [false, false]),
        (record("A", "flask", "2.1", "LOW"), [true, false]),
        (record("A", "flask", "2", "HIGH"), [true, false]),
        (record("C", "flask", "9", "LOW"), [true, true]),
        (record("A", "django", "2", "LOW"), [true, false]),
    ] {
        let now = advisories(&[now, record("B", "jinja2", "3", "LOW")], &[]).unwrap();
        let found = ["1", "3"].map(|text| version(text).changed(&before, &now));
        assert_eq!(found, changed);
    }
    assert!(before.has("A") && before.has("B") && !before.has("AB"));
}

#[test]
fn bytes_that_are_no_package_versions_are_refused() {
    let bomb = zstd::encode_all(&[b' '; 1 << 20][..], 1).unwrap();
    for bytes in [&b""[..], b"x", &bomb] {
        assert!(PackageVersions::decode(bytes).is_err());
    }
}

#[test]
fn versions_that_cannot_be_equal_are_not_in_any_order() {
    let parts = ["0", "1", "2", "10", "01", "010", ".", "", "-1", "a", "+b"];
    let texts: Vec<String> = parts
        .iter()
        .flat_map(|a| parts.iter().map(move |b| format!("1{a}.{b}")))
        .chain(["1.2.0.0", "1.2", "1.02", "v1.2"].map(str::to_owned))
        .collect();
    let orders = ["apk", "cargo", "deb", "gem", "go", "maven", "npm", "nuget"];
    let orders = orders
        .into_iter()
        .chain(["packagist", "pep440", "pub", "rpm", "semver"]);
    let mut apart = 0;
    for order in orders {
        let order: VersionOrder = order.parse().unwrap();
        for (a, b) in texts.iter().flat_map(|a| texts.iter().map(move |b| (a, b))) {
            let (of_a, of_b) = (a.as_bytes(), b.as_bytes());
            if is_numbers(of_b) && differ(of_a, of_b) {
                apart += 1;
                assert_ne!(
                    order.compare(a, b),
                    Ok(std::cmp::Ordering::Equal),
                    "{order}: {a} {b}"
                );
            }
        }
    }
    assert!(apart > 10_000, "{apart}");
}
