use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::{ServerName, UnixTime};

use super::*;

const DAY: u64 = 24 * 60 * 60;

fn now() -> Timestamp {
    Timestamp::parse_amz_date("20261122T120000Z").unwrap()
}

fn after(days: u64) -> Timestamp {
    now().after(Duration::from_secs(days * DAY))
}

fn some_names() -> Vec<String> {
    let regions = ["us-east-1", "on-prem"].map(|region| region.parse().unwrap());
    names(
        Some("Box"),
        &["registry.example".to_owned()],
        Some("example.org"),
        &regions,
    )
}

/// Whether a client that trusts `ca.crt` accepts `server.crt` for `name` at `time`.
fn accepted(directory: &Path, name: &str, time: Timestamp) -> bool {
    let pem = |file| CertificateDer::from_pem_file(directory.join(file)).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(pem("ca.crt")).unwrap();
    let verifier = WebPkiServerVerifier::builder(Arc::new(roots))
        .build()
        .unwrap();
    let time = UnixTime::since_unix_epoch(Duration::from_secs(time.as_seconds() as u64));
    let name = ServerName::try_from(name.to_owned()).unwrap();
    verifier
        .verify_server_cert(&pem("server.crt"), &[], &name, &[], time)
        .is_ok()
}

fn bytes(directory: &Path) -> Vec<Vec<u8>> {
    let names = ["ca.crt", "ca.key", "server.crt", "server.key"];
    names
        .map(|name| fs::read(directory.join(name)).unwrap())
        .into()
}

#[test]
fn the_own_certificate_is_good_for_its_names_and_no_others() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path().join("tls");
    own(&directory, &some_names(), now()).unwrap();
    for name in [
        "localhost",
        "127.0.0.1",
        "::1",
        "box",
        "registry.example",
        "example.org",
        "111122223333.dkr.ecr.us-east-1.example.org",
        "api.ecr.on-prem.example.org",
    ] {
        assert!(accepted(&directory, name, now()), "{name}");
        assert!(accepted(&directory, name, after(395)), "{name}");
        assert!(!accepted(&directory, name, after(397)), "{name}");
    }
    for name in [
        "127.0.0.2",
        "www.example.org",
        "1.dkr.ecr.eu-west-1.example.org",
    ] {
        assert!(!accepted(&directory, name, now()), "{name}");
    }
    for (name, mode) in [("ca.key", 0o600), ("server.key", 0o600), ("ca.crt", 0o644)] {
        let found = fs::metadata(directory.join(name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(found & 0o777, mode, "{name}");
    }
}

#[test]
fn a_certificate_is_kept_while_it_is_good() {
    let directory = tempfile::tempdir().unwrap();
    own(directory.path(), &some_names(), now()).unwrap();
    let before = bytes(directory.path());
    own(directory.path(), &some_names(), after(360)).unwrap();
    assert_eq!(bytes(directory.path()), before);
}

#[test]
fn a_certificate_is_made_anew_under_the_same_authority() {
    let shorter = names(None, &[], None, &[]);
    type Damage = fn(&Path);
    let nothing: Damage = |_| ();
    let cases: [(&str, Vec<String>, Timestamp, Damage); 5] = [
        ("ends soon", some_names(), after(370), nothing),
        ("ended", some_names(), after(800), nothing),
        ("other names", shorter, now(), nothing),
        ("no certificate", some_names(), now(), |directory| {
            fs::remove_file(directory.join("server.crt")).unwrap();
        }),
        ("not its key", some_names(), now(), |directory| {
            fs::copy(directory.join("ca.key"), directory.join("server.key")).unwrap();
        }),
    ];
    for (what, names, time, damage) in cases {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        own(directory, &some_names(), now()).unwrap();
        let before = bytes(directory);
        damage(directory);
        own(directory, &names, time).unwrap();
        let after = bytes(directory);
        assert_eq!(before[..2], after[..2], "{what}");
        assert_ne!(before[2], after[2], "{what}");
        assert_ne!(before[3], after[3], "{what}");
        assert!(accepted(directory, "localhost", time), "{what}");
    }
}

#[test]
fn a_broken_authority_is_an_error_and_not_replaced() {
    let damages: [fn(&Path); 3] = [
        |directory| fs::remove_file(directory.join("ca.key")).unwrap(),
        |directory| fs::write(directory.join("ca.crt"), "x").unwrap(),
        |directory| {
            fs::copy(directory.join("server.key"), directory.join("ca.key")).unwrap();
        },
    ];
    for damage in damages {
        let directory = tempfile::tempdir().unwrap();
        own(directory.path(), &some_names(), now()).unwrap();
        damage(directory.path());
        let error = own(directory.path(), &some_names(), now())
            .unwrap_err()
            .to_string();
        assert!(error.contains("ca."), "{error}");
        assert!(error.contains("restore"), "{error}");
    }
}

#[test]
fn an_authority_that_a_crash_left_half_made_is_made_again() {
    let directory = tempfile::tempdir().unwrap();
    own(directory.path(), &some_names(), now()).unwrap();
    for name in ["ca.crt", "server.crt", "server.key"] {
        fs::remove_file(directory.path().join(name)).unwrap();
    }
    own(directory.path(), &some_names(), now()).unwrap();
    assert!(accepted(directory.path(), "localhost", now()));
}

#[test]
fn the_operators_certificate_must_match_its_key() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    own(directory.path(), &some_names(), now()).unwrap();
    configured(&at("server.crt"), &at("server.key")).unwrap();
    for (certificate, key) in [
        ("server.crt", "ca.key"),
        ("server.key", "server.key"),
        ("server.crt", "server.crt"),
        ("absent", "server.key"),
        ("server.crt", "absent"),
    ] {
        let result = configured(&at(certificate), &at(key));
        assert!(result.is_err(), "{certificate} {key}");
    }
}
