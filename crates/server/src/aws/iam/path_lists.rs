//! `ListUsers` and its like: all of a kind in the account whose path begins with `PathPrefix`.

use std::marker::PhantomData;

use bonded_registry::target::Everything;
use bonded_registry::{Action, Allowed, Caller, Checks, Registry, Result};
use serde::{Deserialize, Serialize};

use super::families::Call;
use super::page::{Page, PageRequest};
use super::shapes::path_prefix;
use crate::aws::Operation;

/// What is listed by its path.
pub(super) trait Listed: Send + 'static {
    const LISTING: Call;
    type Answer: Serialize + Send;

    /// The answer with the items of `page`.
    fn list(
        registry: &Registry,
        allowed: &Allowed<Everything>,
        path_prefix: &str,
        page: &Page,
    ) -> impl Future<Output = Result<Self::Answer>> + Send;
}

/// `ListUsers`, `ListGroups`, `ListRoles`, `ListInstanceProfiles`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListByPath<T> {
    path_prefix: Option<String>,
    #[serde(flatten)]
    page: PageRequest,
    #[serde(skip)]
    kind: PhantomData<fn() -> T>,
}

impl<T: Listed> Operation for ListByPath<T> {
    const NAME: &'static str = T::LISTING.name;
    const ACTION: Action = T::LISTING.action;
    const EXAMPLE: &'static str = T::LISTING.example;
    type Target = Everything;
    type Output = T::Answer;

    fn checks(&self, caller: &Caller) -> Result<Checks<Everything>> {
        self.page.read(Self::NAME)?;
        path_prefix(self.path_prefix.as_deref())?;
        Ok(Checks::new(Self::ACTION, Everything::of(caller)))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<Everything>) -> Result<T::Answer> {
        let prefix = path_prefix(self.path_prefix.as_deref())?;
        let page = self.page.read(Self::NAME)?;
        T::list(registry, &allowed, prefix, &page).await
    }
}
