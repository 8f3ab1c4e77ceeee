//! What the configuration of an image says of it.
//!
//! <https://github.com/opencontainers/image-spec/blob/v1.1.1/config.md>

use bonded_model::{Digest, MANIFEST_LIMIT, Manifest, Timestamp};
use bonded_store::{RepositoryId, StoreError};
use futures_util::StreamExt as _;
use serde_json::Value;

use crate::Registry;
use crate::error::Result;

/// What is shown of an image's configuration; nothing that it does not say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageConfiguration {
    /// When the image was made.
    pub created: Option<Timestamp>,
    /// The processor it is for: `arm64`.
    pub architecture: Option<String>,
    /// Who made it.
    pub author: Option<String>,
}

impl ImageConfiguration {
    fn parse(bytes: &[u8]) -> Self {
        let json: Value = serde_json::from_slice(bytes).unwrap_or_default();
        let text = |member: &str| json[member].as_str().filter(|text| !text.is_empty());
        Self {
            created: text("created").and_then(Timestamp::parse_rfc3339),
            architecture: text("architecture").map(str::to_owned),
            author: text("author").map(str::to_owned),
        }
    }
}

impl Registry {
    /// The configuration of an image; nothing if it is not here, damaged (which the store records),
    /// too long or of another kind.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn image_configuration(
        &self,
        repository: &RepositoryId,
        manifest: &Manifest,
    ) -> Result<ImageConfiguration> {
        let Some(config) = manifest.blobs.first() else {
            return Ok(ImageConfiguration::default());
        };
        let bytes = self.small_blob(repository, &config.digest, MANIFEST_LIMIT as u64);
        let bytes = bytes.await?.unwrap_or_default();
        Ok(ImageConfiguration::parse(&bytes))
    }

    /// A blob of a repository, whole; `None` if it is not here, damaged (which the store records)
    /// or longer than `limit` bytes.
    ///
    /// # Errors
    /// The store's.
    pub(super) async fn small_blob(
        &self,
        repository: &RepositoryId,
        digest: &Digest,
        limit: u64,
    ) -> Result<Option<Vec<u8>>> {
        let layer = self.store().find_layer(repository, digest).await?;
        let Some(layer) = layer.filter(|layer| layer.size <= limit) else {
            return Ok(None);
        };
        let mut stream = match self.store().read_layer(&layer, 0..layer.size).await {
            Ok(stream) => stream,
            Err(StoreError::Corrupt(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut bytes = Vec::new();
        while let Some(piece) = stream.next().await {
            let Ok(piece) = piece else {
                return Ok(None);
            };
            bytes.extend_from_slice(&piece);
        }
        Ok(Some(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_is_not_said() {
        let read = |text: &str| ImageConfiguration::parse(text.as_bytes());
        let said =
            read(r#"{"architecture":"arm64","author":"Ada","created":"2026-01-02T03:04:05Z"}"#);
        assert_eq!(said.architecture.as_deref(), Some("arm64"));
        assert_eq!(said.author.as_deref(), Some("Ada"));
        assert_eq!(
            said.created,
            Timestamp::parse_rfc3339("2026-01-02T03:04:05Z")
        );
        for nothing in [
            "",
            "[]",
            "{",
            r#"{"architecture":1,"author":"","created":"now"}"#,
        ] {
            assert_eq!(read(nothing), ImageConfiguration::default(), "{nothing}");
        }
    }
}
