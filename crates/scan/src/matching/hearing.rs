//! What statements of documents attached to an image make of its findings.

use std::cell::OnceCell;
use std::collections::HashMap;

use crate::attached::{Attached, AttachedStatement};
use crate::image::{ImageInventory, ImagePackage};
use crate::package_url::PackageUrl;
use crate::{ScannedPackage, purl};

/// How many statements that do not count are looked at for one finding, and how many are shown.
const UNTRUSTED: usize = 50;
const SHOWN: usize = 4;

/// The documents attached to an image, and what is asked of them.
pub(super) struct Hearing<'a> {
    image: &'a ImageInventory,
    attached: &'a Attached,
    /// The package URLs of the packages at each path.
    by_path: OnceCell<HashMap<&'a str, Vec<PackageUrl>>>,
}

/// What was said about a finding.
#[derive(Default)]
pub(super) struct Heard {
    /// What suppresses the finding, if that is decided by a trusted statement; it may be nothing.
    pub(super) suppressed_by: Option<Option<String>>,
    /// Statements that would, and do not count.
    pub(super) disregarded: Vec<String>,
}

impl<'a> Hearing<'a> {
    pub(super) fn new(image: &'a ImageInventory, attached: &'a Attached) -> Self {
        Self {
            image,
            attached,
            by_path: OnceCell::new(),
        }
    }

    /// What is said of the vulnerability of these names in a package. The latest trusted statement
    /// decides, and goes before all that the advisories came with: it is about this image.
    pub(super) fn about(&self, found: &ImagePackage, names: &[&str]) -> Heard {
        let mut heard = Heard::default();
        let statements = self.attached.about(names);
        if statements.is_empty() {
            return heard;
        }
        let Some(own) = self.url_of(found) else {
            return heard;
        };
        let is_about = |statement: &&&AttachedStatement| {
            statement.is_about(&own, |product| {
                let beside = self.beside(&found.path);
                beside.iter().any(|url| product.covers(url))
            })
        };
        let trusted = statements.iter().filter(|statement| statement.trusted);
        let latest = trusted.filter(is_about).max_by_key(|s| s.weight());
        heard.suppressed_by = latest.map(|s| s.suppresses().then(|| s.shown()));
        let others = statements
            .iter()
            .filter(|statement| !statement.trusted && statement.suppresses())
            .take(UNTRUSTED);
        let others = others.filter(is_about).take(SHOWN);
        heard.disregarded = others
            .map(|s| format!("not trusted: {}", s.shown()))
            .collect();
        heard
    }

    fn url_of(&self, found: &ImagePackage) -> Option<PackageUrl> {
        let os = self.image.os.as_ref();
        PackageUrl::parse(&purl(&ScannedPackage::new(found, os), os))
    }

    /// The packages at a path.
    fn beside(&self, path: &str) -> &[PackageUrl] {
        let by_path = self.by_path.get_or_init(|| {
            let mut by_path: HashMap<&str, Vec<PackageUrl>> = HashMap::new();
            for found in &self.image.packages {
                let at_path = by_path.entry(&found.path).or_default();
                at_path.extend(self.url_of(found));
            }
            by_path
        });
        by_path.get(path).map_or(&[], Vec::as_slice)
    }
}
