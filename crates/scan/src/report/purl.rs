//! Package URLs (ECMA-427), as every tool that reads a bill of materials knows packages again.

use super::escape::percent;
use super::grouped;
use crate::{OsRelease, PackageKind, ScannedPackage};

/// The package URL of a package, in its canonical form: `pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=debian-12`.
///
/// `os` is the system of the image, whose name is the namespace of the packages it manages.
#[must_use]
pub fn purl(package: &ScannedPackage, os: Option<&OsRelease>) -> String {
    let (group, name) = grouped(package);
    let (version, epoch) = version(package);
    let mut purl = format!("pkg:{}/", kind(package.kind));
    let (namespace, name) = match package.kind {
        PackageKind::Deb | PackageKind::Apk | PackageKind::Rpm => {
            let name = match package.kind {
                PackageKind::Rpm => name.to_owned(),
                _ => name.to_lowercase(),
            };
            (os.map(vendor), name)
        }
        PackageKind::Python => (None, name.to_lowercase().replace('_', "-")),
        PackageKind::Npm => (group.map(str::to_owned), name.to_lowercase()),
        PackageKind::Composer => (group.map(str::to_lowercase), name.to_lowercase()),
        PackageKind::Go => {
            let path = name.to_lowercase();
            match path.rsplit_once('/') {
                Some((namespace, name)) => (Some(namespace.to_owned()), name.to_owned()),
                None => (None, path),
            }
        }
        _ => (group.map(str::to_owned), name.to_owned()),
    };
    let segments = namespace.iter().flat_map(|namespace| namespace.split('/'));
    for segment in segments.filter(|segment| !segment.is_empty()) {
        purl += &percent(segment, ":");
        purl.push('/');
    }
    purl += &percent(&name, ":");
    if !version.is_empty() {
        purl.push('@');
        purl += &percent(version, ":");
    }
    let is_of_system = PackageKind::SYSTEM.contains(&package.kind);
    let distro = os.filter(|_| is_of_system).map(distro);
    let qualifiers = [
        ("arch", Some(package.architecture.as_str())),
        ("distro", distro.as_deref()),
        ("epoch", epoch),
    ];
    let mut separator = '?';
    for (key, value) in qualifiers {
        let Some(value) = value.filter(|value| !value.is_empty()) else {
            continue;
        };
        purl.push(separator);
        purl += &format!("{key}={}", percent(value, ":/"));
        separator = '&';
    }
    purl
}

/// The type, as the list of types names it.
fn kind(kind: PackageKind) -> &'static str {
    match kind {
        PackageKind::Python => "pypi",
        PackageKind::Go => "golang",
        PackageKind::Program => "generic",
        kind => kind.name(),
    }
}

/// The version, and the epoch that stands apart from it: that of rpm does.
fn version(package: &ScannedPackage) -> (&str, Option<&str>) {
    let version = package.version.as_str();
    match version.split_once(':') {
        Some((epoch, version)) if package.kind == PackageKind::Rpm => {
            (version, Some(epoch).filter(|epoch| *epoch != "0"))
        }
        _ => (version, None),
    }
}

/// Who makes the packages of a system, as the list of types has it.
pub(crate) fn vendor(os: &OsRelease) -> String {
    match os.id.as_str() {
        "rhel" => "redhat".to_owned(),
        id if id.starts_with("opensuse") => "opensuse".to_owned(),
        id => id.to_lowercase(),
    }
}

/// The release of a system: `debian-12`.
pub(crate) fn distro(os: &OsRelease) -> String {
    match os.version_id.as_str() {
        "" => os.id.clone(),
        version => format!("{}-{version}", os.id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use PackageKind::*;

    fn package(kind: PackageKind, name: &str, version: &str) -> ScannedPackage {
        ScannedPackage {
            ecosystem: None,
            kind,
            name: name.to_owned(),
            version: version.to_owned(),
            source_name: name.to_owned(),
            source_version: version.to_owned(),
            architecture: String::new(),
            path: String::new(),
            layer: 0,
            owner: None,
            vendor: String::new(),
            third_party: false,
            module: String::new(),
            licenses: Vec::new(),
            evidence: crate::Evidence::Recorded,
        }
    }

    fn system(id: &str, version_id: &str) -> OsRelease {
        OsRelease {
            id: id.to_owned(),
            version_id: version_id.to_owned(),
            ..OsRelease::default()
        }
    }

    #[test]
    fn a_package_of_a_system_names_the_system() {
        let debian = system("debian", "12");
        let red_hat = system("rhel", "9.4");
        let sid = system("debian", "");
        for (kind, name, version, architecture, os, want) in [
            (
                Deb,
                "libstdc++6",
                "1:12.2.0-14+b1~x",
                "amd64",
                Some(&debian),
                "pkg:deb/debian/libstdc%2B%2B6@1:12.2.0-14%2Bb1~x?arch=amd64&distro=debian-12",
            ),
            (
                Deb,
                "tar",
                "1",
                "",
                Some(&sid),
                "pkg:deb/debian/tar@1?distro=debian",
            ),
            (Deb, "tar", "1", "", None, "pkg:deb/tar@1"),
            (
                Rpm,
                "NetworkManager",
                "1:1.46.0-4.el9",
                "x86_64",
                Some(&red_hat),
                "pkg:rpm/redhat/NetworkManager@1.46.0-4.el9?arch=x86_64&distro=rhel-9.4&epoch=1",
            ),
        ] {
            let mut package = package(kind, name, version);
            package.architecture = architecture.to_owned();
            assert_eq!(purl(&package, os), want);
        }
    }

    #[test]
    fn a_package_of_a_language_has_the_url_of_its_type() {
        let debian = system("debian", "12");
        for (kind, name, version, want) in [
            (
                Python,
                "Ruamel.Yaml_clib",
                "0.2",
                "pkg:pypi/ruamel.yaml-clib@0.2",
            ),
            (Npm, "@types/node", "1.0", "pkg:npm/%40types/node@1.0"),
            (
                Maven,
                "org.apache:log4j",
                "2",
                "pkg:maven/org.apache/log4j@2",
            ),
            (
                Go,
                "github.com/Azure/sdk/v2",
                "v1.0.0+incompatible",
                "pkg:golang/github.com/azure/sdk/v2@v1.0.0%2Bincompatible",
            ),
            (Go, "stdlib", "1.22.3", "pkg:golang/stdlib@1.22.3"),
            (
                Composer,
                "Symfony/Http",
                "v6",
                "pkg:composer/symfony/http@v6",
            ),
            (Gem, "rails", "7", "pkg:gem/rails@7"),
            (Cargo, "serde", "1", "pkg:cargo/serde@1"),
            (
                Nuget,
                "Newtonsoft.Json",
                "13",
                "pkg:nuget/Newtonsoft.Json@13",
            ),
        ] {
            assert_eq!(purl(&package(kind, name, version), Some(&debian)), want);
        }
    }
}
