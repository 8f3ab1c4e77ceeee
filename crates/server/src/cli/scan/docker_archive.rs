//! What `docker save` and `podman save` write: a tar archive with `manifest.json`.
//!
//! It has neither manifests nor digests of stored layers: an image is named by its configuration,
//! and a layer by its diff ID, the digest of its archive without compression.

use bonded_model::{Descriptor, Digest, MANIFEST_LIMIT, MediaType};
use bonded_scan::{InvalidArchive, LayerLimits, expand_archive};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::files::Files;
use super::images::{Config, Image, MANIFESTS, Selection};
use crate::cli::verified::Verified;
use crate::cli::{Failure, Status};

/// The file that lists the images.
pub(super) const MANIFEST: &str = "manifest.json";

/// The media type of a layer in it.
const LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar";

/// The most layers of an image.
const LAYERS_LIMIT: usize = 1000;

/// An image of the archive.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

pub(super) struct DockerArchive {
    files: Files,
    listed: Vec<Listed>,
}

impl DockerArchive {
    pub(super) fn open(files: Files) -> Result<Self, Failure> {
        let bytes = files.read(MANIFEST, MANIFEST_LIMIT as u64)?;
        let unusable = |problem: String| {
            let place = files.shown();
            Failure::failed(format!(
                "'{MANIFEST}' of '{place}' cannot be used: {problem}"
            ))
        };
        let listed: Vec<Listed> =
            serde_json::from_slice(&bytes).map_err(|error| unusable(error.to_string()))?;
        if listed.len() > MANIFESTS {
            return Err(unusable(format!("it lists more than {MANIFESTS} images")));
        }
        Ok(Self { files, listed })
    }

    /// The image that is meant: by one of its names or by the digest of its configuration, which is
    /// docker's image ID; or the only one.
    pub(super) fn images(&self, selection: &Selection) -> Result<Vec<Image>, Failure> {
        let mut images = Vec::new();
        for listed in &self.listed {
            images.push((listed, self.image(listed)?));
        }
        let place = self.files.shown();
        let names: Vec<String> = images
            .iter()
            .map(|(_, image)| {
                format!(
                    "'{}'",
                    image.name.as_deref().unwrap_or(image.digest.as_str())
                )
            })
            .take(20)
            .collect();
        let names = names.join(", ");
        if let Some(reference) = &selection.reference {
            images.retain(|(listed, image)| {
                let tags = listed.repo_tags.iter().flatten();
                image.digest.as_str() == reference || tags.into_iter().any(|tag| tag == reference)
            });
        } else if images.len() > 1 {
            return Err(Failure::usage(format!(
                "'{place}' has several images, choose one with '--ref': {names}"
            )));
        }
        if let Some(platform) = &selection.platform {
            images.retain(|(_, image)| {
                let is = image.platform.as_deref().unwrap_or_default();
                is == platform || is.starts_with(&format!("{platform}/"))
            });
        }
        if images.is_empty() {
            return Err(Failure::new(
                Status::NotFound,
                format!("'{place}' has no such image: it has {names}"),
            ));
        }
        Ok(images.into_iter().map(|(_, image)| image).collect())
    }

    fn image(&self, listed: &Listed) -> Result<Image, Failure> {
        let bytes = self.files.read(&listed.config, MANIFEST_LIMIT as u64)?;
        let config = Config::parse(&bytes);
        let unusable = |problem: &str| {
            let (config, place) = (&listed.config, self.files.shown());
            Failure::failed(format!("'{config}' of '{place}' cannot be used: {problem}"))
        };
        if listed.layers.len() > LAYERS_LIMIT {
            return Err(unusable("it has too many layers"));
        }
        if config.diff_ids.len() != listed.layers.len() {
            return Err(unusable("it lists other layers than the archive"));
        }
        let media_type: MediaType = LAYER
            .parse()
            .map_err(|_| unusable("its layers have no type"))?;
        let mut layers = Vec::new();
        for diff_id in config.diff_ids {
            layers.push(Descriptor {
                media_type: media_type.clone(),
                digest: diff_id.ok_or_else(|| unusable("a diff ID is no digest"))?,
                size: 0,
            });
        }
        Ok(Image {
            name: listed.repo_tags.iter().flatten().next().cloned(),
            digest: Digest::sha256(&bytes),
            platform: config.platform,
            created: config.created,
            layers,
        })
    }

    /// The file of a layer of an image.
    fn path(&self, image: &Image, layer: usize) -> Result<&str, Failure> {
        let of_image = |listed: &&Listed| {
            let bytes = self.files.read(&listed.config, MANIFEST_LIMIT as u64);
            bytes.is_ok_and(|bytes| Digest::sha256(&bytes) == image.digest)
        };
        let listed = self.listed.iter().find(of_image);
        let path = listed.and_then(|listed| listed.layers.get(layer));
        let place = self.files.shown();
        path.map(String::as_str)
            .ok_or_else(|| Failure::failed(format!("'{place}' has changed")))
    }

    /// The bytes of a layer, to be read to their end.
    pub(super) fn layer(&self, image: &Image, layer: usize) -> Result<Verified<'_>, Failure> {
        let (reader, _) = self.files.open(self.path(image, layer)?)?;
        Ok(Verified::new(reader, &image.layers[layer].digest))
    }

    /// Whether a layer whose stored bytes are not those of its diff ID is so without compression.
    pub(super) fn verify_expanded(&self, image: &Image, layer: usize) -> Result<(), Failure> {
        struct Hashed(Sha256);
        impl std::io::Write for Hashed {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.0.update(bytes);
                Ok(bytes.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let path = self.path(image, layer)?;
        let (reader, _) = self.files.open(path)?;
        let mut hashed = Hashed(Sha256::new());
        match expand_archive(reader, &LayerLimits::default(), &mut hashed) {
            Ok(()) => {}
            Err(InvalidArchive::Io(error)) => return Err(self.files.unreadable(path, &error)),
            Err(InvalidArchive::Malformed(_)) => {}
        }
        let digest = &image.layers[layer].digest;
        let found = Digest::from_hash(bonded_model::Algorithm::Sha256, &hashed.0.finalize());
        match found == *digest {
            true => Ok(()),
            false => Err(Failure::failed(format!(
                "the layer '{path}' has other bytes than the diff ID '{digest}' says"
            ))),
        }
    }
}
