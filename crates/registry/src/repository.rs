//! Repositories: making, describing and deleting them, their policies and their tags.

use bonded_iam::PolicyKind;
use bonded_model::{RepositoryArn, RepositoryName, ResourceTags, TagMutability};
use bonded_store::{DeleteRepository, NewRepository, Repository, StoreError, TagUpdate};

use crate::Registry;
use crate::access::Allowed;
use crate::error::{Error, Result};
use crate::target::{Range, Repositories};

/// What a new repository is made with.
pub struct RepositorySettings {
    /// Whether tags may move.
    pub tag_mutability: TagMutability,
    /// Whether each pushed image is scanned.
    pub scan_on_push: bool,
    /// Its tags.
    pub tags: ResourceTags,
}

impl Allowed<RepositoryArn> {
    /// The repository that was judged.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`]; the caller may know, being allowed.
    pub fn repository(&self) -> Result<&Repository> {
        self.found()
            .as_ref()
            .ok_or_else(|| Error::RepositoryNotFound(self.target().clone()))
    }
}

impl Registry {
    /// Makes an empty repository.
    ///
    /// # Errors
    /// [`Error::RepositoryAlreadyExists`]; an account that is not served.
    pub async fn create_repository(
        &self,
        allowed: &Allowed<RepositoryArn>,
        settings: RepositorySettings,
    ) -> Result<Repository> {
        let arn = allowed.target();
        let RepositorySettings {
            tag_mutability,
            scan_on_push,
            tags,
        } = settings;
        let new = NewRepository {
            arn: arn.clone(),
            tag_mutability,
            scan_on_push,
            tags,
        };
        match self
            .store()
            .create_repository(&new, &allowed.change())
            .await
        {
            Err(StoreError::Conflict) => Err(Error::RepositoryAlreadyExists(arn.clone())),
            other => Ok(other?),
        }
    }

    /// The named repositories in the order of the request, or a page of at most `limit` of all by
    /// name, after `after`.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`] for the first named one that does not exist.
    pub async fn describe_repositories(
        &self,
        allowed: &Allowed<Repositories>,
        after: Option<&RepositoryName>,
        limit: u32,
    ) -> Result<Vec<Repository>> {
        if let Range::All(account, region) = allowed.target().range() {
            return Ok(self
                .store()
                .list_repositories(account, region, after, limit)
                .await?);
        }
        let existing = |(arn, row): &(RepositoryArn, Option<Repository>)| {
            row.clone()
                .ok_or_else(|| Error::RepositoryNotFound(arn.clone()))
        };
        allowed.found().iter().map(existing).collect()
    }

    /// Deletes the repository with its policy and tags, and with its images if `force`.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`], [`Error::RepositoryNotEmpty`].
    pub async fn delete_repository(
        &self,
        allowed: &Allowed<RepositoryArn>,
        force: bool,
    ) -> Result<Repository> {
        let repository = allowed.repository()?;
        match self
            .store()
            .delete_repository(&repository.id, force, &allowed.change())
            .await?
        {
            DeleteRepository::Deleted => Ok(repository.clone()),
            DeleteRepository::NotEmpty => Err(Error::RepositoryNotEmpty(repository.arn.clone())),
            DeleteRepository::NotFound => Err(Error::RepositoryNotFound(repository.arn.clone())),
        }
    }

    /// The text of the repository's policy.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`], [`Error::RepositoryPolicyNotFound`].
    pub async fn repository_policy(&self, allowed: &Allowed<RepositoryArn>) -> Result<String> {
        let policy = allowed.repository()?.policy.as_ref();
        let missing = || Error::RepositoryPolicyNotFound(allowed.target().clone());
        self.show_principals(&policy.ok_or_else(missing)?.text)
            .await
    }

    /// Attaches `text` as the repository's policy; users and roles it names are kept by their unique
    /// ids. Unless `force`, a policy that would deny the
    /// caller the next `SetRepositoryPolicy` is refused.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`]; [`Error::InvalidParameter`] if the text is not a repository
    /// policy, names a principal that does not exist, or locks the caller out.
    pub async fn set_repository_policy(
        &self,
        allowed: &Allowed<RepositoryArn>,
        text: &str,
        force: bool,
    ) -> Result<()> {
        let repository = allowed.repository()?;
        let invalid = |_| Error::parameter("PolicyText", "Invalid repository policy provided");
        let policy = bonded_iam::validate(text, PolicyKind::Repository).map_err(invalid)?;
        let bound = self
            .bind_principals(text, &policy)
            .await?
            .map_err(invalid)?;
        if !force && self.locks_out(allowed, policy).await? {
            return Err(Error::parameter(
                "PolicyText",
                "The new repository policy will prevent you from setting the repository policy in the future; use the force option to set it",
            ));
        }
        let set = self
            .store()
            .set_repository_policy(&repository.id, Some(&bound), &allowed.change())
            .await;
        set.map_err(|e| gone(e, &repository.arn))
    }

    /// Takes the repository's policy away and returns its text.
    ///
    /// # Errors
    /// As [`Registry::repository_policy`].
    pub async fn delete_repository_policy(
        &self,
        allowed: &Allowed<RepositoryArn>,
    ) -> Result<String> {
        let text = self.repository_policy(allowed).await?;
        let repository = allowed.repository()?;
        let set = self
            .store()
            .set_repository_policy(&repository.id, None, &allowed.change())
            .await;
        set.map_err(|e| gone(e, &repository.arn))?;
        Ok(text)
    }

    /// Sets `tags` on the repository beside those it has.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`], [`Error::TooManyTags`].
    pub async fn tag_repository(
        &self,
        allowed: &Allowed<RepositoryArn>,
        tags: ResourceTags,
    ) -> Result<()> {
        self.update_tags(allowed, TagUpdate::Merge(tags)).await
    }

    /// Takes the tags with these keys away; absent keys are ignored.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`].
    pub async fn untag_repository(
        &self,
        allowed: &Allowed<RepositoryArn>,
        keys: Vec<String>,
    ) -> Result<()> {
        self.update_tags(allowed, TagUpdate::Remove(keys)).await
    }

    async fn update_tags(&self, allowed: &Allowed<RepositoryArn>, update: TagUpdate) -> Result<()> {
        let repository = allowed.repository()?;
        let done = self
            .store()
            .set_repository_tags(&repository.id, update, &allowed.change())
            .await;
        done.map_err(|e| gone(e, &repository.arn))?
            .map_err(|_| Error::TooManyTags)
    }
}

/// A change met a repository that was deleted since it was judged.
pub(crate) fn gone(error: StoreError, arn: &RepositoryArn) -> Error {
    match error {
        StoreError::Conflict => Error::RepositoryNotFound(arn.clone()),
        other => other.into(),
    }
}
