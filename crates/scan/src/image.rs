//! An image: its layers laid over each other.

mod system;
mod tree;

use std::collections::{HashMap, HashSet};

use bonded_model::Digest;
use serde::{Deserialize, Serialize};

use crate::database::DatabaseFile;
use crate::layer::{Change, Content, LayerInventory};
use crate::path::{clean, join};
use crate::{OsRelease, Package, PackageKind, Problem, ProblemCode};
use system::System;
use tree::{TooMuch, Tree, What};

/// The most packages that an image may have.
const PACKAGE_LIMIT: usize = 500_000;

/// The most bytes of licences that an image may have; those of the packages behind are left out.
const LICENSES_LIMIT: usize = 32 * 1024 * 1024;

/// What is inside an image, as far as it could be found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageInventory {
    /// The operating system, if the image says which.
    pub os: Option<OsRelease>,
    /// Its layers, the lowest first.
    pub layers: Vec<Digest>,
    /// Every package, sorted by kind, name, version and path.
    pub packages: Vec<ImagePackage>,
    /// Why this may not be all; empty if it is.
    pub problems: Vec<Problem>,
}

/// A package of an image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ImagePackage {
    /// As its database records it.
    #[serde(flatten)]
    pub package: Package,
    /// The file that says so, from the root of the image, without a leading `/` and through all
    /// links.
    pub path: String,
    /// The layer that first brought this version: an index of [`ImageInventory::layers`].
    pub layer: u32,
    /// The package of the operating system that this one is a part of: `deb:python3-pip`.
    pub owner: Option<String>,
    /// The document attached to the image that lists it, if nothing in the image shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attached: Option<Digest>,
}

/// A content of one of the layers.
type ContentOf<'l> = &'l Content;

/// By what a package is known again in another layer: one of the operating system wherever its
/// database is, any other by its path.
type Identity<'l> = (&'l Package, Option<String>);

/// Lays the layers of an image over each other, the lowest first, and says what is inside the whole.
///
/// Whiteouts and opaque directories hide what lower layers have, never what their own layer has.
/// Files land where links lead, and the last of one path wins. A package database counts where the
/// system has it, whatever links lead there.
///
/// An image whose packages may not all be known says why ([`ImageInventory::problems`]): what is
/// found is then no proof of what is not there.
#[must_use]
pub fn merge(layers: &[(Digest, &LayerInventory)]) -> ImageInventory {
    let mut image = ImageInventory {
        layers: layers.iter().map(|(digest, _)| digest.clone()).collect(),
        ..ImageInventory::default()
    };
    for (index, (_, layer)) in (0_u32..).zip(layers) {
        for problem in layer.problems() {
            image.problems.push(Problem {
                code: ProblemCode::Layer,
                message: problem.to_string(),
                layer: Some(index),
                path: None,
            });
        }
    }
    let mut merge = Merge {
        tree: Tree::new(),
        first: HashMap::new(),
        system: System::default(),
        licenses_left: LICENSES_LIMIT,
    };
    let done = merge.run(layers, &mut image);
    if done.is_err() {
        image.problems.push(Problem::new(
            ProblemCode::TooLarge,
            "the layers have more links, files and packages than are followed",
        ));
    }
    image.packages.sort();
    image
}

/// The work of [`merge`].
struct Merge<'l> {
    tree: Tree<ContentOf<'l>>,
    /// The layer that first had a package.
    first: HashMap<Identity<'l>, u32>,
    system: System,
    /// How many bytes of licences may still be added.
    licenses_left: usize,
}

impl<'l> Merge<'l> {
    fn run(
        &mut self,
        layers: &[(Digest, &'l LayerInventory)],
        image: &mut ImageInventory,
    ) -> Result<(), TooMuch> {
        for (index, (_, layer)) in (0_u32..).zip(layers) {
            for change in &layer.changes {
                self.apply(change, &layer.contents, index)?;
            }
            self.system.observe(&self.tree, index)?;
        }
        image.os = self.system.finish(&self.tree, &mut image.problems)?;
        let databases = self.system.databases(&self.tree)?;
        let mut installed = HashSet::new();
        for (path, content) in &databases {
            for package in &content.packages {
                let is_own = image
                    .os
                    .as_ref()
                    .is_none_or(|os| !package.is_third_party(os));
                if is_own {
                    installed.insert((package.kind, package.name.as_str()));
                }
                let layer = self.first_layer(package, None);
                self.add(image, package, path, layer, None)?;
            }
        }
        let owners = self.owners(&databases, &installed)?;
        let mut languages = Vec::new();
        for (path, layer, content) in self.tree.files() {
            match content {
                Some(content) if content.file.is_installed_at(&path) => {
                    languages.push((path, layer, *content));
                }
                None if DatabaseFile::of_path(&path).is_some_and(DatabaseFile::is_language) => {
                    let message = "it is a link to a file that was not read";
                    image.problems.push(Problem {
                        layer: Some(layer),
                        ..Problem::at(ProblemCode::DatabaseUnreadable, message, &path)
                    });
                }
                _ => {}
            }
        }
        // Lists come last: of what others also name, only they count.
        languages.sort_by_key(|(_, _, content)| content.file.is_list());
        let mut named = None;
        for (path, layer, content) in languages {
            if let Some(reason) = &content.problem {
                image.problems.push(Problem {
                    layer: Some(layer),
                    ..Problem::at(ProblemCode::DatabaseUnreadable, reason, &path)
                });
            }
            let owner = owners.get(&path).cloned();
            if content.file.is_list() && named.is_none() {
                named = Some(named_packages(image));
            }
            for (index, package) in content.packages.iter().enumerate() {
                if let Some(named) = &mut named
                    && !named.insert(named_as(package))
                {
                    continue;
                }
                let layer = self.first_layer(package, Some(&path));
                let within = content
                    .within
                    .get(index)
                    .filter(|within| !within.is_empty());
                let path = within.map_or_else(|| path.clone(), |within| join(&path, within));
                self.add(image, package, &path, layer, owner.clone())?;
            }
        }
        self.system.judge(image);
        Ok(())
    }

    fn add(
        &mut self,
        image: &mut ImageInventory,
        package: &Package,
        path: &str,
        layer: u32,
        owner: Option<String>,
    ) -> Result<(), TooMuch> {
        if image.packages.len() >= PACKAGE_LIMIT {
            return Err(TooMuch);
        }
        let licenses = match package.kind {
            PackageKind::Deb => self.system.licenses(&self.tree, package)?,
            _ => &package.licenses,
        };
        // Links can have any number of packages state the same.
        let length: usize = licenses.iter().map(String::len).sum();
        let left = self.licenses_left.checked_sub(length);
        self.licenses_left = left.unwrap_or(self.licenses_left);
        image.packages.push(ImagePackage {
            package: Package {
                licenses: left.map_or_else(Vec::new, |_| licenses.to_vec()),
                ..package.clone()
            },
            path: path.to_owned(),
            layer,
            owner,
            attached: None,
        });
        Ok(())
    }

    fn first_layer(&self, package: &'l Package, path: Option<&str>) -> u32 {
        let identity = (package, path.map(str::to_owned));
        self.first.get(&identity).copied().unwrap_or_default()
    }

    /// Makes a change of a layer.
    fn apply(
        &mut self,
        change: &Change,
        contents: &'l [Content],
        layer: u32,
    ) -> Result<(), TooMuch> {
        match change {
            Change::Directory(path) => self.tree.make_directory(path, layer),
            Change::Symlink(path, target) => {
                self.tree.write(path, What::Symlink(target.clone()), layer)
            }
            Change::HardLink(path, target) => {
                self.tree.link(path, target, layer)?;
                self.note(path, layer)
            }
            Change::File(path, content) => {
                let content = contents.get(*content as usize);
                self.tree.write(path, What::File(content), layer)?;
                self.note(path, layer)
            }
            Change::Other(path) => match DatabaseFile::of_path(path) {
                Some(_) => self.tree.write(path, What::File(None), layer),
                None => self.tree.replace(path),
            },
            Change::Whiteout(path) => self.tree.hide(path, layer, false),
            Change::Opaque(path) => self.tree.hide(path, layer, true),
        }
    }

    /// Notes which layer has brought the packages of a file.
    fn note(&mut self, path: &str, layer: u32) -> Result<(), TooMuch> {
        let path = self.tree.canonical(path)?;
        let Some(found) = self.tree.find(&path)? else {
            return Ok(());
        };
        let What::File(Some(content)) = found.what else {
            return Ok(());
        };
        let content: &'l Content = content;
        for package in &content.packages {
            let path = content.file.is_installed_at(&path).then(|| path.clone());
            self.first.entry((package, path)).or_insert(layer);
        }
        Ok(())
    }

    /// The packages of the operating system that metadata of languages and programs belong to, by
    /// their paths. Only a package of the distribution's that is installed owns anything: what another
    /// repository has brought is not what the distribution repairs.
    fn owners(
        &mut self,
        databases: &[(String, ContentOf<'l>)],
        installed: &HashSet<(PackageKind, &str)>,
    ) -> Result<HashMap<String, String>, TooMuch> {
        let mut owners = HashMap::new();
        let lists = self.system.file_lists(&self.tree)?;
        let of_dpkg = lists.iter().map(|content| (PackageKind::Deb, *content));
        let of_databases = databases
            .iter()
            .filter_map(|(_, content)| Some((system::kind_of(content.file)?, *content)));
        for (kind, content) in of_dpkg.chain(of_databases) {
            for owner in &content.owners {
                if !installed.contains(&(kind, owner.package.as_str())) {
                    continue;
                }
                for path in &owner.paths {
                    let path = self.tree.canonical(&clean(path))?;
                    owners.insert(path, format!("{}:{}", kind.name(), owner.package));
                }
            }
        }
        Ok(owners)
    }
}

/// A package by what advisories know it by, whatever says that it is there.
pub(crate) type Named = (PackageKind, String, String);

pub(crate) fn named_as(package: &Package) -> Named {
    let kind = match package.kind {
        PackageKind::Bitnami => PackageKind::Program,
        kind => kind,
    };
    let name = package.source_name.clone();
    (kind, name, package.source_version.clone())
}

/// The packages of languages that are known already.
pub(crate) fn named_packages(image: &ImageInventory) -> HashSet<Named> {
    let packages = image.packages.iter();
    packages.map(|found| named_as(&found.package)).collect()
}

#[cfg(test)]
mod tests;
