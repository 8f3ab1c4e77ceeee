//! A package that an image contains.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::OsRelease;

/// A package as a database inside an image records it. What only the whole image can tell (the
/// layer, the owner of a file) is added by whoever merges the layers.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Package {
    /// What manages it.
    pub kind: PackageKind,
    /// Its name, as recorded: `Jinja2`.
    pub name: String,
    /// Its version, as recorded: whether it has an order is found out by comparing.
    pub version: String,
    /// The name under which advisories are looked up: of the source package that a package of a
    /// distribution was built from, or its own if none is recorded; of a Python package its
    /// normalized name, `jinja2`.
    pub source_name: String,
    /// The version that advisories are compared with: of the source package, which for a rebuild
    /// such as `+b1` is not the package's own.
    pub source_version: String,
    /// The processor that it is for, as recorded; empty if none is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub architecture: String,
    /// Who distributes it, where the database says so: `VENDOR` of rpm; of dpkg only what is known
    /// to be none of the distribution's.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub vendor: String,
    /// The module and the stream of it that an rpm package is of: `nodejs:18`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub module: String,
    /// Of a Java archive that does not name its group: those that it may be of, by what is in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Its licences, as whoever packaged it states them: SPDX expressions where a statement certainly
    /// means one, else names. They are at most 32, of a line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub licenses: Vec<String>,
    /// What its name and version are known by.
    #[serde(default, skip_serializing_if = "Evidence::is_recorded")]
    pub evidence: Evidence,
}

/// What the name and version of a package are known by.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// The database or the metadata of what installed it.
    #[default]
    Recorded,
    /// The `MANIFEST.MF` of a Java archive.
    Manifest,
    /// The name of its file.
    FileName,
    /// A text in a program.
    VersionString,
    /// A list that whoever built the image has put into it.
    Sbom,
}

impl Evidence {
    /// Whether it is the database or the metadata of what installed it.
    #[must_use]
    pub fn is_recorded(&self) -> bool {
        *self == Self::Recorded
    }
}

/// What manages a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PackageKind {
    /// dpkg: Debian, Ubuntu and their relatives.
    Deb,
    /// apk: Alpine and its relatives.
    Apk,
    /// rpm: Red Hat, SUSE and their relatives.
    Rpm,
    /// Python's installers.
    Python,
    /// npm, pnpm or yarn: packages of Node.js.
    Npm,
    /// Maven and its relatives: packages of Java.
    Maven,
    /// Go: the modules in a program, and its standard library.
    Go,
    /// Cargo: the crates in a program of Rust, if cargo-auditable has listed them.
    Cargo,
    /// RubyGems.
    Gem,
    /// Composer: packages of PHP.
    Composer,
    /// NuGet: packages of .NET.
    Nuget,
    /// conda: of any language.
    Conda,
    /// What an SBOM of Bitnami's lists in an image of theirs.
    Bitnami,
    /// A program that no package manager has installed, by a text in it.
    Program,
}

impl PackageKind {
    /// The kinds that are of an operating system.
    pub const SYSTEM: [Self; 3] = [Self::Deb, Self::Apk, Self::Rpm];

    /// The kind as JSON and owners have it: `"deb"`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Deb => "deb",
            Self::Apk => "apk",
            Self::Rpm => "rpm",
            Self::Python => "python",
            Self::Npm => "npm",
            Self::Maven => "maven",
            Self::Go => "go",
            Self::Cargo => "cargo",
            Self::Gem => "gem",
            Self::Composer => "composer",
            Self::Nuget => "nuget",
            Self::Conda => "conda",
            Self::Bitnami => "bitnami",
            Self::Program => "program",
        }
    }

    /// The program that keeps the database, for people.
    pub(crate) fn manager(self) -> &'static str {
        match self {
            Self::Deb => "dpkg",
            kind => kind.name(),
        }
    }
}

impl Package {
    /// A package whose name and version are those that advisories know.
    #[must_use]
    pub fn new(kind: PackageKind, name: &str, version: &str) -> Self {
        Self {
            kind,
            name: name.to_owned(),
            version: version.to_owned(),
            source_name: name.to_owned(),
            source_version: version.to_owned(),
            architecture: String::new(),
            vendor: String::new(),
            module: String::new(),
            groups: Vec::new(),
            licenses: Vec::new(),
            evidence: Evidence::Recorded,
        }
    }

    /// The ecosystem, with its release, in which advisories for this package are looked up:
    /// `PyPI`, or what the operating system is, such as `Debian:12`. `None` if `os` is of no
    /// distribution whose advisories we know: then nothing is known about the package.
    #[must_use]
    pub fn ecosystem(&self, os: Option<&OsRelease>) -> Option<String> {
        if !self.is_judged(os) {
            return None;
        }
        match self.kind {
            PackageKind::Python => Some("PyPI".to_owned()),
            PackageKind::Npm => Some("npm".to_owned()),
            PackageKind::Maven => Some("Maven".to_owned()),
            PackageKind::Go => Some("Go".to_owned()),
            PackageKind::Cargo => Some("crates.io".to_owned()),
            PackageKind::Gem => Some("RubyGems".to_owned()),
            PackageKind::Composer => Some("Packagist".to_owned()),
            PackageKind::Nuget => Some("NuGet".to_owned()),
            PackageKind::Bitnami | PackageKind::Program => Some("Bitnami".to_owned()),
            PackageKind::Conda => None,
            PackageKind::Deb | PackageKind::Apk | PackageKind::Rpm => os?.ecosystem(self.kind),
        }
    }

    /// Whether it is one of those of its kind that have advisories, if any have on that system.
    pub(crate) fn is_judged(&self, os: Option<&OsRelease>) -> bool {
        match self.kind {
            PackageKind::Program => crate::database::is_judged_program(&self.name),
            PackageKind::Deb | PackageKind::Apk | PackageKind::Rpm => {
                os.is_some_and(|os| !self.is_third_party(os))
            }
            _ => true,
        }
    }
}

/// The beginnings of `VENDOR` in the packages that distributions with rpm build themselves, by `ID`.
const VENDORS: [(&str, &[&str]); 19] = [
    ("almalinux", &["AlmaLinux", "CloudLinux"]),
    ("amzn", &["Amazon"]),
    ("azurelinux", &["Microsoft"]),
    ("centos", &["CentOS", "Red Hat"]),
    ("fedora", &["Fedora"]),
    ("mageia", &["Mageia"]),
    ("mariner", &["Microsoft"]),
    ("ol", &["Oracle"]),
    ("opensuse-leap", &["SUSE", "openSUSE"]),
    ("opensuse-tumbleweed", &["SUSE", "openSUSE"]),
    ("photon", &["VMware", "Broadcom"]),
    ("rhel", &["Red Hat"]),
    ("rocky", &["Rocky"]),
    ("sl-micro", &["SUSE"]),
    ("sle-micro", &["SUSE"]),
    ("sle_hpc", &["SUSE"]),
    ("sled", &["SUSE"]),
    ("sles", &["SUSE"]),
    ("sles_sap", &["SUSE"]),
];

impl Package {
    /// Whether the database shows that the package is none of the distribution's: from Docker's
    /// repository, NodeSource's, EPEL. The distribution's advisories are not about it then.
    #[must_use]
    pub fn is_third_party(&self, os: &OsRelease) -> bool {
        match self.kind {
            PackageKind::Deb => {
                !self.vendor.is_empty() && !self.vendor.eq_ignore_ascii_case(&os.id)
            }
            PackageKind::Rpm if !self.vendor.is_empty() => {
                let mut known = VENDORS.iter();
                let own = known.find(|(id, _)| *id == os.id);
                own.is_some_and(|(_, own)| !own.iter().any(|own| self.vendor.starts_with(own)))
            }
            _ => false,
        }
    }

    /// Whether it holds the headers of a kernel that does not run in a container: it has the
    /// kernel's advisories, thousands of them, and nothing of it is executed.
    #[must_use]
    pub fn is_kernel_headers(&self) -> bool {
        let name = self.name.as_str();
        match self.kind {
            PackageKind::Deb => {
                let starts = ["linux-libc-dev", "linux-headers-", "linux-kbuild-"];
                self.source_name.starts_with("linux")
                    && starts.iter().any(|start| name.starts_with(start))
            }
            PackageKind::Rpm => {
                name == "linux-glibc-devel"
                    || name.starts_with("kernel-")
                        && (name.ends_with("-headers") || name.ends_with("-devel"))
            }
            PackageKind::Apk => name == "linux-headers",
            _ => false,
        }
    }
}

/// The normalized name of a Python package (PEP 503): lower case, and a hyphen for each run of
/// hyphens, dots and underscores.
pub(crate) fn normalize_python_name(name: &str) -> Cow<'_, str> {
    let is_plain = |part: &[u8]| {
        let mut bytes = part.iter();
        !part.is_empty() && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    if name.as_bytes().split(|byte| *byte == b'-').all(is_plain) {
        return name.into();
    }
    let parts = name.split(['-', '_', '.']).filter(|part| !part.is_empty());
    let parts: Vec<String> = parts.map(str::to_ascii_lowercase).collect();
    parts.join("-").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_of_others_are_told_from_the_distributions() {
        for (kind, id, vendor, want) in [
            (PackageKind::Rpm, "almalinux", "AlmaLinux", false),
            (PackageKind::Rpm, "almalinux", "Fedora Project", true),
            (PackageKind::Rpm, "almalinux", "", false),
            (PackageKind::Rpm, "rhel", "Red Hat, Inc.", false),
            (PackageKind::Rpm, "openEuler", "http://openeuler.org", false),
            (PackageKind::Deb, "debian", "", false),
            (PackageKind::Deb, "debian", "Docker", true),
            (PackageKind::Deb, "kali", "Kali", false),
            (PackageKind::Python, "debian", "Docker", false),
        ] {
            let mut package = Package::new(kind, "a", "1");
            vendor.clone_into(&mut package.vendor);
            let os = OsRelease {
                id: id.to_owned(),
                ..OsRelease::default()
            };
            assert_eq!(package.is_third_party(&os), want, "{id} {vendor}");
        }
    }

    #[test]
    fn headers_of_a_kernel_are_no_kernel() {
        for (kind, name, source, want) in [
            (PackageKind::Deb, "linux-libc-dev", "linux", true),
            (
                PackageKind::Deb,
                "linux-headers-6.1.0-18-amd64",
                "linux",
                true,
            ),
            (
                PackageKind::Deb,
                "linux-image-6.1.0-18-amd64",
                "linux",
                false,
            ),
            (PackageKind::Deb, "linux-libc-dev", "mine", false),
            (PackageKind::Rpm, "kernel-headers", "kernel", true),
            (PackageKind::Rpm, "kernel-uek-devel", "kernel-uek", true),
            (PackageKind::Rpm, "kernel-core", "kernel", false),
            (
                PackageKind::Rpm,
                "linux-glibc-devel",
                "linux-glibc-devel",
                true,
            ),
            (PackageKind::Apk, "linux-headers", "linux-headers", true),
            (PackageKind::Npm, "linux-headers", "linux-headers", false),
        ] {
            let mut package = Package::new(kind, name, "1");
            source.clone_into(&mut package.source_name);
            assert_eq!(package.is_kernel_headers(), want, "{name}");
        }
    }

    #[test]
    fn names_of_python_packages_are_normalized() {
        for (name, want) in [
            ("Flask", "flask"),
            ("zope.interface", "zope-interface"),
            ("ruamel.yaml._-clib", "ruamel-yaml-clib"),
            ("-a--b1-", "a-b1"),
            ("six", "six"),
        ] {
            assert_eq!(normalize_python_name(name), want);
        }
    }
}
