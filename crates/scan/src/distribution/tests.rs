use bonded_model::{Digest, Timestamp};
use serde_json::json;

use super::*;
use crate::{
    Advisories, AdvisoryImport, ImageInventory, ImagePackage, MatchOptions, ProblemCode,
    ScanResult, match_image,
};

/// Which name of a package advisories have.
#[derive(PartialEq)]
enum Names {
    Source,
    Binary,
}
use Names::{Binary, Source};
use PackageKind::{Apk, Deb, Rpm};

/// A distribution: its os-release, its packages, the ecosystem as OSV writes it and as it is shown,
/// the name that counts, a version that repairs and one below it.
type Row = (
    &'static str,
    PackageKind,
    &'static str,
    &'static str,
    Names,
    &'static str,
    &'static str,
);

/// The texts are those of the distributions' images.
const ROWS: [Row; 35] = [
    (
        "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\nVERSION=\"12 (bookworm)\"\nVERSION_CODENAME=bookworm\nID=debian",
        Deb,
        "Debian:12",
        "Debian:12",
        Source,
        "3.0.15-1~deb12u1",
        "3.0.14-1~deb12u2",
    ),
    (
        "PRETTY_NAME=\"Ubuntu 24.04.1 LTS\"\nNAME=\"Ubuntu\"\nVERSION_ID=\"24.04\"\nVERSION=\"24.04.1 LTS (Noble Numbat)\"\nID=ubuntu\nID_LIKE=debian",
        Deb,
        "Ubuntu:24.04:LTS",
        "Ubuntu:24.04:LTS",
        Source,
        "3.0.13-0ubuntu3.4",
        "3.0.13-0ubuntu3.1",
    ),
    (
        "NAME=\"Ubuntu\"\nVERSION=\"23.10 (Mantic Minotaur)\"\nID=ubuntu\nVERSION_ID=\"23.10\"",
        Deb,
        "Ubuntu:23.10",
        "Ubuntu:23.10",
        Source,
        "3.0.10-1ubuntu2.3",
        "3.0.10-1ubuntu2",
    ),
    (
        "NAME=\"Echo Linux\"\nID=echo\nID_LIKE=debian",
        Deb,
        "Echo",
        "Echo",
        Source,
        "3.0.15-1+e2",
        "3.0.15-1+e1",
    ),
    (
        "NAME=\"Alpine Linux\"\nID=alpine\nVERSION_ID=3.20.3\nPRETTY_NAME=\"Alpine Linux v3.20\"",
        Apk,
        "Alpine:v3.20",
        "Alpine:v3.20",
        Source,
        "3.3.2-r1",
        "3.3.2-r0",
    ),
    (
        "NAME=\"BellSoft Alpaquita Linux\"\nID=alpaquita\nID_LIKE=alpine\nVERSION_ID=23\nPRETTY_NAME=\"BellSoft Alpaquita Linux Stream 23 (musl)\"",
        Apk,
        "Alpaquita:23",
        "Alpaquita:23",
        Source,
        "3.1.8-r0",
        "3.1.7-r1",
    ),
    (
        "NAME=\"BellSoft Alpaquita Linux\"\nID=alpaquita\nID_LIKE=alpine\nVERSION_ID=stream\nPRETTY_NAME=\"BellSoft Alpaquita Linux Stream (musl)\"",
        Apk,
        "Alpaquita:stream",
        "Alpaquita:stream",
        Source,
        "3.3.2-r1",
        "3.3.2-r0",
    ),
    (
        "ID=wolfi\nNAME=\"Wolfi\"\nPRETTY_NAME=\"Wolfi\"\nVERSION_ID=\"20230201\"",
        Apk,
        "Wolfi",
        "Wolfi",
        Source,
        "3.4.1-r0",
        "3.4.0-r2",
    ),
    (
        "ID=chainguard\nNAME=\"chainguard\"\nVERSION_ID=\"20230214\"",
        Apk,
        "Chainguard",
        "Chainguard",
        Source,
        "3.4.1-r0",
        "3.4.0-r2",
    ),
    (
        "ID=minimos\nNAME=\"MinimOS\"\nPRETTY_NAME=\"MinimOS\"\nVERSION_ID=\"20241031\"",
        Apk,
        "MinimOS",
        "MinimOS",
        Source,
        "3.4.1-r0",
        "3.4.0-r2",
    ),
    (
        "NAME=\"AlmaLinux\"\nVERSION=\"9.4 (Seafoam Ocelot)\"\nID=\"almalinux\"\nVERSION_ID=\"9.4\"",
        Rpm,
        "AlmaLinux:9",
        "AlmaLinux:9",
        Binary,
        "1:3.0.7-28.el9_4",
        "1:3.0.7-27.el9",
    ),
    (
        "NAME=\"Rocky Linux\"\nVERSION=\"9.3 (Blue Onyx)\"\nID=\"rocky\"\nVERSION_ID=\"9.3\"",
        Rpm,
        "Rocky Linux:9",
        "Rocky Linux:9",
        Source,
        "1:3.0.7-28.el9_4",
        "1:3.0.7-27.el9",
    ),
    (
        "NAME=\"Red Hat Enterprise Linux\"\nVERSION=\"9.4 (Plow)\"\nID=\"rhel\"\nVERSION_ID=\"9.4\"\nCPE_NAME=\"cpe:/o:redhat:enterprise_linux:9::baseos\"",
        Rpm,
        "Red Hat:enterprise_linux:9::baseos",
        "Red Hat:enterprise_linux:9",
        Binary,
        "1:3.0.7-28.el9_4",
        "1:3.0.7-27.el9",
    ),
    (
        "NAME=\"Red Hat Enterprise Linux\"\nID=\"rhel\"\nVERSION_ID=\"8.10\"",
        Rpm,
        "Red Hat:enterprise_linux:8::appstream",
        "Red Hat:enterprise_linux:8",
        Binary,
        "0:1.1.1k-14.el8_6",
        "1.1.1k-12.el8_9",
    ),
    (
        "NAME=\"Red Hat Enterprise Linux\"\nID=\"rhel\"\nVERSION_ID=\"10.0\"",
        Rpm,
        "Red Hat:enterprise_linux:10.1",
        "Red Hat:enterprise_linux:10",
        Binary,
        "1:3.5.1-3.el10",
        "1:3.2.2-16.el10",
    ),
    (
        "NAME=\"Red Hat Enterprise Linux Server\"\nID=\"rhel\"\nVERSION_ID=\"7.9\"",
        Rpm,
        "Red Hat:enterprise_linux:7::server",
        "Red Hat:enterprise_linux:7",
        Binary,
        "1:1.0.2k-26.el7_9",
        "1:1.0.2k-25.el7_9",
    ),
    (
        "NAME=\"CentOS Linux\"\nVERSION=\"7 (Core)\"\nID=\"centos\"\nVERSION_ID=\"7\"\nPRETTY_NAME=\"CentOS Linux 7 (Core)\"",
        Rpm,
        "Red Hat:enterprise_linux:7::server",
        "Red Hat:enterprise_linux:7",
        Binary,
        "1:1.0.2k-26.el7_9",
        "1:1.0.2k-25.el7_9",
    ),
    (
        "NAME=\"Oracle Linux Server\"\nVERSION=\"8.9\"\nID=\"ol\"\nVERSION_ID=\"8.9\"",
        Rpm,
        "Oracle Linux:8",
        "Oracle Linux:8",
        Binary,
        "1:1.1.1k-12.el8_9",
        "1:1.1.1k-9.el8_7",
    ),
    (
        "NAME=\"Amazon Linux\"\nVERSION=\"2023\"\nID=\"amzn\"\nVERSION_ID=\"2023\"",
        Rpm,
        "Amazon Linux:2023",
        "Amazon Linux:2023",
        Binary,
        "1:3.0.8-1.amzn2023.0.14",
        "1:3.0.8-1.amzn2023.0.7",
    ),
    (
        "NAME=\"Amazon Linux\"\nVERSION=\"2\"\nID=\"amzn\"\nVERSION_ID=\"2\"",
        Rpm,
        "Amazon Linux:2",
        "Amazon Linux:2",
        Binary,
        "1:1.0.2k-24.amzn2.0.12",
        "1:1.0.2k-24.amzn2.0.7",
    ),
    (
        "NAME=\"Amazon Linux AMI\"\nVERSION=\"2018.03\"\nID=\"amzn\"\nVERSION_ID=\"2018.03\"",
        Rpm,
        "Amazon Linux:2018",
        "Amazon Linux:2018",
        Binary,
        "1:1.0.2k-16.162.amzn1",
        "1:1.0.2k-16.159.amzn1",
    ),
    (
        "NAME=\"Microsoft Azure Linux\"\nVERSION=\"3.0.20240727\"\nID=azurelinux\nVERSION_ID=\"3.0\"",
        Rpm,
        "Azure Linux:3",
        "Azure Linux:3",
        Source,
        "3.3.2-1.azl3",
        "3.3.0-2.azl3",
    ),
    (
        "NAME=\"Common Base Linux Mariner\"\nVERSION=\"2.0.20230805\"\nID=mariner\nVERSION_ID=\"2.0\"",
        Rpm,
        "Azure Linux:2",
        "Azure Linux:2",
        Source,
        "1.1.1k-28.cm2",
        "1.1.1k-25.cm2",
    ),
    (
        "NAME=\"VMware Photon OS\"\nVERSION=\"5.0\"\nID=photon\nVERSION_ID=5.0",
        Rpm,
        "Photon OS:5.0",
        "Photon OS:5.0",
        Source,
        "3.0.9-5.ph5",
        "3.0.9-1.ph5",
    ),
    (
        "NAME=\"Mageia\"\nVERSION=\"9\"\nID=mageia\nVERSION_ID=9",
        Rpm,
        "Mageia:9",
        "Mageia:9",
        Source,
        "3.0.15-1.mga9",
        "3.0.13-1.mga9",
    ),
    (
        "NAME=\"openEuler\"\nVERSION=\"24.03 (LTS)\"\nID=\"openEuler\"\nVERSION_ID=\"24.03\"\nPRETTY_NAME=\"openEuler 24.03 (LTS)\"",
        Rpm,
        "openEuler:24.03-LTS",
        "openEuler:24.03-LTS",
        Source,
        "3.0.12-9.oe2403",
        "3.0.12-6.oe2403",
    ),
    (
        "NAME=\"openEuler\"\nVERSION=\"22.03 (LTS-SP4)\"\nID=\"openEuler\"\nVERSION_ID=\"22.03\"\nPRETTY_NAME=\"openEuler 22.03 (LTS-SP4)\"",
        Rpm,
        "openEuler:22.03-LTS-SP4",
        "openEuler:22.03-LTS-SP4",
        Source,
        "1.1.1wa-9.oe2203sp4",
        "1.1.1wa-6.oe2203sp4",
    ),
    (
        "NAME=\"openEuler\"\nVERSION=\"22.03 LTS\"\nID=\"openEuler\"\nVERSION_ID=\"22.03\"\nPRETTY_NAME=\"openEuler 22.03 LTS\"",
        Rpm,
        "openEuler:22.03-LTS",
        "openEuler:22.03-LTS",
        Source,
        "1.1.1wa-9.oe2203",
        "1.1.1wa-6.oe2203",
    ),
    (
        "NAME=\"SLES\"\nVERSION=\"15-SP5\"\nVERSION_ID=\"15.5\"\nPRETTY_NAME=\"SUSE Linux Enterprise Server 15 SP5\"\nID=\"sles\"",
        Rpm,
        "SUSE:Linux Enterprise Module for Basesystem 15 SP5",
        "SUSE:Linux Enterprise 15 SP5",
        Source,
        "3.0.8-150500.5.30.1",
        "3.0.8-150500.5.27.1",
    ),
    (
        "NAME=\"SLES\"\nVERSION=\"12-SP5\"\nVERSION_ID=\"12.5\"\nPRETTY_NAME=\"SUSE Linux Enterprise Server 12 SP5\"\nID=\"sles\"",
        Rpm,
        "SUSE:Linux Enterprise Module for Web and Scripting 12",
        "SUSE:Linux Enterprise 12 SP5",
        Source,
        "1.0.2p-3.90.1",
        "1.0.2p-3.87.1",
    ),
    (
        "NAME=\"SLES\"\nVERSION=\"16.0\"\nVERSION_ID=\"16.0\"\nPRETTY_NAME=\"SUSE Linux Enterprise Server 16.0\"\nID=\"sles\"",
        Rpm,
        "SUSE:Linux Enterprise Server 16.0",
        "SUSE:Linux Enterprise 16.0",
        Source,
        "3.5.0-160000.4.1",
        "3.5.0-160000.2.2",
    ),
    (
        "NAME=\"SLE Micro\"\nVERSION=\"5.5\"\nVERSION_ID=\"5.5\"\nPRETTY_NAME=\"SUSE Linux Enterprise Micro 5.5\"\nID=\"sle-micro\"",
        Rpm,
        "SUSE:Linux Enterprise Micro 5.5",
        "SUSE:Linux Enterprise Micro 5.5",
        Source,
        "1.1.1l-150500.17.31.1",
        "1.1.1l-150500.17.28.2",
    ),
    (
        "NAME=\"SL-Micro\"\nVERSION=\"6.0\"\nVERSION_ID=\"6.0\"\nPRETTY_NAME=\"SUSE Linux Micro 6.0\"\nID=\"sl-micro\"",
        Rpm,
        "SUSE:Linux Micro 6.0",
        "SUSE:Linux Micro 6.0",
        Source,
        "3.1.4-5.1",
        "3.1.4-2.1",
    ),
    (
        "NAME=\"openSUSE Leap\"\nVERSION=\"15.6\"\nID=\"opensuse-leap\"\nVERSION_ID=\"15.6\"\nPRETTY_NAME=\"openSUSE Leap 15.6\"",
        Rpm,
        "openSUSE:Leap 15.6",
        "openSUSE:Leap 15.6",
        Source,
        "3.1.4-150600.5.15.1",
        "3.1.4-150600.5.10.1",
    ),
    (
        "NAME=\"openSUSE Tumbleweed\"\nID=\"opensuse-tumbleweed\"\nVERSION_ID=\"20240321\"\nPRETTY_NAME=\"openSUSE Tumbleweed\"",
        Rpm,
        "openSUSE:Tumbleweed",
        "openSUSE:Tumbleweed",
        Source,
        "3.2.1-2.1",
        "3.1.4-5.1",
    ),
];

/// A package `openssl-libs` of the source `openssl`.
fn package(kind: PackageKind, version: &str) -> Package {
    let without_epoch = version.split_once(':').map_or(version, |(_, rest)| rest);
    let source_version = match kind {
        Rpm => without_epoch,
        _ => version,
    };
    Package {
        source_name: "openssl".to_owned(),
        source_version: source_version.to_owned(),
        ..Package::new(kind, "openssl-libs", version)
    }
}

fn record(id: &str, affected: &[(&str, &str, Option<&str>)]) -> serde_json::Value {
    let affected = affected.iter().map(|(ecosystem, name, fixed)| {
        let mut events = vec![json!({ "introduced": "0" })];
        events.extend(fixed.map(|fixed| json!({ "fixed": fixed })));
        json!({
            "package": { "ecosystem": ecosystem, "name": name },
            "ranges": [{ "type": "ECOSYSTEM", "events": events }],
        })
    });
    let affected: Vec<_> = affected.collect();
    json!({ "id": id, "modified": "2025-01-01T00:00:00Z", "affected": affected })
}

fn advisories(records: &[serde_json::Value]) -> Advisories {
    let mut import = AdvisoryImport::new();
    import.accept_chainguard();
    for record in records {
        import.add_record(record.to_string().as_bytes()).unwrap();
    }
    let now = Timestamp::parse_rfc3339("2026-01-01T00:00:00Z").unwrap();
    Advisories::from_bytes(import.finish(now).unwrap().0).unwrap()
}

fn scan(os: &str, package: Package, advisories: &Advisories) -> ScanResult {
    let image = ImageInventory {
        os: Some(OsRelease::parse(os.as_bytes()).unwrap()),
        layers: vec![Digest::sha256(b"layer")],
        packages: vec![ImagePackage {
            package,
            path: "db".to_owned(),
            layer: 0,
            owner: None,
            attached: None,
        }],
        problems: Vec::new(),
    };
    match_image(&image, advisories, MatchOptions::default())
}

#[test]
fn each_distribution_is_judged_by_its_own_advisories() {
    for (os, kind, osv, shown, names, fixed, below) in ROWS {
        let (about, other) = match names {
            Source => ("openssl", "openssl-libs"),
            Binary => ("openssl-libs", "openssl"),
        };
        let advisories = advisories(&[
            record("A-1", &[(osv, about, Some(fixed))]),
            record("A-2", &[(osv, other, None)]),
            record("A-3", &[("PyPI", about, None)]),
        ]);
        for (version, want) in [(below, &["A-1"][..]), (fixed, &[])] {
            let result = scan(os, package(kind, version), &advisories);
            let found: Vec<_> = result.findings.iter().map(|of| &*of.advisory).collect();
            assert_eq!(found, want, "{osv} {version}");
            assert!(result.is_complete(), "{osv} {:?}", result.problems);
            assert_eq!(result.packages[0].ecosystem.as_deref(), Some(shown));
            for finding in &result.findings {
                assert_eq!(
                    (&*finding.ecosystem, finding.fixed.as_deref()),
                    (shown, Some(fixed))
                );
            }
        }
        // Without them nothing is known, which is said.
        let result = scan(
            os,
            package(kind, below),
            &self::advisories(&[record("A-3", &[("PyPI", "x", None)])]),
        );
        assert_eq!(result.problems.len(), 1, "{osv}");
        assert_eq!(result.problems[0].code, ProblemCode::NoAdvisories, "{osv}");
    }
}

#[test]
fn a_system_without_advisories_has_no_ecosystem() {
    for (os, kind) in [
        (
            "ID=\"centos\"\nVERSION_ID=\"9\"\nPRETTY_NAME=\"CentOS Stream 9\"",
            Rpm,
        ),
        ("ID=fedora\nVERSION_ID=40", Rpm),
        (
            "ID=\"openEuler\"\nVERSION_ID=\"23.09\"\nPRETTY_NAME=\"openEuler 23.09\"",
            Rpm,
        ),
        ("ID=opensuse\nVERSION_ID=13.2", Rpm),
        ("ID=raspbian\nVERSION_ID=12", Deb),
        ("ID=debian\nPRETTY_NAME=\"Debian GNU/Linux forky/sid\"", Deb),
        ("ID=debian\nVERSION_ID=../12", Deb),
        ("ID=alpine\nVERSION_ID=3.20.3", Deb),
        ("ID=sles\nVERSION_ID=15-SP5", Rpm),
        ("ID=plan9\nVERSION_ID=4", Deb),
        ("", Rpm),
    ] {
        let os = OsRelease::parse(os.as_bytes()).unwrap();
        assert_eq!(os.ecosystem(kind), None, "{os:?}");
        assert_eq!(os.streams(kind), [], "{os:?}");
    }
}

#[test]
fn products_that_a_system_mixes_are_one_ecosystem() {
    for (name, want) in [
        (
            "Red Hat:enterprise_linux:9::appstream",
            "Red Hat:enterprise_linux:9",
        ),
        (
            "Red Hat:enterprise_linux:10.0",
            "Red Hat:enterprise_linux:10",
        ),
        ("Red Hat:rhel_extras_other:7", "Red Hat:enterprise_linux:7"),
        ("Red Hat:rhel_els:7", "Red Hat:rhel_els:7"),
        (
            "Red Hat:rhel_eus:9.2::baseos",
            "Red Hat:rhel_eus:9.2::baseos",
        ),
        ("Red Hat:openshift:4.12::el8", "Red Hat:openshift:4.12::el8"),
        ("Red Hat:enterprise_linux", "Red Hat:enterprise_linux"),
        ("Red Hat:enterprise_linux:x", "Red Hat:enterprise_linux:x"),
        (
            "SUSE:Linux Enterprise Server 15 SP5",
            "SUSE:Linux Enterprise 15 SP5",
        ),
        (
            "SUSE:Linux Enterprise Server 15",
            "SUSE:Linux Enterprise 15",
        ),
        (
            "SUSE:Linux Enterprise Module for Server Applications 15 SP3",
            "SUSE:Linux Enterprise 15 SP3",
        ),
        (
            "SUSE:Linux Enterprise Module for SAP Applications 15 SP3",
            "SUSE:Linux Enterprise 15 SP3",
        ),
        ("SUSE:Package Hub 15 SP6", "SUSE:Linux Enterprise 15 SP6"),
        (
            "SUSE:Linux Enterprise Server 15 SP4-LTSS",
            "SUSE:Linux Enterprise 15 SP4-LTSS",
        ),
        (
            "SUSE:Linux Enterprise High Performance Computing 15 SP4-ESPOS",
            "SUSE:Linux Enterprise 15 SP4-LTSS",
        ),
        (
            "SUSE:Linux Enterprise Server LTSS Extended Security 12 SP5",
            "SUSE:Linux Enterprise 12 SP5-LTSS",
        ),
        (
            "SUSE:Linux Enterprise Server for SAP Applications 15 SP4",
            "SUSE:Linux Enterprise Server for SAP Applications 15 SP4",
        ),
        (
            "SUSE:Linux Enterprise Server 12 SP2-BCL",
            "SUSE:Linux Enterprise Server 12 SP2-BCL",
        ),
        (
            "SUSE:Linux Enterprise Micro 5.5",
            "SUSE:Linux Enterprise Micro 5.5",
        ),
        (
            "SUSE:Linux Enterprise Server ",
            "SUSE:Linux Enterprise Server ",
        ),
        (
            "SUSE:Linux Enterprise Server SP5",
            "SUSE:Linux Enterprise Server SP5",
        ),
        ("SUSE", "SUSE"),
        ("openSUSE:Leap 15.6", "openSUSE:Leap 15.6"),
        ("Debian:12", "Debian:12"),
    ] {
        assert_eq!(looked_up(name), want, "{name}");
        assert_eq!(looked_up(want), want, "{want}");
    }
}

const FOCAL: &str = "ID=ubuntu\nVERSION_ID=\"20.04\"\nVERSION=\"20.04.6 LTS (Focal Fossa)\"";
const LEGACY: &str = "ID=\"sles\"\nVERSION_ID=\"15.4\"";
const SEVEN: &str = "ID=\"rhel\"\nVERSION_ID=\"7.9\"";

/// Advisories that speak of what is paid for.
fn of_subscriptions() -> Advisories {
    let (base, pro) = ("Ubuntu:20.04:LTS", "Ubuntu:Pro:20.04:LTS");
    let (sle, ltss) = (
        "SUSE:Linux Enterprise Server 15 SP4",
        "SUSE:Linux Enterprise Server 15 SP4-LTSS",
    );
    let els = "Red Hat:rhel_els:7";
    let rhel = "Red Hat:enterprise_linux:7::server";
    advisories(&[
        // Open for everybody, repaired in Pro.
        record(
            "U-1",
            &[
                (base, "openssl", None),
                (pro, "openssl", Some("1.1-2+esm1")),
            ],
        ),
        // Told of in Pro alone.
        record("U-2", &[(pro, "openssl", Some("1.1-2+esm2"))]),
        // Repaired for everybody; Pro's own line was later.
        record(
            "U-3",
            &[
                (base, "openssl", Some("1.1-2")),
                (pro, "openssl", Some("1.1-2+esm3")),
            ],
        ),
        // Repaired by nobody.
        record("U-4", &[(base, "openssl", None)]),
        record("S-1", &[(ltss, "openssl", Some("1.1-3"))]),
        record("S-2", &[(sle, "openssl", Some("1.1-2"))]),
        record("R-1", &[(els, "openssl-libs", Some("1.1-3.el7_9"))]),
        record("R-2", &[(rhel, "openssl-libs", Some("1.1-2.el7_9"))]),
    ])
}

#[test]
fn a_fix_that_is_paid_for_is_no_other() {
    let advisories = of_subscriptions();
    for (os, kind, version, want) in [
        (
            FOCAL,
            Deb,
            "1.1-2",
            "U-1 - 1.1-2+esm1 with Ubuntu Pro, U-2 - 1.1-2+esm2 with Ubuntu Pro, U-4 - -",
        ),
        (
            FOCAL,
            Deb,
            "1.1-1",
            "U-1 - 1.1-2+esm1 with Ubuntu Pro, U-2 - 1.1-2+esm2 with Ubuntu Pro, \
             U-3 1.1-2 1.1-2, U-4 - -",
        ),
        // Whose version is Pro's has Pro.
        (
            FOCAL,
            Deb,
            "1.1-2+esm1",
            "U-2 1.1-2+esm2 1.1-2+esm2, U-3 1.1-2+esm3 1.1-2+esm3, U-4 - -",
        ),
        (FOCAL, Deb, "1.1-2+esm3", "U-4 - -"),
        (
            LEGACY,
            Rpm,
            "1.1-1",
            "S-1 - 1.1-3 with SUSE LTSS, S-2 1.1-2 1.1-2",
        ),
        (LEGACY, Rpm, "1.1-3", ""),
        (
            SEVEN,
            Rpm,
            "1.1-2.el7_9",
            "R-1 - 1.1-3.el7_9 with Red Hat ELS",
        ),
        (SEVEN, Rpm, "1.1-3.el7_9", ""),
    ] {
        let result = scan(os, package(kind, version), &advisories);
        assert!(result.is_complete(), "{:?}", result.problems);
        let found = result.findings.iter().map(|of| {
            let repaired = of.repaired_by();
            let (fixed, repaired) = (of.fixed.as_deref(), repaired.as_deref());
            format!(
                "{} {} {}",
                of.advisory,
                fixed.unwrap_or("-"),
                repaired.unwrap_or("-")
            )
        });
        assert_eq!(found.collect::<Vec<_>>().join(", "), want, "{os} {version}");
    }
}

#[test]
fn two_products_of_one_system_that_say_the_same_are_one_finding() {
    const NINE: &str = "ID=\"rhel\"\nVERSION_ID=\"9.4\"";
    let names = ["baseos", "appstream", "crb"];
    let names = names.map(|name| format!("Red Hat:enterprise_linux:9::{name}"));
    let affected = names.each_ref();
    let affected = affected.map(|name| (name.as_str(), "openssl-libs", Some("3-2.el9")));
    let advisories = advisories(&[record("RHSA-1", &affected)]);
    assert_eq!(
        advisories
            .of_ecosystem("Red Hat:enterprise_linux:9")
            .unwrap()
            .about("openssl-libs")
            .count(),
        1
    );
    let result = scan(NINE, package(Rpm, "3-1.el9"), &advisories);
    assert_eq!(result.findings.len(), 1);
}
