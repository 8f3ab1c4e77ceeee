//! Images are made here and scanned by the command itself.

use std::fs;
use std::path::Path;

use bonded_model::Digest;
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
        quiet: false,
        comprehensive: false,
        reference: None,
        platform: None,
        fail_on: None,
        progress: ProgressForm::None,
    }
}

fn status(done: Result<(), Failure>) -> Option<Status> {
    done.err().map(|failure| failure.status)
}

/// How many findings each image has that the command looks at.
fn findings(command: &Scan) -> Result<Vec<usize>, Failure> {
    let advisories = open(command.advisories.as_deref().unwrap())?;
    let images = command.look_into()?;
    let options = MatchOptions::default();
    let findings = images.iter().map(|image| {
        match_image(&image.inventory, &advisories, options)
            .findings
            .len()
    });
    Ok(findings.collect())
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
    let signature = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "layers": [],
        "artifactType": "application/vnd.example.signature",
        "config": descriptor(&layout, "application/vnd.oci.empty.v1+json", b"{}"),
    });
    let signature = descriptor(&layout, MANIFEST, signature.to_string().as_bytes());
    // As BuildKit writes one.
    let config = br#"{"architecture":"unknown","os":"unknown","config":{},"rootfs":{"type":"layers","diff_ids":[]}}"#;
    let attestation = json!({
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": descriptor(&layout, "application/vnd.oci.image.config.v1+json", config),
        "layers": [descriptor(&layout, "application/vnd.in-toto+json", b"{}")],
    });
    let attestation = descriptor(&layout, MANIFEST, attestation.to_string().as_bytes());
    let platforms = json!({
        "schemaVersion": 2, "mediaType": INDEX, "manifests": [
            for_platform(old.clone(), "amd64"), for_platform(new.clone(), "arm64"),
            for_platform(attestation.clone(), "unknown"), for_platform(signature, "unknown"),
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
        (attestation["digest"].as_str(), None, Err(Status::NotFound)),
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
fn what_names_no_image_is_told_what_is_expected() {
    let directory = tempfile::tempdir().unwrap();
    let empty = directory.path().join("empty.tar");
    fs::write(&empty, []).unwrap();
    for (image, says, want) in [
        (
            directory.path().to_str().unwrap(),
            "is a directory: 'oci:",
            Status::Usage,
        ),
        ("docker://alpine", "begins with a scheme", Status::Usage),
        (
            "https://localhost/app",
            "begins with a scheme",
            Status::Usage,
        ),
        (
            empty.to_str().unwrap(),
            "neither 'index.json'",
            Status::NotFound,
        ),
        ("alpine", "names no image", Status::Usage),
    ] {
        let command = Scan {
            image: image.to_owned(),
            ..command(directory.path())
        };
        let failure = command.run().unwrap_err();
        assert_eq!(failure.status, want, "{image}");
        assert!(failure.message.unwrap().contains(says), "{image}");
    }
    for (magic, name) in [(&b"\xfd7zXZ\0"[..], "xz"), (b"BZh9", "bzip2")] {
        fs::write(&empty, magic).unwrap();
        let command = Scan {
            image: empty.display().to_string(),
            ..command(directory.path())
        };
        let said = command.run().unwrap_err().message.unwrap();
        assert!(said.contains(&format!("compressed with {name}")), "{said}");
    }
    let command = Scan {
        advisories: Some(directory.path().to_owned()),
        ..command(directory.path())
    };
    let said = command.run().unwrap_err().message.unwrap();
    assert!(said.contains("it is a directory"), "{said}");
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
    for form in [
        Form::Table,
        Form::Sarif,
        Form::Openvex,
        Form::Html,
        Form::Csv,
        Form::Json,
    ] {
        assert_eq!(status(command(form, digest).run()), Some(Status::Usage));
        let with_advisories = Scan {
            advisories: Some(advisories(directory.path())),
            ..command(form, digest)
        };
        assert_eq!(status(with_advisories.run()), None);
    }
}

/// A tar archive with files.
fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        builder.append_data(&mut header, name, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

/// What `docker save` wrote until version 25, and `podman save` writes.
fn docker_archive(version: &str) -> Vec<(String, Vec<u8>)> {
    let metadata = format!("Metadata-Version: 2.1\nName: Jinja2\nVersion: {version}\n");
    let name = format!("srv/jinja2-{version}.dist-info/METADATA");
    let layer = archive(&name, &metadata);
    let config = json!({
        "architecture": "amd64", "os": "linux", "created": "2026-01-02T03:04:05Z",
        "rootfs": { "type": "layers", "diff_ids": [Digest::sha256(&layer).as_str()] },
    });
    let manifest = json!([{
        "Config": "config.json", "RepoTags": ["team/app:v1"], "Layers": ["one/layer.tar"],
    }]);
    vec![
        ("config.json".to_owned(), config.to_string().into_bytes()),
        ("one/layer.tar".to_owned(), layer),
        (
            "manifest.json".to_owned(),
            manifest.to_string().into_bytes(),
        ),
    ]
}

fn written(path: &Path, files: &[(String, Vec<u8>)]) {
    let files: Vec<(&str, &[u8])> = files
        .iter()
        .map(|(name, content)| (name.as_str(), content.as_slice()))
        .collect();
    fs::write(path, tar(&files)).unwrap();
}

#[test]
fn an_archive_of_docker_is_scanned_and_verified() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("saved.tar");
    let files = docker_archive("3.1.2");
    written(&file, &files);
    let command = |image: String| Scan {
        image,
        ..command(directory.path())
    };
    let path = file.display();
    for image in [
        path.to_string(),
        format!("docker-archive:{path}"),
        format!("docker-archive:{path}:team/app:v1"),
        format!("archive:{path}"),
    ] {
        assert_eq!(findings(&command(image.clone())).unwrap(), [1], "{image}");
    }
    let subject = command(path.to_string())
        .look_into()
        .unwrap()
        .remove(0)
        .subject;
    assert_eq!(subject.name.as_deref(), Some("team/app:v1"));
    assert_eq!(subject.digest, Digest::sha256(&files[0].1));
    assert_eq!(subject.platform.as_deref(), Some("linux/amd64"));
    for (image, want) in [
        (format!("docker-archive:{path}:other"), Status::NotFound),
        (format!("oci-archive:{path}"), Status::NotFound),
        (format!("docker-archive:{path}.not"), Status::NotFound),
    ] {
        assert_eq!(status(command(image.clone()).run()), Some(want), "{image}");
    }
    // A layer of another image in its place.
    let mut other = files.clone();
    other[1].1 = docker_archive("3.1.4").remove(1).1;
    written(&file, &other);
    assert_eq!(
        status(command(path.to_string()).run()),
        Some(Status::Failed)
    );
    // The same image more often than anybody has images.
    let mut many = files.clone();
    let listed: Value = serde_json::from_slice(&many[2].1).unwrap();
    many[2].1 = json!(vec![&listed[0]; 1001]).to_string().into_bytes();
    written(&file, &many);
    let named = command(format!("docker-archive:{path}:team/app:v1"));
    assert_eq!(status(named.run()), Some(Status::Failed));
    // An archive that is cut, or no archive.
    written(&file, &files);
    let whole = fs::read(&file).unwrap();
    for bytes in [&whole[..700], &b"no archive"[..], &b""[..]] {
        fs::write(&file, bytes).unwrap();
        let found = status(command(path.to_string()).run());
        assert!(found.is_some(), "{} bytes", bytes.len());
    }
}

#[test]
fn a_layout_in_an_archive_is_that_layout() {
    let directory = tempfile::tempdir().unwrap();
    let layout = directory.path().join("layout");
    index(&layout, &[named(image(&layout, "3.1.2"), "v1")]);
    let mut files = vec![(
        "index.json".to_owned(),
        fs::read(layout.join("index.json")).unwrap(),
    )];
    for entry in fs::read_dir(layout.join("blobs/sha256")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(&layout).unwrap().display().to_string();
        files.push((format!("./{name}"), fs::read(&path).unwrap()));
    }
    let file = directory.path().join("layout.tar");
    written(&file, &files);
    let of_directory = command(directory.path()).look_into().unwrap().remove(0);
    for image in [
        file.display().to_string(),
        format!("oci-archive:{}:v1", file.display()),
    ] {
        let command = Scan {
            image,
            ..command(directory.path())
        };
        let found = command.look_into().unwrap().remove(0);
        assert_eq!(found.subject, of_directory.subject);
        assert_eq!(found.inventory, of_directory.inventory);
    }
}

#[test]
fn a_root_file_system_is_scanned_without_leaving_it() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("root");
    let outside = directory.path().join("outside");
    let metadata = |directory: &Path, version: &str| {
        let directory = directory.join(format!("srv/jinja2-{version}.dist-info"));
        fs::create_dir_all(&directory).unwrap();
        let text = format!("Metadata-Version: 2.1\nName: Jinja2\nVersion: {version}\n");
        fs::write(directory.join("METADATA"), text).unwrap();
    };
    metadata(&root, "3.1.2");
    metadata(&outside, "3.0.0");
    std::os::unix::fs::symlink(&outside, root.join("link")).unwrap();
    std::os::unix::fs::symlink("..", root.join("up")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        root.join("pipe"),
        rustix::fs::FileType::Fifo,
        0o600.into(),
        0,
    )
    .unwrap();
    let scan = || Scan {
        image: format!("rootfs:{}", root.display()),
        ..command(directory.path())
    };
    assert_eq!(findings(&scan()).unwrap(), [1]);
    let first = scan().look_into().unwrap().remove(0);
    assert!(
        first.inventory.problems.is_empty(),
        "{:?}",
        first.inventory.problems
    );
    assert_eq!(
        first.inventory.packages[0].path,
        "srv/jinja2-3.1.2.dist-info/METADATA"
    );
    let again = scan().look_into().unwrap().remove(0);
    assert_eq!(again.subject, first.subject);
    metadata(&root, "3.1.4");
    let changed = scan().look_into().unwrap().remove(0);
    assert_ne!(changed.subject.digest, first.subject.digest);
    let absent = Scan {
        image: "rootfs:/does/not/exist".to_owned(),
        ..scan()
    };
    assert_eq!(status(absent.run()), Some(Status::NotFound));
}

#[test]
fn an_index_that_lists_the_same_again_and_again_costs_no_more() {
    let directory = tempfile::tempdir().unwrap();
    let layout = directory.path().join("layout");
    let mut listed = image(&layout, "3.1.2");
    // 300 to the fourth.
    for _ in 0..4 {
        let manifests = vec![listed; 300];
        let nested = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests });
        listed = descriptor(&layout, INDEX, nested.to_string().as_bytes());
    }
    index(&layout, &[named(listed, "all")]);
    assert_eq!(findings(&command(directory.path())).unwrap(), [1]);
    let absent = Scan {
        reference: Some(Digest::sha256(b"absent").to_string()),
        ..command(directory.path())
    };
    assert_eq!(findings(&absent).unwrap_err().status, Status::NotFound);

    let other = |n: usize| {
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "layers": [],
            "config": descriptor(&layout, CONFIG, n.to_string().as_bytes()),
        });
        for_platform(
            descriptor(&layout, MANIFEST, manifest.to_string().as_bytes()),
            "amd64",
        )
    };
    let others: Vec<Value> = (0..1001).map(other).collect();
    index(&layout, &others);
    let many = findings(&command(directory.path())).unwrap_err();
    assert!(many.message.unwrap().contains("more than 1000 manifests"));
}

#[test]
fn a_pipe_in_a_layout_is_no_blob() {
    let directory = tempfile::tempdir().unwrap();
    let layout = directory.path().join("layout");
    let image = image(&layout, "3.1.2");
    index(&layout, std::slice::from_ref(&image));
    let hex = &image["digest"].as_str().unwrap()[7..];
    let path = layout.join("blobs/sha256").join(hex);
    fs::remove_file(&path).unwrap();
    let mode = rustix::fs::Mode::from_raw_mode(0o644);
    rustix::fs::mkfifoat(rustix::fs::CWD, &path, mode).unwrap();
    let refused = findings(&command(directory.path())).unwrap_err();
    assert!(refused.message.unwrap().contains("it is no file"));
}
