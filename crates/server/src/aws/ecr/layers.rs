//! Layers: whether they are there, uploading them in parts, and a URL to read one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bonded_model::{AccountId, Digest, RepositoryArn, RepositoryName};
use bonded_registry::target::{LayerIn, LayersIn};
use bonded_registry::{Action, Allowed, Caller, Checks, Error, Registry, Result, UploadId};
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize};

use super::image_shapes::{DIGEST_PATTERN, is_digest};
use super::shapes::repository;
use crate::aws::Operation;

/// The most layers that one request names.
const LAYERS_LIMIT: usize = 100;

/// The longest digest that is looked at, in characters.
const DIGEST_LIMIT: usize = 1000;

/// The part size that is recommended: ECR's 10 MiB.
const PART_SIZE: u32 = 10 * 1024 * 1024;

/// The longest part: ECR's 20 MiB.
const PART_LIMIT: usize = 20 * 1024 * 1024;

/// `BatchCheckLayerAvailability`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BatchCheckLayerAvailability {
    registry_id: Option<AccountId>,
    repository_name: RepositoryName,
    layer_digests: Vec<String>,
}

/// `Layer`. What media type a layer has is known to the images that refer to it alone.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LayerShape {
    layer_digest: String,
    layer_availability: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    layer_size: Option<u64>,
}

/// `LayerFailure`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LayerFailure {
    layer_digest: String,
    failure_code: &'static str,
    failure_reason: String,
}

impl LayerFailure {
    /// Why `layer_digest` cannot name a layer, if so.
    fn of(layer_digest: &str) -> Option<Self> {
        let (failure_code, failure_reason) = if layer_digest.is_empty() {
            let text = "Invalid request parameters: layer digest cannot be null or empty";
            ("MissingLayerDigest", text.to_owned())
        } else if is_digest(layer_digest) {
            return None;
        } else {
            let text = format!(
                "Invalid request parameters: layer digest should satisfy the regex '{DIGEST_PATTERN}'"
            );
            ("InvalidLayerDigest", text)
        };
        Some(Self {
            layer_digest: layer_digest.to_owned(),
            failure_code,
            failure_reason,
        })
    }
}

/// `BatchCheckLayerAvailabilityResponse`.
#[derive(Debug, Serialize)]
pub(super) struct LayersAnswer {
    layers: Vec<LayerShape>,
    failures: Vec<LayerFailure>,
}

/// Checks how many digests a request has.
fn count(digests: &[String]) -> Result<()> {
    if !(1..=LAYERS_LIMIT).contains(&digests.len()) {
        return Err(Error::parameter(
            "layerDigests",
            format!("Member must have length between 1 and {LAYERS_LIMIT}"),
        ));
    }
    if digests.iter().any(|digest| digest.len() > DIGEST_LIMIT) {
        return Err(Error::parameter(
            "layerDigests",
            format!("Member must have length less than or equal to {DIGEST_LIMIT}"),
        ));
    }
    Ok(())
}

impl Operation for BatchCheckLayerAvailability {
    const NAME: &'static str = "BatchCheckLayerAvailability";
    const ACTION: Action = Action::new("ecr:BatchCheckLayerAvailability");
    const EXAMPLE: &'static str = r#"{"repositoryName":"team/app","layerDigests":["sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]}"#;
    type Target = LayersIn;
    type Output = LayersAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<LayersIn>> {
        count(&self.layer_digests)?;
        let digests = self
            .layer_digests
            .iter()
            .filter_map(|text| text.parse().ok());
        let target = LayersIn {
            repository: repository(caller, self.registry_id.as_ref(), &self.repository_name),
            digests: digests.collect(),
        };
        Ok(Checks::new(Self::ACTION, target))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<LayersIn>) -> Result<LayersAnswer> {
        allowed.repository_of_layers()?;
        let mut answer = LayersAnswer {
            layers: Vec::new(),
            failures: Vec::new(),
        };
        for layer_digest in self.layer_digests {
            if let Some(failure) = LayerFailure::of(&layer_digest) {
                answer.failures.push(failure);
                continue;
            }
            let found = match layer_digest.parse::<Digest>() {
                Ok(digest) => registry.available_layer(&allowed, &digest).await?,
                // Of an algorithm or a length that no layer here has.
                Err(_) => None,
            };
            answer.layers.push(LayerShape {
                layer_digest,
                layer_availability: if found.is_some() {
                    "AVAILABLE"
                } else {
                    "UNAVAILABLE"
                },
                layer_size: found.map(|layer| layer.size),
            });
        }
        Ok(answer)
    }
}

/// `InitiateLayerUpload`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InitiateLayerUpload {
    registry_id: Option<AccountId>,
    repository_name: RepositoryName,
}

/// `InitiateLayerUploadResponse`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InitiateAnswer {
    upload_id: String,
    part_size: u32,
}

impl Operation for InitiateLayerUpload {
    const NAME: &'static str = "InitiateLayerUpload";
    const ACTION: Action = Action::new("ecr:InitiateLayerUpload");
    const EXAMPLE: &'static str = r#"{"repositoryName":"team/app"}"#;
    type Target = RepositoryArn;
    type Output = InitiateAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<RepositoryArn>> {
        let arn = repository(caller, self.registry_id.as_ref(), &self.repository_name);
        Ok(Checks::new(Self::ACTION, arn))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<RepositoryArn>,
    ) -> Result<InitiateAnswer> {
        let id = registry.start_upload(&allowed).await?;
        Ok(InitiateAnswer {
            upload_id: id.to_string(),
            part_size: PART_SIZE,
        })
    }
}

/// The id of an upload in its canonical form.
fn upload(id: &str) -> Result<UploadId> {
    let invalid = |_| {
        Error::parameter(
            "uploadId",
            "must satisfy regular expression '[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}'",
        )
    };
    id.to_ascii_lowercase().parse().map_err(invalid)
}

/// `UploadLayerPart`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UploadLayerPart {
    registry_id: Option<AccountId>,
    repository_name: RepositoryName,
    upload_id: String,
    part_first_byte: u64,
    part_last_byte: u64,
    #[serde(deserialize_with = "blob")]
    layer_part_blob: Bytes,
}

/// Bytes in base 64: the form of blobs in AWS JSON.
fn blob<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Bytes, D::Error> {
    let text = String::deserialize(deserializer)?;
    let invalid = |_| serde::de::Error::custom("a blob in base 64 is expected");
    STANDARD.decode(text).map(Bytes::from).map_err(invalid)
}

/// `UploadLayerPartResponse`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PartAnswer {
    registry_id: String,
    repository_name: String,
    upload_id: String,
    last_byte_received: u64,
}

impl Operation for UploadLayerPart {
    const NAME: &'static str = "UploadLayerPart";
    const ACTION: Action = Action::new("ecr:UploadLayerPart");
    const EXAMPLE: &'static str = r#"{"repositoryName":"team/app","uploadId":"00000000-0000-4000-8000-000000000000","partFirstByte":0,"partLastByte":0,"layerPartBlob":"AA=="}"#;
    type Target = RepositoryArn;
    type Output = PartAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<RepositoryArn>> {
        upload(&self.upload_id)?;
        if self.layer_part_blob.len() > PART_LIMIT {
            return Err(Error::parameter(
                "layerPartBlob",
                format!("Member must have length less than or equal to {PART_LIMIT}"),
            ));
        }
        let arn = repository(caller, self.registry_id.as_ref(), &self.repository_name);
        Ok(Checks::new(Self::ACTION, arn))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<RepositoryArn>) -> Result<PartAnswer> {
        let id = upload(&self.upload_id)?;
        let range = (self.part_first_byte, self.part_last_byte);
        let offset = registry
            .append_part(&allowed, &id, range, self.layer_part_blob)
            .await?;
        let RepositoryArn { account, name, .. } = allowed.target();
        Ok(PartAnswer {
            registry_id: account.to_string(),
            repository_name: name.to_string(),
            upload_id: id.to_string(),
            last_byte_received: offset.saturating_sub(1),
        })
    }
}

/// `CompleteLayerUpload`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CompleteLayerUpload {
    registry_id: Option<AccountId>,
    repository_name: RepositoryName,
    upload_id: String,
    layer_digests: Vec<String>,
}

/// `CompleteLayerUploadResponse`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CompleteAnswer {
    registry_id: String,
    repository_name: String,
    upload_id: String,
    layer_digest: String,
}

impl Operation for CompleteLayerUpload {
    const NAME: &'static str = "CompleteLayerUpload";
    const ACTION: Action = Action::new("ecr:CompleteLayerUpload");
    const EXAMPLE: &'static str = r#"{"repositoryName":"team/app","uploadId":"00000000-0000-4000-8000-000000000000","layerDigests":["sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]}"#;
    type Target = RepositoryArn;
    type Output = CompleteAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<RepositoryArn>> {
        upload(&self.upload_id)?;
        count(&self.layer_digests)?;
        if !self.layer_digests.iter().all(|digest| is_digest(digest)) {
            return Err(malformed_digest("layerDigests"));
        }
        let arn = repository(caller, self.registry_id.as_ref(), &self.repository_name);
        Ok(Checks::new(Self::ACTION, arn))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<RepositoryArn>,
    ) -> Result<CompleteAnswer> {
        let id = upload(&self.upload_id)?;
        // Digests of other algorithms than ours cannot be computed, so they do not match.
        let digests = self
            .layer_digests
            .iter()
            .filter_map(|text| text.parse().ok());
        let digests: Vec<Digest> = digests.collect();
        let layer = registry.complete_upload(&allowed, &id, &digests).await?;
        let RepositoryArn { account, name, .. } = allowed.target();
        Ok(CompleteAnswer {
            registry_id: account.to_string(),
            repository_name: name.to_string(),
            upload_id: id.to_string(),
            layer_digest: layer.digest.to_string(),
        })
    }
}

fn malformed_digest(at: &str) -> Error {
    Error::parameter(
        at,
        format!("must satisfy regular expression '{DIGEST_PATTERN}'"),
    )
}

/// `GetDownloadUrlForLayer`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetDownloadUrlForLayer {
    registry_id: Option<AccountId>,
    repository_name: RepositoryName,
    layer_digest: String,
}

/// `GetDownloadUrlForLayerResponse`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DownloadUrlAnswer {
    download_url: String,
    layer_digest: String,
}

impl Operation for GetDownloadUrlForLayer {
    const NAME: &'static str = "GetDownloadUrlForLayer";
    const ACTION: Action = Action::new("ecr:GetDownloadUrlForLayer");
    const EXAMPLE: &'static str = r#"{"repositoryName":"team/app","layerDigest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}"#;
    type Target = LayerIn;
    type Output = DownloadUrlAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<LayerIn>> {
        let malformed = |_| malformed_digest("layerDigest");
        let target = LayerIn {
            repository: repository(caller, self.registry_id.as_ref(), &self.repository_name),
            digest: self.layer_digest.parse().map_err(malformed)?,
        };
        Ok(Checks::new(Self::ACTION, target))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<LayerIn>,
    ) -> Result<DownloadUrlAnswer> {
        let url = registry.layer_url(&allowed).await?;
        Ok(DownloadUrlAnswer {
            download_url: url.expose().to_owned(),
            layer_digest: self.layer_digest,
        })
    }
}
