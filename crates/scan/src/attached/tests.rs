use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bonded_model::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::{Advisories, AdvisoryImport, Finding, MatchOptions, ScanResult, match_attached};

fn image() -> Digest {
    Digest::sha256(b"image")
}

fn attachment(number: u8, trusted: bool, content: &Value) -> Attachment {
    Attachment {
        referrer: Digest::sha256(&[number]),
        by: format!("arn:{number}"),
        trusted,
        lists_packages: !content.to_string().contains("openvex"),
        lists_ignored: None,
        index: None,
        content: Ok(content.to_string().into_bytes()),
    }
}

/// A document that says `status` of the products.
fn vex(time: &str, status: &str, products: &Value) -> Value {
    json!({ "@context": "https://openvex.dev/ns/v0.2.0", "@id": "doc", "timestamp": time, "statements": [
        { "vulnerability": { "name": "CVE-2026-1" }, "products": products, "status": status }] })
}

const NOW: &str = "2026-01-01T00:00:00Z";

fn advisories() -> Advisories {
    let mut import = AdvisoryImport::new();
    for (ecosystem, name) in [("PyPI", "aaa"), ("Debian:12", "openssl"), ("npm", "bbb")] {
        let record = json!({ "id": format!("X-{name}"), "modified": NOW, "aliases": ["CVE-2026-1"],
            "affected": [{ "package": { "ecosystem": ecosystem, "name": name },
                "ranges": [{ "type": "ECOSYSTEM", "events": [{ "introduced": "0" }, { "fixed": "2" }] }] }] });
        import.add_record(record.to_string().as_bytes()).unwrap();
    }
    let now = Timestamp::parse_rfc3339(NOW).unwrap();
    Advisories::from_bytes(import.finish(now).unwrap().0).unwrap()
}

/// An image of Debian with the package `aaa` 1.
fn inventory() -> ImageInventory {
    let package = ImagePackage {
        package: Package::new(PackageKind::Python, "aaa", "1"),
        path: "srv/app".to_owned(),
        layer: 0,
        owner: None,
        attached: None,
    };
    ImageInventory {
        os: Some(OsRelease {
            id: "debian".to_owned(),
            version_id: "12".to_owned(),
            ..OsRelease::default()
        }),
        layers: vec![Digest::sha256(b"layer")],
        packages: vec![package],
        problems: Vec::new(),
    }
}

fn scan(attachments: &[Attachment]) -> (ScanResult, Vec<String>) {
    let mut attached = Attached::read(&image(), attachments);
    let mut inventory = inventory();
    attached.lay_on(&mut inventory);
    let result = match_attached(
        &inventory,
        &advisories(),
        &attached,
        MatchOptions::default(),
    );
    (result, attached.notes().to_vec())
}

fn only(result: &ScanResult) -> &Finding {
    let [finding] = &result.findings[..] else {
        panic!("{:?}", result.findings);
    };
    finding
}

#[test]
fn a_statement_of_an_index_may_name_it_and_its_lists_add_nothing() {
    let index = Digest::sha256(b"index");
    let other = Digest::sha256(b"other");
    for (product, of, want) in [
        (&index, Some(&index), true),
        (&image(), Some(&index), true),
        (&other, Some(&index), false),
        (&index, None, false),
    ] {
        let document = vex(NOW, "not_affected", &json!([product.as_str()]));
        let attachment = Attachment {
            index: of.cloned(),
            ..attachment(1, true, &document)
        };
        let (result, _) = scan(&[attachment]);
        let suppressed = only(&result).suppressed_by.is_some();
        assert_eq!(suppressed, want, "{product} {of:?}");
    }
}

#[test]
fn only_a_trusted_statement_about_exactly_this_suppresses() {
    let (own, other) = (image().to_string(), Digest::sha256(b"other").to_string());
    let hex = own.strip_prefix("sha256:").unwrap();
    for (products, want) in [
        (json!(["pkg:pypi/aaa@1"]), true),
        (json!([{ "@id": "pkg:pypi/AAA" }]), true),
        (json!(["pkg:pypi/aaa@1.0"]), false),
        (json!(["pkg:pypi/aaa@1?arch=amd64"]), false),
        (json!(["pkg:pypi/aaaa@1"]), false),
        (json!(["pkg:npm/aaa@1"]), false),
        (json!(["aaa"]), false),
        (json!([]), false),
        (
            json!([format!("pkg:oci/app@{own}?repository_url=r.example/app")]),
            true,
        ),
        (
            json!([format!("pkg:oci/app@{}", own.replace(':', "%3A"))]),
            true,
        ),
        (json!([own]), true),
        (
            json!([{ "@id": "https://app.example", "hashes": { "sha-256": hex } }]),
            true,
        ),
        (json!([format!("pkg:oci/app@{other}")]), false),
        (json!(["pkg:oci/app"]), false),
        (json!([other]), false),
        (
            json!([{ "@id": own, "subcomponents": [{ "@id": "pkg:pypi/aaa" }] }]),
            true,
        ),
        (
            json!([{ "@id": own, "subcomponents": ["pkg:pypi/bbb"] }]),
            false,
        ),
        // Parts that nobody can know again are not the whole.
        (json!([{ "@id": own, "subcomponents": ["aaa"] }]), false),
        (
            json!([{ "@id": other, "subcomponents": ["pkg:pypi/aaa"] }]),
            false,
        ),
        (
            json!([{ "@id": "pkg:pypi/bbb", "subcomponents": ["pkg:pypi/aaa"] }]),
            false,
        ),
    ] {
        let document = vex(NOW, "not_affected", &products);
        let (result, _) = scan(&[attachment(1, true, &document)]);
        let by = only(&result).suppressed_by.clone();
        assert_eq!(by.is_some(), want, "{products}");
        let (result, _) = scan(&[attachment(1, false, &document)]);
        assert_eq!(only(&result).suppressed_by, None);
        assert_eq!(
            only(&result).disregarded.len(),
            usize::from(want),
            "{products}"
        );
        assert!(result.is_complete());
    }
}

#[test]
fn the_latest_trusted_statement_counts_and_no_other_vulnerability_is_meant() {
    let all = json!([image().to_string()]);
    let said = |time, status| vex(time, status, &all);
    let (early, late) = ("2026-02-01T00:00:00Z", "2026-03-01T00:00:00+00:00");
    for (documents, want) in [
        (
            vec![
                (true, said(early, "not_affected")),
                (true, said(late, "affected")),
            ],
            false,
        ),
        (
            vec![(true, said(late, "fixed")), (true, said(early, "affected"))],
            true,
        ),
        (
            vec![
                (true, said(early, "fixed")),
                (true, said(early, "under_investigation")),
            ],
            false,
        ),
        (
            vec![
                (true, said(early, "fixed")),
                (false, said(late, "affected")),
            ],
            true,
        ),
        (
            vec![
                (true, said(early, "affected")),
                (false, said(late, "fixed")),
            ],
            false,
        ),
    ] {
        let documents: Vec<Attachment> = (0..)
            .zip(&documents)
            .map(|(number, (trusted, document))| attachment(number, *trusted, document))
            .collect();
        let (result, _) = scan(&documents);
        assert_eq!(only(&result).suppressed_by.is_some(), want, "{documents:?}");
    }
    let mut document = said(early, "fixed");
    document["statements"][0]["vulnerability"]["name"] = json!("CVE-2026-11");
    let (result, _) = scan(&[attachment(1, true, &document)]);
    assert_eq!(only(&result).suppressed_by, None);
    let (result, _) = scan(&[attachment(1, true, &said(early, "fixed"))]);
    let want = format!(
        "OpenVEX 'doc' of arn:1: fixed, attached as '{}'",
        Digest::sha256(&[1])
    );
    assert_eq!(only(&result).suppressed_by.as_ref(), Some(&want));
}

#[test]
fn a_statement_of_in_toto_is_about_its_subject() {
    let predicate = vex(NOW, "fixed", &json!(["pkg:pypi/aaa"]));
    let statement = |hex: &str, kind: &str| {
        json!({ "_type": "https://in-toto.io/Statement/v0.1", "predicateType": kind,
            "subject": [{ "name": "app", "digest": { "sha256": hex } }], "predicate": predicate })
    };
    let own = image().to_string();
    let hex = own.strip_prefix("sha256:").unwrap();
    let envelope = |of: &Value| {
        let payload = STANDARD.encode(of.to_string());
        json!({ "payloadType": "application/vnd.in-toto+json", "payload": payload, "signatures": [] })
    };
    let right = statement(hex, "https://openvex.dev/ns/v0.2.0");
    let bundle = json!({ "mediaType": "…", "dsseEnvelope": envelope(&right) });
    for (document, want) in [
        (right.clone(), true),
        (envelope(&right), true),
        (bundle, true),
        (
            envelope(&statement(&"0".repeat(64), "https://openvex.dev/ns")),
            false,
        ),
        (
            envelope(&statement(hex, "https://slsa.dev/provenance/v1")),
            false,
        ),
        (json!({ "messageSignature": {} }), false),
    ] {
        let (result, _) = scan(&[attachment(1, true, &document)]);
        assert_eq!(only(&result).suppressed_by.is_some(), want, "{document}");
        assert!(result.is_complete());
    }
}

fn cyclonedx(urls: &[&str]) -> Value {
    let components = urls
        .iter()
        .map(|url| json!({ "type": "library", "purl": url }));
    json!({ "bomFormat": "CycloneDX", "specVersion": "1.6", "components": components.collect::<Value>() })
}

#[test]
fn a_list_adds_what_the_image_does_not_show_and_nothing_else() {
    let listed = cyclonedx(&[
        "pkg:pypi/AAA@1",
        "pkg:npm/bbb@1",
        "pkg:deb/debian/libssl3@1?arch=amd64&distro=debian-12.5&upstream=openssl",
        "pkg:deb/ubuntu/libssl3@1?upstream=openssl",
        "pkg:deb/debian/libssl3@1?distro=debian-11&upstream=openssl",
        "pkg:generic/ccc@1",
        "pkg:oci/app@sha256:1",
    ]);
    let (result, notes) = scan(&[attachment(1, false, &listed)]);
    let referrer = Digest::sha256(&[1]);
    let found: Vec<_> = result
        .findings
        .iter()
        .map(|f| {
            (
                f.package.as_str(),
                f.attached.as_ref(),
                f.path.as_str(),
                f.layer,
            )
        })
        .collect();
    let from = Some(&referrer);
    assert_eq!(
        found,
        [
            ("libssl3", from, referrer.as_str(), 1),
            ("aaa", None, "srv/app", 0),
            ("bbb", from, referrer.as_str(), 1),
        ]
    );
    assert!(result.is_complete(), "{:?}", result.problems);
    let [note] = &notes[..] else {
        panic!("{notes:?}")
    };
    assert!(note.starts_with("nothing is known of 3 packages"), "{note}");
    assert!(note.contains("pkg:generic/ccc@1"), "{note}");
    // Of two lists the first is named.
    let (twice, _) = scan(&[attachment(1, false, &listed), attachment(2, false, &listed)]);
    assert_eq!(twice.findings, result.findings);
    // What is known of the image beside stays as it is.
    let statement = json!({ "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "digest": { "sha256": image().as_str().strip_prefix("sha256:") } }],
        "predicateType": "https://spdx.dev/Document/v2.3",
        "predicate": { "spdxVersion": "SPDX-2.3", "packages": [{ "externalRefs": [
            { "referenceType": "purl", "referenceLocator": "pkg:npm/bbb@1" }] }] } });
    let (result, _) = scan(&[attachment(1, false, &statement)]);
    assert_eq!(result.findings.len(), 2);
}

#[test]
fn what_cannot_be_read_keeps_a_scan_from_being_complete_if_it_may_matter() {
    let broken = json!({ "bomFormat": "CycloneDX", "components": 7 });
    for (document, trusted, complete) in [
        (broken.clone(), false, false),
        (
            json!({ "@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld" }),
            false,
            false,
        ),
        (cyclonedx(&["pkg:cargo/x@1"]), false, false),
        (cyclonedx(&["pkg:npm/bbb@x"]), false, false),
        (vex(NOW, "maybe", &json!([])), true, false),
        (vex(NOW, "maybe", &json!([])), false, true),
        (json!({ "payload": "?" }), false, false),
    ] {
        let (result, notes) = scan(&[attachment(1, trusted, &document)]);
        assert_eq!(result.is_complete(), complete, "{document}");
        assert_eq!(notes.is_empty(), !complete, "{document}");
        assert_eq!(result.findings[0].package, "aaa");
    }
    let ignored = Attachment {
        lists_packages: false,
        lists_ignored: Some("nobody's count"),
        ..attachment(1, false, &broken)
    };
    let (result, notes) = scan(&[ignored]);
    assert!(result.is_complete() && notes.len() == 1, "{notes:?}");
    let missing = Attachment {
        content: Err("it is not there".to_owned()),
        ..attachment(1, false, &broken)
    };
    let (result, _) = scan(&[missing]);
    assert_eq!(result.problems[0].code, ProblemCode::DocumentUnreadable);
    let mut many = Attached::default();
    many.too_many(64);
    let mut inventory = inventory();
    many.lay_on(&mut inventory);
    assert_eq!(inventory.problems[0].code, ProblemCode::TooLarge);
}

#[test]
fn statements_without_measure_are_refused() {
    let products: Vec<String> = (0..20_000).map(|n| format!("pkg:pypi/a{n}")).collect();
    let document = vex(NOW, "fixed", &json!(products));
    let (result, notes) = scan(&[attachment(1, false, &document)]);
    assert!(result.is_complete());
    assert!(notes[0].contains("more than 10000 statements"), "{notes:?}");
}
