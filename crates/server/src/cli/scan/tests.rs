//! Images are made here and scanned by the command itself.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::*;

fn blob(layout: &Path, bytes: &[u8]) -> Digest {
    let digest = Digest::sha256(bytes);
    let path = layout.join("blobs/sha256").join(&digest.as_str()[7..]);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
    digest
}

fn descriptor(layout: &Path, media_type: &str, bytes: &[u8]) -> Value {
    let digest = blob(layout, bytes);
    json!({ "mediaType": media_type, "digest": digest.as_str(), "size": bytes.len() })
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// A tar archive with one file.
fn archive(name: &str, content: &str) -> Vec<u8> {
    let mut header = vec![0_u8; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
    header[156] = b'0';
    header[257..265].copy_from_slice(b"ustar\x0000");
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header.extend(content.as_bytes());
    header.resize(header.len().next_multiple_of(512) + 1024, 0);
    header
}

/// An image with one Python package.
fn image(layout: &Path, version: &str) -> Value {
    let metadata = format!("Metadata-Version: 2.1\nName: Jinja2\nVersion: {version}\n");
    let name = format!("srv/jinja2-{version}.dist-info/METADATA");
    let layer = descriptor(layout, LAYER, &archive(&name, &metadata));
    let config = descriptor(layout, CONFIG, b"{}");
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer],
    });
    descriptor(layout, MANIFEST, manifest.to_string().as_bytes())
}

fn index(layout: &Path, manifests: &[Value]) {
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests });
    fs::create_dir_all(layout).unwrap();
    fs::write(layout.join("index.json"), index.to_string()).unwrap();
}

fn named(mut descriptor: Value, name: &str) -> Value {
    descriptor["annotations"] = json!({ "org.opencontainers.image.ref.name": name });
    descriptor
}

fn for_platform(mut descriptor: Value, architecture: &str) -> Value {
    descriptor["platform"] = json!({ "os": "linux", "architecture": architecture });
    descriptor
}

fn advisories(directory: &Path) -> PathBuf {
    let mut import = bonded_scan::AdvisoryImport::new();
    let record = json!({
        "id": "GHSA-h75v-3vvj-5mfj", "aliases": ["CVE-2024-34064"],
        "modified": "2024-05-06T14:20:59Z",
        "severity": [{ "type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:U/C:L/I:L/A:N" }],
        "affected": [{
            "package": { "ecosystem": "PyPI", "name": "jinja2" },
            "ranges": [{ "type": "ECOSYSTEM", "events": [{ "introduced": "0" }, { "fixed": "3.1.4" }] }],
        }],
    });
    import.add_record(record.to_string().as_bytes()).unwrap();
    let now = bonded_model::Timestamp::parse_rfc3339("2026-01-01T00:00:00Z").unwrap();
    let path = directory.join("advisories");
    fs::write(&path, import.finish(now).unwrap().0).unwrap();
    path
}

/// The command on a layout.
fn command(directory: &Path) -> Scan {
    Scan {
        image: format!("oci:{}", directory.join("layout").display()),
        advisories: Some(advisories(directory)),
        output: Form::Json,
        comprehensive: false,
        reference: None,
        platform: None,
        fail_on: None,
    }
}

fn status(done: Result<(), Failure>) -> Option<Status> {
    done.err().map(|failure| failure.status)
}

/// How many findings each image has that the command looks at.
fn findings(command: &Scan) -> Result<Vec<usize>, Failure> {
    let (directory, name) = source(&command.image)?;
    let layout = Layout::open(directory)?;
    let advisories = open(command.advisories.as_deref().unwrap())?;
    let selection = Selection {
        reference: command.reference.clone().or(name),
        platform: command.platform.clone(),
    };
    let images = layout.images(&selection)?;
    let options = MatchOptions::default();
    images
        .iter()
        .map(|image| {
            let inventory = inspect(&layout, image)?;
            Ok(match_image(&inventory, &advisories, options).findings.len())
        })
        .collect()
}

#[test]
fn an_image_is_scanned_and_judged() {
    let directory = tempfile::tempdir().unwrap();
    let layout = directory.path().join("layout");
    index(&layout, &[image(&layout, "3.1.2")]);
    assert_eq!(findings(&command(directory.path())).unwrap(), [1]);
    for (fail_on, want) in [
        (None, None),
        (Some(FailOn::Medium), Some(Status::Blocked)),
        (Some(FailOn::High), None),
    ] {
        let command = Scan {
            fail_on,
            ..command(directory.path())
        };
        assert_eq!(status(command.run()), want);
    }
    index(&layout, &[image(&layout, "3.1.4")]);
    assert_eq!(findings(&command(directory.path())).unwrap(), [0]);
}

#[test]
fn what_is_not_known_does_not_pass() {
    let directory = tempfile::tempdir().unwrap();
    let layout = directory.path().join("layout");
    let layer = descriptor(&layout, LAYER, b"\xfd7zXZ\0 and more");
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "layers": [layer],
        "config": descriptor(&layout, CONFIG, b"{}"),
    });
    let unread = descriptor(&layout, MANIFEST, manifest.to_string().as_bytes());
    index(&layout, &[unread]);
    let command = Scan {
        fail_on: Some(FailOn::Critical),
        ..command(directory.path())
    };
    assert_eq!(status(command.run()), Some(Status::Unknown));
}

#[test]
fn an_image_is_chosen_by_name_digest_and_platform() {
    let directory = tempfile::tempdir().unwrap();
    let layout = directory.path().join("layout");
    let old = image(&layout, "3.1.2");
    let new = image(&layout, "3.1.4");
    let attestation = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "layers": [],
        "artifactType": "application/vnd.in-toto+json",
        "config": descriptor(&layout, "application/vnd.oci.empty.v1+json", b"{}"),
    });
    let attestation = descriptor(&layout, MANIFEST, attestation.to_string().as_bytes());
    let platforms = json!({
        "schemaVersion": 2, "mediaType": INDEX, "manifests": [
            for_platform(old.clone(), "amd64"), for_platform(new.clone(), "arm64"),
            for_platform(attestation, "unknown"),
        ],
    });
    let platforms = descriptor(&layout, INDEX, platforms.to_string().as_bytes());
    index(
        &layout,
        &[named(new.clone(), "new"), named(platforms, "all")],
    );
    let command = |reference: Option<&str>, platform: Option<&str>| Scan {
        reference: reference.map(str::to_owned),
        platform: platform.map(str::to_owned),
        ..command(directory.path())
    };
    let digest = old["digest"].as_str();
    for (reference, platform, want) in [
        (Some("new"), None, Ok(vec![0])),
        (Some("all"), None, Ok(vec![1, 0])),
        (Some("all"), Some("linux/arm64"), Ok(vec![0])),
        (Some("all"), Some("linux"), Ok(vec![1, 0])),
        (digest, None, Ok(vec![1])),
        (None, None, Err(Status::Usage)),
        (Some("old"), None, Err(Status::NotFound)),
        (Some("all"), Some("linux/arm"), Err(Status::NotFound)),
    ] {
        let found = findings(&command(reference, platform));
        assert_eq!(
            found.map_err(|failure| failure.status),
            want,
            "{reference:?} {platform:?}"
        );
    }
    let mut by_name = command(None, None);
    by_name.image.push_str(":all");
    assert_eq!(findings(&by_name).unwrap(), [1, 0]);
}

#[test]
fn what_cannot_be_read_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let layout = directory.path().join("layout");
    let command = || command(directory.path());
    assert_eq!(status(command().run()), Some(Status::NotFound));
    index(&layout, &[image(&layout, "3.1.2")]);
    for (image, want) in [
        ("layout", Status::Usage),
        ("oci:", Status::Usage),
        ("oci:absent", Status::NotFound),
        ("docker:busybox", Status::Usage),
    ] {
        let command = Scan {
            image: image.to_owned(),
            ..command()
        };
        assert_eq!(status(command.run()), Some(want), "{image}");
    }
    for advisories in ["absent", "layout/index.json"] {
        let command = Scan {
            advisories: Some(directory.path().join(advisories)),
            ..command()
        };
        assert_eq!(status(command.run()), Some(Status::Usage), "{advisories}");
    }
    // Every blob of the layout is damaged in turn.
    let blobs = layout.join("blobs/sha256");
    for entry in fs::read_dir(blobs).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        let mut other = bytes.clone();
        *other.last_mut().unwrap() ^= 1;
        for damage in [&other, &bytes[1..].to_vec()] {
            fs::write(&path, damage).unwrap();
            assert_eq!(
                status(command().run()),
                Some(Status::Failed),
                "{}",
                path.display()
            );
        }
        fs::remove_file(&path).unwrap();
        assert_eq!(status(command().run()), Some(Status::NotFound));
        fs::write(&path, bytes).unwrap();
    }
    assert_eq!(status(command().run()), None);
}

#[test]
fn a_bill_of_materials_is_of_one_image_and_needs_no_advisories() {
    let directory = tempfile::tempdir().unwrap();
    let layout = directory.path().join("layout");
    let images = [image(&layout, "3.1.2"), image(&layout, "3.1.4")];
    index(&layout, &images);
    let command = |output, reference: Option<&str>| Scan {
        advisories: None,
        reference: reference.map(str::to_owned),
        output,
        ..command(directory.path())
    };
    let digest = images[0]["digest"].as_str();
    for form in [Form::Cyclonedx, Form::Spdx] {
        assert_eq!(status(command(form, digest).run()), None);
        assert_eq!(status(command(form, None).run()), Some(Status::Usage));
        let judged = Scan {
            fail_on: Some(FailOn::Low),
            ..command(form, digest)
        };
        assert_eq!(status(judged.run()), Some(Status::Usage));
    }
    for form in [Form::Table, Form::Sarif, Form::Html, Form::Csv, Form::Json] {
        assert_eq!(status(command(form, digest).run()), Some(Status::Usage));
        let with_advisories = Scan {
            advisories: Some(advisories(directory.path())),
            ..command(form, digest)
        };
        assert_eq!(status(with_advisories.run()), None);
    }
}
