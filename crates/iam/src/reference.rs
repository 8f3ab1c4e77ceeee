//! The reference: every statement of every policy is read, in order, as documentation has it.
//!
//! Slow and plain on purpose. [`crate::evaluate`] must always agree with it (`tests/it/agree.rs`),
//! and [`crate::explain`] shows what it saw.

use crate::decide::{Findings, LAYERS, LayerSet, Question};
use crate::decision::{Decision, Outcome};
use crate::policies::{Level, Policies};
use crate::policy::{Effect, NamedPolicy, Statement};
use crate::principal::GrantLevel;
use crate::request::Request;
use crate::statement::{Layer, Unknowns};

/// Decides. A condition on an unknown key denies.
#[must_use]
pub fn evaluate(request: &Request, policies: &Policies<'_>) -> Decision {
    decide(&Question::new(request, policies, Unknowns::Deny))
}

/// Decides as favourably as the unknown keys may turn out: an Allow applies unless its condition is
/// false, a Deny only if it is true. A denial here holds whatever the unknown keys are
/// (condition-keys.md, "Three values").
#[must_use]
pub fn evaluate_free(request: &Request, policies: &Policies<'_>) -> Decision {
    decide(&Question::new(request, policies, Unknowns::Allow))
}

pub(crate) fn decide(question: &Question<'_>) -> Decision {
    question.decide(&findings(question))
}

fn findings(question: &Question<'_>) -> Findings {
    let (mut denied, mut allowed) = (LayerSet::default(), LayerSet::default());
    for layer in LAYERS {
        let of_layer = || question.policies.of(layer);
        if question.applies(layer) && any(question, Effect::Deny, layer, of_layer()) {
            denied.insert(layer);
        }
        let allows = match layer {
            Layer::ServiceControl => {
                let mut levels = question.policies.service_control.iter();
                levels.all(|level| service_control_allows(question, level))
            }
            _ => any(question, Effect::Allow, layer, of_layer()),
        };
        if allows {
            allowed.insert(layer);
        }
    }
    Findings {
        denied,
        allowed,
        level: level(question),
    }
}

/// What each layer with policies says by itself.
pub(crate) fn layers(question: &Question<'_>) -> Vec<(Layer, Outcome)> {
    let findings = findings(question);
    let has_policy =
        |layer: &Layer| question.applies(*layer) && question.policies.of(*layer).next().is_some();
    let outcome = |layer: Layer| {
        if findings.denied.contains(layer) {
            Outcome::ExplicitDeny
        } else if findings.allowed.contains(layer) || layer == Layer::ResourceControl {
            // Resource control policies allow everything that they do not deny.
            Outcome::Allow
        } else {
            Outcome::ImplicitDeny
        }
    };
    let layers = LAYERS.into_iter().filter(has_policy);
    layers.map(|layer| (layer, outcome(layer))).collect()
}

/// Whether a level of the organization allows.
pub(crate) fn service_control_allows(question: &Question<'_>, level: &Level<'_>) -> bool {
    let policies = level.policies.iter().copied();
    any(question, Effect::Allow, Layer::ServiceControl, policies)
}

/// Whether a statement with `effect` applies in any of the policies.
fn any<'p>(
    question: &Question<'_>,
    effect: Effect,
    layer: Layer,
    policies: impl IntoIterator<Item = &'p NamedPolicy>,
) -> bool {
    applying(question, effect, layer, policies).next().is_some()
}

/// The statements with `effect` that apply in the policies.
fn applying<'p>(
    question: &Question<'_>,
    effect: Effect,
    layer: Layer,
    policies: impl IntoIterator<Item = &'p NamedPolicy>,
) -> impl Iterator<Item = &'p Statement> {
    let place = question.place(layer);
    policies
        .into_iter()
        .flat_map(|named| &named.policy.statements)
        .filter(move |s| s.effect == effect && s.miss(question.request, place).is_none())
}

/// §4: the best level at which the resource's policies grant.
fn level(question: &Question<'_>) -> GrantLevel {
    if !question.resource_may_grant() {
        return GrantLevel::None;
    }
    let policies = question.policies.of(Layer::Resource);
    applying(question, Effect::Allow, Layer::Resource, policies)
        .map(|statement| statement.principal.level(&question.request.principal))
        .max()
        .unwrap_or(GrantLevel::None)
}
