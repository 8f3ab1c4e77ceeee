//! A policy document as evaluation needs it.
//!
//! [`Policy::parse`] refuses only what has no statements with an effect. Whatever else it does not
//! understand it keeps as *not understood*, and evaluation then denies: such a statement does not
//! apply in an Allow and does in a Deny. What may be *saved* is a stricter question, answered by
//! [`crate::validate`].

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::action::ActionPattern;
use crate::condition::Clause;
use crate::engine::Compiled;
use crate::malformed::MalformedPolicy;
use crate::pattern::Match;
use crate::position::{self, Span};
use crate::principal::{Entry, entries};
use crate::request::{Context, Principal, Request};
use crate::resource::ResourcePattern;
use crate::ternary::Ternary;

/// What a document is used as; the grammar differs (iam.md §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyKind {
    /// Of a user, group or role; inline or managed.
    Identity,
    /// Passed with `AssumeRole`, `AssumeRoleWithWebIdentity` or `GetFederationToken`.
    Session,
    /// A permissions boundary.
    Boundary,
    /// Of an ECR repository: the resource is implied.
    Repository,
    /// Of an ECR registry.
    Registry,
    /// Says who may assume a role: the resource is implied.
    Trust,
    /// Of an organization: what its members may do at most.
    ServiceControl,
    /// Of an organization: what may be done to its members' resources at most.
    ResourceControl,
}

/// A parsed policy.
#[derive(Debug, Clone)]
pub struct Policy {
    /// For the reference.
    pub(crate) statements: Vec<Statement>,
    /// The same for the engine.
    pub(crate) compiled: Compiled,
}

/// A policy with the name by which explanations call it, such as
/// `inline policy 'ci' of user 'alice'`.
#[derive(Debug, Clone)]
pub struct NamedPolicy {
    /// What explanations call it.
    pub label: String,
    /// The policy.
    pub policy: Policy,
}

/// Whether a statement grants or refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum Effect {
    /// Grants.
    Allow,
    /// Refuses, whatever else grants.
    Deny,
}

/// One statement.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    /// The statement as written, for explanations.
    pub(crate) source: Map<String, Value>,
    /// Where it stands in the text of the policy, if it had one.
    pub(crate) span: Option<Span>,
    pub(crate) effect: Effect,
    pub(crate) action: Element<ActionPattern>,
    pub(crate) resource: Element<ResourcePattern>,
    pub(crate) principal: Element<Entry>,
    pub(crate) conditions: Vec<Clause>,
    /// Nothing in it is unknown that its elements do not know of themselves: version, sid, names
    /// of elements.
    pub(crate) understood: bool,
}

/// An element that exists in two forms, such as `Action` and `NotAction`.
#[derive(Debug, Clone)]
pub(crate) enum Element<T> {
    /// Neither form is there.
    Absent,
    /// `X`: any of these.
    Listed(Vec<T>),
    /// `NotX`: none of these.
    Excluded(Vec<T>),
    /// Both forms are there.
    NotUnderstood,
}

impl Policy {
    /// Parses a document for evaluation.
    ///
    /// # Errors
    /// Not JSON as [`bonded_model::json`] has it, or no statements, or a statement without the
    /// effect `Allow` or `Deny`.
    pub fn parse(text: &str) -> Result<Self, MalformedPolicy> {
        let value = bonded_model::json::parse(text.as_bytes());
        Self::from_text(text, &value.map_err(|_| MalformedPolicy::syntax())?)
    }

    /// Reads `document`, which was parsed from `text`, and keeps where its statements stand.
    pub(crate) fn from_text(text: &str, document: &Value) -> Result<Self, MalformedPolicy> {
        let mut policy = Self::from_value(document)?;
        for (statement, span) in policy.statements.iter_mut().zip(position::statements(text)) {
            statement.span = Some(span);
        }
        Ok(policy)
    }

    /// Like [`Policy::parse`] for a document that is JSON already.
    ///
    /// # Errors
    /// No statements, or a statement without the effect `Allow` or `Deny`.
    pub fn from_value(document: &Value) -> Result<Self, MalformedPolicy> {
        let document = document.as_object().ok_or_else(MalformedPolicy::syntax)?;
        let (version_understood, variables) = match document.get("Version") {
            None => (true, false),
            Some(Value::String(version)) if version == "2008-10-17" => (true, false),
            Some(Value::String(version)) => (version == "2012-10-17", true),
            Some(_) => (false, true),
        };
        let known = |name: &String| ["Version", "Id", "Statement"].contains(&name.as_str());
        let understood = version_understood && document.keys().all(known);
        let statements = match document.get("Statement") {
            Some(Value::Array(list)) => list.as_slice(),
            Some(one) => std::slice::from_ref(one),
            None => return Err(MalformedPolicy::syntax()),
        };
        let statements = statements
            .iter()
            .map(|value| Statement::from_value(value, variables, understood))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            compiled: Compiled::new(&statements),
            statements,
        })
    }
}

impl Policy {
    /// The same policy without the statements that `drop` names.
    pub(crate) fn without(&self, drop: impl Fn(&Statement) -> bool) -> Self {
        let kept = self.statements.iter().filter(|statement| !drop(statement));
        let statements: Vec<Statement> = kept.cloned().collect();
        Self {
            compiled: Compiled::new(&statements),
            statements,
        }
    }

    /// Whether a resource policy can be attached to `resource`: one of its statements speaks of it,
    /// or has no `Resource` because it speaks of whatever it is attached to.
    #[must_use]
    pub fn is_applicable_to(&self, resource: &str) -> bool {
        let request = Request {
            principal: Principal::Anonymous,
            action: String::new(),
            resource: resource.to_owned(),
            resource_account: String::new(),
            context: Context::default(),
        };
        let mut statements = self.statements.iter();
        statements.any(|statement| match &statement.resource {
            Element::Absent => resource != "*",
            // Which resources a Deny spares by a variable is not asked here.
            Element::Excluded(_) => true,
            Element::NotUnderstood => false,
            Element::Listed(patterns) => patterns.iter().any(|pattern| {
                let matches = pattern.matches(&request, true);
                matches.is_some_and(|matches| matches != Match::Known(Ternary::False))
            }),
        })
    }

    /// How many statements it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.statements.len()
    }

    /// Whether it has no statement.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }

    /// The users, roles and sessions a resource policy names by ARN or unique id, as written, in
    /// `Principal` and `NotPrincipal`. Accounts, services, identity providers and `*` are not among
    /// them.
    pub fn principals(&self) -> impl Iterator<Item = &str> {
        let entries = self
            .statements
            .iter()
            .flat_map(|statement| match &statement.principal {
                Element::Listed(entries) | Element::Excluded(entries) => entries.as_slice(),
                Element::Absent | Element::NotUnderstood => &[],
            });
        entries.filter_map(|entry| match entry {
            Entry::Arn(text) | Entry::UniqueId(text) => Some(text.as_str()),
            _ => None,
        })
    }
}

/// Replaces the `AWS` principals of a document for which `replace` gives another text: ARNs of
/// users and roles by unique ids when a policy is saved, and back when it is shown.
pub fn rewrite_principals(document: &mut Value, mut replace: impl FnMut(&str) -> Option<String>) {
    let statements = match document.get_mut("Statement") {
        Some(Value::Array(list)) => list.as_mut_slice(),
        Some(one) => std::slice::from_mut(one),
        None => return,
    };
    for statement in statements {
        for element in ["Principal", "NotPrincipal"] {
            let principals = statement
                .get_mut(element)
                .and_then(|map| map.get_mut("AWS"));
            let values = match principals {
                Some(Value::Array(list)) => list.as_mut_slice(),
                Some(one) => std::slice::from_mut(one),
                None => continue,
            };
            for value in values {
                if let Some(text) = value.as_str().and_then(&mut replace) {
                    *value = Value::String(text);
                }
            }
        }
    }
}

impl Statement {
    /// Its `Sid`.
    pub(crate) fn sid(&self) -> Option<&str> {
        self.source.get("Sid").and_then(Value::as_str)
    }

    fn from_value(
        value: &Value,
        variables: bool,
        policy_understood: bool,
    ) -> Result<Self, MalformedPolicy> {
        let value = value.as_object().ok_or_else(MalformedPolicy::syntax)?;
        let effect = match value.get("Effect").and_then(Value::as_str) {
            Some("Allow") => Effect::Allow,
            Some("Deny") => Effect::Deny,
            _ => return Err(MalformedPolicy::syntax()),
        };
        let known = |name: &String| ELEMENTS.contains(&name.as_str());
        let sid_understood = value.get("Sid").is_none_or(Value::is_string);
        Ok(Self {
            source: value.clone(),
            span: None,
            effect,
            action: element(value, "Action", "NotAction", |v| {
                list(v).map(ActionPattern::from_value).collect()
            }),
            resource: element(value, "Resource", "NotResource", |v| {
                let pattern = |v| ResourcePattern::from_value(v, variables);
                list(v).map(pattern).collect()
            }),
            principal: element(value, "Principal", "NotPrincipal", entries),
            conditions: conditions(value.get("Condition"), variables),
            understood: policy_understood && sid_understood && value.keys().all(known),
        })
    }
}

/// The elements a statement may have.
pub(crate) const ELEMENTS: [&str; 9] = [
    "Sid",
    "Effect",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Principal",
    "NotPrincipal",
    "Condition",
];

fn element<T>(
    statement: &Map<String, Value>,
    positive: &str,
    negative: &str,
    read: impl FnOnce(&Value) -> Vec<T>,
) -> Element<T> {
    match (statement.get(positive), statement.get(negative)) {
        (None, None) => Element::Absent,
        (Some(value), None) => Element::Listed(read(value)),
        (None, Some(value)) => Element::Excluded(read(value)),
        (Some(_), Some(_)) => Element::NotUnderstood,
    }
}

/// The members of a list, or the one value that stands for a list of itself.
pub(crate) fn list(value: &Value) -> std::slice::Iter<'_, Value> {
    match value {
        Value::Array(list) => list.iter(),
        one => std::slice::from_ref(one).iter(),
    }
}

fn conditions(block: Option<&Value>, variables: bool) -> Vec<Clause> {
    let Some(block) = block else {
        return Vec::new();
    };
    let Some(block) = block.as_object() else {
        return vec![Clause::undefined("")];
    };
    let mut clauses = Vec::new();
    for (operator, keys) in block {
        match keys.as_object() {
            Some(keys) if !keys.is_empty() => clauses.extend(
                keys.iter()
                    .map(|(key, values)| Clause::parse(operator, key, values, variables)),
            ),
            _ => clauses.push(Clause::undefined(operator)),
        }
    }
    clauses
}

#[cfg(test)]
mod tests;
