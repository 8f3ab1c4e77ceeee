//! Repositories that a push makes, where the configuration names them.
//!
//! Only for a pusher who may make them: the setting gives nobody a right.

use bonded_model::{RepositoryArn, RepositoryName, ResourceTags, TagMutability};
use bonded_store::Repository;

use crate::Registry;
use crate::access::{Action, Allowed, Checks};
use crate::caller::Caller;
use crate::context::ContextFacts;
use crate::error::{Error, Result};
use crate::repository::RepositorySettings;
use crate::target::Target;
use crate::target::sealed::Judged;

const CREATE: Action = Action::new("ecr:CreateRepository");
const INITIATE: Action = Action::new("ecr:InitiateLayerUpload");

impl Registry {
    /// Has a push authorized: `first` and each of `more` on `target`, which is of `repository`. If
    /// that is missing and of those that a push makes, it is made by who may create it and push to
    /// it; the push is judged again then, because now there is something to judge.
    ///
    /// # Errors
    /// [`Error::Denied`], also for who may push but not create; as [`Registry::authorize`].
    pub async fn authorize_push<T>(
        &self,
        caller: &Caller,
        repository: &RepositoryArn,
        target: T,
        first: Action,
        more: &[Action],
    ) -> Result<Allowed<T>>
    where
        T: Target + Judged<Found = Option<Repository>> + Clone,
    {
        let checks = |target| {
            let none = ContextFacts::new();
            Checks::all(first, more.to_vec(), target, &none)
        };
        let allowed = self.authorize(caller, checks(target.clone())).await?;
        if allowed.found().is_some() || !self.creates_on_push(&repository.name) {
            return Ok(allowed);
        }
        let create = Checks::new(CREATE, repository.clone()).and(INITIATE);
        let creator = self.authorize(caller, create).await?;
        let settings = RepositorySettings {
            tag_mutability: TagMutability::Mutable,
            scan_on_push: false,
            tags: ResourceTags::new(),
        };
        match self.create_repository(&creator, settings).await {
            // Of two pushes at once one makes it.
            Ok(_) | Err(Error::RepositoryAlreadyExists(_)) => {}
            Err(error) => return Err(error),
        }
        self.authorize(caller, checks(target)).await
    }

    fn creates_on_push(&self, name: &RepositoryName) -> bool {
        let patterns = &self.0.create_on_push;
        patterns.iter().any(|pattern| pattern.matches(name))
    }
}
