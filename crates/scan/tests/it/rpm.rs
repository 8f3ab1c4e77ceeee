//! rpm's databases of real systems.

use std::fs::File;
use std::io::Read as _;

use bonded_model::Digest;
use bonded_scan::{ImageInventory, LayerLimits, MatchOptions, inspect_layer, match_image, merge};

use crate::shared;

/// An image with an os-release and one of the databases of `fixtures`.
fn image(fixture: &str, path: &str, os: &str) -> Option<ImageInventory> {
    let file = shared::data()?.join("fixtures").join(fixture);
    let mut database = Vec::new();
    let mut decoder = zstd::Decoder::new(File::open(file).unwrap()).unwrap();
    decoder.read_to_end(&mut database).unwrap();
    let mut tar = tar::Builder::new(Vec::new());
    for (path, data) in [("etc/os-release", os.as_bytes()), (path, &database)] {
        let mut header = tar::Header::new_gnu();
        header.set_size(data.len() as u64);
        tar.append_data(&mut header, path, data).unwrap();
    }
    let layer = tar.into_inner().unwrap();
    let layer = inspect_layer(layer.as_slice(), &LayerLimits::default()).unwrap();
    let image = merge(&[(Digest::sha256(b"layer"), &layer)]);
    assert_eq!(image.problems, []);
    Some(image)
}

/// The packages of an image as `name version source architecture`.
fn packages(image: &ImageInventory) -> Vec<String> {
    let packages = image.packages.iter().map(|found| &found.package);
    packages
        .map(|p| {
            format!(
                "{} {} {} {}",
                p.name, p.version, p.source_name, p.architecture
            )
        })
        .collect()
}

#[test]
fn a_sqlite_database_gives_every_package() {
    let os = "ID=mariner\nVERSION_ID=\"2.0\"\n";
    let path = "var/lib/rpm/rpmdb.sqlite";
    let Some(image) = image("rpmdb-cbl-mariner-2.0.sqlite.zst", path, os) else {
        return;
    };
    let packages = packages(&image);
    assert_eq!(packages.len(), 129);
    assert!(
        packages.contains(&"bash 5.1.8-1.cm2 bash x86_64".to_owned()),
        "{packages:?}"
    );
    assert!(image.packages.iter().all(|found| found.path == path));
}

#[test]
fn an_ndb_database_gives_every_package() {
    let os = "ID=opensuse-leap\nVERSION_ID=\"15.3\"\n";
    let path = "usr/lib/sysimage/rpm/Packages.db";
    let Some(image) = image("rpmdb-sle15-bci.Packages.db.zst", path, os) else {
        return;
    };
    let packages = packages(&image);
    assert_eq!(packages.len(), 35);
    let glibc = "glibc 2.31-9.3.2 glibc x86_64".to_owned();
    assert!(packages.contains(&glibc), "{packages:?}");
}

#[test]
fn a_berkeley_database_gives_every_package() {
    let os = "ID=almalinux\nVERSION_ID=\"8.4\"\n";
    let path = "var/lib/rpm/Packages";
    let Some(image) = image("rpmdb-libuuid.bdb.Packages.zst", path, os) else {
        return;
    };
    let packages = packages(&image);
    assert_eq!(packages.len(), 1, "{packages:?}");
    assert!(packages[0].starts_with("libuuid 2."), "{packages:?}");
    assert!(packages[0].contains(" util-linux "), "{packages:?}");
}

#[test]
fn an_almalinux_image_has_exactly_the_expected_findings() {
    let Some(data) = shared::data() else { return };
    let image = shared::image(&data, "alma-sqlite");
    let expected = shared::expected(&data, "alma-sqlite");
    let installed = expected["installed"].as_object().unwrap();
    let found = image.packages.iter().map(|found| {
        let version = &found.package.version;
        let epoch = if version.contains(':') { "" } else { "0:" };
        (
            found.package.name.clone(),
            format!("{epoch}{version}").into(),
        )
    });
    assert_eq!(&found.collect::<serde_json::Map<_, _>>(), installed);
    let advisories = shared::advisories(&data, &["AlmaLinux"]);
    let result = match_image(&image, &advisories, MatchOptions::default());
    assert!(result.is_complete(), "{:?}", result.problems);
    let findings = serde_json::to_value(&result.findings).unwrap();
    shared::assert_same(
        &shared::rows(&findings, &["advisory", "package", "fixed"], |_| true),
        &shared::rows(&expected["findings"], &["osv", "package", "fixed"], |_| {
            true
        }),
    );
}
