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

/// GitHub's identity provider: every repository of the world has an identity there.
const GITHUB: &str = "token.actions.githubusercontent.com";

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

/// An Allow for GitHub's provider must say which subject it means.
pub(super) fn check_github(statement: &Statement) -> Result<(), MalformedPolicy> {
    let Element::Listed(entries) = &statement.principal else {
        return Ok(());
    };
    let github = |entry: &Entry| matches!(entry, Entry::Federated(name) if name.ends_with(GITHUB));
    if statement.effect == Effect::Deny || !entries.iter().any(github) {
        return Ok(());
    }
    let subject = format!("{GITHUB}:sub");
    let limits = |clause: &Clause| {
        let operator = Operator::parse(&clause.operator);
        let certain = operator.is_some_and(|operator| {
            operator.is_certain() && operator.set != Some(SetOperator::ForAllValues)
        });
        let wild = |value: &Value| {
            let text = value.as_str().unwrap_or_default();
            text.chars().all(|c| matches!(c, '*' | '?'))
        };
        clause.key.eq_ignore_ascii_case(&subject)
            && certain
            && !clause_values(statement, clause).any(wild)
    };
    if statement.conditions.iter().any(limits) {
        return Ok(());
    }
    Err(MalformedPolicy::new(format!(
        "A trust policy for {GITHUB} must have a condition on {subject} that names repositories"
    )))
}

/// The values of a clause, as written.
fn clause_values<'p>(statement: &'p Statement, clause: &Clause) -> impl Iterator<Item = &'p Value> {
    let block = statement.source.get("Condition");
    let values = block.and_then(|block| block.get(&clause.operator)?.get(&clause.key));
    values.into_iter().flat_map(list)
}
