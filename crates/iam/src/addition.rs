//! The smallest statements that would allow a denied request.

use serde::Serialize;
use serde_json::{Value, json};

use crate::decide::{LAYERS, Question};
use crate::decision::Blocked;
use crate::policies::{Level, Policies};
use crate::policy::{NamedPolicy, Policy, PolicyKind};
use crate::reference::{self, service_control_allows};
use crate::request::{Principal, Request};
use crate::statement::{Layer, Unknowns};

/// A statement to add.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Addition {
    /// The kind of policy to add it to.
    pub kind: PolicyKind,
    /// The layer that kind counts in.
    pub layer: Layer,
    /// The level of the organization, for a service control policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization_level: Option<String>,
    /// The statement.
    pub statement: Value,
}

/// What to add, layer by layer, until the request is allowed.
pub(crate) fn additions(request: &Request, policies: &Policies<'_>) -> Vec<Addition> {
    let mut additions: Vec<Addition> = Vec::new();
    let mut added: Vec<NamedPolicy> = Vec::new();
    // Each round satisfies one more layer, or gives up.
    for _ in LAYERS {
        let attempt = with(policies, &additions, &added);
        let layer = match reference::evaluate(request, &attempt).blocked_by {
            None => return additions,
            Some(Blocked::NotAllowed(layer)) => layer,
            Some(Blocked::Denied(_) | Blocked::HardLimit(_)) => return Vec::new(),
        };
        if additions.iter().any(|addition| addition.layer == layer) {
            return Vec::new();
        }
        let question = Question::new(request, &attempt, Unknowns::Deny);
        let Some((kind, statement)) = missing_statement(request, layer, question.is_trust()) else {
            return Vec::new();
        };
        let lacking = attempt
            .service_control
            .iter()
            .filter(|level| {
                layer == Layer::ServiceControl && !service_control_allows(&question, level)
            })
            .map(|level| Some(level.name.to_owned()));
        let levels: Vec<Option<String>> = match layer {
            Layer::ServiceControl => lacking.collect(),
            _ => vec![None],
        };
        for organization_level in levels {
            let document = json!({"Version": "2012-10-17", "Statement": [statement]});
            let Ok(policy) = Policy::from_value(&document) else {
                return Vec::new();
            };
            added.push(NamedPolicy {
                label: String::new(),
                policy,
            });
            additions.push(Addition {
                kind,
                layer,
                organization_level,
                statement: statement.clone(),
            });
        }
    }
    Vec::new()
}

/// The statement that lets `layer` allow the request; `None` if none can.
fn missing_statement(request: &Request, layer: Layer, trust: bool) -> Option<(PolicyKind, Value)> {
    let (action, resource) = (&request.action, &request.resource);
    let own = json!({"Effect": "Allow", "Action": action, "Resource": resource});
    let kind = match layer {
        Layer::Identity => PolicyKind::Identity,
        Layer::Boundary => PolicyKind::Boundary,
        Layer::Session => PolicyKind::Session,
        Layer::ServiceControl => PolicyKind::ServiceControl,
        Layer::ResourceControl => return None,
        Layer::Resource => {
            let principal = match &request.principal {
                Principal::User { arn, .. } | Principal::Root { arn, .. } => json!({"AWS": arn}),
                Principal::RoleSession { role_arn, .. } => json!({"AWS": role_arn}),
                Principal::FederatedUser { user_arn, .. } => json!({"AWS": user_arn}),
                Principal::Service { service } => json!({"Service": service}),
                Principal::FederatedIdentity { provider, .. } => json!({"Federated": provider}),
                Principal::Anonymous => return None,
            };
            let implied = json!({"Effect": "Allow", "Principal": principal, "Action": action});
            if trust {
                return Some((PolicyKind::Trust, implied));
            }
            if resource != "*" {
                return Some((PolicyKind::Repository, implied));
            }
            let mut named = implied;
            named["Resource"] = json!(resource);
            return Some((PolicyKind::Registry, named));
        }
    };
    Some((kind, own))
}

/// The policies with the additions in force.
fn with<'a>(
    policies: &Policies<'a>,
    additions: &[Addition],
    added: &'a [NamedPolicy],
) -> Policies<'a> {
    let mut policies = policies.clone();
    for (addition, policy) in additions.iter().zip(added) {
        match addition.layer {
            Layer::Identity => policies.identity.push(policy),
            Layer::Session => policies.session.get_or_insert_default().push(policy),
            // The old boundary has no Deny that applies and no Allow: the new one can stand alone.
            Layer::Boundary => policies.boundary = Some(policy),
            Layer::Resource => policies.resource.push(policy),
            Layer::ServiceControl => {
                let at = |level: &&mut Level<'a>| {
                    Some(level.name) == addition.organization_level.as_deref()
                };
                if let Some(level) = policies.service_control.iter_mut().find(at) {
                    level.policies.push(policy);
                }
            }
            Layer::ResourceControl => {}
        }
    }
    policies
}

#[cfg(test)]
mod tests;
