//! What a manifest says about other blobs and manifests.
//!
//! OCI image-spec 1.1 `manifest.md` and `image-index.md`, Docker image manifest schema 2. The
//! bytes themselves are stored and hashed as they came; this is only what the registry must know.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::{Digest, InvalidDigest, InvalidMediaType, MediaType, json, shown};

/// The longest manifest, in bytes (ECR: 4 MiB).
pub const MANIFEST_LIMIT: usize = 4 * 1024 * 1024;

/// The most descriptors in one manifest: what 4 MiB of the shortest ones come to is beyond any
/// image; 10,000 still bounds the rows one manifest can write.
const DESCRIPTORS_LIMIT: usize = 10_000;

/// A pointer to a blob or a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// What the target is.
    pub media_type: MediaType,
    /// The target.
    pub digest: Digest,
    /// Its length in bytes, as the manifest states it.
    pub size: u64,
}

impl Descriptor {
    /// Whether the layer's media type says that clients must not push it.
    #[must_use]
    pub fn is_nondistributable(&self) -> bool {
        let essence = self.media_type.essence();
        essence.contains(".nondistributable.") || essence.contains(".foreign.")
    }
}

/// A manifest of an image or artifact, or an index of manifests.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// Its own media type.
    pub media_type: MediaType,
    /// The config and the layers; empty for an index.
    pub blobs: Vec<Descriptor>,
    /// The children of an index; empty for a manifest.
    pub manifests: Vec<Descriptor>,
    /// The manifest this one is about.
    pub subject: Option<Descriptor>,
    /// `artifactType`, else the config's media type; absent for a plain index.
    pub artifact_type: Option<MediaType>,
    /// Annotations with text values.
    pub annotations: BTreeMap<String, String>,
}

/// What a manifest is to whoever judges it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManifestKind {
    /// A list of manifests: judged by what is in it.
    Index,
    /// Something that a client may run, so it has a scan of its own, whatever `subject`,
    /// annotations or platform it states.
    Image,
    /// Anything else: a chart, a signature, a bill of materials.
    Artifact,
}

/// The types of a config with which clients take a manifest for an image. Docker runs those of the
/// second half too: registries once answered with them.
const IMAGE_CONFIGS: [&str; 5] = [
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
    "application/octet-stream",
    "application/json",
    "text/html",
];

/// What the media types of root file system layers begin with: tar archives, whatever they are
/// compressed or encrypted with and whoever may push them.
const IMAGE_LAYERS: [&str; 2] = [
    "application/vnd.oci.image.layer.",
    "application/vnd.docker.image.rootfs.",
];

/// The bytes are not a manifest we store.
#[derive(Debug, thiserror::Error)]
pub enum InvalidManifest {
    /// Longer than [`MANIFEST_LIMIT`].
    #[error("the manifest has {0} bytes; at most {MANIFEST_LIMIT} are accepted")]
    TooLarge(usize),
    /// Not JSON, ambiguous JSON, or without a media type anywhere.
    #[error("{0}")]
    Syntax(String),
    /// JSON, but not of the shape its media type asks for.
    #[error("'{member}' of the manifest: {reason}")]
    Member {
        /// Where in the manifest.
        member: String,
        /// What was expected.
        reason: String,
    },
}

fn member(member: &str, reason: impl Into<String>) -> InvalidManifest {
    InvalidManifest::Member {
        member: member.to_owned(),
        reason: reason.into(),
    }
}

impl Manifest {
    /// Reads `bytes`; `stated` is the media type from outside (`Content-Type` or
    /// `imageManifestMediaType`), used if the manifest has none and compared if it has one.
    ///
    /// # Errors
    /// See [`InvalidManifest`]. Time and memory are linear in `bytes`.
    pub fn parse(bytes: &[u8], stated: Option<&str>) -> Result<Self, InvalidManifest> {
        if bytes.len() > MANIFEST_LIMIT {
            return Err(InvalidManifest::TooLarge(bytes.len()));
        }
        let value = json::parse(bytes).map_err(|e| InvalidManifest::Syntax(e.to_string()))?;
        let Value::Object(object) = value else {
            return Err(InvalidManifest::Syntax(
                "a JSON object is expected".to_owned(),
            ));
        };
        if object.get("schemaVersion").and_then(Value::as_u64) != Some(2) {
            return Err(member("schemaVersion", "2 is expected"));
        }
        let media_type = media_type(&object, stated)?;
        let index = matches!(
            media_type.essence(),
            MediaType::OCI_INDEX | MediaType::DOCKER_LIST
        );
        let mut blobs = Vec::new();
        let mut manifests = Vec::new();
        let mut config_type = None;
        if index {
            manifests = descriptors(&object, "manifests")?;
        } else {
            let config = object
                .get("config")
                .ok_or_else(|| member("config", "missing"))?;
            let config = descriptor(config, "config")?;
            config_type = Some(config.media_type.clone());
            blobs.push(config);
            blobs.append(&mut descriptors(&object, "layers")?);
        }
        let subject = present(&object, "subject")
            .map(|s| descriptor(s, "subject"))
            .transpose()?;
        let artifact_type = optional_media_type(&object, "artifactType")?.or(config_type);
        let annotations = annotations(&object)?;
        Ok(Self {
            media_type,
            blobs,
            manifests,
            subject,
            artifact_type,
            annotations,
        })
    }

    /// Whether this is an index, can be run, or neither. Media types are compared without regard to
    /// case, as clients do.
    #[must_use]
    pub fn kind(&self) -> ManifestKind {
        if self.is_index() {
            return ManifestKind::Index;
        }
        let essence = |blob: &Descriptor| blob.media_type.essence().to_ascii_lowercase();
        let config = self.blobs.first().map(essence).unwrap_or_default();
        let is_layer = |blob: &Descriptor| {
            let essence = essence(blob);
            IMAGE_LAYERS
                .iter()
                .any(|prefix| essence.starts_with(prefix))
        };
        if IMAGE_CONFIGS.contains(&config.as_str()) || self.blobs.iter().skip(1).any(is_layer) {
            ManifestKind::Image
        } else {
            ManifestKind::Artifact
        }
    }

    /// Whether this is an index of manifests.
    #[must_use]
    pub fn is_index(&self) -> bool {
        matches!(
            self.media_type.essence(),
            MediaType::OCI_INDEX | MediaType::DOCKER_LIST
        )
    }
}

/// A member that is there and not `null`.
fn present<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object.get(name).filter(|value| !value.is_null())
}

fn text<'a>(value: &'a Value, at: &str) -> Result<&'a str, InvalidManifest> {
    value
        .as_str()
        .ok_or_else(|| member(at, "a text is expected"))
}

fn optional_media_type(
    object: &Map<String, Value>,
    name: &str,
) -> Result<Option<MediaType>, InvalidManifest> {
    match present(object, name) {
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(value) => text(value, name)?
            .parse()
            .map(Some)
            .map_err(|e: InvalidMediaType| member(name, e.to_string())),
        None => Ok(None),
    }
}

fn media_type(
    object: &Map<String, Value>,
    stated: Option<&str>,
) -> Result<MediaType, InvalidManifest> {
    let own = optional_media_type(object, "mediaType")?;
    let stated = stated
        .filter(|text| !text.is_empty())
        .map(|text| {
            text.parse::<MediaType>()
                .map_err(|e| member("mediaType", e.to_string()))
        })
        .transpose()?;
    let media_type = match (own, stated) {
        (Some(own), Some(stated)) if own.essence() != stated.essence() => {
            let reason = format!("'{own}' differs from the stated media type '{stated}'");
            return Err(member("mediaType", reason));
        }
        (Some(own), _) => own,
        (None, Some(stated)) => stated,
        (None, None) => {
            return Err(InvalidManifest::Syntax(
                "no media type is stated".to_owned(),
            ));
        }
    };
    if !media_type.essence().starts_with("application/") {
        return Err(member(
            "mediaType",
            format!("'{media_type}' is not an application type"),
        ));
    }
    Ok(media_type)
}

fn descriptors(
    object: &Map<String, Value>,
    name: &str,
) -> Result<Vec<Descriptor>, InvalidManifest> {
    let Some(value) = present(object, name) else {
        return Err(member(name, "missing"));
    };
    let items = value
        .as_array()
        .ok_or_else(|| member(name, "a list is expected"))?;
    if items.len() > DESCRIPTORS_LIMIT {
        return Err(member(
            name,
            format!("at most {DESCRIPTORS_LIMIT} entries are accepted"),
        ));
    }
    items
        .iter()
        .enumerate()
        .map(|(i, item)| descriptor(item, &format!("{name}[{i}]")))
        .collect()
}

fn descriptor(value: &Value, at: &str) -> Result<Descriptor, InvalidManifest> {
    let object = value
        .as_object()
        .ok_or_else(|| member(at, "an object is expected"))?;
    let get = |name: &str| {
        object
            .get(name)
            .ok_or_else(|| member(&format!("{at}.{name}"), "missing"))
    };
    let media_type = text(get("mediaType")?, &format!("{at}.mediaType"))?;
    let digest = text(get("digest")?, &format!("{at}.digest"))?;
    let size = get("size")?
        .as_u64()
        .filter(|size| i64::try_from(*size).is_ok());
    Ok(Descriptor {
        media_type: media_type
            .parse()
            .map_err(|e: InvalidMediaType| member(&format!("{at}.mediaType"), e.to_string()))?,
        digest: digest
            .parse()
            .map_err(|e: InvalidDigest| member(&format!("{at}.digest"), e.to_string()))?,
        size: size.ok_or_else(|| member(&format!("{at}.size"), "a length in bytes is expected"))?,
    })
}

fn annotations(object: &Map<String, Value>) -> Result<BTreeMap<String, String>, InvalidManifest> {
    let Some(value) = present(object, "annotations") else {
        return Ok(BTreeMap::new());
    };
    let members = value
        .as_object()
        .ok_or_else(|| member("annotations", "an object is expected"))?;
    members
        .iter()
        .map(|(key, value)| {
            Ok((
                key.clone(),
                text(value, &format!("annotations.{}", shown(key)))?.to_owned(),
            ))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(extra: &str) -> String {
        let digest = Digest::sha256(b"x");
        format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{digest}","size":1}},"layers":[]{extra}}}"#,
            MediaType::OCI_MANIFEST
        )
    }

    #[test]
    fn an_image_points_to_its_config_and_layers() {
        let manifest = Manifest::parse(image("").as_bytes(), None).unwrap();
        assert_eq!(manifest.blobs.len(), 1);
        assert!(!manifest.is_index());
        let kind = manifest.artifact_type.unwrap();
        assert_eq!(kind.as_str(), "application/vnd.oci.image.config.v1+json");
    }

    #[test]
    fn an_index_points_to_its_children() {
        let text = r#"{"schemaVersion":2,"manifests":[]}"#;
        let manifest = Manifest::parse(text.as_bytes(), Some(MediaType::OCI_INDEX)).unwrap();
        assert!(manifest.is_index());
        assert!(manifest.artifact_type.is_none());
    }

    #[test]
    fn what_a_client_may_run_is_an_image() {
        let digest = Digest::sha256(b"x");
        let kind = |config: &str, layer: &str, extra: &str| {
            let text = format!(
                r#"{{"schemaVersion":2,"mediaType":"{}","config":{{"mediaType":"{config}","digest":"{digest}","size":1}},"layers":[{{"mediaType":"{layer}","digest":"{digest}","size":1}}]{extra}}}"#,
                MediaType::OCI_MANIFEST
            );
            Manifest::parse(text.as_bytes(), None).unwrap().kind()
        };
        let subject = format!(
            r#","subject":{{"mediaType":"{}","digest":"{digest}","size":1}}"#,
            MediaType::OCI_MANIFEST
        );
        for (config, layer) in [
            ("application/vnd.oci.image.config.v1+json", "application/x"),
            (
                "Application/vnd.docker.container.IMAGE.v1+json",
                "application/x",
            ),
            (
                "application/vnd.oci.image.config.v1+json; a=b",
                "application/x",
            ),
            ("application/octet-stream", "application/vnd.in-toto+json"),
            (
                "application/vnd.dev.cosign.x",
                "application/vnd.oci.image.layer.v1.tar",
            ),
            (
                "application/vnd.x",
                "application/vnd.oci.image.layer.v1.tar+zstd",
            ),
            (
                "application/vnd.x",
                "application/vnd.oci.image.layer.v1.tar+gzip+encrypted",
            ),
            (
                "application/vnd.x",
                "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
            ),
            (
                "application/vnd.x",
                "application/vnd.docker.image.rootfs.diff.tar.gzip",
            ),
            (
                "application/vnd.x",
                "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
            ),
        ] {
            assert_eq!(
                kind(config, layer, ""),
                ManifestKind::Image,
                "{config} {layer}"
            );
            assert_eq!(kind(config, layer, &subject), ManifestKind::Image);
        }
        for (config, layer) in [
            (
                "application/vnd.cncf.helm.config.v1+json",
                "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
            ),
            (
                "application/vnd.oci.empty.v1+json",
                "application/vnd.in-toto+json",
            ),
        ] {
            assert_eq!(
                kind(config, layer, &subject),
                ManifestKind::Artifact,
                "{config}"
            );
        }
    }

    #[test]
    fn what_is_not_a_manifest_is_refused() {
        let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
        for text in [
            "",
            "null",
            "[]",
            "{}",
            r#"{"schemaVersion":1}"#,
            r#"{"schemaVersion":2,"schemaVersion":2}"#,
            &image(r#","annotations":{"a":1}"#),
            &image(r#","subject":{}"#),
            &image(r#","x":"#).replace(r#""x":"#, &format!(r#""x":{deep}"#)),
            &image("").replace(r#""size":1"#, r#""size":-1"#),
            &image("").replace(r#""size":1"#, r#""size":18446744073709551615"#),
            &image("").replace("sha256:", "sha256:sha256:"),
            &image("").replace(MediaType::OCI_MANIFEST, "text/html"),
        ] {
            assert!(Manifest::parse(text.as_bytes(), None).is_err(), "{text}");
        }
        let stated = Some(MediaType::DOCKER_MANIFEST);
        assert!(Manifest::parse(image("").as_bytes(), stated).is_err());
        assert!(Manifest::parse(&vec![b' '; MANIFEST_LIMIT + 1], None).is_err());
    }
}
