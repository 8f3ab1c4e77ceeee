//! A version of a package as advisories see it, and what they say of it: the unit of matching.
//!
//! What is found in an image follows from what is said of each of its package versions alone. So
//! when the advisories change, only the images with a package version of which something else is
//! said now have to be matched again: [`PackageVersion::changed`].

use std::borrow::Cow;
use std::cmp::Ordering;
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
pub(crate) type Judgement<'a> = Result<Option<Cow<'a, str>>, UnparsableVersion>;

/// The name and version under which a package is looked up in an ecosystem.
pub(crate) struct Key<'p> {
    pub(crate) name: Cow<'p, str>,
    pub(crate) version: Cow<'p, str>,
}

impl<'p> Key<'p> {
    /// Those of a package: an archive of Java that does not name its group has a name for each that
    /// it may be of.
    pub(crate) fn all_of(package: &'p Package, family: Ecosystem) -> impl Iterator<Item = Self> {
        let (name, version) = package.advisory_key(family);
        let grouped = package.groups.iter().map({
            let version = version.clone();
            move |group| Self {
                name: Cow::Owned(family.package_name(&format!("{group}:{name}")).into_owned()),
                version: version.clone(),
            }
        });
        let own = Self {
            name: family.package_name(name),
            version,
        };
        std::iter::once(own).chain(grouped)
    }
}

impl PackageVersion {
    /// Under what a package is looked up in `ecosystem`; nothing if that is not known.
    fn all_of(package: &Package, ecosystem: &str) -> impl Iterator<Item = Self> {
        let family = ecosystem.parse::<Ecosystem>().ok();
        let keys = family.map(|family| Key::all_of(package, family));
        keys.into_iter().flatten().map(|key| Self {
            ecosystem: ecosystem.to_owned(),
            name: key.name.into_owned(),
            version: key.version.into_owned(),
        })
    }

    /// Whether two sets of advisories say something else of it, so that an image with it has to be
    /// matched again.
    #[must_use]
    pub fn changed(&self, before: &Advisories, now: &Advisories) -> bool {
        let Ok(family) = self.ecosystem.parse::<Ecosystem>() else {
            return false;
        };
        let of = |advisories| Advisories::of_ecosystem(advisories, &self.ecosystem);
        let (Some(before_of), Some(now_of)) = (of(before), of(now)) else {
            return of(before).is_some() != of(now).is_some();
        };
        let judge = Judge::new(family, &self.version);
        let mut before_says = judge.all(before_of.about(&self.name));
        let mut now_says = judge.all(now_of.about(&self.name));
        loop {
            match (before_says.next(), now_says.next()) {
                (None, None) => return false,
                (Some(a), Some(b)) if a.1 == b.1 && before.says_the_same(a.0, now, b.0) => {}
                _ => return true,
            }
        }
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

/// Judges one version by advisories.
pub(crate) struct Judge<'v> {
    family: Ecosystem,
    version: &'v str,
    /// The version is read once.
    compared: Comparison<'v>,
    is_numbers: bool,
}

impl<'v> Judge<'v> {
    pub(crate) fn new(family: Ecosystem, version: &'v str) -> Self {
        Self {
            family,
            version,
            compared: family.version_order().comparison(version),
            is_numbers: is_numbers(version.as_bytes()),
        }
    }

    /// What each advisory about a package says of the version, if that is, or may be, affected.
    pub(crate) fn all<'a>(
        &self,
        about: impl Iterator<Item = Affected<'a>>,
    ) -> impl Iterator<Item = (Affected<'a>, Judgement<'a>)> {
        about.filter_map(|affected| Some((affected, self.judge(affected)?)))
    }

    /// What one advisory says; `None` if the version is not affected.
    fn judge<'a>(&self, affected: Affected<'a>) -> Option<Judgement<'a>> {
        if self.family == Ecosystem::Packagist && is_branch(self.version) {
            let is_listed = affected
                .version_bytes()
                .any(|listed| listed == self.version.as_bytes());
            return Some(match is_listed {
                true => Ok(None),
                false => Err(UnparsableVersion::new(
                    self.family.version_order(),
                    self.version,
                    "it names a branch, not what was on it",
                )),
            });
        }
        // What repairs another build of Oracle's says nothing of this one.
        let is_of_build = |range: &Range<'_>| {
            let fixed = range.fixed();
            self.family != Ecosystem::OracleLinux
                || fixed.is_none_or(|fixed| Build::of(fixed) == Build::of(self.version))
        };
        let mut unordered = None;
        for range in affected.ranges().filter(is_of_build) {
            match range.contains(&self.compared) {
                Ok(true) => return Some(Ok(range.into_fixed())),
                Ok(false) => {}
                Err(error) => unordered = unordered.or(Some(error)),
            }
        }
        if affected.version_bytes().any(|listed| self.is(listed)) {
            return Some(Ok(self.lowest_above(affected)));
        }
        unordered.map(Err)
    }

    /// Whether the version is one that is listed.
    fn is(&self, listed: &[u8]) -> bool {
        listed == self.version.as_bytes() || {
            let differ = self.is_numbers && differ(listed, self.version.as_bytes());
            let equal = |text| (self.compared)(text).is_ok_and(Ordering::is_eq);
            !differ && std::str::from_utf8(listed).is_ok_and(equal)
        }
    }

    /// The end of the next range above it, which is what repairs a version that is listed.
    fn lowest_above<'a>(&self, affected: Affected<'a>) -> Option<Cow<'a, str>> {
        let order = self.family.version_order();
        let fixed = affected.ranges().filter_map(Range::into_fixed);
        let above = fixed.filter(|fixed| (self.compared)(fixed).is_ok_and(Ordering::is_lt));
        above.min_by(|a, b| order.compare(a, b).unwrap_or(Ordering::Equal))
    }
}

/// Whether a version is a branch, as Composer installs one: `dev-main`, `2.x-dev`.
fn is_branch(version: &str) -> bool {
    version.starts_with("dev-") || version.ends_with("-dev")
}

/// Whether a version is numbers and dots.
fn is_numbers(version: &[u8]) -> bool {
    let mut bytes = version.iter();
    bytes.all(|byte| matches!(byte, b'0'..=b'9' | b'.'))
}

/// Whether a version is not equal to another that is numbers and dots, in any order: it is numbers
/// and dots too, and a number differs. That is known sooner than where they stand in the order.
fn differ(version: &[u8], numbers: &[u8]) -> bool {
    let parts = |version| <[u8]>::split(version, |byte| *byte == b'.');
    let differ = |(a, b): (&[u8], &[u8])| {
        // What leading zeros mean is a matter of the order.
        a != b && ![a, b].iter().any(|of| of.is_empty() || of[0] == b'0')
    };
    is_numbers(version) && parts(version).zip(parts(numbers)).any(differ)
}

#[cfg(test)]
mod tests;
