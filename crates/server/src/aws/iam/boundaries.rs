//! Permissions boundaries of users and roles.

use bonded_registry::target::{RoleNamed, UserNamed};
use bonded_registry::{Action, Allowed, Caller, Checks, Registry, Result, of_boundary};
use serde::{Deserialize, Serialize};

use super::families::Bounded;
use super::named::{Named as _, OfRole, OfUser};
use super::shapes::{NoAnswer, policy_arn};
use crate::aws::Operation;

/// `AttachedPermissionsBoundary`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BoundaryShape {
    permissions_boundary_type: &'static str,
    permissions_boundary_arn: String,
}

impl BoundaryShape {
    pub(super) fn new(arn: &str) -> Self {
        Self {
            // Its one value in the API's model.
            permissions_boundary_type: "PermissionsBoundaryPolicy",
            permissions_boundary_arn: arn.to_owned(),
        }
    }
}

/// `PutUserPermissionsBoundary`, `PutRolePermissionsBoundary`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutBoundary<B> {
    #[serde(flatten)]
    bounded: B,
    permissions_boundary: String,
}

/// `DeleteUserPermissionsBoundary`, `DeleteRolePermissionsBoundary`.
#[derive(Debug, Deserialize)]
pub(super) struct DeleteBoundary<B> {
    #[serde(flatten)]
    bounded: B,
}

impl<B: Bounded> PutBoundary<B> {
    fn checks(&self, caller: &Caller) -> Result<Checks<B::Target>> {
        policy_arn(&self.permissions_boundary)?;
        let target = self.bounded.target(caller)?;
        let facts = of_boundary(&self.permissions_boundary);
        Ok(Checks::new(B::PUT_BOUNDARY.action, target).with(facts))
    }
}

impl Operation for PutBoundary<OfUser> {
    const NAME: &'static str = OfUser::PUT_BOUNDARY.name;
    const ACTION: Action = OfUser::PUT_BOUNDARY.action;
    const EXAMPLE: &'static str = OfUser::PUT_BOUNDARY.example;
    type Target = UserNamed;
    type Output = NoAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<UserNamed>> {
        self.checks(caller)
    }

    async fn run(self, registry: &Registry, allowed: Allowed<UserNamed>) -> Result<NoAnswer> {
        let policy = policy_arn(&self.permissions_boundary)?;
        registry.set_user_boundary(&allowed, Some(&policy)).await?;
        Ok(NoAnswer {})
    }
}

impl Operation for PutBoundary<OfRole> {
    const NAME: &'static str = OfRole::PUT_BOUNDARY.name;
    const ACTION: Action = OfRole::PUT_BOUNDARY.action;
    const EXAMPLE: &'static str = OfRole::PUT_BOUNDARY.example;
    type Target = RoleNamed;
    type Output = NoAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<RoleNamed>> {
        self.checks(caller)
    }

    async fn run(self, registry: &Registry, allowed: Allowed<RoleNamed>) -> Result<NoAnswer> {
        let policy = policy_arn(&self.permissions_boundary)?;
        registry.set_role_boundary(&allowed, Some(&policy)).await?;
        Ok(NoAnswer {})
    }
}

impl Operation for DeleteBoundary<OfUser> {
    const NAME: &'static str = OfUser::DELETE_BOUNDARY.name;
    const ACTION: Action = OfUser::DELETE_BOUNDARY.action;
    const EXAMPLE: &'static str = OfUser::DELETE_BOUNDARY.example;
    type Target = UserNamed;
    type Output = NoAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<UserNamed>> {
        Ok(Checks::new(Self::ACTION, self.bounded.target(caller)?))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<UserNamed>) -> Result<NoAnswer> {
        registry.set_user_boundary(&allowed, None).await?;
        Ok(NoAnswer {})
    }
}

impl Operation for DeleteBoundary<OfRole> {
    const NAME: &'static str = OfRole::DELETE_BOUNDARY.name;
    const ACTION: Action = OfRole::DELETE_BOUNDARY.action;
    const EXAMPLE: &'static str = OfRole::DELETE_BOUNDARY.example;
    type Target = RoleNamed;
    type Output = NoAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<RoleNamed>> {
        Ok(Checks::new(Self::ACTION, self.bounded.target(caller)?))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<RoleNamed>) -> Result<NoAnswer> {
        registry.set_role_boundary(&allowed, None).await?;
        Ok(NoAnswer {})
    }
}
