//! An OCI image layout: a directory with `index.json` and `blobs` (image-spec, image-layout.md).

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use bonded_model::{
    Algorithm, Descriptor, Digest, MANIFEST_LIMIT, Manifest, ManifestKind, MediaType, Timestamp,
};
use bonded_scan::Subject;
use serde_json::Value;
use sha2::{Digest as _, Sha256, Sha512};

use crate::cli::{Failure, Status};

/// How deep indexes may lie in each other.
const DEPTH: usize = 4;

/// The annotation that names an image in `index.json`.
const NAME: &str = "org.opencontainers.image.ref.name";

pub(super) struct Layout {
    directory: PathBuf,
}

/// Which images of a layout are meant.
pub(super) struct Selection {
    /// A name in the layout's index, or the digest of a manifest or index anywhere in it.
    pub(super) reference: Option<String>,
    pub(super) platform: Option<String>,
}

/// An image of a layout.
#[derive(Clone, Debug)]
pub(super) struct Image {
    pub(super) name: Option<String>,
    pub(super) digest: Digest,
    /// `linux/arm64/v8`, if an index says so.
    pub(super) platform: Option<String>,
    /// When it was made, by its configuration.
    pub(super) created: Option<Timestamp>,
    pub(super) layers: Vec<Descriptor>,
}

impl Image {
    /// The image, for a report.
    pub(super) fn subject(&self) -> Subject {
        Subject {
            name: self.name.clone(),
            digest: self.digest.clone(),
            platform: self.platform.clone(),
            created: self.created,
        }
    }
}

/// An entry of an index.
#[derive(Clone)]
struct Entry {
    name: Option<String>,
    platform: Option<String>,
    descriptor: Descriptor,
}

impl Layout {
    pub(super) fn open(directory: PathBuf) -> Result<Self, Failure> {
        let layout = Self { directory };
        if !layout.directory.join("index.json").is_file() {
            return Err(Failure::new(
                Status::NotFound,
                format!(
                    "'{}' is no OCI layout: it has no 'index.json'",
                    layout.directory.display()
                ),
            ));
        }
        Ok(layout)
    }

    /// The images that are meant: what the reference names, or the only image there is; of an index
    /// every image in it, for the platform if one is given.
    pub(super) fn images(&self, selection: &Selection) -> Result<Vec<Image>, Failure> {
        let bytes = self.read("index.json", MANIFEST_LIMIT as u64)?;
        let index = self.manifest("index.json", &bytes, MediaType::OCI_INDEX)?;
        let mut entries = entries(&index, &bytes);
        if let Some(reference) = &selection.reference {
            let names = shown_names(&entries);
            entries.retain(|entry| entry.is(reference));
            if entries.is_empty() {
                entries = self.find(&index, &bytes, reference, 0)?;
            }
            if entries.is_empty() {
                return Err(Failure::new(
                    Status::NotFound,
                    format!("the layout has no image '{reference}': it has {names}"),
                ));
            }
        } else if entries.len() > 1 && entries.iter().all(|entry| entry.platform.is_none()) {
            return Err(Failure::usage(format!(
                "the layout has several images, choose one with '--ref': {}",
                shown_names(&entries)
            )));
        }
        let mut images: Vec<Image> = Vec::new();
        for entry in entries {
            self.images_of(&entry, 0, &mut images)?;
        }
        let mut seen = std::collections::HashSet::new();
        images.retain(|image| seen.insert(image.digest.clone()));
        self.of_platform(images, selection)
    }

    fn of_platform(
        &self,
        mut images: Vec<Image>,
        selection: &Selection,
    ) -> Result<Vec<Image>, Failure> {
        let platforms = |images: &[Image]| {
            let platforms = images.iter().filter_map(|image| image.platform.clone());
            platforms.collect::<Vec<_>>().join("', '")
        };
        if let Some(platform) = &selection.platform {
            let known = platforms(&images);
            let is = |image: &Image| {
                image.platform.as_ref().is_some_and(|is| {
                    is == platform
                        || is
                            .strip_prefix(platform)
                            .is_some_and(|rest| rest.starts_with('/'))
                })
            };
            images.retain(is);
            if images.is_empty() {
                return Err(Failure::new(
                    Status::NotFound,
                    format!("no image is for '{platform}': there are '{known}'"),
                ));
            }
        }
        if images.is_empty() {
            return Err(Failure::new(
                Status::NotFound,
                format!(
                    "'{}' has no image that can be scanned",
                    self.directory.display()
                ),
            ));
        }
        Ok(images)
    }

    /// Every image that an entry leads to.
    fn images_of(
        &self,
        entry: &Entry,
        depth: usize,
        images: &mut Vec<Image>,
    ) -> Result<(), Failure> {
        let (manifest, bytes) = self.load(&entry.descriptor)?;
        match manifest.kind() {
            ManifestKind::Image => images.push(Image {
                name: entry.name.clone(),
                digest: entry.descriptor.digest.clone(),
                platform: entry.platform.clone(),
                created: self.created(manifest.blobs.first())?,
                layers: manifest.blobs.into_iter().skip(1).collect(),
            }),
            ManifestKind::Index if depth < DEPTH => {
                for child in entries(&manifest, &bytes) {
                    let child = Entry {
                        name: entry.name.clone(),
                        ..child
                    };
                    self.images_of(&child, depth + 1, images)?;
                }
            }
            ManifestKind::Index => {
                return Err(Failure::failed(format!(
                    "indexes lie in each other more than {DEPTH} deep"
                )));
            }
            // A signature, an attestation.
            ManifestKind::Artifact => {}
        }
        Ok(())
    }

    /// When an image was made, if its configuration says so.
    fn created(&self, config: Option<&Descriptor>) -> Result<Option<Timestamp>, Failure> {
        let Some(config) = config else {
            return Ok(None);
        };
        let digest = &config.digest;
        let bytes = self.read(&blob_path(digest), MANIFEST_LIMIT as u64)?;
        if Digest::of(digest.algorithm(), &bytes) != *digest {
            return Err(other_bytes(digest));
        }
        let json: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        Ok(json["created"].as_str().and_then(Timestamp::parse_rfc3339))
    }

    /// The entry with a digest, in whatever index it is.
    fn find(
        &self,
        index: &Manifest,
        bytes: &[u8],
        reference: &str,
        depth: usize,
    ) -> Result<Vec<Entry>, Failure> {
        if reference.parse::<Digest>().is_err() || depth >= DEPTH {
            return Ok(Vec::new());
        }
        for entry in entries(index, bytes) {
            if entry.is(reference) {
                return Ok(vec![entry]);
            }
            let media_type = entry.descriptor.media_type.essence();
            if matches!(media_type, MediaType::OCI_INDEX | MediaType::DOCKER_LIST) {
                let (child, bytes) = self.load(&entry.descriptor)?;
                let found = self.find(&child, &bytes, reference, depth + 1)?;
                if !found.is_empty() {
                    return Ok(found);
                }
            }
        }
        Ok(Vec::new())
    }

    /// A manifest by its descriptor, with its bytes, which are those of its digest.
    fn load(&self, descriptor: &Descriptor) -> Result<(Manifest, Vec<u8>), Failure> {
        let digest = &descriptor.digest;
        let bytes = self.read(&blob_path(digest), MANIFEST_LIMIT as u64)?;
        let algorithm = digest.algorithm();
        if Digest::of(algorithm, &bytes) != *digest {
            return Err(other_bytes(digest));
        }
        let manifest = self.manifest(digest.as_str(), &bytes, descriptor.media_type.as_str())?;
        Ok((manifest, bytes))
    }

    fn manifest(&self, name: &str, bytes: &[u8], stated: &str) -> Result<Manifest, Failure> {
        Manifest::parse(bytes, Some(stated)).map_err(|error| {
            Failure::failed(format!("'{name}' of the layout cannot be used: {error}"))
        })
    }

    fn read(&self, path: &str, limit: u64) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        let file = self.open_file(path)?;
        let read = file.take(limit + 1).read_to_end(&mut bytes);
        read.map_err(|error| self.unreadable(path, &error))?;
        match bytes.len() as u64 > limit {
            true => Err(Failure::failed(format!(
                "'{path}' of the layout is longer than {limit} bytes"
            ))),
            false => Ok(bytes),
        }
    }

    fn open_file(&self, path: &str) -> Result<File, Failure> {
        let file = File::open(self.directory.join(path));
        let file = file.map_err(|error| self.unreadable(path, &error))?;
        match file.metadata() {
            Ok(metadata) if metadata.is_file() => Ok(file),
            _ => Err(self.unreadable(path, &io::Error::other("it is no file"))),
        }
    }

    /// The bytes of a layer, to be read to their end and verified.
    pub(super) fn layer(&self, digest: &Digest) -> Result<Blob, Failure> {
        Ok(Blob {
            file: self.open_file(&blob_path(digest))?,
            hash: match digest.algorithm() {
                Algorithm::Sha256 => Hash::Sha256(Sha256::new()),
                Algorithm::Sha512 => Hash::Sha512(Sha512::new()),
            },
            digest: digest.clone(),
        })
    }

    pub(super) fn unreadable(&self, what: impl std::fmt::Display, error: &io::Error) -> Failure {
        let status = match error.kind() {
            io::ErrorKind::NotFound => Status::NotFound,
            _ => Status::Failed,
        };
        let directory = self.directory.display();
        Failure::new(
            status,
            format!("cannot read '{what}' of the layout '{directory}': {error}"),
        )
    }
}

impl Entry {
    fn is(&self, reference: &str) -> bool {
        self.name.as_deref() == Some(reference) || self.descriptor.digest.as_str() == reference
    }
}

/// The entries of an index, with what its JSON says of their names and platforms.
fn entries(index: &Manifest, bytes: &[u8]) -> Vec<Entry> {
    let json: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let descriptors = index.manifests.iter().enumerate();
    descriptors
        .map(|(at, descriptor)| {
            let entry = &json["manifests"][at];
            let platform = &entry["platform"];
            let parts = ["os", "architecture", "variant"].map(|part| platform[part].as_str());
            let parts: Vec<&str> = parts.into_iter().flatten().collect();
            Entry {
                name: entry["annotations"][NAME].as_str().map(str::to_owned),
                platform: (!parts.is_empty()).then(|| parts.join("/")),
                descriptor: descriptor.clone(),
            }
        })
        .collect()
}

fn shown_names(entries: &[Entry]) -> String {
    let names = entries.iter().map(|entry| {
        let digest = entry.descriptor.digest.as_str();
        format!("'{}'", entry.name.as_deref().unwrap_or(digest))
    });
    names.take(20).collect::<Vec<_>>().join(", ")
}

fn blob_path(digest: &Digest) -> String {
    format!("blobs/{}", digest.as_str().replacen(':', "/", 1))
}

fn other_bytes(digest: &Digest) -> Failure {
    Failure::failed(format!(
        "the blob '{digest}' of the layout has other bytes than its digest says"
    ))
}

enum Hash {
    Sha256(Sha256),
    Sha512(Sha512),
}

/// A blob being read, and hashed on the way.
pub(super) struct Blob {
    file: File,
    hash: Hash,
    digest: Digest,
}

impl Blob {
    /// Reads what is left, and says whether the bytes are those of the digest.
    pub(super) fn verify(mut self) -> Result<(), Failure> {
        io::copy(&mut self, &mut io::sink())
            .map_err(|error| Failure::failed(format!("cannot read '{}': {error}", self.digest)))?;
        let found = match self.hash {
            Hash::Sha256(hash) => Digest::from_hash(Algorithm::Sha256, &hash.finalize()),
            Hash::Sha512(hash) => Digest::from_hash(Algorithm::Sha512, &hash.finalize()),
        };
        match found == self.digest {
            true => Ok(()),
            false => Err(other_bytes(&self.digest)),
        }
    }
}

impl Read for Blob {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        match &mut self.hash {
            Hash::Sha256(hash) => hash.update(&buffer[..read]),
            Hash::Sha512(hash) => hash.update(&buffer[..read]),
        }
        Ok(read)
    }
}
