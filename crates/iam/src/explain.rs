//! Why a request is allowed or denied: every statement with the first element that missed.

use serde::Serialize;
use serde_json::Value;

use crate::change::{Addition, Change, Removal, change};
use crate::decide::{LAYERS, Question};
use crate::decision::{Blocked, Outcome};
use crate::policies::Policies;
use crate::policy::{Effect, Policy, Statement, list};
use crate::position::Span;
use crate::principal::GrantLevel;
use crate::reference;
use crate::request::{ContextValue, Request};
use crate::statement::{Layer, Miss, Place, Side, Unknowns};
use crate::ternary::Ternary;

/// A decision taken apart.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    /// The answer.
    pub outcome: Outcome,
    /// What stood in the way; `None` if allowed.
    pub blocked_by: Option<Blocked>,
    /// How the resource's policies name the caller; `None` in the caller's half.
    pub level: Option<GrantLevel>,
    /// Every policy that applies to the request, in the order of the layers.
    pub policies: Vec<PolicyExplanation>,
    /// The statements that deny. The request is allowed once they are out and `additions` are in,
    /// verified by deciding again.
    pub removals: Vec<Removal>,
    /// What to add. Both are empty if the request is allowed, and if no change of policies can
    /// allow it: a limit of the credential.
    pub additions: Vec<Addition>,
    /// What the caller may be told; see [`crate::Decision::told`].
    #[serde(skip)]
    told: Option<Blocked>,
    /// The change if the resource's side had no policies: for a caller who must not learn whether
    /// it has.
    #[serde(skip)]
    blind: Option<Change>,
}

/// One policy.
#[derive(Debug, Clone, Serialize)]
pub struct PolicyExplanation {
    /// The layer it counts in.
    pub layer: Layer,
    /// Whose account may see it.
    pub side: Side,
    /// The level of the organization it is attached to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization_level: Option<String>,
    /// Its name.
    pub label: String,
    /// Its statements in order.
    pub statements: Vec<StatementExplanation>,
}

/// One statement.
#[derive(Debug, Clone, Serialize)]
pub struct StatementExplanation {
    /// Its place in the policy, from 1.
    pub number: usize,
    /// Where it stands in the document; `None` for a document that never was a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span: Option<Span>,
    /// Its `Sid`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// Whether it grants or refuses.
    pub effect: Effect,
    /// The first element that kept it from applying; `None` if it applies.
    pub missed: Option<Missed>,
    /// Conditions of a Deny that applies which do not hold for certain: their key is unknown, or
    /// they are not understood.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub presumed: Vec<ConditionExplanation>,
}

/// The element of a statement that did not match.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "element", rename_all = "kebab-case")]
pub enum Missed {
    /// The statement is not understood, so it allows nothing.
    Statement,
    /// `Action` or `NotAction`.
    Action {
        /// The values in the statement.
        wanted: Vec<String>,
        /// The action of the request.
        got: String,
    },
    /// `Resource` or `NotResource`.
    Resource {
        /// The values in the statement; empty if it has none.
        wanted: Vec<String>,
        /// The resource of the request.
        got: String,
    },
    /// `Principal` or `NotPrincipal`.
    Principal {
        /// The element as written; null if there is none.
        wanted: Value,
        /// The caller.
        got: String,
    },
    /// One key under one operator.
    Condition(ConditionExplanation),
}

/// One key of a condition.
#[derive(Debug, Clone, Serialize)]
pub struct ConditionExplanation {
    /// The operator as written.
    pub operator: String,
    /// The key as written.
    pub key: String,
    /// The values in the statement.
    pub wanted: Vec<String>,
    /// What the request has.
    pub got: Got,
    /// Operator or values are not understood.
    pub undefined: bool,
}

/// The value of a key in the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Got {
    /// The key is absent.
    Absent,
    /// The value cannot be known now.
    Unknown,
    /// These values.
    Values(Vec<String>),
}

/// Takes the decision of [`crate::evaluate`] apart. Allocates much: for a question, not for every request.
#[must_use]
pub fn explain(request: &Request, policies: &Policies<'_>) -> Explanation {
    explain_with(request, policies, Unknowns::Deny)
}

/// Takes the decision of [`crate::evaluate_free`] apart. The additions are still those with which
/// [`crate::evaluate`] would allow.
#[must_use]
pub fn explain_free(request: &Request, policies: &Policies<'_>) -> Explanation {
    explain_with(request, policies, Unknowns::Allow)
}

fn explain_with(request: &Request, policies: &Policies<'_>, unknowns: Unknowns) -> Explanation {
    let question = Question::new(request, policies, unknowns);
    let decision = reference::decide(&question);
    let layers = LAYERS.into_iter().filter(|layer| question.applies(*layer));
    let explained = layers.flat_map(|layer| {
        let place = question.place(layer);
        policies
            .of_with_level(layer)
            .map(move |(level, policy)| PolicyExplanation {
                layer,
                side: layer.side(),
                organization_level: level.map(str::to_owned),
                label: policy.label.clone(),
                statements: statements(&policy.policy, request, place),
            })
    });
    let blind = Policies {
        resource: Vec::new(),
        resource_control: Vec::new(),
        ..policies.clone()
    };
    let Change {
        removals,
        additions,
    } = change(request, policies).unwrap_or_default();
    Explanation {
        outcome: decision.outcome,
        blocked_by: decision.blocked_by,
        level: Some(decision.level),
        policies: explained.collect(),
        removals,
        additions,
        told: decision.told,
        blind: match decision.told {
            // Told of the resource's policies: allowed to know of them.
            None | Some(Blocked::Denied(Layer::Resource | Layer::ResourceControl)) => None,
            Some(_) => Some(change(request, &blind).unwrap_or_default()),
        },
    }
}

impl Explanation {
    /// What the account on `side` may see: its own policies, and of the other side only that it
    /// did not allow.
    #[must_use]
    pub fn half(mut self, side: Side) -> Self {
        self.policies.retain(|policy| policy.side == side);
        if side == Side::Caller {
            self.level = None;
            self.blocked_by = self.told;
            if let Some(change) = self.blind.take() {
                self.removals = change.removals;
                self.additions = change.additions;
            }
        }
        self.removals.retain(|removal| removal.layer.side() == side);
        self.additions
            .retain(|addition| addition.layer.side() == side);
        let other_side = match self.blocked_by {
            Some(Blocked::Denied(layer) | Blocked::NotAllowed(layer)) => layer.side() != side,
            Some(Blocked::HardLimit(_)) => side == Side::Resource,
            None => false,
        };
        if other_side {
            self.blocked_by = Some(Blocked::NotAllowed(match side {
                Side::Caller => Layer::Resource,
                Side::Resource => Layer::Identity,
            }));
        }
        if self.outcome != Outcome::Allow && !matches!(self.blocked_by, Some(Blocked::Denied(_))) {
            self.outcome = Outcome::ImplicitDeny;
        }
        self
    }
}

fn statements(policy: &Policy, request: &Request, place: Place) -> Vec<StatementExplanation> {
    let explain = |(index, statement): (usize, &Statement)| {
        let missed = statement.miss(request, place);
        let presumed = match missed {
            Some(_) => Vec::new(),
            None => presumed(statement, request),
        };
        StatementExplanation {
            number: index + 1,
            span: statement.span,
            sid: statement.sid().map(str::to_owned),
            effect: statement.effect,
            missed: missed.map(|miss| explain_miss(miss, statement, request)),
            presumed,
        }
    };
    policy.statements.iter().enumerate().map(explain).collect()
}

fn explain_miss(miss: Miss, statement: &Statement, request: &Request) -> Missed {
    let either = |positive, negative| {
        let source = &statement.source;
        source.get(positive).or_else(|| source.get(negative))
    };
    let wanted = |positive, negative| either(positive, negative).map(texts).unwrap_or_default();
    match miss {
        Miss::Statement => Missed::Statement,
        Miss::Action => Missed::Action {
            wanted: wanted("Action", "NotAction"),
            got: request.action.clone(),
        },
        Miss::Resource => Missed::Resource {
            wanted: wanted("Resource", "NotResource"),
            got: request.resource.clone(),
        },
        Miss::Principal => Missed::Principal {
            wanted: either("Principal", "NotPrincipal")
                .cloned()
                .unwrap_or_default(),
            got: request.principal.name().to_owned(),
        },
        Miss::Condition(index) => Missed::Condition(condition(index, statement, request)),
    }
}

/// The clauses of a statement that applies which are not certainly true.
fn presumed(statement: &Statement, request: &Request) -> Vec<ConditionExplanation> {
    let uncertain = |index: &usize| {
        let clause = statement.conditions.get(*index);
        clause.is_some_and(|clause| clause.holds(&request.context) != Some(Ternary::True))
    };
    (0..statement.conditions.len())
        .filter(uncertain)
        .map(|index| condition(index, statement, request))
        .collect()
}

fn condition(index: usize, statement: &Statement, request: &Request) -> ConditionExplanation {
    let clause = statement.conditions.get(index);
    let operator = clause
        .map(|clause| clause.operator.clone())
        .unwrap_or_default();
    let key = clause.map(|clause| clause.key.clone()).unwrap_or_default();
    let wanted = statement
        .source
        .get("Condition")
        .and_then(|block| block.get(&operator)?.get(&key))
        .map(texts)
        .unwrap_or_default();
    let got = match request.context.get(&key) {
        None => Got::Absent,
        Some(ContextValue::Unknown) => Got::Unknown,
        Some(ContextValue::One(value)) => Got::Values(vec![value.clone()]),
        Some(ContextValue::Many(values)) => Got::Values(values.clone()),
    };
    ConditionExplanation {
        operator,
        key,
        wanted,
        got,
        undefined: clause.is_none_or(|clause| clause.holds(&request.context).is_none()),
    }
}

/// The values of an element as text.
fn texts(value: &Value) -> Vec<String> {
    list(value)
        .map(|value| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        })
        .collect()
}

#[cfg(test)]
mod tests;
