//! What `bonded scan` is asked to look at, as people write it.

use std::path::{Path, PathBuf};

use bonded_model::Digest;
use bonded_scan::{ImageInventory, LayerInventory, LayerLimits, LayerProblem, Subject};
use bonded_scan::{inspect_layer, merge};

use super::docker_archive::{self, DockerArchive};
use super::files::Files;
use super::images::{Image, Selection};
use super::layout::Layout;
use super::registry::Repository;
use super::root_file_system::RootFileSystem;
use crate::cli::gate::is_host;
use crate::cli::progress::{Progress, Step};
use crate::cli::verified::Verified;
use crate::cli::{Failure, Status};

/// What holds images, by its kind.
pub(super) enum Input {
    Layout(Layout),
    DockerArchive(DockerArchive),
    RootFileSystem(RootFileSystem),
    Repository {
        repository: Box<Repository>,
        reference: String,
    },
}

/// An image that was looked into.
pub(super) struct Inspected {
    pub(super) subject: Subject,
    pub(super) inventory: ImageInventory,
}

impl Input {
    /// Opens what `text` names, and says which of its images the text names, if it does.
    pub(super) fn open(text: &str) -> Result<(Self, Option<String>), Failure> {
        let (kind, rest) = text.split_once(':').unwrap_or(("", text));
        match kind {
            "oci" if !rest.is_empty() => {
                let (path, name) = named(rest, Path::is_dir);
                let layout = Layout::open(Files::Directory(path))?;
                Ok((Self::Layout(layout), name))
            }
            "oci-archive" | "docker-archive" | "archive" if !rest.is_empty() => {
                let (path, name) = named(rest, Path::exists);
                let files = Files::of_archive(&path)?;
                let input = match kind {
                    "oci-archive" => Self::Layout(Layout::open(files)?),
                    "docker-archive" => Self::DockerArchive(DockerArchive::open(files)?),
                    _ => Self::of_archive(files)?,
                };
                Ok((input, name))
            }
            "rootfs" | "dir" if !rest.is_empty() => {
                let root = RootFileSystem::open(rest.into())?;
                Ok((Self::RootFileSystem(root), None))
            }
            _ if text == "-" || (Path::new(text).exists() && !Path::new(text).is_dir()) => {
                Ok((Self::of_archive(Files::of_archive(Path::new(text))?)?, None))
            }
            _ if rest.starts_with("//") => Err(Failure::usage(format!(
                "'{text}' begins with a scheme: 'HOST/REPOSITORY:TAG' alone is expected of an image of a \
                 registry"
            ))),
            _ => match text.split_once('/') {
                Some((host, rest)) if is_host(host) => {
                    let (name, reference) = repository(rest);
                    let repository = Box::new(Repository::open(host, name)?);
                    let reference = reference.to_owned();
                    let input = Self::Repository {
                        repository,
                        reference,
                    };
                    Ok((input, None))
                }
                _ if Path::new(text).is_dir() => Err(Failure::usage(format!(
                    "'{text}' is a directory: 'oci:{text}' is expected if it is an OCI layout, \
                     'rootfs:{text}' if it is the root of a file system"
                ))),
                _ => Err(Failure::usage(format!(
                    "'{text}' names no image: 'HOST/REPOSITORY:TAG' of a registry, a file that \
                     'docker save' made, 'oci:DIRECTORY[:NAME]' or 'rootfs:DIRECTORY' is expected"
                ))),
            },
        }
    }

    /// An archive of either kind: what docker saves today is both.
    fn of_archive(files: Files) -> Result<Self, Failure> {
        if files.has("index.json") {
            return Ok(Self::Layout(Layout::open(files)?));
        }
        if files.has(docker_archive::MANIFEST) {
            return Ok(Self::DockerArchive(DockerArchive::open(files)?));
        }
        Err(Failure::new(
            Status::NotFound,
            format!(
                "'{}' holds no image: it has neither 'index.json', as an OCI layout, nor '{}', as what \
                 'docker save' makes",
                files.shown(),
                docker_archive::MANIFEST
            ),
        ))
    }

    /// Looks into every image that is meant, one after the other.
    pub(super) fn look_into(
        &self,
        selection: &Selection,
        progress: &Progress,
    ) -> Result<Vec<Inspected>, Failure> {
        let images = match self {
            Self::Layout(layout) => layout.images(selection)?,
            Self::DockerArchive(archive) => archive.images(selection)?,
            Self::Repository {
                repository,
                reference,
            } => repository.images(reference, selection)?,
            Self::RootFileSystem(root) => {
                if selection.reference.is_some() || selection.platform.is_some() {
                    return Err(Failure::usage(
                        "a root file system is one image: '--ref' and '--platform' choose nothing",
                    ));
                }
                let (subject, inventory) = root.look_into(progress)?;
                return Ok(vec![Inspected { subject, inventory }]);
            }
        };
        images
            .iter()
            .map(|image| self.image(image, progress))
            .collect()
    }

    fn image(&self, image: &Image, progress: &Progress) -> Result<Inspected, Failure> {
        let mut inventories: Vec<(Digest, LayerInventory)> = Vec::new();
        for (number, layer) in image.layers.iter().enumerate() {
            let inventory = match LayerProblem::of_media_type(layer.media_type.essence()) {
                Some(problem) => LayerInventory::of_problem(problem),
                None => {
                    let place = (number + 1, image.layers.len());
                    let name = layer.digest.as_str();
                    let mut step = progress.step("layer", name, place, Some(layer.size));
                    let inventory = self.layer(image, number, &mut step)?;
                    step.done();
                    inventory
                }
            };
            inventories.push((layer.digest.clone(), inventory));
        }
        let layers: Vec<_> = inventories
            .iter()
            .map(|(digest, layer)| (digest.clone(), layer))
            .collect();
        Ok(Inspected {
            subject: image.subject(),
            inventory: merge(&layers),
        })
    }

    /// Looks into a layer, all of whose bytes are verified.
    fn layer(
        &self,
        image: &Image,
        number: usize,
        step: &mut Step<'_>,
    ) -> Result<LayerInventory, Failure> {
        let digest = &image.layers[number].digest;
        let mut inspect = |blob: &mut Verified<'_>| {
            let inventory = inspect_layer(step.reading(blob), &LayerLimits::default());
            inventory.map_err(|error| {
                Failure::failed(format!("cannot read the layer '{digest}': {error}"))
            })
        };
        match self {
            Self::Layout(layout) => {
                let mut blob = layout.layer(digest)?;
                let inventory = inspect(&mut blob)?;
                blob.verify()?;
                Ok(inventory)
            }
            Self::Repository { repository, .. } => {
                let mut blob = repository.layer(digest)?;
                let inventory = inspect(&mut blob)?;
                blob.verify()?;
                Ok(inventory)
            }
            Self::DockerArchive(archive) => {
                let mut blob = archive.layer(image, number)?;
                let inventory = inspect(&mut blob)?;
                if !blob.check()? {
                    archive.verify_expanded(image, number)?;
                }
                Ok(inventory)
            }
            Self::RootFileSystem(_) => Err(Failure::failed("a root file system has no layers")),
        }
    }
}

/// A path, and the name behind it if the whole is no path.
fn named(text: &str, is: impl Fn(&Path) -> bool) -> (PathBuf, Option<String>) {
    if text == "-" || is(Path::new(text)) {
        return (text.into(), None);
    }
    match text.split_once(':') {
        Some((path, name)) => (path.into(), Some(name.to_owned())),
        None => (text.into(), None),
    }
}

/// The name and the tag or digest of `NAME[:TAG][@DIGEST]`.
fn repository(text: &str) -> (&str, &str) {
    match text.split_once('@') {
        // A tag beside the digest is for people.
        Some((name, digest)) => (name.split(':').next().unwrap_or_default(), digest),
        None => text.split_once(':').unwrap_or((text, "latest")),
    }
}
