//! A version of a package as advisories see it, and what they say of it: the unit of matching.
//!
//! What is found in an image follows from what is said of each of its package versions alone. So
//! when the advisories change, only the images with a package version of which something else is
//! said now have to be matched again: [`PackageVersion::changed`].

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::{self, Read as _};

use serde::{Deserialize, Serialize};

use crate::advisories::{Advisories, Affected, Range};
use crate::image::ImageInventory;
use crate::rpm_line::Build;
use crate::version::Comparison;
use crate::{Ecosystem, MatchOptions, Package, UnparsableVersion};

/// The most bytes that the package versions of an image take in clear.
const DECODED_LIMIT: u64 = 64 << 20;

/// A version of a package, under the names by which advisories are looked up.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PackageVersion {
    /// With its release: `Debian:12`.
    pub ecosystem: String,
    /// As advisories of the ecosystem name it.
    pub name: String,
    /// What advisories are compared with.
    pub version: String,
}

/// The package versions of an image: everything that the result of matching it depends on beside
/// what is in it anyway.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageVersions(
    /// Ecosystem, name, versions.
    BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
);

/// What an advisory about a package says of one version that it is about: the version that repairs
/// it, or why that cannot be decided. One that is not affected has none.
pub(crate) type Judgement = Result<Option<String>, UnparsableVersion>;

impl PackageVersion {
    /// Under what a package is looked up in `ecosystem`; nothing if that is not known. An archive of
    /// Java that does not name its group has a name for each that it may be of.
    pub(crate) fn all_of(package: &Package, ecosystem: &str) -> Vec<Self> {
        let Ok(family) = ecosystem.parse::<Ecosystem>() else {
            return Vec::new();
        };
        let (name, version) = package.advisory_key(family);
        let of = |name: &str| Self {
            ecosystem: ecosystem.to_owned(),
            name: family.package_name(name),
            version: version.clone().into_owned(),
        };
        let groups = package.groups.iter();
        let grouped = groups.map(|group| of(&format!("{group}:{name}")));
        std::iter::once(of(name)).chain(grouped).collect()
    }

    /// Whether two sets of advisories say something else of it, so that an image with it has to be
    /// matched again.
    #[must_use]
    pub fn changed(&self, before: &Advisories, now: &Advisories) -> bool {
        let (before_says, now_says) = (judgements(before, self), judgements(now, self));
        let (Some(before_says), Some(now_says)) = (&before_says, &now_says) else {
            return before_says.is_some() != now_says.is_some();
        };
        before_says.len() != now_says.len()
            || before_says
                .iter()
                .zip(now_says)
                .any(|(a, b)| a.1 != b.1 || !before.says_the_same(a.0, now, b.0))
    }
}

impl PackageVersions {
    /// Those of an image, as [`match_image`](crate::match_image) looks them up.
    #[must_use]
    pub fn of(image: &ImageInventory, options: MatchOptions) -> Self {
        let mut all = Self::default();
        for found in &image.packages {
            if found.owner.is_some() && !options.comprehensive {
                continue;
            }
            let streams = found.package.streams(image.os.as_ref());
            let keys = streams.iter();
            for key in keys.flat_map(|of| PackageVersion::all_of(&found.package, &of.ecosystem)) {
                let names = all.0.entry(key.ecosystem).or_default();
                names.entry(key.name).or_default().insert(key.version);
            }
        }
        all
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = PackageVersion> {
        self.0.iter().flat_map(|(ecosystem, names)| {
            names.iter().flat_map(move |(name, versions)| {
                versions.iter().map(move |version| PackageVersion {
                    ecosystem: ecosystem.clone(),
                    name: name.clone(),
                    version: version.clone(),
                })
            })
        })
    }

    /// Those of packages of which something else may be said now.
    pub fn of_packages<'a>(
        &'a self,
        changed: &'a ChangedPackages,
    ) -> impl Iterator<Item = PackageVersion> {
        let ecosystems = self.0.iter().filter(|(name, _)| {
            changed.ecosystems.contains(*name) || changed.packages.contains_key(*name)
        });
        ecosystems.flat_map(move |(ecosystem, names)| {
            let whole = changed.ecosystems.contains(ecosystem);
            let some = changed.packages.get(ecosystem);
            let is_changed =
                move |name: &String| whole || some.is_some_and(|names| names.contains(name));
            let names = names.iter().filter(move |(name, _)| is_changed(name));
            names.flat_map(move |(name, versions)| {
                versions.iter().map(move |version| PackageVersion {
                    ecosystem: ecosystem.clone(),
                    name: name.clone(),
                    version: version.clone(),
                })
            })
        })
    }

    /// In some bytes a package.
    ///
    /// # Errors
    /// There is not enough memory.
    pub fn encode(&self) -> io::Result<Vec<u8>> {
        let mut encoder = zstd::Encoder::new(Vec::new(), 3)?;
        serde_json::to_writer(&mut encoder, self)?;
        encoder.finish()
    }

    /// From what [`encode`](Self::encode) gave.
    ///
    /// # Errors
    /// The bytes are something else. Memory is bounded whatever they are.
    pub fn decode(bytes: &[u8]) -> io::Result<Self> {
        let mut json = Vec::new();
        let decoder = zstd::Decoder::with_buffer(bytes)?;
        decoder.take(DECODED_LIMIT).read_to_end(&mut json)?;
        Ok(serde_json::from_slice(&json)?)
    }
}

/// The packages about which two sets of advisories differ.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ChangedPackages {
    /// Ecosystems of which only one of the two knows anything.
    ecosystems: HashSet<String>,
    /// Names by ecosystem.
    packages: BTreeMap<String, HashSet<String>>,
}

impl ChangedPackages {
    /// What differs between `before` and `now`; time in proportion to their sizes.
    #[must_use]
    pub fn between(before: &Advisories, now: &Advisories) -> Self {
        let names = |advisories: &Advisories| -> BTreeSet<String> {
            advisories
                .ecosystems()
                .map(|total| total.ecosystem)
                .collect()
        };
        let (old, new) = (names(before), names(now));
        let mut changed = Self {
            ecosystems: old.symmetric_difference(&new).cloned().collect(),
            ..Self::default()
        };
        for ecosystem in old.intersection(&new) {
            let names = before.changed_packages(now, ecosystem);
            if !names.is_empty() {
                changed.packages.insert(ecosystem.clone(), names);
            }
        }
        changed
    }

    /// How many packages, of ecosystems that both know.
    #[must_use]
    pub fn len(&self) -> usize {
        self.packages.values().map(HashSet::len).sum()
    }

    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.packages.is_empty() && self.ecosystems.is_empty()
    }
}

/// What each advisory about a package says of a version that is, or may be, affected; `None` if
/// nothing is known of the ecosystem.
pub(crate) fn judgements<'a>(
    advisories: &'a Advisories,
    package: &PackageVersion,
) -> Option<Vec<(Affected<'a>, Judgement)>> {
    let family = package.ecosystem.parse::<Ecosystem>().ok()?;
    if !advisories.knows(&package.ecosystem) {
        return None;
    }
    let version = family.version_order().comparison(&package.version);
    let about = advisories.about(&package.ecosystem, &package.name);
    let judged = about.filter_map(|affected| {
        let judgement = judge(affected, &package.version, &version, family)?;
        Some((affected, judgement))
    });
    Some(judged.collect())
}

/// What one advisory says; `None` if the version is not affected.
fn judge(
    affected: Affected<'_>,
    version: &str,
    compared: &Comparison<'_>,
    family: Ecosystem,
) -> Option<Judgement> {
    let order = family.version_order();
    // What repairs another build of Oracle's says nothing of this one.
    let is_of_build = |range: &Range<'_>| {
        let fixed = range.fixed();
        family != Ecosystem::OracleLinux
            || fixed.is_none_or(|fixed| Build::of(fixed) == Build::of(version))
    };
    let mut unordered = None;
    for range in affected.ranges().filter(is_of_build) {
        match range.contains(compared) {
            Ok(true) => return Some(Ok(range.fixed().map(str::to_owned))),
            Ok(false) => {}
            Err(error) => unordered = unordered.or(Some(error)),
        }
    }
    let mut versions = affected.versions();
    let listed = versions.any(|listed| {
        listed == version
            || may_equal(listed, version) && compared(listed).is_ok_and(std::cmp::Ordering::is_eq)
    });
    if listed {
        // The next range's end above it is what repairs it.
        let above = affected.ranges().filter_map(|range| {
            let fixed = range.fixed()?;
            let is_above = compared(fixed).is_ok_and(std::cmp::Ordering::is_lt);
            is_above.then(|| fixed.to_owned())
        });
        let lowest = above.min_by(|a, b| order.compare(a, b).unwrap_or(std::cmp::Ordering::Equal));
        return Some(Ok(lowest));
    }
    unordered.map(Err)
}

/// Whether two versions may be equal in some order. Two that are numbers and dots are not if a
/// number differs; that is known sooner than where they stand in the order.
fn may_equal(a: &str, b: &str) -> bool {
    let is_numbers = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.'));
    let differ = |(a, b): (&str, &str)| {
        // What leading zeros mean is a matter of the order.
        a != b && ![a, b].iter().any(|of| of.is_empty() || of.starts_with('0'))
    };
    !is_numbers(a) || !is_numbers(b) || !a.split('.').zip(b.split('.')).any(differ)
}

#[cfg(test)]
mod tests;
