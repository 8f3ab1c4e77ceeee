//! The roles that ECR's services act with.

use bonded_registry::target::{Everything, RoleNamed};
use bonded_registry::{
    Action, Allowed, Caller, Checks, Error, Registry, Result, ServiceLinkedRole, of_service_name,
};
use serde::{Deserialize, Serialize};

use super::named::{Named as _, OfRole};
use super::roles::{RoleAnswer, RoleShape};
use super::shapes::description;
use crate::aws::Operation;

/// `CreateServiceLinkedRole`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateServiceLinkedRole {
    #[serde(rename = "AWSServiceName")]
    aws_service_name: String,
    description: Option<String>,
    custom_suffix: Option<String>,
}

impl CreateServiceLinkedRole {
    fn service(&self) -> Result<&'static ServiceLinkedRole> {
        let name = &self.aws_service_name;
        let service = ServiceLinkedRole::of_service(name).ok_or_else(|| {
            Error::InvalidInput(format!(
                "the service '{}' has no role here; 'ecr.amazonaws.com', 'pullthroughcache.ecr.amazonaws.com' and 'replication.ecr.amazonaws.com' have",
                name.escape_debug()
            ))
        })?;
        if self.custom_suffix.is_some() {
            return Err(Error::InvalidInput(format!(
                "Custom suffix is not allowed for {name}"
            )));
        }
        Ok(service)
    }
}

impl Operation for CreateServiceLinkedRole {
    const NAME: &'static str = "CreateServiceLinkedRole";
    const ACTION: Action = Action::new("iam:CreateServiceLinkedRole");
    const EXAMPLE: &'static str = r#"{"AWSServiceName":"replication.ecr.amazonaws.com"}"#;
    type Target = RoleNamed;
    type Output = RoleAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<RoleNamed>> {
        description(self.description.as_deref())?;
        let service = self.service()?;
        let target = RoleNamed {
            account: caller.account().clone(),
            name: service.role.to_owned(),
            path: service.path(),
        };
        let facts = of_service_name(service.service);
        Ok(Checks::new(Self::ACTION, target).with(facts))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<RoleNamed>) -> Result<RoleAnswer> {
        let service = self.service()?;
        let made = registry
            .create_service_linked_role(&allowed, service, self.description)
            .await?;
        Ok(RoleAnswer {
            role: RoleShape::created(&made, &made.trust.text),
        })
    }
}

/// `DeleteServiceLinkedRole`: done when it is answered.
#[derive(Debug, Deserialize)]
pub(super) struct DeleteServiceLinkedRole {
    #[serde(flatten)]
    role: OfRole,
}

/// `DeleteServiceLinkedRoleResponse`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeletionTask {
    deletion_task_id: String,
}

impl Operation for DeleteServiceLinkedRole {
    const NAME: &'static str = "DeleteServiceLinkedRole";
    const ACTION: Action = Action::new("iam:DeleteServiceLinkedRole");
    const EXAMPLE: &'static str = r#"{"RoleName":"AWSServiceRoleForECRReplication"}"#;
    type Target = RoleNamed;
    type Output = DeletionTask;

    fn checks(&self, caller: &Caller) -> Result<Checks<RoleNamed>> {
        Ok(Checks::new(Self::ACTION, self.role.target(caller)?))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<RoleNamed>) -> Result<DeletionTask> {
        registry.delete_service_linked_role(&allowed).await?;
        let role = allowed.role()?;
        let id = registry.request_id()?;
        Ok(DeletionTask {
            deletion_task_id: format!("task{}{}/{id}", role.path, role.name),
        })
    }
}

/// `GetServiceLinkedRoleDeletionStatus`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetServiceLinkedRoleDeletionStatus {
    deletion_task_id: String,
}

/// `GetServiceLinkedRoleDeletionStatusResponse`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeletionStatus {
    status: &'static str,
}

impl Operation for GetServiceLinkedRoleDeletionStatus {
    const NAME: &'static str = "GetServiceLinkedRoleDeletionStatus";
    const ACTION: Action = Action::new("iam:GetServiceLinkedRoleDeletionStatus");
    const EXAMPLE: &'static str = r#"{"DeletionTaskId":"task/aws-service-role/replication.ecr.amazonaws.com/AWSServiceRoleForECRReplication/11111111-2222-3333-4444-555555555555"}"#;
    type Target = Everything;
    type Output = DeletionStatus;

    fn checks(&self, caller: &Caller) -> Result<Checks<Everything>> {
        let parts: Vec<&str> = self.deletion_task_id.split('/').collect();
        let ["task", "aws-service-role", service, role, _] = parts[..] else {
            return Err(unknown_task());
        };
        match ServiceLinkedRole::of_service(service) {
            Some(known) if known.role == role => {}
            _ => return Err(unknown_task()),
        }
        Ok(Checks::new(Self::ACTION, Everything::of(caller)))
    }

    async fn run(self, _: &Registry, _: Allowed<Everything>) -> Result<DeletionStatus> {
        // A task is answered when it is done.
        Ok(DeletionStatus {
            status: "SUCCEEDED",
        })
    }
}

fn unknown_task() -> Error {
    Error::NoSuchEntity("The deletion task does not exist.".to_owned())
}
