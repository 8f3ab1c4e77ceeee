//! What the policy simulator answers: one result for each action, with what it comes to on each
//! resource and what that is together.

use std::collections::{BTreeMap, HashSet};

use bonded_iam::{Layer, MatchedStatement, Outcome, Position, ResourceType, Span, resource_type};
use bonded_registry::{Sides, SimulatedAction, SimulatedResource};
use serde::Serialize;

use crate::aws::query::List;

/// `PolicyEvaluationDecisionType`, the more restrictive the later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
enum Decision {
    Allowed,
    ImplicitDeny,
    ExplicitDeny,
}

impl From<Outcome> for Decision {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Allow => Self::Allowed,
            Outcome::ImplicitDeny => Self::ImplicitDeny,
            Outcome::ExplicitDeny => Self::ExplicitDeny,
        }
    }
}

/// `EvaluationResult`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct EvaluationResult {
    eval_action_name: String,
    eval_resource_name: String,
    eval_decision: Decision,
    matched_statements: List<Statement>,
    missing_context_values: List<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    organizations_decision_detail: Option<OrganizationsDetail>,
    #[serde(skip_serializing_if = "Option::is_none")]
    permissions_boundary_decision_detail: Option<BoundaryDetail>,
    #[serde(skip_serializing_if = "Option::is_none")]
    eval_decision_details: Option<Details>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_specific_results: Option<List<ResourceSpecificResult>>,
}

/// `ResourceSpecificResult`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ResourceSpecificResult {
    eval_resource_name: String,
    eval_resource_decision: Decision,
    matched_statements: List<Statement>,
    missing_context_values: List<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    eval_decision_details: Option<Details>,
    #[serde(skip_serializing_if = "Option::is_none")]
    permissions_boundary_decision_detail: Option<BoundaryDetail>,
}

/// `Statement`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    source_policy_id: String,
    source_policy_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_position: Option<Place>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_position: Option<Place>,
}

/// `Position`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Place {
    line: u32,
    column: u32,
}

impl From<Position> for Place {
    fn from(position: Position) -> Self {
        let Position { line, column } = position;
        Self { line, column }
    }
}

/// `OrganizationsDecisionDetail`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct OrganizationsDetail {
    allowed_by_organizations: bool,
}

/// `PermissionsBoundaryDecisionDetail`.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "PascalCase")]
struct BoundaryDetail {
    allowed_by_permissions_boundary: bool,
}

/// `EvalDecisionDetailsType`: kinds of policies and what they say.
#[derive(Debug, Default, Serialize)]
struct Details {
    entry: Vec<Detail>,
}

#[derive(Debug, Serialize)]
struct Detail {
    key: &'static str,
    value: Decision,
}

impl Details {
    /// The most restrictive decision of each kind of policy.
    fn of<'a>(sides: impl IntoIterator<Item = &'a Sides>) -> Self {
        let mut worst = BTreeMap::new();
        let mut add = |key: &'static str, outcome: Outcome| {
            let decision = Decision::from(outcome);
            let entry = worst.entry(key).or_insert(decision);
            *entry = decision.max(*entry);
        };
        for sides in sides {
            add("IAM Policy", sides.identity);
            add("Resource Policy", sides.resource);
            if let Some(boundary) = sides.boundary {
                add("Permissions Boundary", boundary);
            }
        }
        let entry = worst.into_iter().map(|(key, value)| Detail { key, value });
        Self {
            entry: entry.collect(),
        }
    }
}

impl From<&MatchedStatement> for Statement {
    fn from(statement: &MatchedStatement) -> Self {
        let places = statement.span.map(Span::simulated);
        Self {
            source_policy_id: statement.policy.clone(),
            // AWS's own answers say this, whatever its model says.
            source_policy_type: match statement.layer {
                Layer::Resource => "Resource Policy",
                _ => "IAM Policy",
            },
            start_position: places.map(|(start, _)| start.into()),
            end_position: places.map(|(_, end)| end.into()),
        }
    }
}

fn statements(matched: &[MatchedStatement]) -> Vec<Statement> {
    matched.iter().map(Statement::from).collect()
}

fn boundary_detail(allowed: bool) -> BoundaryDetail {
    BoundaryDetail {
        allowed_by_permissions_boundary: allowed,
    }
}

impl From<SimulatedAction> for EvaluationResult {
    fn from(simulated: SimulatedAction) -> Self {
        let SimulatedAction { action, resources } = simulated;
        let decisions = resources.iter().map(|r| Decision::from(r.outcome));
        let decision = decisions.max().unwrap_or(Decision::ImplicitDeny);
        let (mut matched, mut told) = (Vec::new(), HashSet::new());
        let (mut missing, mut seen) = (Vec::new(), HashSet::new());
        for resource in &resources {
            if Decision::from(resource.outcome) == decision {
                for statement in statements(&resource.matched) {
                    if told.insert(statement.clone()) {
                        matched.push(statement);
                    }
                }
            }
            for key in &resource.missing_context {
                if seen.insert(key.to_lowercase()) {
                    missing.push(key.clone());
                }
            }
        }
        let all = |of: fn(&SimulatedResource) -> Option<bool>| {
            let known: Vec<bool> = resources.iter().filter_map(of).collect();
            (!known.is_empty()).then(|| known.into_iter().all(|allowed| allowed))
        };
        let (organization, boundary) = (all(|r| r.organization), all(|r| r.boundary));
        let names_resources = resources.iter().any(|r| r.resource != "*");
        let details = (organization != Some(false))
            .then(|| Details::of(resources.iter().filter_map(|r| r.sides.as_ref())))
            .filter(|details| names_resources || !details.entry.is_empty());
        Self {
            eval_resource_name: resource_name(&action, &resources),
            eval_action_name: action,
            eval_decision: decision,
            matched_statements: matched.into(),
            missing_context_values: missing.into(),
            organizations_decision_detail: organization.map(|allowed| OrganizationsDetail {
                allowed_by_organizations: allowed,
            }),
            permissions_boundary_decision_detail: boundary.map(boundary_detail),
            eval_decision_details: details,
            resource_specific_results: names_resources.then(|| {
                let specific = resources.into_iter().map(ResourceSpecificResult::from);
                specific.collect()
            }),
        }
    }
}

/// What a result for all resources calls them: the one there is, or what all have in common.
fn resource_name(action: &str, resources: &[SimulatedResource]) -> String {
    match (resources, resource_type(action)) {
        ([only], _) => only.resource.clone(),
        (_, ResourceType::Template(template)) => template.to_owned(),
        (_, ResourceType::Everything | ResourceType::Unknown) => "*".to_owned(),
    }
}

impl From<SimulatedResource> for ResourceSpecificResult {
    fn from(simulated: SimulatedResource) -> Self {
        Self {
            eval_resource_name: simulated.resource,
            eval_resource_decision: simulated.outcome.into(),
            matched_statements: statements(&simulated.matched).into(),
            missing_context_values: simulated.missing_context.into(),
            eval_decision_details: simulated.sides.as_ref().map(|sides| Details::of([sides])),
            permissions_boundary_decision_detail: simulated.boundary.map(boundary_detail),
        }
    }
}
