//! Images: pulling and deleting several at once, and pushing one.

use bonded_model::{AccountId, Digest, InvalidDigest, InvalidTag, Reference, RepositoryName, Tag};
use bonded_registry::target::{ImageToPut, ImagesIn};
use bonded_registry::{Action, Allowed, Caller, Checks, DeletedImage, Error, Registry, Result};
use serde::{Deserialize, Serialize};

use super::image_shapes::{Failure, FailureShape, ImageIdentifier, ImageShape, target, zip};
use super::shapes::repository;
use crate::aws::Operation;

/// `BatchGetImage`. Media types that are not accepted are no failure: the image is returned as it
/// was pushed, as ECR does.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BatchGetImage {
    registry_id: Option<AccountId>,
    repository_name: RepositoryName,
    image_ids: Vec<ImageIdentifier>,
    accepted_media_types: Option<Vec<String>>,
}

/// `BatchGetImageResponse`.
#[derive(Debug, Serialize)]
pub(super) struct BatchGetImageAnswer {
    images: Vec<ImageShape>,
    failures: Vec<FailureShape>,
}

impl Operation for BatchGetImage {
    const NAME: &'static str = "BatchGetImage";
    const ACTION: Action = Action::new("ecr:BatchGetImage");
    const EXAMPLE: &'static str =
        r#"{"repositoryName":"team/app","imageIds":[{"imageTag":"latest"}]}"#;
    type Target = ImagesIn;
    type Output = BatchGetImageAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<ImagesIn>> {
        let accepted = self.accepted_media_types.as_ref().map_or(1, Vec::len);
        if !(1..=100).contains(&accepted) {
            return Err(Error::parameter(
                "acceptedMediaTypes",
                "Member must have length between 1 and 100",
            ));
        }
        let arn = repository(caller, self.registry_id.as_ref(), &self.repository_name);
        Ok(Checks::new(Self::ACTION, target(arn, &self.image_ids)?))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<ImagesIn>,
    ) -> Result<BatchGetImageAnswer> {
        let found = registry.images(&allowed).await?.into_iter();
        let found = found.map(|found| found.map_err(Failure::from));
        let repository = &allowed.target().repository;
        let mut answer = BatchGetImageAnswer {
            images: Vec::new(),
            failures: Vec::new(),
        };
        for (id, found) in zip(self.image_ids, found) {
            match found {
                Ok(manifest) => {
                    let image = ImageShape::new(repository, &id, manifest)?;
                    answer.images.push(image);
                }
                Err(failure) => answer.failures.push(FailureShape::new(id, &failure)),
            }
        }
        Ok(answer)
    }
}

/// `PutImage`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PutImage {
    registry_id: Option<AccountId>,
    repository_name: RepositoryName,
    image_manifest: String,
    image_manifest_media_type: Option<String>,
    image_tag: Option<String>,
    image_digest: Option<String>,
}

impl PutImage {
    /// The tag and the digest, if the request has them.
    fn reference(&self) -> Result<(Option<Tag>, Option<Digest>)> {
        let tag = self.image_tag.as_deref().map(str::parse).transpose();
        let tag = tag.map_err(|e: InvalidTag| Error::InvalidParameter(e.to_string()))?;
        let digest = self.image_digest.as_deref().map(str::parse).transpose();
        let digest = digest.map_err(|e: InvalidDigest| Error::parameter("imageDigest", e))?;
        Ok((tag, digest))
    }
}

/// `PutImageResponse`.
#[derive(Debug, Serialize)]
pub(super) struct PutImageAnswer {
    image: ImageShape,
}

impl Operation for PutImage {
    const NAME: &'static str = "PutImage";
    const ACTION: Action = Action::new("ecr:PutImage");
    const EXAMPLE: &'static str = r#"{"repositoryName":"team/app","imageManifest":"{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"manifests\":[]}"}"#;
    type Target = ImageToPut;
    type Output = PutImageAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<ImageToPut>> {
        let (tag, digest) = self.reference()?;
        let image = ImageToPut::new(
            repository(caller, self.registry_id.as_ref(), &self.repository_name),
            digest.map(Reference::Digest),
            tag.into_iter().collect(),
            self.image_manifest_media_type.as_deref(),
            self.image_manifest.clone().into_bytes(),
        );
        Ok(Checks::new(Self::ACTION, image))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<ImageToPut>,
    ) -> Result<PutImageAnswer> {
        let pushed = registry.put_new_image(&allowed).await?;
        let asked = ImageIdentifier::of_tag(self.image_tag);
        Ok(PutImageAnswer {
            image: ImageShape::new(allowed.target().repository(), &asked, pushed)?,
        })
    }
}

/// `BatchDeleteImage`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BatchDeleteImage {
    registry_id: Option<AccountId>,
    repository_name: RepositoryName,
    image_ids: Vec<ImageIdentifier>,
}

/// `BatchDeleteImageResponse`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BatchDeleteImageAnswer {
    image_ids: Vec<ImageIdentifier>,
    failures: Vec<FailureShape>,
}

impl Operation for BatchDeleteImage {
    const NAME: &'static str = "BatchDeleteImage";
    const ACTION: Action = Action::new("ecr:BatchDeleteImage");
    const EXAMPLE: &'static str =
        r#"{"repositoryName":"team/app","imageIds":[{"imageTag":"latest"}]}"#;
    type Target = ImagesIn;
    type Output = BatchDeleteImageAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<ImagesIn>> {
        let arn = repository(caller, self.registry_id.as_ref(), &self.repository_name);
        Ok(Checks::new(Self::ACTION, target(arn, &self.image_ids)?))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<ImagesIn>,
    ) -> Result<BatchDeleteImageAnswer> {
        let outcomes = registry.delete_images(&allowed).await?.into_iter();
        let outcomes = outcomes.map(|outcome| outcome.map_err(Failure::from));
        let mut answer = BatchDeleteImageAnswer {
            image_ids: Vec::new(),
            failures: Vec::new(),
        };
        for (id, outcome) in zip(self.image_ids, outcomes) {
            match outcome {
                Ok(deleted) => answer.image_ids.extend(identifiers(&deleted)),
                Err(failure) => answer.failures.push(FailureShape::new(id, &failure)),
            }
        }
        Ok(answer)
    }
}

/// One entry for each tag that went, or one for an image that had none.
fn identifiers(deleted: &DeletedImage) -> Vec<ImageIdentifier> {
    let of = |tag: Option<&Tag>| {
        ImageIdentifier::of_tag(tag.map(ToString::to_string)).resolved(&deleted.digest)
    };
    if deleted.tags.is_empty() {
        vec![of(None)]
    } else {
        deleted.tags.iter().map(|tag| of(Some(tag))).collect()
    }
}
