//! Mounting: a blob of one repository becomes one of another without moving a byte.
//!
//! Whoever may not read the source gets the answer of a source without the blob: the caller pushes
//! it. So a mount tells nothing that a pull would not (security.md, "Mount as read oracle").

use bonded_model::{Digest, RepositoryArn, RepositoryName};
use bonded_store::Layer;

use crate::Registry;
use crate::access::{Action, Allowed, Checks};
use crate::error::{Error, Result};
use crate::push::LAYER_GRACE;
use crate::target::LayerIn;

/// What the caller must be allowed on the source.
const READ: Action = Action::new("ecr:GetDownloadUrlForLayer");

/// How many repositories a mount tries that names none.
const SOURCES: u32 = 16;

impl Registry {
    /// Makes the blob `digest` of the repository `from`, of the same registry, one of the
    /// repository that was judged. `None` if that cannot be, for whatever reason.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`] for the repository that was judged.
    pub async fn mount_from(
        &self,
        allowed: &Allowed<RepositoryArn>,
        from: RepositoryName,
        digest: &Digest,
    ) -> Result<Option<Layer>> {
        let repository = RepositoryArn {
            name: from,
            ..allowed.target().clone()
        };
        let source = LayerIn {
            repository,
            digest: digest.clone(),
        };
        let read = Checks::new(READ, source);
        match self.authorize(allowed.caller(), read).await {
            Ok(source) => self.mount(allowed, &source).await,
            Err(Error::Denied(_)) => allowed.repository().map(|_| None),
            Err(error) => Err(error),
        }
    }

    /// Makes the blob `digest` one of the repository that was judged, from any repository of the
    /// same registry that the caller may read it from: of those that have it, the 16 that got it
    /// or were asked for it last. `None` if there is none.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`] for the repository that was judged.
    pub async fn mount_from_any(
        &self,
        allowed: &Allowed<RepositoryArn>,
        digest: &Digest,
    ) -> Result<Option<Layer>> {
        let RepositoryArn {
            account, region, ..
        } = &allowed.repository()?.arn;
        let sources = self
            .store()
            .repositories_with_layer(account, region, digest, SOURCES)
            .await?;
        let caller = allowed.caller();
        for repository in sources {
            let digest = digest.clone();
            let source = LayerIn { repository, digest };
            // Asked first, so that what the caller did not ask for leaves no denials on record.
            if !self.permits(caller, READ, source.clone()).await? {
                continue;
            }
            let source = self.authorize(caller, Checks::new(READ, source)).await;
            match source {
                Ok(source) => {
                    if let Some(layer) = self.mount(allowed, &source).await? {
                        return Ok(Some(layer));
                    }
                }
                // Its policy changed in between.
                Err(Error::Denied(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Links the blob, which both sides allow.
    async fn mount(
        &self,
        target: &Allowed<RepositoryArn>,
        source: &Allowed<LayerIn>,
    ) -> Result<Option<Layer>> {
        let target_id = &target.repository()?.id;
        let digest = &source.target().digest;
        let Some(source) = source.found() else {
            return Ok(None);
        };
        if let Some(layer) = self.store().find_layer(&source.id, digest).await?
            && !self.store().has_bytes(&layer).await?
        {
            return Ok(None);
        }
        let keep_until = self.clock().now().after(LAYER_GRACE);
        Ok(self
            .store()
            .mount_layer(&source.id, target_id, digest, keep_until, &target.change())
            .await?)
    }
}
