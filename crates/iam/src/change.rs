//! The smallest change of the policies that would allow a denied request.

use serde::Serialize;
use serde_json::{Value, json};

use crate::decide::{LAYERS, Question};
use crate::decision::Blocked;
use crate::policies::{Level, Policies};
use crate::policy::{Effect, NamedPolicy, Policy, PolicyKind};
use crate::reference::{self, service_control_allows};
use crate::request::{Principal, Request};
use crate::statement::{Layer, Unknowns};

/// What to change, verified by deciding again: the request is allowed once all of it is done.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Change {
    /// Each of these denies by itself.
    pub(crate) removals: Vec<Removal>,
    /// None of these is superfluous.
    pub(crate) additions: Vec<Addition>,
}

/// A statement to take out, or to make miss the request: it denies it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Removal {
    /// The layer its policy counts in.
    pub layer: Layer,
    /// The level of the organization its policy is attached to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization_level: Option<String>,
    /// The name of its policy.
    pub label: String,
    /// Its place in the policy, from 1.
    pub number: usize,
    /// Its `Sid`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
}

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

/// The change that allows the request: nothing if it is allowed, `None` if no change of policies
/// can allow it.
pub(crate) fn change(request: &Request, policies: &Policies<'_>) -> Option<Change> {
    let question = Question::new(request, policies, Unknowns::Deny);
    match reference::decide(&question).blocked_by {
        None => return Some(Change::default()),
        Some(Blocked::HardLimit(_)) => return None,
        Some(Blocked::Denied(_) | Blocked::NotAllowed(_)) => {}
    }
    let denies = |layer: Layer, statement: &crate::policy::Statement| {
        question.applies(layer)
            && statement.effect == Effect::Deny
            && statement.miss(request, question.place(layer)).is_none()
    };
    let mut removals = Vec::new();
    for layer in LAYERS {
        for (level, named) in policies.of_with_level(layer) {
            for (index, statement) in named.policy.statements.iter().enumerate() {
                if denies(layer, statement) {
                    removals.push(Removal {
                        layer,
                        organization_level: level.map(str::to_owned),
                        label: named.label.clone(),
                        number: index + 1,
                        sid: statement.sid().map(str::to_owned),
                    });
                }
            }
        }
    }
    let relieved = policies.without(denies);
    let additions = additions(request, &relieved.borrow())?;
    Some(Change {
        removals,
        additions,
    })
}

/// What to add, layer by layer, until the request is allowed.
fn additions(request: &Request, policies: &Policies<'_>) -> Option<Vec<Addition>> {
    let mut additions: Vec<Addition> = Vec::new();
    let mut added: Vec<NamedPolicy> = Vec::new();
    // Each round satisfies one more layer, or gives up.
    for _ in LAYERS {
        let attempt = with(policies, &additions, &added);
        let layer = match reference::evaluate(request, &attempt).blocked_by {
            None => return Some(additions),
            Some(Blocked::NotAllowed(layer)) => layer,
            Some(Blocked::Denied(_) | Blocked::HardLimit(_)) => return None,
        };
        if additions.iter().any(|addition| addition.layer == layer) {
            return None;
        }
        let question = Question::new(request, &attempt, Unknowns::Deny);
        let (kind, statement) = missing_statement(request, layer, question.is_trust())?;
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
            added.push(NamedPolicy {
                label: String::new(),
                policy: Policy::from_value(&document).ok()?,
            });
            additions.push(Addition {
                kind,
                layer,
                organization_level,
                statement: statement.clone(),
            });
        }
    }
    None
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
