//! A package of a result, of what was found in an image.

use super::ScannedPackage;
use crate::{ImagePackage, OsRelease};

impl ScannedPackage {
    /// A package of an image whose system is `os`.
    pub(crate) fn new(found: &ImagePackage, os: Option<&OsRelease>) -> Self {
        Self::of_ecosystem(found, os, found.package.ecosystem(os))
    }

    /// One whose advisories are looked up in `ecosystem`.
    pub(crate) fn of_ecosystem(
        found: &ImagePackage,
        os: Option<&OsRelease>,
        ecosystem: Option<String>,
    ) -> Self {
        let package = &found.package;
        Self {
            ecosystem,
            kind: package.kind,
            name: package.name.clone(),
            version: package.version.clone(),
            source_name: package.source_name.clone(),
            source_version: package.source_version.clone(),
            architecture: package.architecture.clone(),
            path: found.path.clone(),
            layer: found.layer,
            owner: found.owner.clone(),
            vendor: package.vendor.clone(),
            third_party: os.is_some_and(|os| package.is_third_party(os)),
            module: package.module.clone(),
            licenses: Vec::new(),
            evidence: package.evidence,
        }
    }
}
