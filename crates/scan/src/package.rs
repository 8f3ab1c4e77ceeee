//! A package that an image contains.

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
    /// The name and version under which advisories are looked up: of the source package, but of rpm
    /// packages their own, which is how the advisories of those distributions list them.
    pub(crate) fn advisory_key(&self) -> (&str, &str) {
        match self.kind {
            PackageKind::Rpm => (&self.name, &self.version),
            _ => (&self.source_name, &self.source_version),
        }
    }

    /// The ecosystem, with its release, in which advisories for this package are looked up:
    /// `PyPI`, or what the operating system is, such as `Debian:12`. `None` if `os` is of no
    /// distribution whose advisories we know: then nothing is known about the package.
    #[must_use]
    pub fn ecosystem(&self, os: Option<&OsRelease>) -> Option<String> {
        match self.kind {
            PackageKind::Python => Some("PyPI".to_owned()),
            PackageKind::Npm => Some("npm".to_owned()),
            PackageKind::Maven => Some("Maven".to_owned()),
            PackageKind::Go => Some("Go".to_owned()),
            PackageKind::Cargo => Some("crates.io".to_owned()),
            PackageKind::Gem => Some("RubyGems".to_owned()),
            PackageKind::Composer => Some("Packagist".to_owned()),
            PackageKind::Nuget => Some("NuGet".to_owned()),
            PackageKind::Deb | PackageKind::Apk | PackageKind::Rpm => os?.ecosystem(self.kind),
        }
    }
}

/// The normalized name of a Python package (PEP 503): lower case, and a hyphen for each run of
/// hyphens, dots and underscores.
pub(crate) fn normalize_python_name(name: &str) -> String {
    let parts = name.split(['-', '_', '.']).filter(|part| !part.is_empty());
    let parts: Vec<String> = parts.map(str::to_ascii_lowercase).collect();
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_python_packages_are_normalized() {
        for (name, want) in [
            ("Flask", "flask"),
            ("zope.interface", "zope-interface"),
            ("ruamel.yaml._-clib", "ruamel-yaml-clib"),
        ] {
            assert_eq!(normalize_python_name(name), want);
        }
    }
}
