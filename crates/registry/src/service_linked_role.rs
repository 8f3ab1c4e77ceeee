//! The roles that ECR's services act with.
//!
//! Trust policies, names and texts are those AWS answers (`contracts/iam.md` §11).

use bonded_model::{PolicyArn, ResourceTags};
use bonded_store::{PolicyVersion, Role, StoreError};

use crate::Registry;
use crate::access::Allowed;
use crate::error::{Error, Result};
use crate::quota;
use crate::random;
use crate::role::no_role;
use crate::target::RoleNamed;

/// Below it are the roles that nobody but their service may change.
pub(crate) const PROTECTED_PATH: &str = "/aws-service-role/";

/// A service of ECR with a role of its own.
#[derive(Debug, PartialEq, Eq)]
pub struct ServiceLinkedRole {
    /// The service, such as `replication.ecr.amazonaws.com`.
    pub service: &'static str,
    /// The name of its role.
    pub role: &'static str,
    /// The policy of AWS that is attached to the role.
    policy: &'static str,
}

const SERVICES: [ServiceLinkedRole; 3] = [
    ServiceLinkedRole {
        service: "ecr.amazonaws.com",
        role: "AWSServiceRoleForECRTemplate",
        policy: "ECRTemplateServiceRolePolicy",
    },
    ServiceLinkedRole {
        service: "pullthroughcache.ecr.amazonaws.com",
        role: "AWSServiceRoleForECRPullThroughCache",
        policy: "AWSECRPullThroughCache_ServiceRolePolicy",
    },
    ServiceLinkedRole {
        service: "replication.ecr.amazonaws.com",
        role: "AWSServiceRoleForECRReplication",
        policy: "ECRReplicationServiceRolePolicy",
    },
];

impl ServiceLinkedRole {
    /// The service called `name`; `None` if it has no role here.
    #[must_use]
    pub fn of_service(name: &str) -> Option<&'static Self> {
        SERVICES.iter().find(|service| service.service == name)
    }

    /// `/aws-service-role/SERVICE/`.
    #[must_use]
    pub fn path(&self) -> String {
        format!("{PROTECTED_PATH}{}/", self.service)
    }
}

impl Registry {
    /// Makes the role of a service of ECR, with its policy attached.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] if it exists.
    pub async fn create_service_linked_role(
        &self,
        allowed: &Allowed<RoleNamed>,
        service: &ServiceLinkedRole,
        description: Option<String>,
    ) -> Result<Role> {
        let account = allowed.target().account.clone();
        let taken = || {
            Error::InvalidInput(format!(
                "Service role name {} has been taken in this account, please try a different suffix.",
                service.role
            ))
        };
        self.check_quota(&account, &quota::ROLES, |counts| counts.roles)
            .await?;
        let trust = serde_json::json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": { "Service": service.service },
            "Action": "sts:AssumeRole" }] });
        let role = Role {
            id: random::unique_id("AROA")?,
            account,
            name: service.role.to_owned(),
            path: service.path(),
            created_at: allowed.caller().time(),
            description,
            max_session_seconds: 3600,
            trust: PolicyVersion {
                id: String::new(),
                text: trust.to_string(),
            },
            tags: ResourceTags::new(),
            boundary: None,
            last_used: None,
        };
        let policy = PolicyArn {
            owner: None,
            path: PROTECTED_PATH.to_owned(),
            name: service.policy.to_owned(),
        };
        let made = self
            .store()
            .create_role_with_policy(&role, &policy, &allowed.change())
            .await;
        match made {
            Err(StoreError::Conflict) => Err(taken()),
            other => Ok(other?),
        }
    }

    /// Deletes the role of a service. What the service does in the account ends with it.
    ///
    /// # Errors
    /// [`Error::NoSuchEntity`], also if the role is no service's.
    pub async fn delete_service_linked_role(&self, allowed: &Allowed<RoleNamed>) -> Result<()> {
        let role = allowed.role()?;
        if !role.path.starts_with(PROTECTED_PATH) {
            return Err(no_role(&role.name));
        }
        let deleted = self
            .store()
            .delete_service_linked_role(&role.id, &allowed.change())
            .await?;
        deleted.then_some(()).ok_or_else(|| no_role(&role.name))
    }
}
