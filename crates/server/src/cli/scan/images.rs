//! Which images are meant, in whatever holds them: by name, digest and platform, through indexes.

use std::collections::HashSet;

use bonded_model::{Descriptor, Digest, Manifest, ManifestKind, MediaType, Timestamp};
use bonded_scan::Subject;
use serde_json::Value;

use crate::cli::{Failure, Status};

/// How deep indexes may lie in each other.
const DEPTH: usize = 4;

/// How many manifests and indexes are looked at: the same may be listed again and again.
pub(super) const MANIFESTS: usize = 1000;

/// The annotation that names an image in `index.json`: its tag, and as docker adds it the whole.
const NAME: &str = "org.opencontainers.image.ref.name";
const DOCKER_NAME: &str = "io.containerd.image.name";

/// Which images are meant.
#[derive(Clone, Default)]
pub(super) struct Selection {
    /// A name, or the digest of a manifest or index.
    pub(super) reference: Option<String>,
    pub(super) platform: Option<String>,
}

/// An image.
#[derive(Clone, Debug)]
pub(super) struct Image {
    pub(super) name: Option<String>,
    pub(super) digest: Digest,
    /// `linux/arm64/v8`, if an index or its configuration says so.
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

/// What holds manifests and configurations by digest.
pub(super) trait Manifests {
    /// What it is, for people.
    fn shown(&self) -> String;

    /// A manifest, or a configuration, whose bytes are those of the digest.
    fn document(&self, descriptor: &Descriptor) -> Result<Vec<u8>, Failure>;
}

/// An entry of an index.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) names: Vec<String>,
    pub(super) platform: Option<String>,
    pub(super) descriptor: Descriptor,
}

impl Entry {
    fn is(&self, reference: &str) -> bool {
        self.names.iter().any(|name| name == reference)
            || self.descriptor.digest.as_str() == reference
    }
}

/// The images of an index that are meant: what the reference names, or the only image there is; of
/// an index in it every image, for the platform if one is given.
pub(super) fn select(
    place: &dyn Manifests,
    index: &[Entry],
    selection: &Selection,
) -> Result<Vec<Image>, Failure> {
    let mut entries = index.to_vec();
    if let Some(reference) = &selection.reference {
        let names = shown_names(&entries);
        entries.retain(|entry| entry.is(reference));
        if entries.is_empty() {
            entries = Walk::new(place).find(index, reference, 0)?;
        }
        if entries.is_empty() {
            return Err(Failure::new(
                Status::NotFound,
                format!(
                    "'{}' has no image '{reference}': it has {names}",
                    place.shown()
                ),
            ));
        }
    } else if entries.len() > 1 && entries.iter().all(|entry| entry.platform.is_none()) {
        return Err(Failure::usage(format!(
            "'{}' has several images, choose one with '--ref': {}",
            place.shown(),
            shown_names(&entries)
        )));
    }
    let mut walk = Walk::new(place);
    for entry in entries {
        walk.images_of(&entry, 0)?;
    }
    of_platform(place, walk.images, selection)
}

fn of_platform(
    place: &dyn Manifests,
    mut images: Vec<Image>,
    selection: &Selection,
) -> Result<Vec<Image>, Failure> {
    if let Some(platform) = &selection.platform {
        let known = images.iter().filter_map(|image| image.platform.clone());
        let known = known.collect::<Vec<_>>().join("', '");
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
            format!("'{}' has no image that can be scanned", place.shown()),
        ));
    }
    Ok(images)
}

/// Whether it is an attestation of BuildKit's: it says that it is an image, but its layers are
/// statements, and no runtime takes those for a file system.
fn is_attestation(manifest: &Manifest) -> bool {
    let mut layers = manifest.blobs.iter().skip(1).peekable();
    layers.peek().is_some()
        && layers.all(|layer| layer.media_type.essence() == "application/vnd.in-toto+json")
}

/// A walk through indexes, which looks at nothing twice.
struct Walk<'a> {
    place: &'a dyn Manifests,
    seen: HashSet<Digest>,
    images: Vec<Image>,
}

impl<'a> Walk<'a> {
    fn new(place: &'a dyn Manifests) -> Self {
        Self {
            place,
            seen: HashSet::new(),
            images: Vec::new(),
        }
    }

    /// Whether a manifest or index was looked at before.
    fn is_known(&mut self, digest: &Digest) -> Result<bool, Failure> {
        let is_known = !self.seen.insert(digest.clone());
        match self.seen.len() > MANIFESTS {
            true => Err(Failure::failed(format!(
                "'{}' lists more than {MANIFESTS} manifests: choose one",
                self.place.shown()
            ))),
            false => Ok(is_known),
        }
    }

    /// Adds every image that an entry leads to.
    fn images_of(&mut self, entry: &Entry, depth: usize) -> Result<(), Failure> {
        if self.is_known(&entry.descriptor.digest)? {
            return Ok(());
        }
        let (manifest, bytes) = load(self.place, &entry.descriptor)?;
        match manifest.kind() {
            ManifestKind::Image if is_attestation(&manifest) => {}
            ManifestKind::Image => {
                let config = match manifest.blobs.first() {
                    Some(config) => Config::parse(&self.place.document(config)?),
                    None => Config::default(),
                };
                self.images.push(Image {
                    name: entry.names.first().cloned(),
                    digest: entry.descriptor.digest.clone(),
                    platform: entry.platform.clone().or(config.platform),
                    created: config.created,
                    layers: manifest.blobs.into_iter().skip(1).collect(),
                });
            }
            ManifestKind::Index if depth < DEPTH => {
                for child in entries(&manifest, &bytes) {
                    let child = Entry {
                        names: entry.names.clone(),
                        ..child
                    };
                    self.images_of(&child, depth + 1)?;
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

    /// The entry with a digest, in whatever index it is.
    fn find(
        &mut self,
        index: &[Entry],
        reference: &str,
        depth: usize,
    ) -> Result<Vec<Entry>, Failure> {
        if reference.parse::<Digest>().is_err() || depth >= DEPTH {
            return Ok(Vec::new());
        }
        for entry in index {
            if entry.is(reference) {
                return Ok(vec![entry.clone()]);
            }
            let media_type = entry.descriptor.media_type.essence();
            if matches!(media_type, MediaType::OCI_INDEX | MediaType::DOCKER_LIST)
                && !self.is_known(&entry.descriptor.digest)?
            {
                let (child, bytes) = load(self.place, &entry.descriptor)?;
                let found = self.find(&entries(&child, &bytes), reference, depth + 1)?;
                if !found.is_empty() {
                    return Ok(found);
                }
            }
        }
        Ok(Vec::new())
    }
}

fn load(place: &dyn Manifests, descriptor: &Descriptor) -> Result<(Manifest, Vec<u8>), Failure> {
    let bytes = place.document(descriptor)?;
    let name = descriptor.digest.as_str();
    let manifest = parse(name, &bytes, descriptor.media_type.as_str())?;
    Ok((manifest, bytes))
}

/// A manifest from its bytes and the media type that is stated for it.
pub(super) fn parse(name: &str, bytes: &[u8], stated: &str) -> Result<Manifest, Failure> {
    Manifest::parse(bytes, Some(stated))
        .map_err(|error| Failure::failed(format!("the manifest '{name}' cannot be used: {error}")))
}

/// The entries of an index, with what its JSON says of their names and platforms.
pub(super) fn entries(index: &Manifest, bytes: &[u8]) -> Vec<Entry> {
    let json: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let descriptors = index.manifests.iter().enumerate();
    descriptors
        .map(|(at, descriptor)| {
            let entry = &json["manifests"][at];
            let annotations = &entry["annotations"];
            let whole = annotations[DOCKER_NAME].as_str();
            let names = [whole.map(familiar), whole, annotations[NAME].as_str()];
            Entry {
                names: names.into_iter().flatten().map(str::to_owned).collect(),
                platform: platform(&entry["platform"]),
                descriptor: descriptor.clone(),
            }
        })
        .collect()
}

/// The name of an image as docker shows it: without what it adds by itself.
fn familiar(name: &str) -> &str {
    let name = name.strip_prefix("docker.io/").unwrap_or(name);
    name.strip_prefix("library/").unwrap_or(name)
}

/// `os/architecture/variant` of an object with these members.
fn platform(object: &Value) -> Option<String> {
    let parts = ["os", "architecture", "variant"].map(|part| object[part].as_str());
    let parts: Vec<&str> = parts
        .into_iter()
        .flatten()
        .filter(|part| !part.is_empty())
        .collect();
    (!parts.is_empty()).then(|| parts.join("/"))
}

/// What the configuration of an image says; nothing if it is none.
#[derive(Default)]
pub(super) struct Config {
    pub(super) platform: Option<String>,
    pub(super) created: Option<Timestamp>,
    /// The digests of the layers without compression, the lowest first.
    pub(super) diff_ids: Vec<Option<Digest>>,
}

impl Config {
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let json: Value = serde_json::from_slice(bytes).unwrap_or_default();
        let diff_ids = json["rootfs"]["diff_ids"].as_array();
        let digest = |id: &Value| id.as_str().and_then(|text| text.parse().ok());
        Self {
            platform: platform(&json),
            created: json["created"].as_str().and_then(Timestamp::parse_rfc3339),
            diff_ids: diff_ids.into_iter().flatten().map(digest).collect(),
        }
    }
}

fn shown_names(entries: &[Entry]) -> String {
    let names = entries.iter().map(|entry| {
        let digest = entry.descriptor.digest.as_str();
        format!("'{}'", entry.names.first().map_or(digest, String::as_str))
    });
    names.take(20).collect::<Vec<_>>().join(", ")
}
