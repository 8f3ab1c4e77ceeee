//! A package under one of the names that advisories may have for it.

use super::sources::Source;
use crate::advisories::{Affected, OfEcosystem};
use crate::image::ImagePackage;
use crate::package_version::{Judge, Judgement, Key};
use crate::rpm_line::is_of_other_stream;
use crate::{Ecosystem, Package};

/// A name and a version of a package, and the advisories they are looked up in.
pub(super) struct KnownAs<'s, 'a> {
    pub(super) key: Key<'a>,
    pub(super) source: &'s Source<'a>,
    package: &'a Package,
    family: Ecosystem,
    advisories: OfEcosystem<'a>,
}

/// All of a package, in those of `sources` that are wanted and of which anything is known.
pub(super) fn known_as<'s, 'a>(
    found: &'a ImagePackage,
    sources: &'s [Source<'a>],
    is_wanted: impl Fn(&Source<'a>) -> bool,
) -> impl Iterator<Item = KnownAs<'s, 'a>> {
    let package = &found.package;
    let known = sources.iter().filter(move |of| is_wanted(of));
    let known = known.filter_map(|source| Some((source, source.known?)));
    known.flat_map(move |(source, (family, advisories))| {
        let keys = Key::all_of(package, family);
        keys.map(move |key| KnownAs {
            key,
            source,
            package,
            family,
            advisories,
        })
    })
}

impl<'a> KnownAs<'_, 'a> {
    /// What advisories say of it.
    pub(super) fn judged(&self) -> Vec<(Affected<'a>, Judgement<'a>)> {
        let judge = Judge::new(self.family, &self.key.version);
        let judged = judge.all(self.about());
        let judged = judged.filter(|(of, _)| !is_of_other_stream(self.package, *of));
        judged.collect()
    }

    /// Everything said of the package, be it that this version is not affected.
    pub(super) fn about(&self) -> impl Iterator<Item = Affected<'a>> + use<'a> {
        self.advisories.about(&self.key.name)
    }

    /// Whether an advisory speaks of the package at all.
    pub(super) fn says(&self, id: &str) -> bool {
        self.about().any(|affected| affected.advisory().id == id)
    }
}
