//! The order of versions, exactly as the tools of each ecosystem have it.
//!
//! Whether a package is affected is decided by comparing its version with the bounds of an
//! advisory, so the order must be the one that the package's own tools use: `1.10` is above `1.9`
//! everywhere, but `1.0-1` is above `1.0` for dpkg and Maven and below it for npm.
//!
//! Each order is one file. Numbers have any length: runs of digits are compared as text, so no
//! version overflows. A version without an order is an [`UnparsableVersion`]: the caller must
//! report it as unknown and must not take it for "not affected".

mod apk;
mod deb;
mod digits;
mod gem;
mod go;
mod maven;
mod nuget;
mod packagist;
mod pep440;
mod rpm;
mod semver;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use crate::Ecosystem;

/// The longest version that is compared, in bytes. Real versions stay below 100; Maven itself
/// refuses more than 256.
pub const VERSION_LIMIT: usize = 1024;

/// Compares two versions of an ecosystem by the order of [`Ecosystem::version_order`].
///
/// ```
/// use std::cmp::Ordering;
/// use bonded_scan::{Ecosystem, compare};
///
/// let order = compare(Ecosystem::Debian, "1.0~rc1-1", "1.0-1")?;
/// assert_eq!(order, Ordering::Less);
/// # Ok::<(), bonded_scan::UnparsableVersion>(())
/// ```
///
/// # Errors
/// [`UnparsableVersion`], naming the first of the two that has no order.
pub fn compare(ecosystem: Ecosystem, a: &str, b: &str) -> Result<Ordering, UnparsableVersion> {
    ecosystem.version_order().compare(a, b)
}

/// A rule that orders versions; several ecosystems may share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VersionOrder {
    /// Alpine and its relatives: `apk version`, apk-tools 3.
    Apk,
    /// crates.io: semver 2.0.0.
    Cargo,
    /// Debian, Ubuntu: `dpkg --compare-versions`, deb-version(7).
    Deb,
    /// RubyGems: `Gem::Version`.
    Gem,
    /// Go modules and the Go toolchain: golang.org/x/mod/semver.
    Go,
    /// Maven: `ComparableVersion`.
    Maven,
    /// npm: node-semver in its loose mode, which is how registries were filled.
    Npm,
    /// NuGet: `NuGetVersion`.
    Nuget,
    /// Composer: PHP's `version_compare`.
    Packagist,
    /// Python: PEP 440.
    Pep440,
    /// Dart: `pub_semver`, where build metadata counts.
    Pub,
    /// Red Hat, SUSE and their relatives: `rpmvercmp` over epoch, version and release.
    Rpm,
    /// semver 2.0.0, lenient about `v` and the number of components.
    Semver,
}

/// Every order with its short name, in the order of the variants.
const ORDERS: [(VersionOrder, &str); 13] = [
    (VersionOrder::Apk, "apk"),
    (VersionOrder::Cargo, "cargo"),
    (VersionOrder::Deb, "deb"),
    (VersionOrder::Gem, "gem"),
    (VersionOrder::Go, "go"),
    (VersionOrder::Maven, "maven"),
    (VersionOrder::Npm, "npm"),
    (VersionOrder::Nuget, "nuget"),
    (VersionOrder::Packagist, "packagist"),
    (VersionOrder::Pep440, "pep440"),
    (VersionOrder::Pub, "pub"),
    (VersionOrder::Rpm, "rpm"),
    (VersionOrder::Semver, "semver"),
];

impl VersionOrder {
    /// Compares two versions.
    ///
    /// # Errors
    /// [`UnparsableVersion`], naming the first of the two that has no order.
    pub fn compare(self, a: &str, b: &str) -> Result<Ordering, UnparsableVersion> {
        self.comparison(a)(b)
    }

    /// What compares one version with others, as [`compare`](Self::compare) does: it is read once.
    pub(crate) fn comparison(self, version: &str) -> Comparison<'_> {
        /// The functions of one order. What they read borrows from its text, so that no function
        /// can take them.
        macro_rules! by {
            ($parse:path, $compare:path) => {{
                let own = self.read(version, $parse);
                Box::new(move |other| {
                    let own = own.as_ref().map_err(Clone::clone)?;
                    Ok($compare(own, &self.read(other, $parse)?))
                })
            }};
        }
        match self {
            Self::Apk => by!(apk::parse, apk::compare),
            Self::Cargo => by!(semver::parse_strict, semver::compare),
            Self::Deb => by!(deb::parse, deb::compare),
            Self::Gem => by!(gem::parse, gem::compare),
            Self::Go => by!(go::parse, semver::compare),
            Self::Maven => by!(maven::parse, maven::compare),
            Self::Npm | Self::Semver => by!(semver::parse_loose, semver::compare),
            Self::Nuget => by!(nuget::parse, nuget::compare),
            Self::Packagist => by!(packagist::parse, packagist::compare),
            Self::Pep440 => by!(pep440::parse, pep440::compare),
            Self::Pub => by!(semver::parse_loose, semver::compare_with_build),
            Self::Rpm => by!(rpm::parse, rpm::compare),
        }
    }

    /// The short name: `"deb"`.
    #[must_use]
    pub fn name(self) -> &'static str {
        ORDERS[self as usize].1
    }

    fn read<'a, V>(
        self,
        version: &'a str,
        parse: impl Fn(&'a str) -> Result<V, Reason>,
    ) -> Result<V, UnparsableVersion> {
        let parsed = bounded(version).and_then(|()| parse(version));
        parsed.map_err(|reason| UnparsableVersion::new(self, version, reason))
    }
}

/// Where one version stands to another: below, equal or above.
pub(crate) type Comparison<'a> = Box<dyn Fn(&str) -> Result<Ordering, UnparsableVersion> + 'a>;

impl fmt::Display for VersionOrder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// From the short name of an order (`deb`) or the OSV name of an ecosystem (`Debian:12`).
impl FromStr for VersionOrder {
    type Err = UnknownVersionOrder;

    fn from_str(text: &str) -> Result<Self, UnknownVersionOrder> {
        let mut orders = ORDERS.iter();
        if let Some((order, _)) = orders.find(|(_, name)| *name == text) {
            return Ok(*order);
        }
        let ecosystem: Result<Ecosystem, _> = text.parse();
        ecosystem
            .map(Ecosystem::version_order)
            .map_err(|_| UnknownVersionOrder(text.to_owned()))
    }
}

/// The text names neither an order nor an ecosystem.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is neither an ecosystem of OSV, such as 'Debian:12' or 'PyPI', nor one of apk, cargo, \
     deb, gem, go, maven, npm, nuget, packagist, pep440, pub, rpm, semver"
)]
pub struct UnknownVersionOrder(String);

/// Why a version has no order: the end of a sentence that begins with the version.
type Reason = &'static str;

/// The version has no place in the order. Whoever asked whether it is affected must be told that
/// this is unknown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{version}' is not a version that {order} orders: {reason}")]
pub struct UnparsableVersion {
    order: VersionOrder,
    /// The first [`SHOWN`] characters.
    version: String,
    reason: Reason,
}

/// How much of a version its error repeats, in characters.
const SHOWN: usize = 100;

impl UnparsableVersion {
    pub(crate) fn new(order: VersionOrder, version: &str, reason: Reason) -> Self {
        Self {
            order,
            version: version.chars().take(SHOWN).collect(),
            reason,
        }
    }
}

/// What holds for a version of every order.
fn bounded(version: &str) -> Result<(), Reason> {
    if version.is_empty() {
        Err("it is empty")
    } else if version.len() > VERSION_LIMIT {
        Err("it is longer than 1024 bytes")
    } else if !version.bytes().all(|byte| (b' '..=b'~').contains(&byte))
        && version.chars().any(char::is_control)
    {
        Err("it has a control character")
    } else {
        Ok(())
    }
}
