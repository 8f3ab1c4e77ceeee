use bonded_model::{Digest, Timestamp};
use serde_json::{Value, json};

use super::*;
use crate::{AdvisoryImport, OsRelease, Package, PackageKind, Severity};

fn package(kind: PackageKind, name: &str, version: &str) -> ImagePackage {
    ImagePackage {
        package: Package::new(kind, name, version),
        path: format!("srv/{name}"),
        layer: 0,
        owner: None,
        attached: None,
    }
}

fn image(packages: Vec<ImagePackage>) -> ImageInventory {
    ImageInventory {
        os: Some(OsRelease {
            id: "debian".to_owned(),
            version_id: "12".to_owned(),
            ..OsRelease::default()
        }),
        layers: vec![Digest::sha256(b"layer")],
        packages,
        problems: Vec::new(),
    }
}

fn advisories(records: &[Value]) -> Advisories {
    let mut import = AdvisoryImport::new();
    for record in records {
        import.add_record(record.to_string().as_bytes()).unwrap();
    }
    let now = Timestamp::parse_rfc3339("2026-01-01T00:00:00Z").unwrap();
    Advisories::from_bytes(import.finish(now).unwrap().0).unwrap()
}

fn record(id: &str, ecosystem: &str, name: &str, events: &Value) -> Value {
    json!({ "id": id, "modified": "2025-01-01T00:00:00Z", "aliases": ["CVE-2025-1"], "affected": [{
        "package": { "ecosystem": ecosystem, "name": name },
        "ranges": [{ "type": "ECOSYSTEM", "events": events }],
    }] })
}

fn below(version: &str) -> Value {
    json!([{ "introduced": "0" }, { "fixed": version }])
}

fn scan(packages: Vec<ImagePackage>, records: &[Value]) -> ScanResult {
    match_image(
        &image(packages),
        &advisories(records),
        MatchOptions::default(),
    )
}

#[test]
fn a_binary_package_is_matched_by_its_source() {
    let mut libc = package(PackageKind::Deb, "libc6", "2.36-9+b1");
    libc.package.source_name = "glibc".to_owned();
    libc.package.source_version = "2.36-9".to_owned();
    let records = [
        record("DSA-1", "Debian:12", "glibc", &below("2.36-9+a")),
        record("DSA-2", "Debian:13", "glibc", &below("99")),
        record("DSA-3", "Debian:12", "libc6", &below("99")),
    ];
    let result = scan(vec![libc], &records);
    assert_eq!(result.findings.len(), 1);
    let finding = &result.findings[0];
    assert_eq!(
        (finding.package.as_str(), finding.version.as_str()),
        ("libc6", "2.36-9+b1")
    );
    assert_eq!(finding.fixed.as_deref(), Some("2.36-9+a"));
    assert_eq!(finding.id, "CVE-2025-1");
    assert_eq!(finding.aliases, ["DSA-1"]);
    assert!(result.is_complete());
}

#[test]
fn a_version_without_an_order_is_not_called_unaffected() {
    let records = [record("A", "PyPI", "six", &below("2"))];
    let result = scan(
        vec![package(PackageKind::Python, "six", "not a version")],
        &records,
    );
    assert_eq!(result.findings, []);
    assert_eq!(result.undetermined.len(), 1);
    assert!(!result.is_complete());
    assert_eq!(result.problems[0].code, ProblemCode::Undetermined);
    // Of a package that no advisory is about nothing need be known.
    let result = scan(
        vec![package(PackageKind::Python, "seven", "not a version")],
        &records,
    );
    assert!(result.is_complete());
    // A version that is listed as it is needs no order.
    let mut listed = records[0].clone();
    listed["affected"][0]["versions"] = json!(["not a version"]);
    let result = scan(
        vec![package(PackageKind::Python, "six", "not a version")],
        &[listed],
    );
    assert_eq!(result.findings.len(), 1);
}

#[test]
fn a_listed_version_is_affected_in_any_spelling() {
    let mut listed = record(
        "A",
        "PyPI",
        "six",
        &json!([{ "introduced": "3" }, { "fixed": "4" }]),
    );
    listed["affected"][0]["versions"] = json!(["1.0", "3.1"]);
    let records = [listed];
    for (version, affected) in [("1", true), ("1.0.0", true), ("1.1", false), ("3.5", true)] {
        let result = scan(vec![package(PackageKind::Python, "six", version)], &records);
        assert_eq!(result.findings.len() == 1, affected, "{version}");
        if affected {
            assert_eq!(result.findings[0].fixed.as_deref(), Some("4"));
        }
    }
}

#[test]
fn two_advisories_about_the_same_vulnerability_are_one_finding() {
    let mut first = record("GHSA-1", "PyPI", "six", &below("2"));
    first["database_specific"] = json!({ "severity": "LOW" });
    let mut second = record("PYSEC-1", "PyPI", "six", &below("10"));
    second["database_specific"] = json!({ "severity": "HIGH" });
    let result = scan(
        vec![package(PackageKind::Python, "six", "1")],
        &[first, second],
    );
    assert_eq!(result.findings.len(), 1);
    let finding = &result.findings[0];
    assert_eq!(finding.severity, Some(Severity::High));
    assert_eq!(finding.fixed.as_deref(), Some("10"));
    assert_eq!(finding.aliases, ["GHSA-1", "PYSEC-1"]);
}

#[test]
fn what_a_package_of_the_system_owns_is_matched_only_when_asked() {
    let mut six = package(PackageKind::Python, "six", "1");
    six.owner = Some("deb:python3-six".to_owned());
    let records = [
        record("A", "PyPI", "six", &below("2")),
        record("B", "Debian:12", "bash", &below("2")),
    ];
    let image = image(vec![six]);
    for (comprehensive, want) in [(false, 0), (true, 1)] {
        let options = MatchOptions {
            comprehensive,
            now: None,
        };
        let result = match_image(&image, &advisories(&records), options);
        assert_eq!(result.findings.len(), want);
        assert!(result.is_complete());
        assert_eq!(result.packages[0].owner.as_deref(), Some("deb:python3-six"));
    }
    // Nor need there be advisories for it.
    let result = match_image(&image, &advisories(&records[1..]), MatchOptions::default());
    assert!(result.is_complete());
}

#[test]
fn an_ecosystem_without_advisories_is_said() {
    let records = [record("A", "PyPI", "six", &below("2"))];
    let packages = vec![
        package(PackageKind::Deb, "bash", "5"),
        package(PackageKind::Deb, "curl", "7"),
        package(PackageKind::Python, "six", "1"),
    ];
    let result = scan(packages, &records);
    assert_eq!(result.findings.len(), 1);
    assert_eq!(result.problems.len(), 1);
    assert_eq!(result.problems[0].code, ProblemCode::NoAdvisories);
    assert!(result.problems[0].message.contains("'Debian:12'"));
}

#[test]
fn findings_that_count_are_counted() {
    let rated = |id: &str, word: &str, fixed: &str| {
        let mut record = record(id, "PyPI", "six", &below(fixed));
        record["aliases"] = json!([]);
        record["database_specific"] = json!({ "severity": word });
        record
    };
    let mut open = rated("A", "CRITICAL", "9");
    open["affected"][0]["ranges"][0]["events"] = json!([{ "introduced": "0" }]);
    let records = [
        open,
        rated("B", "CRITICAL", "9"),
        rated("C", "none", "9"),
        rated("D", "", "9"),
    ];
    let mut result = scan(vec![package(PackageKind::Python, "six", "1")], &records);
    let counts = result.counts();
    assert_eq!(
        (counts.total, counts.critical, counts.fixable_critical),
        (4, 2, 1)
    );
    assert_eq!((counts.informational, counts.unrated), (1, 1));
    assert_eq!(result.worst(), Some(Severity::Critical));
    for finding in &mut result.findings {
        finding.suppressed_by = Some("allow list".to_owned());
    }
    assert_eq!(result.counts().total, 0);
    assert_eq!(result.worst(), None);
}

#[test]
fn an_archive_of_a_group_unknown_is_what_has_advisories() {
    let mut beans = package(PackageKind::Maven, "spring-beans", "5.3.17");
    beans.package.groups = vec!["org.other".to_owned(), "org.springframework".to_owned()];
    let name = "org.springframework:spring-beans";
    let records = [
        record("GHSA-1", "Maven", name, &below("5.3.18")),
        record("GHSA-2", "Maven", "com.example:spring-beans", &below("9")),
    ];
    let result = scan(vec![beans], &records);
    let [finding] = &result.findings[..] else {
        panic!("{:?}", result.findings)
    };
    assert_eq!(
        (&*finding.package, &*finding.source_name),
        ("spring-beans", name)
    );
}

#[test]
fn advisories_of_another_stream_are_not_about_a_package() {
    let stream = |id: &str, stream: &str, fixed: &str| {
        let mut record = record(id, "AlmaLinux:8", "nodejs", &below(fixed));
        record["summary"] = format!("Important: {stream}security update").into();
        record["aliases"] = json!([]);
        record
    };
    let records = [
        stream("ALSA-16", "nodejs:16 ", "1:16.20.2-1.module_el8.8.0+1"),
        stream("ALSA-18", "nodejs:18 ", "1:18.20.2-1.module_el8.9.0+2"),
        stream("ALSA-any", "", "1:17.0.0-1.module_el8.9.0+2"),
        stream("ALSA-plain", "nodejs ", "1:19.0.0-1.el8"),
    ];
    for (version, module, want) in [
        (
            "1:16.1.0-1.module_el8.5.0+9",
            "nodejs:16",
            &["ALSA-16", "ALSA-any"][..],
        ),
        ("1:18.1.0-1.module_el8.5.0+9", "nodejs:18", &["ALSA-18"]),
        // A database without labels: what cannot be told apart is compared.
        (
            "1:16.1.0-1.module_el8.5.0+9",
            "",
            &["ALSA-16", "ALSA-18", "ALSA-any"],
        ),
        ("1:16.1.0-1.el8", "", &["ALSA-plain"]),
    ] {
        let mut node = package(PackageKind::Rpm, "nodejs", version);
        module.clone_into(&mut node.package.module);
        let mut image = image(vec![node]);
        image.os = Some(OsRelease {
            id: "almalinux".to_owned(),
            version_id: "8.9".to_owned(),
            ..OsRelease::default()
        });
        let result = match_image(&image, &advisories(&records), MatchOptions::default());
        let found: Vec<_> = result.findings.iter().map(|of| &*of.advisory).collect();
        assert_eq!(found, want, "{version} {module}");
    }
}

/// The advisories that a package of a system of rpm's is found to have.
fn found(id: &str, version_id: &str, package: Package, advisories: &Advisories) -> Vec<String> {
    let mut image = image(vec![ImagePackage {
        package,
        path: String::new(),
        layer: 0,
        owner: None,
        attached: None,
    }]);
    image.os = Some(OsRelease {
        id: id.to_owned(),
        version_id: version_id.to_owned(),
        ..OsRelease::default()
    });
    let result = match_image(&image, advisories, MatchOptions::default());
    let found = result.findings.iter();
    found.map(|found| found.advisory.clone()).collect()
}

#[test]
fn updates_of_oracle_are_about_one_stream_and_one_build() {
    let update = |id: &str, title: &str, name: &str, evr: &str| {
        let (epoch, rest) = evr.split_once(':').unwrap();
        let (version, release) = rest.rsplit_once('-').unwrap();
        format!(
            "<update type=\"security\"><id>{id}</id><title>{title}</title><pkglist><collection>\
             <package name=\"{name}\" epoch=\"{epoch}\" version=\"{version}\" \
             release=\"{release}\"/></collection></pkglist></update>"
        )
    };
    let node = |id, stream, evr| update(id, &format!("{stream} security update"), "nodejs", evr);
    let updates = [
        node("ELSA-16", "nodejs:16", "1:16.20.2-2.module+el8.8.0+21132+1"),
        node("ELSA-18", "nodejs:18", "1:18.17.1-1.module+el8.8.0+21131+2"),
        update("ELSA-p", "glibc", "glibc", "0:2.28-225.0.4.el8"),
        update("ELSA-k", "glibc", "glibc", "2:2.28-225.0.4.ksplice1.el8"),
        update("ELSA-f", "gnutls", "gnutls", "10:3.6.16-8.el8_fips"),
    ];
    let mut import = AdvisoryImport::new();
    let xml = format!("<updates>{}</updates>", updates.concat());
    import.add_file("updateinfo.xml", xml.as_bytes());
    let now = Timestamp::parse_rfc3339("2026-01-01T00:00:00Z").unwrap();
    let (bytes, report) = import.finish(now).unwrap();
    assert_eq!((report.refused, report.not_understood), (0, 0));
    let advisories = Advisories::from_bytes(bytes).unwrap();
    for (name, version, module, want) in [
        (
            "nodejs",
            "1:16.1.0-1.module+el8.4.0+1+a",
            "nodejs:16",
            &["ELSA-16"][..],
        ),
        (
            "nodejs",
            "1:18.1.0-1.module+el8.4.0+1+a",
            "nodejs:18",
            &["ELSA-18"],
        ),
        (
            "nodejs",
            "1:18.17.1-1.module+el8.8.0+21131+2",
            "nodejs:18",
            &[],
        ),
        ("nodejs", "1:14.1.0-1.module+el8.4.0+1+a", "nodejs:14", &[]),
        ("nodejs", "1:10.1.0-1.el8", "", &[]),
        ("glibc", "2.28-220.0.1.el8", "", &["ELSA-p"]),
        ("glibc", "2.28-225.0.4.el8", "", &[]),
        ("glibc", "2:2.28-220.0.1.ksplice1.el8", "", &["ELSA-k"]),
        ("glibc", "2:2.28-225.0.4.ksplice1.el8", "", &[]),
        ("gnutls", "3.6.16-4.el8", "", &[]),
        ("gnutls", "10:3.6.16-4.el8_fips", "", &["ELSA-f"]),
    ] {
        let mut package = Package::new(PackageKind::Rpm, name, version);
        module.clone_into(&mut package.module);
        assert_eq!(
            found("ol", "8.8", package, &advisories),
            want,
            "{name} {version}"
        );
    }
}

#[test]
fn packages_of_the_core_of_amazon_and_of_its_extras_are_told_apart_or_not_at_all() {
    let update = |id: &str, name: &str, version: &str, release: &str| {
        format!(
            "<update type=\"security\"><id>{id}</id><pkglist><collection>\
             <package name=\"{name}\" epoch=\"0\" version=\"{version}\" \
             release=\"{release}\"/></collection></pkglist></update>"
        )
    };
    let updates = [
        update("ALAS2-2023-1", "php", "5.4.16", "46.amzn2.0.3"),
        update("ALAS2PHP8.0-2023-1", "php", "8.0.30", "1.amzn2"),
        update("ALAS2PHP8.1-2023-1", "php", "8.1.14", "1.amzn2"),
        update("ALAS2DOCKER-2023-1", "docker", "20.10.23", "1.amzn2.0.1"),
        update("ALAS2ECS-2023-1", "containerd", "1.6.19", "1.amzn2"),
        update("ALAS2DOCKER-2023-2", "containerd", "1.6.19", "1.amzn2.0.1"),
        update("ALAS2-2023-2", "bash", "4.2.46", "34.amzn2"),
    ];
    let mut import = AdvisoryImport::new();
    let xml = format!("<updates>{}</updates>", updates.concat());
    import.add_file("updateinfo.xml", xml.as_bytes());
    let now = Timestamp::parse_rfc3339("2026-01-01T00:00:00Z").unwrap();
    let advisories = Advisories::from_bytes(import.finish(now).unwrap().0).unwrap();
    for (name, version, want, undetermined) in [
        ("php", "5.4.16-46.amzn2.0.2", &["ALAS2-2023-1"][..], 0),
        ("php", "5.4.16-46.amzn2.0.3", &[], 0),
        ("php", "8.0.25-1.amzn2", &["ALAS2PHP8.0-2023-1"], 0),
        ("php", "8.0.30-1.amzn2", &[], 0),
        // Of a topic of which nothing is said, or an old one of the others.
        ("php", "7.4.33-1.amzn2", &[], 2),
        ("php", "8.2.9-1.amzn2", &[], 0),
        // Whichever it is of, it is affected; and then not.
        (
            "containerd",
            "1.6.8-1.amzn2",
            &["ALAS2DOCKER-2023-2", "ALAS2ECS-2023-1"],
            0,
        ),
        ("containerd", "1.6.19-1.amzn2", &[], 1),
        ("containerd", "1.6.19-1.amzn2.0.1", &[], 0),
        ("docker", "18.09.9-1.amzn2", &["ALAS2DOCKER-2023-1"], 0),
        ("bash", "4.2.46-33.amzn2", &["ALAS2-2023-2"], 0),
    ] {
        let mut image = image(vec![package(PackageKind::Rpm, name, version)]);
        image.os = Some(OsRelease {
            id: "amzn".to_owned(),
            version_id: "2".to_owned(),
            ..OsRelease::default()
        });
        let result = match_image(&image, &advisories, MatchOptions::default());
        let found: Vec<_> = result.findings.iter().map(|of| &*of.advisory).collect();
        assert_eq!(found, want, "{name} {version}");
        assert_eq!(result.undetermined.len(), undetermined, "{name} {version}");
        assert_eq!(result.is_complete(), undetermined == 0);
        let mut all = result.findings.iter().map(|of| &of.ecosystem);
        assert!(all.all(|of| of == "Amazon Linux:2"));
    }
    let mut other = package(PackageKind::Rpm, "php", "7.4.33-1.amzn2");
    "x".clone_into(&mut other.package.module);
    assert_eq!(
        crate::distribution::amazon_topic("ALAS2KERNEL-5.10-2022-019"),
        Some("KERNEL-5.10")
    );
    for core in [
        "ALAS2-2018-942",
        "ALAS-2018-1093",
        "ALAS2023-2023-001",
        "ELSA-1",
    ] {
        assert_eq!(crate::distribution::amazon_topic(core), None, "{core}");
    }
}

#[test]
fn an_advisory_of_several_streams_is_about_each() {
    let mut of_two = record(
        "RHSA-1",
        "AlmaLinux:8",
        "libvirt",
        &below("6.0-28.module+el8.3.0+1"),
    );
    of_two["summary"] = "Important: virt:rhel and virt-devel:rhel security update".into();
    let advisories = advisories(&[of_two]);
    for (module, count) in [("virt:rhel", 1), ("virt-devel:rhel", 1), ("virt:8.2", 0)] {
        let mut package = Package::new(PackageKind::Rpm, "libvirt", "6.0-25.module+el8.2.0+1");
        module.clone_into(&mut package.module);
        assert_eq!(
            found("almalinux", "8.9", package, &advisories).len(),
            count,
            "{module}"
        );
    }
}

#[test]
fn findings_of_kernel_headers_are_shown_and_do_not_count() {
    let mut headers = package(PackageKind::Deb, "linux-libc-dev", "6.1.1-1");
    headers.package.source_name = "linux".to_owned();
    let records = [record("D-1", "Debian:12", "linux", &below("6.1.2-1"))];
    let result = scan(vec![headers], &records);
    assert_eq!(result.findings.len(), 1);
    assert_eq!(
        result.findings[0].suppressed_by.as_deref(),
        Some("kernel headers")
    );
    assert_eq!(result.counts().total, 0);
    assert!(result.is_complete());
}

#[test]
fn packages_of_another_repository_are_not_what_the_distribution_speaks_of() {
    let mut docker = package(PackageKind::Deb, "docker-ce", "1");
    "Docker".clone_into(&mut docker.package.vendor);
    let records = [
        record("D-1", "Debian:12", "docker-ce", &below("2")),
        record("P-1", "Debian:12", "bash", &below("2")),
    ];
    let result = scan(vec![docker], &records);
    assert_eq!(result.findings, []);
    let package = &result.packages[0];
    assert!(package.third_party && package.ecosystem.is_none());
    assert_eq!(package.vendor, "Docker");
}

#[test]
fn a_program_is_judged_by_its_own_advisories_if_it_has_some() {
    let records = [record("BIT-redis-1", "Bitnami", "redis", &below("7.0.16"))];
    let redis = || package(PackageKind::Program, "redis", "7.0.15");
    let openssl = package(PackageKind::Program, "openssl", "1.1.1w");
    let result = scan(vec![redis(), openssl], &records);
    assert!(result.is_complete(), "{:?}", result.problems);
    assert_eq!(result.findings.len(), 1);
    assert_eq!(result.packages[1].ecosystem, None);
    // Without those nothing is known of it.
    let records = [record("P-1", "PyPI", "six", &below("2"))];
    assert!(!scan(vec![redis()], &records).is_complete());
}

#[test]
fn a_system_without_updates_is_said() {
    let of = |now: &str| {
        let options = MatchOptions {
            now: Timestamp::parse_rfc3339(now),
            ..MatchOptions::default()
        };
        let records = [record("D-1", "Debian:12", "bash", &below("2"))];
        match_image(&image(Vec::new()), &advisories(&records), options)
            .end_of_life
            .unwrap()
    };
    let end = of("2028-07-01T00:00:00Z");
    assert!(end.passed);
    assert!(!of("2028-06-30T12:00:00Z").passed);
    assert_eq!(end.date, "2028-06-30");
}
