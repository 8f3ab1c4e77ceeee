//! Taking a layer from a repository.

use bonded_model::Digest;

use crate::Store;
use crate::change::Change;
use crate::error::Result;
use crate::meta::Value;
use crate::repository::RepositoryId;

/// What became of [`Store::delete_layer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeleteLayer {
    /// The repository has it no more. Its bytes stay for the collector: another may have them too.
    Deleted,
    /// An image of the repository refers to it.
    Referenced,
    /// The repository has no such layer.
    NotFound,
}

impl Store {
    /// Takes the layer `digest` from a repository, unless an image there refers to it.
    ///
    /// # Errors
    /// As every write.
    pub async fn delete_layer(
        &self,
        repository: &RepositoryId,
        digest: &Digest,
        change: &Change,
    ) -> Result<DeleteLayer> {
        const REFERENCED: &str =
            "SELECT image FROM image_blobs WHERE repository = $1 AND blob = $2 LIMIT 1";
        const DELETE: &str = "DELETE FROM layers WHERE repository = $1 AND digest = $2";
        let key: [Value; 2] = [(&repository.0).into(), digest.as_str().into()];
        self.meta()
            .transact((key, change.clone()), |tx, input| {
                Box::pin(async move {
                    let (key, change) = &*input;
                    let referenced = tx.optional(REFERENCED, key).await?.is_some();
                    // A sparse image may refer to what the repository does not have.
                    if referenced && tx.optional(crate::layer::FIND, key).await?.is_some() {
                        return Ok(DeleteLayer::Referenced);
                    }
                    if tx.execute(DELETE, key).await? == 0 {
                        return Ok(DeleteLayer::NotFound);
                    }
                    change.insert(tx).await?;
                    Ok(DeleteLayer::Deleted)
                })
            })
            .await
    }
}
