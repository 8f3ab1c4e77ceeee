//! Whether a statement of an `OpenVEX` document keeps a finding from counting.

use crate::advisories::{Advisories, Statement, VexStatus, split};
use crate::image::{ImageInventory, ImagePackage};
use crate::{ScannedPackage, purl};

/// What says that the vulnerability of these names does not concern the package where it was found;
/// `None` if nothing does, or the latest word is another.
///
/// A statement about a product is about every package of that package URL. One about a part of a
/// product is about the part where the product is: in the same program or archive. One about an
/// image (`pkg:oci`) says nothing here, as an image does not know what it is called.
pub(super) fn suppressed_by(
    advisories: &Advisories,
    image: &ImageInventory,
    found: &ImagePackage,
    names: &[&str],
) -> Option<String> {
    let statements = advisories.statements(names.iter().copied());
    if statements.is_empty() {
        return None;
    }
    let is_about = |statement: &&Statement<'_>| match statement.part {
        ("", _) => is(image, found, statement.product),
        part => {
            is(image, found, part) && {
                let mut beside = image
                    .packages
                    .iter()
                    .filter(|other| other.path == found.path);
                beside.any(|other| is(image, other, statement.product))
            }
        }
    };
    let latest = statements.iter().rfind(is_about)?;
    match latest.status {
        VexStatus::NotAffected | VexStatus::Fixed => {}
        VexStatus::Affected | VexStatus::UnderInvestigation => return None,
    }
    let status = latest.status.name();
    let mut text = format!("OpenVEX '{}': {status}", latest.by);
    if !latest.justification.is_empty() {
        text += &format!(" ({})", latest.justification);
    }
    Some(text)
}

/// Whether a package has a package URL, and the version if one is named.
fn is(image: &ImageInventory, found: &ImagePackage, (url, version): (&str, &str)) -> bool {
    let package = ScannedPackage::new(found, image.os.as_ref());
    let (own, own_version) = split(&purl(&package, image.os.as_ref()));
    let plain = |version: &str| version.strip_prefix('v').unwrap_or(version).to_owned();
    own == url && (version.is_empty() || plain(version) == plain(&own_version))
}
