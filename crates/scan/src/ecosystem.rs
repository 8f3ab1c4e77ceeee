//! Where packages and advisories come from, by the names of the OSV schema.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use crate::VersionOrder;

/// A source of packages that advisories speak of, without its release: `Debian:12` and
/// `Debian:13` are both [`Ecosystem::Debian`]. Only ecosystems whose version order is known are
/// here; a name that is not is an [`UnknownEcosystem`], so nothing is matched by guesswork.
///
/// Names: "Defined ecosystems" of the OSV schema 1.7, and Amazon Linux and Oracle Linux, for which
/// OSV has no records and other feeds are imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each variant is named as its ecosystem is")]
pub enum Ecosystem {
    AlmaLinux,
    Alpaquita,
    Alpine,
    AmazonLinux,
    AzureLinux,
    Bitnami,
    Chainguard,
    CratesIo,
    Debian,
    Echo,
    Go,
    Hex,
    Mageia,
    Maven,
    MinimOs,
    Npm,
    NuGet,
    OpenEuler,
    OpenSuse,
    OracleLinux,
    Packagist,
    PhotonOs,
    Pub,
    PyPi,
    RedHat,
    RockyLinux,
    RubyGems,
    Suse,
    SwiftUrl,
    Ubuntu,
    Wolfi,
}

/// Every ecosystem with its name and the order of its versions.
const ECOSYSTEMS: [(Ecosystem, &str, VersionOrder); 31] = [
    (Ecosystem::AlmaLinux, "AlmaLinux", VersionOrder::Rpm),
    (Ecosystem::Alpaquita, "Alpaquita", VersionOrder::Apk),
    (Ecosystem::Alpine, "Alpine", VersionOrder::Apk),
    (Ecosystem::AmazonLinux, "Amazon Linux", VersionOrder::Rpm),
    (Ecosystem::AzureLinux, "Azure Linux", VersionOrder::Rpm),
    (Ecosystem::Bitnami, "Bitnami", VersionOrder::Semver),
    (Ecosystem::Chainguard, "Chainguard", VersionOrder::Apk),
    (Ecosystem::CratesIo, "crates.io", VersionOrder::Cargo),
    (Ecosystem::Debian, "Debian", VersionOrder::Deb),
    (Ecosystem::Echo, "Echo", VersionOrder::Deb),
    (Ecosystem::Go, "Go", VersionOrder::Go),
    (Ecosystem::Hex, "Hex", VersionOrder::Semver),
    (Ecosystem::Mageia, "Mageia", VersionOrder::Rpm),
    (Ecosystem::Maven, "Maven", VersionOrder::Maven),
    (Ecosystem::MinimOs, "MinimOS", VersionOrder::Apk),
    (Ecosystem::Npm, "npm", VersionOrder::Npm),
    (Ecosystem::NuGet, "NuGet", VersionOrder::Nuget),
    (Ecosystem::OpenEuler, "openEuler", VersionOrder::Rpm),
    (Ecosystem::OpenSuse, "openSUSE", VersionOrder::Rpm),
    (Ecosystem::OracleLinux, "Oracle Linux", VersionOrder::Rpm),
    (Ecosystem::Packagist, "Packagist", VersionOrder::Packagist),
    (Ecosystem::PhotonOs, "Photon OS", VersionOrder::Rpm),
    (Ecosystem::Pub, "Pub", VersionOrder::Pub),
    (Ecosystem::PyPi, "PyPI", VersionOrder::Pep440),
    (Ecosystem::RedHat, "Red Hat", VersionOrder::Rpm),
    (Ecosystem::RockyLinux, "Rocky Linux", VersionOrder::Rpm),
    (Ecosystem::RubyGems, "RubyGems", VersionOrder::Gem),
    (Ecosystem::Suse, "SUSE", VersionOrder::Rpm),
    (Ecosystem::SwiftUrl, "SwiftURL", VersionOrder::Semver),
    (Ecosystem::Ubuntu, "Ubuntu", VersionOrder::Deb),
    (Ecosystem::Wolfi, "Wolfi", VersionOrder::Apk),
];

impl Ecosystem {
    /// The name in OSV records, without a release: `"crates.io"`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// How versions of this ecosystem are ordered.
    #[must_use]
    pub fn version_order(self) -> VersionOrder {
        self.row().2
    }

    /// Whether advisories name the source packages of rpm packages, whose versions are then compared;
    /// those of other distributions with rpm list each package that was built.
    pub(crate) fn names_source_rpms(self) -> bool {
        matches!(
            self,
            Self::AzureLinux
                | Self::Mageia
                | Self::OpenEuler
                | Self::OpenSuse
                | Self::PhotonOs
                | Self::RockyLinux
                | Self::Suse
        )
    }

    /// The one form of a package's name under which advisories are kept and looked up, in
    /// ecosystems where a package has several: `zope.interface` and `Zope_Interface` are one.
    #[must_use]
    pub fn package_name(self, name: &str) -> Cow<'_, str> {
        match self {
            Self::PyPi => crate::package::normalize_python_name(name),
            Self::NuGet | Self::Packagist => name.to_lowercase().into(),
            _ => name.into(),
        }
    }

    /// The ecosystem and the release of an OSV name: `Debian:12` gives Debian and `12`,
    /// `Ubuntu:Pro:18.04:LTS` gives Ubuntu and `Pro:18.04:LTS`, `PyPI` gives no release.
    ///
    /// # Errors
    /// [`UnknownEcosystem`] if what stands before the first `:` is no name of this table, letter
    /// for letter.
    pub fn with_release(text: &str) -> Result<(Self, Option<&str>), UnknownEcosystem> {
        let (name, release) = match text.split_once(':') {
            Some((name, release)) => (name, Some(release)),
            None => (text, None),
        };
        let mut rows = ECOSYSTEMS.iter();
        let row = rows.find(|row| row.1 == name);
        row.map(|row| (row.0, release))
            .ok_or_else(|| UnknownEcosystem(name.to_owned()))
    }

    /// The row of this ecosystem: the table is in the order of the variants, as a test holds.
    fn row(self) -> &'static (Self, &'static str, VersionOrder) {
        &ECOSYSTEMS[self as usize]
    }
}

impl fmt::Display for Ecosystem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// From an OSV name; a release after `:` is left out, see [`Ecosystem::with_release`].
impl FromStr for Ecosystem {
    type Err = UnknownEcosystem;

    fn from_str(text: &str) -> Result<Self, UnknownEcosystem> {
        Self::with_release(text).map(|(ecosystem, _)| ecosystem)
    }
}

/// The name is not that of an ecosystem whose versions we can order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not an ecosystem we know: give an OSV name, such as 'Debian:12' or 'PyPI'")]
pub struct UnknownEcosystem(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_variants() {
        for (index, row) in ECOSYSTEMS.iter().enumerate() {
            assert_eq!(row.0 as usize, index, "{}", row.1);
        }
    }

    #[test]
    fn a_release_is_split_off() {
        for (text, ecosystem, release) in [
            ("Debian:12", Ecosystem::Debian, Some("12")),
            ("Alpine:v3.18", Ecosystem::Alpine, Some("v3.18")),
            (
                "Ubuntu:Pro:18.04:LTS",
                Ecosystem::Ubuntu,
                Some("Pro:18.04:LTS"),
            ),
            ("PyPI", Ecosystem::PyPi, None),
            ("crates.io", Ecosystem::CratesIo, None),
        ] {
            assert_eq!(Ecosystem::with_release(text), Ok((ecosystem, release)));
            assert_eq!(text.parse(), Ok(ecosystem));
        }
    }

    #[test]
    fn a_name_that_is_not_in_the_schema_is_refused() {
        for text in ["", "debian", "Debian ", ":12", "Plan 9"] {
            assert!(text.parse::<Ecosystem>().is_err(), "{text}");
        }
    }
}
