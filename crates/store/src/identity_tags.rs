//! The tags of IAM's things.

use bonded_model::{ResourceTags, TAGS_LIMIT};

use crate::Store;
use crate::change::{Change, next_epoch};
use crate::error::{Result, StoreError};
use crate::meta::json;
use crate::repository_settings::{TagUpdate, TooManyTags};

/// What has tags, by the table of its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tagged {
    /// A user.
    User,
    /// A role.
    Role,
    /// A managed policy.
    ManagedPolicy,
    /// An instance profile.
    InstanceProfile,
    /// An OpenID Connect provider, by its ARN.
    OidcProvider,
}

impl Tagged {
    /// The statements that read and write the tags of one row by its id.
    const fn statements(self) -> (&'static str, &'static str) {
        match self {
            Self::User => (
                "SELECT tags FROM users WHERE id = $1",
                "UPDATE users SET tags = $1 WHERE id = $2",
            ),
            Self::Role => (
                "SELECT tags FROM roles WHERE id = $1",
                "UPDATE roles SET tags = $1 WHERE id = $2",
            ),
            Self::ManagedPolicy => (
                "SELECT tags FROM managed_policies WHERE id = $1",
                "UPDATE managed_policies SET tags = $1 WHERE id = $2",
            ),
            Self::InstanceProfile => (
                "SELECT tags FROM instance_profiles WHERE id = $1",
                "UPDATE instance_profiles SET tags = $1 WHERE id = $2",
            ),
            Self::OidcProvider => (
                "SELECT tags FROM oidc_providers WHERE id = $1",
                "UPDATE oidc_providers SET tags = $1 WHERE id = $2",
            ),
        }
    }
}

impl Store {
    /// Changes the tags of the thing with this id, on top of whatever they are by then. Keys are
    /// the same without regard to case.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if it does not exist any more. The inner error changes nothing.
    pub async fn set_identity_tags(
        &self,
        tagged: Tagged,
        id: &str,
        update: TagUpdate,
        change: &Change,
    ) -> Result<Result<(), TooManyTags>> {
        let input = (tagged.statements(), id.to_owned(), update, change.clone());
        self.meta()
            .transact(input, |tx, input| {
                Box::pin(async move {
                    let ((select, write), id, update, change) = &*input;
                    let row = tx.optional(select, &[id.into()]).await?;
                    let tags = row.ok_or(StoreError::Conflict)?.json()?;
                    let tags = updated(tags, update);
                    if tags.len() > TAGS_LIMIT {
                        return Ok(Err(TooManyTags));
                    }
                    tx.execute(write, &[json(&tags)?.into(), id.into()]).await?;
                    next_epoch(tx, &change.account).await?;
                    change.insert(tx).await?;
                    Ok(Ok(()))
                })
            })
            .await
    }
}

fn updated(mut tags: ResourceTags, update: &TagUpdate) -> ResourceTags {
    let same = |a: &str, b: &str| a.to_lowercase() == b.to_lowercase();
    match update {
        TagUpdate::Merge(new) => {
            tags.retain(|key, _| !new.keys().any(|other| same(key, other)));
            tags.extend(new.clone());
        }
        TagUpdate::Remove(keys) => tags.retain(|key, _| !keys.iter().any(|other| same(key, other))),
    }
    tags
}
