//! Why a layer could not be inspected as a whole.

use serde::{Deserialize, Serialize};

/// What keeps the contents of a layer from being known: an image with such a layer has not been
/// scanned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case", tag = "kind", content = "detail")]
pub enum LayerProblem {
    /// The registry does not have its bytes.
    #[error("the layer is not stored here")]
    Missing,
    /// Its media type says that it is kept elsewhere.
    #[error("the layer is a foreign one: its bytes are not kept in registries")]
    Foreign,
    /// Its media type says that it is encrypted.
    #[error("the layer is encrypted")]
    Encrypted,
    /// A compression that is not read.
    #[error("the layer is compressed with {0}; gzip and zstd are read")]
    Compression(String),
    /// Neither a compression that is known nor a tar archive.
    #[error("the layer is neither a tar archive nor one that is compressed with gzip or zstd")]
    NotAnArchive,
    /// The compressed stream is damaged or ends early.
    #[error("the compressed layer is damaged: {0}")]
    Damaged(String),
    /// The archive is not one that container runtimes unpack, or ends early.
    #[error("the archive of the layer is damaged: {0}")]
    Malformed(String),
    /// It expands without measure.
    #[error("the layer expands to more than {0}")]
    Bomb(String),
    /// More names or packages than are kept.
    #[error("the layer has more {0} than are inspected")]
    TooMany(String),
    /// Something follows the end of the archive.
    #[error("bytes follow the end of the layer's archive, which may hold files of their own")]
    TrailingBytes,
    /// A table of contents (zstd:chunked, eStargz) and the archive differ.
    #[error("the layer's table of contents and its archive differ: {0}")]
    SecondContents(String),
}

impl LayerProblem {
    /// What the media type of a layer alone tells; `None` if its bytes decide.
    #[must_use]
    pub fn of_media_type(media_type: &str) -> Option<Self> {
        let media_type = media_type.to_ascii_lowercase();
        if media_type.contains("+encrypted") {
            Some(Self::Encrypted)
        } else if media_type.contains(".nondistributable.") || media_type.contains(".foreign.") {
            Some(Self::Foreign)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_tell_what_cannot_be_read() {
        for (media_type, want) in [
            ("application/vnd.oci.image.layer.v1.tar+gzip", None),
            (
                "application/vnd.oci.image.layer.v1.tar+gzip+encrypted",
                Some(LayerProblem::Encrypted),
            ),
            (
                "application/vnd.oci.image.layer.nondistributable.v1.tar",
                Some(LayerProblem::Foreign),
            ),
            (
                "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
                Some(LayerProblem::Foreign),
            ),
        ] {
            assert_eq!(LayerProblem::of_media_type(media_type), want);
        }
    }
}
