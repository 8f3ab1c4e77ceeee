//! `GetAccountAuthorizationDetails`: everything that policies are attached to, with the policies.

use bonded_registry::target::Everything;
use bonded_registry::{
    Action, Allowed, Caller, Checks, Detail, DetailKind, HeldPolicies, Registry, Result, Role,
};
use serde::{Deserialize, Serialize};

use super::attached_policies::AttachedPolicy;
use super::boundaries::BoundaryShape;
use super::groups::GroupShape;
use super::instance_profiles::ProfileShape;
use super::managed_policies::PolicyShape;
use super::page::{Page, PageEnd, PageRequest};
use super::policy_versions::VersionShape;
use super::roles::RoleLastUsed;
use super::shapes::{Tag, constraint, encoded, some_tags};
use super::users::UserShape;
use crate::aws::Operation;
use crate::aws::query::{List, list};

/// The names of the kinds in the API's model, in the order in which they are listed.
const KINDS: [(DetailKind, &str); 5] = [
    (DetailKind::User, "User"),
    (DetailKind::Group, "Group"),
    (DetailKind::Role, "Role"),
    (DetailKind::OwnPolicy, "LocalManagedPolicy"),
    (DetailKind::AwsPolicy, "AWSManagedPolicy"),
];

/// `GetAccountAuthorizationDetails`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetAccountAuthorizationDetails {
    #[serde(default, deserialize_with = "list")]
    filter: Vec<String>,
    #[serde(flatten)]
    page: PageRequest,
}

/// `PolicyDetail`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct PolicyDetail {
    policy_name: String,
    policy_document: String,
}

fn inline(held: &HeldPolicies) -> List<PolicyDetail> {
    let policies = held.inline.iter().map(|(name, text)| PolicyDetail {
        policy_name: name.clone(),
        policy_document: encoded(text),
    });
    policies.collect()
}

fn attached(held: HeldPolicies) -> List<AttachedPolicy> {
    let attached = held.attached.into_iter().map(Into::into);
    attached.collect()
}

/// `UserDetail`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct UserDetail {
    #[serde(flatten)]
    user: UserShape,
    user_policy_list: List<PolicyDetail>,
    group_list: List<String>,
    attached_managed_policies: List<AttachedPolicy>,
}

/// `GroupDetail`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct GroupDetail {
    #[serde(flatten)]
    group: GroupShape,
    group_policy_list: List<PolicyDetail>,
    attached_managed_policies: List<AttachedPolicy>,
}

/// The members of `RoleDetail` that are the role's own.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct RoleDetailShape {
    path: String,
    role_name: String,
    role_id: String,
    arn: String,
    create_date: String,
    assume_role_policy_document: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    permissions_boundary: Option<BoundaryShape>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<List<Tag>>,
    role_last_used: RoleLastUsed,
}

impl RoleDetailShape {
    fn new(role: &Role, trust: &str) -> Self {
        Self {
            path: role.path.clone(),
            role_name: role.name.clone(),
            role_id: role.id.clone(),
            arn: role.arn(),
            create_date: role.created_at.to_string(),
            assume_role_policy_document: encoded(trust),
            permissions_boundary: role.boundary.as_deref().map(BoundaryShape::new),
            tags: some_tags(&role.tags),
            role_last_used: RoleLastUsed::new(role),
        }
    }
}

/// `RoleDetail`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct RoleDetail {
    #[serde(flatten)]
    role: RoleDetailShape,
    instance_profile_list: List<ProfileShape>,
    role_policy_list: List<PolicyDetail>,
    attached_managed_policies: List<AttachedPolicy>,
}

/// `ManagedPolicyDetail`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ManagedPolicyDetail {
    #[serde(flatten)]
    policy: PolicyShape,
    policy_version_list: List<VersionShape>,
}

/// `GetAccountAuthorizationDetailsResponse`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AccountDetails {
    user_detail_list: List<UserDetail>,
    group_detail_list: List<GroupDetail>,
    role_detail_list: List<RoleDetail>,
    policies: List<ManagedPolicyDetail>,
    #[serde(flatten)]
    end: PageEnd,
}

impl GetAccountAuthorizationDetails {
    fn kinds(&self) -> Result<Vec<DetailKind>> {
        if self.filter.is_empty() {
            return Ok(DetailKind::ALL.to_vec());
        }
        let kind = |text: &String| {
            let known = KINDS.iter().find(|(_, name)| name == text);
            known.map(|(kind, _)| *kind).ok_or_else(|| {
                constraint(
                    "filter",
                    "Member must satisfy enum value set: [User, Role, Group, LocalManagedPolicy, AWSManagedPolicy]",
                )
            })
        };
        self.filter.iter().map(kind).collect()
    }

    /// Where a page begins: behind a name of a kind.
    fn after(page: &Page) -> Result<Option<(DetailKind, &str)>> {
        page.position(|text| {
            let (kind, name) = text.split_once(' ')?;
            let (kind, _) = KINDS.iter().find(|(_, known)| *known == kind)?;
            Some((*kind, name))
        })
    }
}

fn position(detail: &Detail) -> String {
    let kind = KINDS.iter().find(|(kind, _)| *kind == detail.kind());
    let kind = kind.map_or("", |(_, name)| name);
    format!("{kind} {}", detail.name())
}

impl Operation for GetAccountAuthorizationDetails {
    const NAME: &'static str = "GetAccountAuthorizationDetails";
    const ACTION: Action = Action::new("iam:GetAccountAuthorizationDetails");
    const EXAMPLE: &'static str = "{}";
    type Target = Everything;
    type Output = AccountDetails;

    fn checks(&self, caller: &Caller) -> Result<Checks<Everything>> {
        Self::after(&self.page.read(Self::NAME)?)?;
        self.kinds()?;
        Ok(Checks::new(Self::ACTION, Everything::of(caller)))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<Everything>,
    ) -> Result<AccountDetails> {
        let page = self.page.read(Self::NAME)?;
        let mut details = registry
            .list_account_details(
                &allowed,
                &self.kinds()?,
                Self::after(&page)?,
                page.to_read(),
            )
            .await?;
        let end = page.cut(&mut details, position);
        let (mut users, mut groups) = (Vec::new(), Vec::new());
        let (mut roles, mut policies) = (Vec::new(), Vec::new());
        for detail in details {
            match detail {
                Detail::User(user, held, names) => users.push(UserDetail {
                    user: UserShape::whole(&user),
                    user_policy_list: inline(&held),
                    group_list: names.into(),
                    attached_managed_policies: attached(held),
                }),
                Detail::Group(group, held) => groups.push(GroupDetail {
                    group: GroupShape::new(&group),
                    group_policy_list: inline(&held),
                    attached_managed_policies: attached(held),
                }),
                Detail::Role(role, trust, held, profiles) => roles.push(RoleDetail {
                    role: RoleDetailShape::new(&role, &trust),
                    instance_profile_list: ProfileShape::all(registry, &profiles).await?,
                    role_policy_list: inline(&held),
                    attached_managed_policies: attached(held),
                }),
                Detail::Policy(policy, versions) => {
                    let versions = versions.iter().map(VersionShape::whole);
                    policies.push(ManagedPolicyDetail {
                        policy: PolicyShape::detailed(&policy),
                        policy_version_list: versions.collect(),
                    });
                }
            }
        }
        Ok(AccountDetails {
            user_detail_list: users.into(),
            group_detail_list: groups.into(),
            role_detail_list: roles.into(),
            policies: policies.into(),
            end,
        })
    }
}
