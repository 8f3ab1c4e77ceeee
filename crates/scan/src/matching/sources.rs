//! Where the advisories about packages are, looked up once for all packages of a kind.

use std::rc::Rc;

use crate::advisories::{Advisories, OfEcosystem};
use crate::distribution::{AMAZON_EXTRAS, Stream};
use crate::{Ecosystem, OsRelease, Package, PackageKind};

/// Advisories that may be about a package.
pub(super) struct Source<'a> {
    pub(super) stream: Stream,
    /// What there is of them; `None` if nothing is.
    pub(super) known: Option<(Ecosystem, OfEcosystem<'a>)>,
}

impl Source<'_> {
    /// Whether everybody gets what they name.
    pub(super) fn is_free(&self) -> bool {
        self.stream.subscription.is_none() && !self.is_extras()
    }

    pub(super) fn is_extras(&self) -> bool {
        self.stream.ecosystem == AMAZON_EXTRAS
    }
}

/// The sources for the packages of an image.
pub(super) struct Sources<'a> {
    advisories: &'a Advisories,
    os: Option<&'a OsRelease>,
    /// Of the packages of a kind that have any.
    by_kind: Vec<(PackageKind, Rc<[Source<'a>]>)>,
    none: Rc<[Source<'a>]>,
}

impl<'a> Sources<'a> {
    pub(super) fn new(advisories: &'a Advisories, os: Option<&'a OsRelease>) -> Self {
        Self {
            advisories,
            os,
            by_kind: Vec::new(),
            none: Rc::default(),
        }
    }

    /// Those of a package, as [`Package::streams`] names them.
    pub(super) fn of(&mut self, package: &Package) -> Rc<[Source<'a>]> {
        if !package.is_judged(self.os) {
            return Rc::clone(&self.none);
        }
        let mut known = self.by_kind.iter();
        if let Some((_, sources)) = known.find(|(kind, _)| *kind == package.kind) {
            return Rc::clone(sources);
        }
        let streams = package.streams(self.os).into_iter();
        let sources: Rc<[Source<'a>]> = streams
            .map(|stream| Source {
                known: stream
                    .ecosystem
                    .parse()
                    .ok()
                    .zip(self.advisories.of_ecosystem(&stream.ecosystem)),
                stream,
            })
            .collect();
        self.by_kind.push((package.kind, Rc::clone(&sources)));
        sources
    }
}
