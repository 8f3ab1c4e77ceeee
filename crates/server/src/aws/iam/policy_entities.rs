//! Who uses a managed policy.

use bonded_registry::target::PolicyNamed;
use bonded_registry::{Action, Allowed, Caller, Checks, PolicyEntity, Registry, Result};
use serde::{Deserialize, Serialize};

use super::named::{Named as _, OfPolicy};
use super::page::{PageEnd, PageRequest};
use super::shapes::{constraint, path_prefix};
use crate::aws::Operation;
use crate::aws::query::List;

/// `ListEntitiesForPolicy`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListEntitiesForPolicy {
    #[serde(flatten)]
    policy: OfPolicy,
    entity_filter: Option<String>,
    path_prefix: Option<String>,
    policy_usage_filter: Option<String>,
    #[serde(flatten)]
    page: PageRequest,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct PolicyGroup {
    group_name: String,
    group_id: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct PolicyUser {
    user_name: String,
    user_id: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct PolicyRole {
    role_name: String,
    role_id: String,
}

/// `ListEntitiesForPolicyResponse`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct EntitiesAnswer {
    policy_groups: List<PolicyGroup>,
    policy_users: List<PolicyUser>,
    policy_roles: List<PolicyRole>,
    #[serde(flatten)]
    end: PageEnd,
}

impl ListEntitiesForPolicy {
    /// What the unique ids of the entities begin with; everything if that is empty.
    fn prefix(&self) -> Result<&'static str> {
        match self.entity_filter.as_deref() {
            None => Ok(""),
            Some("User") => Ok("AIDA"),
            Some("Group") => Ok("AGPA"),
            Some("Role") => Ok("AROA"),
            // Every one here is the account's own, every managed policy's user is of these kinds.
            Some("LocalManagedPolicy" | "AWSManagedPolicy") => Ok("ANPA"),
            Some(_) => Err(constraint(
                "entityFilter",
                "Member must satisfy enum value set: [User, Role, Group, LocalManagedPolicy, AWSManagedPolicy]",
            )),
        }
    }

    fn boundary(&self) -> Result<bool> {
        match self.policy_usage_filter.as_deref() {
            None | Some("PermissionsPolicy") => Ok(false),
            Some("PermissionsBoundary") => Ok(true),
            Some(_) => Err(constraint(
                "policyUsageFilter",
                "Member must satisfy enum value set: [PermissionsPolicy, PermissionsBoundary]",
            )),
        }
    }
}

impl Operation for ListEntitiesForPolicy {
    const NAME: &'static str = "ListEntitiesForPolicy";
    const ACTION: Action = Action::new("iam:ListEntitiesForPolicy");
    const EXAMPLE: &'static str = r#"{"PolicyArn":"arn:aws:iam::111122223333:policy/pull"}"#;
    type Target = PolicyNamed;
    type Output = EntitiesAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<PolicyNamed>> {
        self.page.read(Self::NAME)?;
        self.prefix()?;
        self.boundary()?;
        path_prefix(self.path_prefix.as_deref())?;
        Ok(Checks::new(Self::ACTION, self.policy.target(caller)?))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<PolicyNamed>,
    ) -> Result<EntitiesAnswer> {
        let page = self.page.read(Self::NAME)?;
        let mut entities = registry
            .list_policy_entities(&allowed, self.boundary()?, page.after(), page.to_read())
            .await?;
        let end = page.cut(&mut entities, |(entity, _)| entity.id.clone());
        let (kind, prefix) = (self.prefix()?, path_prefix(self.path_prefix.as_deref())?);
        let shown: Vec<PolicyEntity> = entities
            .into_iter()
            .filter(|(entity, path)| entity.id.starts_with(kind) && path.starts_with(prefix))
            .map(|(entity, _)| entity)
            .collect();
        let of = |prefix: &'static str| {
            let with_prefix = move |entity: &&PolicyEntity| entity.id.starts_with(prefix);
            shown.iter().filter(with_prefix).cloned()
        };
        let groups = of("AGPA").map(|PolicyEntity { id, name }| PolicyGroup {
            group_name: name,
            group_id: id,
        });
        let users = of("AIDA").map(|PolicyEntity { id, name }| PolicyUser {
            user_name: name,
            user_id: id,
        });
        let roles = of("AROA").map(|PolicyEntity { id, name }| PolicyRole {
            role_name: name,
            role_id: id,
        });
        Ok(EntitiesAnswer {
            policy_groups: groups.collect(),
            policy_users: users.collect(),
            policy_roles: roles.collect(),
            end,
        })
    }
}
