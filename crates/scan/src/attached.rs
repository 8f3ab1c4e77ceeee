//! Documents that somebody attached to an image in its registry, beside the image itself.
//!
//! A bill of materials adds packages to what was found in the image: it replaces none, and what it
//! lists and nobody can judge is said. A statement about vulnerabilities (`OpenVEX`) counts only if
//! it is trusted, which is for the caller to say, and is about this image or a package in it
//! exactly. Both may be the predicate of an in-toto statement about the image, alone or in a DSSE
//! envelope; signatures are not looked at.

mod envelope;

use std::collections::{HashMap, HashSet};

use bonded_model::Digest;

use crate::advisories::{Product, Said, VexDocument, VexStatus};
use crate::database::{Listed, OfSystem};
use crate::image::{ImageInventory, ImagePackage, Named, named_as, named_packages};
use crate::package_url::PackageUrl;
use crate::report::{distro, vendor};
use crate::{OsRelease, Package, PackageKind, Problem, ProblemCode};
use envelope::{Form, form_of};

/// The most packages that documents add to an image.
const PACKAGE_LIMIT: usize = 100_000;

/// The most names, products and parts in the statements of an image, if they are trusted and if not.
const STATEMENT_LIMITS: (usize, usize) = (100_000, 10_000);

/// How many characters of the name of a document are shown.
const SHOWN: usize = 100;

/// How many package URLs that nobody can judge are named of one document.
const NAMED: usize = 3;

/// A document attached to an image, as it came.
#[derive(Debug, Clone)]
pub struct Attachment {
    /// The digest of the manifest that has it.
    pub referrer: Digest,
    /// The index that it is attached to, if it is not the image itself: it may name either.
    pub index: Option<Digest>,
    /// Who attached it, for people.
    pub by: String,
    /// Whether its statements count.
    pub trusted: bool,
    /// Whether it may list packages: then what cannot be read of it keeps a scan from being
    /// complete.
    pub lists_packages: bool,
    /// Why the packages that it lists do not count; `None` if they do.
    pub lists_ignored: Option<&'static str>,
    /// Its bytes, or why they cannot be had.
    pub content: Result<Vec<u8>, String>,
}

/// What the documents attached to an image say.
#[derive(Debug, Default)]
pub struct Attached {
    lists: Vec<(Digest, Listed)>,
    statements: Vec<AttachedStatement>,
    /// The statements about a vulnerability, by its name in upper case.
    by_name: HashMap<String, Vec<usize>>,
    /// How many products and parts there are in `statements`.
    products: usize,
    problems: Vec<Problem>,
    notes: Vec<String>,
}

/// A statement of a document.
#[derive(Debug)]
pub(crate) struct AttachedStatement {
    said: Said,
    products: Vec<Stated>,
    referrer: Digest,
    by: String,
    pub(crate) trusted: bool,
}

/// What a statement is about.
#[derive(Debug)]
struct Stated {
    /// `None` is the image itself.
    product: Option<PackageUrl>,
    /// The parts of it that have the vulnerability; `None` if the product itself does.
    parts: Option<Vec<PackageUrl>>,
}

impl Attached {
    /// Reads the documents attached to the image of that digest.
    #[must_use]
    pub fn read(image: &Digest, attachments: &[Attachment]) -> Self {
        let mut attached = Self::default();
        for attachment in attachments {
            if let Err(reason) = attached.take(image, attachment) {
                let referrer = &attachment.referrer;
                let text = format!("the attached document cannot be used: {reason}");
                if attachment.trusted || attachment.lists_packages {
                    attached.problem(ProblemCode::DocumentUnreadable, &text, referrer);
                } else {
                    attached.notes.push(format!("{text} ('{referrer}')"));
                }
            }
        }
        attached
    }

    /// Notes that there are more documents than are read, so that nothing follows from the result.
    pub fn too_many(&mut self, limit: usize) {
        let text = format!("more than {limit} documents that may list packages are attached to it");
        self.problems
            .push(Problem::new(ProblemCode::TooLarge, text));
    }

    /// What there is to say of the documents that keeps nothing from being complete.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    fn problem(&mut self, code: ProblemCode, text: &str, referrer: &Digest) {
        let problem = Problem::at(code, text, referrer.as_str());
        self.problems.push(problem);
    }

    fn take(&mut self, image: &Digest, attachment: &Attachment) -> Result<(), String> {
        let content = attachment.content.as_ref().map_err(Clone::clone)?;
        let subject = attachment.index.as_ref().unwrap_or(image);
        match form_of(content, &[image, subject])? {
            Form::Statements(document) => self.take_statements(image, attachment, &document),
            Form::Packages(_) if attachment.lists_ignored.is_some() => {
                let reason = attachment.lists_ignored.unwrap_or_default();
                self.notes.push(format!(
                    "the packages that the attached document '{}' lists do not count: {reason}",
                    attachment.referrer
                ));
                Ok(())
            }
            Form::Packages(document) => {
                let listed = Listed::of(&document).map_err(|error| error.to_string())?;
                self.lists.push((attachment.referrer.clone(), listed));
                Ok(())
            }
            Form::OfAnother => {
                let referrer = &attachment.referrer;
                let text = format!("the attached document '{referrer}' is about another image");
                self.notes.push(text);
                Ok(())
            }
            Form::Other => Ok(()),
        }
    }

    fn take_statements(
        &mut self,
        image: &Digest,
        attachment: &Attachment,
        document: &VexDocument,
    ) -> Result<(), String> {
        let limit = match attachment.trusted {
            true => STATEMENT_LIMITS.0,
            false => STATEMENT_LIMITS.1,
        };
        let subject = attachment.index.as_ref().unwrap_or(image);
        let mut taken = Vec::new();
        let mut count = self.products;
        for statement in &document.statements {
            let said = statement.said(document)?;
            let products: Vec<Stated> = statement
                .products
                .iter()
                .filter_map(|product| Stated::of(product, &[image, subject]))
                .collect();
            let parts = |of: &Stated| of.parts.as_ref().map_or(1, Vec::len);
            count += products.iter().map(parts).sum::<usize>() + statement.names().len();
            if count > limit {
                return Err(format!("there are more than {limit} statements"));
            }
            let stated = AttachedStatement {
                said,
                products,
                referrer: attachment.referrer.clone(),
                by: attachment.by.clone(),
                trusted: attachment.trusted,
            };
            taken.push((statement.names(), stated));
        }
        self.products = count;
        for (names, stated) in taken {
            for name in names {
                let of_name = self.by_name.entry(name.to_ascii_uppercase()).or_default();
                of_name.push(self.statements.len());
            }
            self.statements.push(stated);
        }
        Ok(())
    }

    /// Adds the packages that the documents list and nothing in the image shows, and what keeps
    /// that from being all.
    pub fn lay_on(&mut self, image: &mut ImageInventory) {
        let mut known = Known {
            named: named_packages(image),
            installed: image
                .packages
                .iter()
                .map(|of| installed(&of.package))
                .collect(),
        };
        let (layer, before) = (
            u32::try_from(image.layers.len()).unwrap_or(u32::MAX),
            image.packages.len(),
        );
        for (referrer, listed) in &self.lists {
            let mut unknown: Vec<&str> = listed.unknown.iter().map(String::as_str).collect();
            let mut packages: Vec<&Package> = listed.packages.iter().collect();
            for of_system in &listed.of_system {
                match is_of(of_system, image.os.as_ref()) {
                    true => packages.push(&of_system.package),
                    false => unknown.push(&of_system.url),
                }
            }
            for package in packages {
                if !known.add(package) {
                    continue;
                }
                if image.packages.len() - before >= PACKAGE_LIMIT {
                    let text =
                        format!("attached documents list more than {PACKAGE_LIMIT} packages");
                    self.problems
                        .push(Problem::new(ProblemCode::TooLarge, text));
                    break;
                }
                image.packages.push(ImagePackage {
                    package: package.clone(),
                    path: referrer.to_string(),
                    layer,
                    owner: None,
                    attached: Some(referrer.clone()),
                });
            }
            if !unknown.is_empty() {
                let mut named = unknown[..unknown.len().min(NAMED)].join(", ");
                if unknown.len() > NAMED {
                    named += ", …";
                }
                self.notes.push(format!(
                    "nothing is known of {} packages that the attached document '{referrer}' \
                     lists: {named}",
                    unknown.len()
                ));
            }
        }
        image.packages.sort();
        image.problems.append(&mut self.problems);
    }

    /// The statements about a vulnerability of these names, each once.
    pub(crate) fn about(&self, names: &[&str]) -> Vec<&AttachedStatement> {
        if self.by_name.is_empty() {
            return Vec::new();
        }
        let found = names
            .iter()
            .filter_map(|name| self.by_name.get(&name.to_ascii_uppercase()));
        let mut found: Vec<usize> = found.flatten().copied().collect();
        found.sort_unstable();
        found.dedup();
        found
            .into_iter()
            .map(|index| &self.statements[index])
            .collect()
    }
}

impl AttachedStatement {
    /// Whether it is about a package of the image; `beside` says whether a package with a URL is in
    /// the same program or archive.
    pub(crate) fn is_about(
        &self,
        package: &PackageUrl,
        beside: impl Fn(&PackageUrl) -> bool,
    ) -> bool {
        self.products.iter().any(|stated| {
            let is_part = |parts: &Vec<PackageUrl>| parts.iter().any(|part| part.covers(package));
            match (&stated.product, &stated.parts) {
                (None, None) => true,
                (None, Some(parts)) => is_part(parts),
                (Some(product), None) => product.covers(package),
                (Some(product), Some(parts)) => is_part(parts) && beside(product),
            }
        })
    }

    /// The order in which statements count: the latest, and of two at the same time the one that
    /// does not suppress.
    pub(crate) fn weight(&self) -> (i64, bool) {
        (self.said.at, !self.suppresses())
    }

    /// Whether it says that the vulnerability does not matter.
    pub(crate) fn suppresses(&self) -> bool {
        match self.said.status {
            VexStatus::NotAffected | VexStatus::Fixed => true,
            VexStatus::Affected | VexStatus::UnderInvestigation => false,
        }
    }

    /// The statement for people, and who made it.
    pub(crate) fn shown(&self) -> String {
        let Said {
            status,
            justification,
            by,
            ..
        } = &self.said;
        let document: String = by.chars().take(SHOWN).collect();
        let mut text = format!("OpenVEX '{document}' of {}: {}", self.by, status.name());
        if !justification.is_empty() {
            text += &format!(" ({justification})");
        }
        text + &format!(", attached as '{}'", self.referrer)
    }
}

impl Stated {
    /// `None` for what is neither the image, by one of its digests, nor a package.
    fn of(product: &Product, images: &[&Digest]) -> Option<Self> {
        let url = PackageUrl::parse(product.url());
        let product_url = match url {
            // What an image is called says nothing of what is in it.
            Some(url) if matches!(url.kind.as_str(), "oci" | "docker") => {
                if !images.iter().any(|image| url.version == image.as_str()) {
                    return None;
                }
                None
            }
            Some(url) => Some(url),
            None if images.iter().any(|image| is_hash_of(product, image)) => None,
            None => return None,
        };
        let parts: Vec<PackageUrl> = product
            .parts()
            .iter()
            .filter_map(|part| PackageUrl::parse(part.url()))
            .collect();
        let parts = match (product.parts().is_empty(), parts.is_empty()) {
            (true, _) => None,
            // None of them can be known again.
            (false, true) => return None,
            (false, false) => Some(parts),
        };
        Some(Self {
            product: product_url,
            parts,
        })
    }
}

/// Whether a product is named by the digest of the image, as `@id` or as a hash.
fn is_hash_of(product: &Product, image: &Digest) -> bool {
    let hash = |algorithm, prefix| {
        let hash = product.hash(algorithm)?;
        Some(format!("{prefix}:{hash}"))
    };
    let hashes = [hash("sha-256", "sha256"), hash("sha-512", "sha512")];
    product.url() == image.as_str() || hashes.iter().flatten().any(|hash| hash == image.as_str())
}

/// The packages of which the image knows without a list.
struct Known {
    named: HashSet<Named>,
    installed: HashSet<Installed>,
}

/// A package by what its database calls it.
type Installed = (PackageKind, String, String);

fn installed(package: &Package) -> Installed {
    (package.kind, package.name.clone(), package.version.clone())
}

impl Known {
    /// Whether a package was not known.
    fn add(&mut self, package: &Package) -> bool {
        // What a package was built from is not on every list.
        !self.installed.contains(&installed(package)) && self.named.insert(named_as(package))
    }
}

/// Whether a package is of the system of the image.
fn is_of(package: &OfSystem, os: Option<&OsRelease>) -> bool {
    let Some(os) = os else { return false };
    let release = distro(os);
    let is_release = |named: &str| {
        let rest = named.strip_prefix(&release);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    package.vendor.eq_ignore_ascii_case(&vendor(os))
        && package.distro.as_deref().is_none_or(is_release)
}

#[cfg(test)]
mod tests;
