//! `DeleteUser` and its like: what IAM deletes by its name alone.

use bonded_registry::{Action, Allowed, Caller, Checks, Registry, Result};
use serde::Deserialize;

use super::families::Call;
use super::named::Named;
use super::shapes::NoAnswer;
use crate::aws::Operation;

/// What has an operation that deletes it.
pub(super) trait Deletable: Named {
    const DELETION: Call;

    /// # Errors
    /// It does not exist, or something depends on it.
    fn delete(
        registry: &Registry,
        allowed: &Allowed<Self::Target>,
    ) -> impl Future<Output = Result<()>> + Send;
}

/// `DeleteUser`, `DeleteGroup`, `DeleteRole`, `DeletePolicy`, `DeleteInstanceProfile`,
/// `DeleteOpenIDConnectProvider`.
#[derive(Debug, Deserialize)]
pub(super) struct Delete<T> {
    #[serde(flatten)]
    named: T,
}

impl<T: Deletable> Operation for Delete<T> {
    const NAME: &'static str = T::DELETION.name;
    const ACTION: Action = T::DELETION.action;
    const EXAMPLE: &'static str = T::DELETION.example;
    type Target = T::Target;
    type Output = NoAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<T::Target>> {
        Ok(Checks::new(Self::ACTION, self.named.target(caller)?))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<T::Target>) -> Result<NoAnswer> {
        T::delete(registry, &allowed).await?;
        Ok(NoAnswer {})
    }
}
