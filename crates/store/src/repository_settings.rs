//! What can be changed about a repository: its policy, its resource tags, which image tags move.

use bonded_model::{ResourceTags, TAGS_LIMIT, TagMutability};

use crate::Store;
use crate::change::{Change, next_epoch};
use crate::error::{Result, StoreError};
use crate::meta::{Tx, Value, json};
use crate::policy::{PolicyVersion, insert_policy_version};
use crate::repository::{RepositoryId, found};

/// A change of resource tags, applied to what is there.
#[derive(Debug, Clone)]
pub enum TagUpdate {
    /// Adds these, replacing those with the same key.
    Merge(ResourceTags),
    /// Removes these keys; those that are not there are ignored.
    Remove(Vec<String>),
}

/// The resource would have more than [`TAGS_LIMIT`] tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a resource has at most {TAGS_LIMIT} tags; remove some first")]
pub struct TooManyTags;

impl Store {
    /// Sets (`Some`) or removes (`None`) the policy of a repository.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the repository does not exist any more.
    pub async fn set_repository_policy(
        &self,
        id: &RepositoryId,
        text: Option<&str>,
        change: &Change,
    ) -> Result<()> {
        const SQL: &str = "UPDATE repositories SET policy = $1 WHERE id = $2";
        let version = text.map(PolicyVersion::new).transpose()?;
        self.meta()
            .transact((id.clone(), version, change.clone()), |tx, input| {
                Box::pin(async move {
                    let (id, version, change) = &*input;
                    if let Some(version) = version {
                        insert_policy_version(tx, version).await?;
                    }
                    let policy = version.as_ref().map(|v| v.id.as_str());
                    found(tx.execute(SQL, &[policy.into(), (&id.0).into()]).await?)?;
                    next_epoch(tx, &change.account).await?;
                    change.insert(tx).await
                })
            })
            .await
    }

    /// Sets which tags of a repository may move, from the next push on.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the repository does not exist any more.
    pub async fn set_tag_mutability(
        &self,
        id: &RepositoryId,
        tag_mutability: &TagMutability,
        change: &Change,
    ) -> Result<()> {
        const SQL: &str =
            "UPDATE repositories SET tag_mutability = $1, tag_filters = $2 WHERE id = $3";
        let values: [Value; 3] = [
            tag_mutability.as_str().into(),
            json(&tag_mutability.filters())?.into(),
            (&id.0).into(),
        ];
        self.meta()
            .transact((values, change.clone()), |tx, input| {
                Box::pin(async move {
                    let (values, change) = &*input;
                    found(tx.execute(SQL, values).await?)?;
                    change.insert(tx).await
                })
            })
            .await
    }

    /// Sets whether each pushed image of a repository is scanned, from the next push on.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the repository does not exist any more.
    pub async fn set_scan_on_push(
        &self,
        id: &RepositoryId,
        scan_on_push: bool,
        change: &Change,
    ) -> Result<()> {
        const SQL: &str = "UPDATE repositories SET scan_on_push = $1 WHERE id = $2";
        let values: [Value; 2] = [scan_on_push.into(), (&id.0).into()];
        self.meta()
            .transact((values, change.clone()), |tx, input| {
                Box::pin(async move {
                    found(tx.execute(SQL, &input.0).await?)?;
                    input.1.insert(tx).await
                })
            })
            .await
    }

    /// Changes the resource tags of a repository, on top of whatever they are by then.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the repository does not exist any more. The inner error changes
    /// nothing.
    pub async fn set_repository_tags(
        &self,
        id: &RepositoryId,
        update: TagUpdate,
        change: &Change,
    ) -> Result<Result<(), TooManyTags>> {
        self.meta()
            .transact((id.clone(), update, change.clone()), |tx, input| {
                Box::pin(async move {
                    let (id, update, change) = &*input;
                    update_tags(tx, id, update, change).await
                })
            })
            .await
    }
}

async fn update_tags(
    tx: &mut Tx<'_>,
    id: &RepositoryId,
    update: &TagUpdate,
    change: &Change,
) -> Result<Result<(), TooManyTags>> {
    const SELECT: &str = "SELECT tags FROM repositories WHERE id = $1";
    const UPDATE: &str = "UPDATE repositories SET tags = $1 WHERE id = $2";
    let row = tx.optional(SELECT, &[(&id.0).into()]).await?;
    let mut tags: ResourceTags = row.ok_or(StoreError::Conflict)?.json()?;
    match update {
        TagUpdate::Merge(new) => tags.extend(new.clone()),
        TagUpdate::Remove(keys) => tags.retain(|key, _| !keys.contains(key)),
    }
    if tags.len() > TAGS_LIMIT {
        return Ok(Err(TooManyTags));
    }
    tx.execute(UPDATE, &[json(&tags)?.into(), (&id.0).into()])
        .await?;
    next_epoch(tx, &change.account).await?;
    change.insert(tx).await?;
    Ok(Ok(()))
}
