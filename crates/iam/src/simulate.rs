//! What `SimulatePrincipalPolicy`, `SimulateCustomPolicy` and `GetContextKeysFor…Policy` answer:
//! one decision with the statements that made it, where they stand, and what each kind of policy
//! contributed.

use std::collections::HashSet;

use crate::decide::{LAYERS, Question};
use crate::decision::{Decision, Outcome};
use crate::pattern::Pattern;
use crate::policies::Policies;
use crate::policy::{Effect, Element, Policy, Statement};
use crate::position::Span;
use crate::reference;
use crate::request::{Request, fold_key};
use crate::resource::ResourcePattern;
use crate::statement::{Layer, Unknowns};

/// The outcome of one action on one resource.
#[derive(Debug, Clone)]
pub struct Simulation {
    /// The decision.
    pub decision: Decision,
    /// The statements that determine it, by layer and in order: those that deny if any does, those
    /// that allow if it is allowed. Nothing determines what is denied because nothing allows it.
    pub matched: Vec<MatchedStatement>,
    /// Keys that statements of identity and resource policies use and the context does not have, as
    /// the first statement writes them.
    pub missing_context: Vec<String>,
    /// What each layer that takes part says by itself, in the order of the layers. A layer takes
    /// part if it has a policy.
    pub layers: Vec<(Layer, Outcome)>,
}

/// A statement that applies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchedStatement {
    /// The layer its policy counts in.
    pub layer: Layer,
    /// The label of its policy.
    pub policy: String,
    /// Its place in the policy, from 1.
    pub number: usize,
    /// Where it stands in the policy's text.
    pub span: Option<Span>,
}

impl Simulation {
    /// What one layer says by itself; `None` if it has no policy.
    #[must_use]
    pub fn layer(&self, layer: Layer) -> Option<Outcome> {
        let of_layer = |(found, _): &&(Layer, Outcome)| *found == layer;
        self.layers
            .iter()
            .find(of_layer)
            .map(|(_, outcome)| *outcome)
    }
}

/// Decides and tells what made the decision. A question, not a request: every statement is read.
#[must_use]
pub fn simulate(request: &Request, policies: &Policies<'_>) -> Simulation {
    let question = Question::new(request, policies, Unknowns::Deny);
    let decision = reference::decide(&question);
    let determining = match decision.outcome {
        Outcome::ExplicitDeny => Some(Effect::Deny),
        Outcome::Allow => Some(Effect::Allow),
        Outcome::ImplicitDeny => None,
    };
    let mut matched = Vec::new();
    let mut missing = ContextKeys::default();
    for layer in LAYERS.into_iter().filter(|layer| question.applies(*layer)) {
        let place = question.place(layer);
        for named in policies.of(layer) {
            for (index, statement) in named.policy.statements.iter().enumerate() {
                if matches!(layer, Layer::Identity | Layer::Resource) {
                    missing.add(statement);
                }
                let applies = statement.miss(request, place).is_none();
                if applies && Some(statement.effect) == determining {
                    matched.push(MatchedStatement {
                        layer,
                        policy: named.label.clone(),
                        number: index + 1,
                        span: statement.span,
                    });
                }
            }
        }
    }
    missing
        .names
        .retain(|key| request.context.get(key).is_none());
    Simulation {
        decision,
        matched,
        missing_context: missing.names,
        layers: reference::layers(&question),
    }
}

/// The context keys that the statements of `policies` use in conditions and variables, each once
/// and as it is first written.
#[must_use]
pub fn context_keys<'p>(policies: impl IntoIterator<Item = &'p Policy>) -> Vec<String> {
    let mut keys = ContextKeys::default();
    for policy in policies {
        policy.statements.iter().for_each(|s| keys.add(s));
    }
    keys.names
}

/// Keys in the order in which they are met.
#[derive(Default)]
struct ContextKeys {
    folded: HashSet<String>,
    names: Vec<String>,
}

impl ContextKeys {
    fn add(&mut self, statement: &Statement) {
        if let Element::Listed(resources) | Element::Excluded(resources) = &statement.resource {
            let patterns = resources.iter().flat_map(ResourcePattern::patterns);
            for variable in patterns.flat_map(Pattern::variables) {
                self.add_name(&variable.name);
            }
        }
        for clause in &statement.conditions {
            self.add_name(&clause.key);
            for pattern in clause.patterns() {
                for variable in pattern.variables() {
                    self.add_name(&variable.name);
                }
            }
        }
    }

    fn add_name(&mut self, name: &str) {
        if !name.is_empty() && self.folded.insert(fold_key(name)) {
            self.names.push(name.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fixtures::{AWAY, HOME, on_repository, own, policy, pull, user};
    use crate::{NamedPolicy, Policies};

    fn simulated(
        request: &Request,
        identity: &[NamedPolicy],
        resource: &[NamedPolicy],
    ) -> Simulation {
        let policies = Policies {
            identity: identity.iter().collect(),
            resource: resource.iter().collect(),
            ..Policies::default()
        };
        simulate(request, &policies)
    }

    #[test]
    fn the_statements_that_decide_are_told_with_their_places() {
        let text = r#"{"Version": "2012-10-17", "Statement": {"Sid": "", "Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"}}"#;
        let named = NamedPolicy {
            label: "p".to_owned(),
            policy: Policy::parse(text).unwrap(),
        };
        let mut request = pull(user(HOME));
        "s3:PutObject".clone_into(&mut request.action);
        let simulation = simulated(&request, &[named], &[]);
        assert_eq!(simulation.decision.outcome, Outcome::Allow);
        let [matched] = &simulation.matched[..] else {
            panic!("one statement allows");
        };
        assert_eq!((matched.layer, matched.number), (Layer::Identity, 1));
        // As AWS answered for this very document.
        let (start, end) = matched.span.unwrap().simulated();
        assert_eq!((start.line, start.column), (1, 41));
        assert_eq!((end.line, end.column), (1, 113));
        assert_eq!(simulation.layers, [(Layer::Identity, Outcome::Allow)]);
    }

    #[test]
    fn a_denial_tells_only_the_denying_statements() {
        let statements = policy(&json!([
            {"Effect": "Allow", "Action": "*", "Resource": "*"},
            {"Effect": "Deny", "Action": "ecr:Batch*", "Resource": "*"},
            {"Effect": "Deny", "Action": "ecr:Put*", "Resource": "*"}
        ]));
        let simulation = simulated(&pull(user(HOME)), &[statements], &[]);
        let numbers: Vec<_> = simulation.matched.iter().map(|m| m.number).collect();
        assert_eq!(numbers, [2]);
        assert_eq!(
            simulation.layer(Layer::Identity),
            Some(Outcome::ExplicitDeny)
        );
        assert_eq!(simulation.layer(Layer::Boundary), None);
    }

    #[test]
    fn each_side_of_a_denial_across_accounts_is_told() {
        let open = on_repository("Allow", &json!({"AWS": AWAY}));
        let simulation = simulated(&pull(user(AWAY)), &[own("Allow", "s3:*")], &[open]);
        assert_eq!(simulation.decision.outcome, Outcome::ImplicitDeny);
        assert_eq!(
            simulation.layers,
            [
                (Layer::Identity, Outcome::ImplicitDeny),
                (Layer::Resource, Outcome::Allow)
            ]
        );
        assert_eq!(simulation.matched, []);
    }

    #[test]
    fn keys_that_the_context_lacks_are_missing_whatever_matches() {
        let statements = policy(&json!([
            {
                "Effect": "Allow", "Action": "s3:*",
                "Resource": "arn:aws:s3:::b/${aws:PrincipalTag/Team, 'x'}/*",
                "Condition": {
                    "StringLike": {"aws:Referer": "${aws:username}"},
                    "Bool": {"AWS:SecureTransport": "true"}
                }
            },
            {
                "Effect": "Deny", "Action": "*", "Resource": "*",
                "Condition": {"Null": {"AWS:REFERER": "true"}, "ArnLike": {"aws:SourceArn": "arn:aws:s3:::${*}x"}}
            }
        ]));
        let keys = context_keys([&statements.policy]);
        assert_eq!(
            keys,
            [
                "aws:PrincipalTag/Team",
                "AWS:SecureTransport",
                "aws:Referer",
                "aws:username",
                "aws:SourceArn"
            ]
        );
        let mut request = pull(user(HOME));
        request.context.insert_one("aws:securetransport", "true");
        request.context.insert_one("aws:UserName", "alice");
        let simulation = simulated(&request, &[statements], &[]);
        assert_eq!(
            simulation.missing_context,
            ["aws:PrincipalTag/Team", "aws:Referer", "aws:SourceArn"]
        );
    }
}
