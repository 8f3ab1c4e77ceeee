//! Managed policies: the account's own, and AWS's, which every account has.

use bonded_model::PolicyArn;
use bonded_registry::target::{Everything, PolicyNamed};
use bonded_registry::{
    Action, Allowed, Caller, Checks, ManagedPolicy, PolicyFilter, Registry, Result, Usage,
};
use serde::{Deserialize, Serialize};

use super::deletion::Deletable;
use super::families::Call;
use super::named::{Named as _, OfPolicy};
use super::page::{Page, PageEnd, PageRequest};
use super::shapes::{
    Tag, constraint, description, document, name, path, path_prefix, some_tags, tag_list, tags,
};
use crate::aws::Operation;
use crate::aws::query::{List, flag};

/// `Policy`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PolicyShape {
    policy_name: String,
    policy_id: String,
    arn: String,
    path: String,
    default_version_id: String,
    attachment_count: u64,
    permissions_boundary_usage_count: u64,
    is_attachable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    create_date: String,
    update_date: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<List<Tag>>,
}

impl PolicyShape {
    /// Without description and tags, as lists and `CreatePolicy` show it.
    fn listed(policy: &ManagedPolicy) -> Self {
        Self {
            policy_name: policy.arn.name.clone(),
            policy_id: policy.id.clone(),
            arn: policy.arn.to_string(),
            path: policy.arn.path.clone(),
            default_version_id: version_id(policy.default_version),
            attachment_count: policy.attachments,
            permissions_boundary_usage_count: policy.boundaries,
            is_attachable: true,
            description: None,
            create_date: policy.created_at.to_string(),
            update_date: policy.updated_at.to_string(),
            tags: None,
        }
    }

    /// With its description and without tags, as an account's details show it.
    pub(super) fn detailed(policy: &ManagedPolicy) -> Self {
        Self {
            description: policy.description.clone(),
            ..Self::listed(policy)
        }
    }

    fn created(policy: &ManagedPolicy) -> Self {
        Self {
            tags: some_tags(&policy.tags),
            ..Self::listed(policy)
        }
    }

    fn whole(policy: &ManagedPolicy) -> Self {
        Self {
            description: policy.description.clone(),
            tags: Some(tag_list(&policy.tags).into()),
            ..Self::listed(policy)
        }
    }
}

/// `v1` and so on.
pub(super) fn version_id(number: u32) -> String {
    format!("v{number}")
}

/// `{Policy}`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PolicyAnswer {
    policy: PolicyShape,
}

/// `CreatePolicy`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreatePolicy {
    policy_name: String,
    path: Option<String>,
    policy_document: String,
    description: Option<String>,
    #[serde(default)]
    tags: Vec<Tag>,
}

impl Operation for CreatePolicy {
    const NAME: &'static str = "CreatePolicy";
    const ACTION: Action = Action::new("iam:CreatePolicy");
    const EXAMPLE: &'static str = r#"{"PolicyName":"pull","PolicyDocument":"{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"ecr:*\",\"Resource\":\"*\"}}"}"#;
    type Target = PolicyNamed;
    type Output = PolicyAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<PolicyNamed>> {
        document("policyDocument", &self.policy_document)?;
        description(self.description.as_deref())?;
        let account = caller.account();
        let target = PolicyNamed {
            arn: PolicyArn {
                owner: Some(account.clone()),
                path: path(self.path.as_deref())?,
                name: name("policyName", &self.policy_name, 128)?,
            },
            viewer: account.clone(),
        };
        let tags = tags(&self.tags)?;
        let tag = Action::new("iam:TagPolicy");
        Ok(Checks::new(Self::ACTION, target).tagged(tag, &tags))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<PolicyNamed>) -> Result<PolicyAnswer> {
        let made = registry
            .create_policy(
                &allowed,
                &self.policy_document,
                self.description,
                tags(&self.tags)?,
            )
            .await?;
        Ok(PolicyAnswer {
            policy: PolicyShape::created(&made),
        })
    }
}

/// `GetPolicy`.
#[derive(Debug, Deserialize)]
pub(super) struct GetPolicy {
    #[serde(flatten)]
    policy: OfPolicy,
}

impl Operation for GetPolicy {
    const NAME: &'static str = "GetPolicy";
    const ACTION: Action = Action::new("iam:GetPolicy");
    const EXAMPLE: &'static str = r#"{"PolicyArn":"arn:aws:iam::111122223333:policy/pull"}"#;
    type Target = PolicyNamed;
    type Output = PolicyAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<PolicyNamed>> {
        Ok(Checks::new(Self::ACTION, self.policy.target(caller)?))
    }

    async fn run(self, _: &Registry, allowed: Allowed<PolicyNamed>) -> Result<PolicyAnswer> {
        Ok(PolicyAnswer {
            policy: PolicyShape::whole(allowed.policy()?),
        })
    }
}

/// `ListPolicies`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListPolicies {
    scope: Option<String>,
    #[serde(default, deserialize_with = "flag")]
    only_attached: bool,
    path_prefix: Option<String>,
    policy_usage_filter: Option<String>,
    #[serde(flatten)]
    page: PageRequest,
}

/// `ListPoliciesResponse`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListPoliciesAnswer {
    policies: List<PolicyShape>,
    #[serde(flatten)]
    end: PageEnd,
}

impl ListPolicies {
    fn filter(&self) -> Result<PolicyFilter<'_>> {
        let (own, aws) = match self.scope.as_deref() {
            None | Some("All") => (true, true),
            Some("Local") => (true, false),
            Some("AWS") => (false, true),
            Some(_) => {
                return Err(constraint(
                    "scope",
                    "Member must satisfy enum value set: [All, AWS, Local]",
                ));
            }
        };
        let used = match self.policy_usage_filter.as_deref() {
            None => self.only_attached.then_some(Usage::Any),
            Some("PermissionsPolicy") => Some(Usage::Attached),
            Some("PermissionsBoundary") => Some(Usage::Boundary),
            Some(_) => {
                return Err(constraint(
                    "policyUsageFilter",
                    "Member must satisfy enum value set: [PermissionsPolicy, PermissionsBoundary]",
                ));
            }
        };
        Ok(PolicyFilter {
            own,
            aws,
            used,
            path_prefix: path_prefix(self.path_prefix.as_deref())?,
        })
    }

    /// Where a page begins: behind a name, and whether that is the account's own.
    fn after(page: &Page) -> Result<Option<(&str, bool)>> {
        page.position(|text| {
            let (owner, name) = text.split_once(' ')?;
            Some((name, owner == "own"))
        })
    }
}

impl Operation for ListPolicies {
    const NAME: &'static str = "ListPolicies";
    const ACTION: Action = Action::new("iam:ListPolicies");
    const EXAMPLE: &'static str = "{}";
    type Target = Everything;
    type Output = ListPoliciesAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<Everything>> {
        Self::after(&self.page.read(Self::NAME)?)?;
        self.filter()?;
        Ok(Checks::new(Self::ACTION, Everything::of(caller)))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<Everything>,
    ) -> Result<ListPoliciesAnswer> {
        let page = self.page.read(Self::NAME)?;
        let mut policies = registry
            .list_policies(
                &allowed,
                self.filter()?,
                Self::after(&page)?,
                page.to_read(),
            )
            .await?;
        let end = page.cut(&mut policies, |policy| {
            let owner = policy.arn.owner.as_ref().map_or("aws", |_| "own");
            format!("{owner} {}", policy.arn.name)
        });
        let policies = policies.iter().map(PolicyShape::listed).collect();
        Ok(ListPoliciesAnswer { policies, end })
    }
}

impl Deletable for OfPolicy {
    const DELETION: Call = Call::new(
        "DeletePolicy",
        "iam:DeletePolicy",
        r#"{"PolicyArn":"arn:aws:iam::111122223333:policy/pull"}"#,
    );

    async fn delete(registry: &Registry, allowed: &Allowed<PolicyNamed>) -> Result<()> {
        registry.delete_policy(allowed).await
    }
}
