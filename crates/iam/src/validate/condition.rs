//! Which conditions may be saved.

use serde_json::Value;

use super::no_vendor;
use crate::condition::{Base, Clause, Operator, SetOperator};
use crate::image_key;
use crate::malformed::MalformedPolicy;
use crate::policy::{Effect, Element, Statement, list};
use crate::principal::Entry;

/// Keys that can have several values in one request; they need a set operator.
const MULTIVALUED: [&str; 9] = [
    "aws:calledvia",
    "aws:principalorgpaths",
    "aws:principalservicenameslist",
    "aws:resourceorgpaths",
    "aws:sourceorgpaths",
    "aws:vpceorgpaths",
    "aws:tagkeys",
    "sts:transitivetagkeys",
    "bonded:currentimagetags",
];

/// Identity providers at which everybody has an identity, so that only the subject tells whose it is
/// (IAM user guide, "Identity-provider controls for shared OIDC providers").
const SHARED_PROVIDERS: [&str; 5] = [
    "token.actions.githubusercontent.com",
    "gitlab.com",
    "agent.buildkite.com",
    "app.terraform.io",
    "oidc.codefresh.io",
];

pub(super) fn check_conditions(statement: &Statement) -> Result<(), MalformedPolicy> {
    if statement
        .source
        .get("Condition")
        .is_some_and(|block| !block.is_object())
    {
        return Err(MalformedPolicy::syntax());
    }
    for clause in &statement.conditions {
        let operator = Operator::parse(&clause.operator).ok_or_else(MalformedPolicy::syntax)?;
        let Some((vendor, _)) = clause.key.split_once(':') else {
            return Err(no_vendor());
        };
        let defect = if vendor.eq_ignore_ascii_case("bonded") {
            image_key::defect(clause, operator)
        } else {
            None
        };
        if let Some(defect) = defect {
            return Err(MalformedPolicy::new(defect));
        }
        if !clause.is_understood() {
            return Err(MalformedPolicy::legacy());
        }
        let several = is_multivalued(&clause.key);
        if several && operator.set.is_none() && operator.base != Base::Null {
            return Err(MalformedPolicy::new(format!(
                "The condition key {} can have several values: use ForAnyValue or ForAllValues with {}",
                clause.key, clause.operator
            )));
        }
        for value in clause_values(statement, clause) {
            value.as_str().map_or(Ok(()), check_own_variables)?;
        }
    }
    Ok(())
}

fn is_multivalued(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    MULTIVALUED.contains(&key.as_str()) || key.ends_with(":amr")
}

/// A variable of our own namespace must name a key that there is.
pub(super) fn check_own_variables(text: &str) -> Result<(), MalformedPolicy> {
    for variable in text.split("${").skip(1) {
        let key = variable.split(['}', ',']).next().unwrap_or_default();
        if image_key::is_own(key) && image_key::value_type(key).is_none() {
            return Err(MalformedPolicy::new(image_key::no_such_key(key)));
        }
    }
    Ok(())
}

/// An Allow for a shared provider must say which subjects it means.
pub(super) fn check_shared_providers(statement: &Statement) -> Result<(), MalformedPolicy> {
    let Element::Listed(entries) = &statement.principal else {
        return Ok(());
    };
    if statement.effect == Effect::Deny {
        return Ok(());
    }
    let names = |provider: &str| {
        entries.iter().any(|entry| {
            matches!(entry, Entry::Federated(name) if name
                .strip_suffix(provider)
                .is_some_and(|before| before.is_empty() || before.ends_with('/')))
        })
    };
    let mut shared = SHARED_PROVIDERS.iter().filter(|provider| names(provider));
    match shared.find(|provider| !names_subjects(statement, provider)) {
        None => Ok(()),
        Some(provider) => Err(MalformedPolicy::new(format!(
            "A trust policy for {provider} must have a condition on {provider}:sub that names whose subjects it means"
        ))),
    }
}

/// Whether a condition leaves subjects of somebody only: no value begins with a wildcard, nor has one
/// for the first name in it, as in `repo:*`.
fn names_subjects(statement: &Statement, provider: &str) -> bool {
    let subject = format!("{provider}:sub");
    let anybody = |value: &Value| {
        let text = value.as_str().unwrap_or_default();
        let literal = text.split(['*', '?', '$']).next().unwrap_or_default();
        let named = literal.split_once(':').map_or(literal, |(_, name)| name);
        named.is_empty()
    };
    statement.conditions.iter().any(|clause| {
        let operator = Operator::parse(&clause.operator);
        let certain = operator.is_some_and(|operator| {
            operator.is_certain() && operator.set != Some(SetOperator::ForAllValues)
        });
        clause.key.eq_ignore_ascii_case(&subject)
            && certain
            && !clause_values(statement, clause).any(anybody)
    })
}

/// The values of a clause, as written.
fn clause_values<'p>(statement: &'p Statement, clause: &Clause) -> impl Iterator<Item = &'p Value> {
    let block = statement.source.get("Condition");
    let values = block.and_then(|block| block.get(&clause.operator)?.get(&clause.key));
    values.into_iter().flat_map(list)
}
