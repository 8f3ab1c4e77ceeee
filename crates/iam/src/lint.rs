//! What may be saved and still is hardly meant: warnings for whoever writes a policy.

use serde::Serialize;

use crate::condition::{Base, Clause, Operator};
use crate::image_key::{CURRENT_IMAGE_TAGS, IMAGE_TAG};
use crate::policy::{Policy, Statement, list};
use crate::position::Span;
use crate::request::{Context, Principal, Request};

/// The actions that pull, of which all but the first never name a tag.
const PULLS: [&str; 3] = [
    "ecr:BatchGetImage",
    "ecr:GetDownloadUrlForLayer",
    "ecr:BatchCheckLayerAvailability",
];

/// The values that the keys with a fixed choice can have.
const CHOICES: [(&str, &[&str]); 2] = [
    ("bonded:ScanStatus", &["COMPLETE", "NOT_APPLICABLE"]),
    (
        "bonded:MaxSeverity",
        &[
            "NONE",
            "INFORMATIONAL",
            "LOW",
            "MEDIUM",
            "HIGH",
            "CRITICAL",
            "UNDEFINED",
        ],
    ),
];

/// Something about one statement that is hardly meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// The statement's place in the policy, from 1.
    pub statement: usize,
    /// Where it stands in the policy's text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span: Option<Span>,
    /// What is wrong, and what to write instead.
    pub message: String,
}

/// Warns of what `policy`, which may be saved, probably does not mean.
#[must_use]
pub fn lint(policy: &Policy) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for (index, statement) in policy.statements.iter().enumerate() {
        for clause in &statement.conditions {
            let messages = [
                tag_of_a_pull(statement, clause),
                no_such_value(statement, clause),
                open_subject(statement, clause),
            ];
            warnings.extend(messages.into_iter().flatten().map(|message| Warning {
                statement: index + 1,
                span: statement.span,
                message,
            }));
        }
    }
    warnings
}

/// A subject of an identity provider whose owner is named with a wildcard: `repo:acme*` is also
/// `repo:acme-evil/app`.
fn open_subject(statement: &Statement, clause: &Clause) -> Option<String> {
    let operator = Operator::parse(&clause.operator)?;
    let of_provider = clause.key.to_ascii_lowercase().ends_with(":sub");
    let like = matches!(operator.base, Base::String { like: true, .. });
    if !of_provider || operator.is_negated() || !like {
        return None;
    }
    let values = statement.source.get("Condition")?.get(&clause.operator)?;
    let mut texts = list(values.get(&clause.key)?).filter_map(serde_json::Value::as_str);
    let text = texts.find(|text| {
        let owner = text.split_once(':').map_or("", |(_, rest)| rest);
        let owner = owner.split(['/', ':']).next().unwrap_or_default();
        owner.contains(['*', '?'])
    })?;
    Some(format!(
        "{} '{text}': the wildcard stands in the owner's name, so others can choose a name that \
         matches; write the whole name and what follows it, as in 'repo:acme/*'",
        clause.key
    ))
}

/// A positive condition on the tag that a request names, for an action that pulls.
fn tag_of_a_pull(statement: &Statement, clause: &Clause) -> Option<String> {
    if !clause.key.eq_ignore_ascii_case(IMAGE_TAG) {
        return None;
    }
    let operator = Operator::parse(&clause.operator)?;
    if operator.is_negated() || operator.base == Base::Null {
        return None;
    }
    let pulls = |action: &&&str| statement.action_matches(&request(action));
    let action = PULLS.iter().find(pulls)?;
    Some(format!(
        "{} {IMAGE_TAG} on {action}: digest pulls, index children and layers have no ImageTag; \
         you want ForAnyValue:{} {CURRENT_IMAGE_TAGS}",
        clause.operator,
        operator.plain_name(&clause.operator)
    ))
}

/// A value that a key never has, so that the condition never holds, or always.
fn no_such_value(statement: &Statement, clause: &Clause) -> Option<String> {
    let (key, choices) = CHOICES
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(&clause.key))?;
    let operator = Operator::parse(&clause.operator)?;
    if operator.base
        != (Base::String {
            like: false,
            fold: false,
        })
    {
        return None;
    }
    let block = statement.source.get("Condition")?;
    let values = block.get(&clause.operator)?.get(&clause.key)?;
    let odd = list(values)
        .filter_map(serde_json::Value::as_str)
        .find(|value| !value.contains("${") && !choices.contains(value))?;
    Some(format!(
        "{} {key}: the value '{}' never occurs; it is one of {}, or unknown, which keeps an Allow \
         from applying and lets a Deny apply",
        clause.operator,
        bonded_model::shown(odd),
        choices.join(", ")
    ))
}

/// A request for `action`, as far as the element `Action` looks.
fn request(action: &str) -> Request {
    Request {
        principal: Principal::Anonymous,
        action: action.to_owned(),
        resource: "*".to_owned(),
        resource_account: String::new(),
        context: Context::default(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn warnings(effect: &str, action: &str, condition: &Value) -> Vec<String> {
        let document = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "ecr:ListImages", "Resource": "*"},
            {"Effect": effect, "Action": action, "Resource": "*", "Condition": condition}]});
        let found = lint(&Policy::parse(&document.to_string()).unwrap());
        let here = |warning: &Warning| warning.statement == 2 && warning.span.is_some();
        assert!(found.iter().all(here));
        found.into_iter().map(|warning| warning.message).collect()
    }

    #[test]
    fn a_tag_named_by_a_pull_is_warned_of() {
        let text = "digest pulls, index children and layers have no ImageTag; you want \
            ForAnyValue:StringLike bonded:CurrentImageTags";
        for (effect, action, operator, warned) in [
            ("Allow", "ecr:BatchGetImage", "StringLike", true),
            ("Allow", "ecr:*", "StringLikeIfExists", true),
            ("Deny", "ecr:Get*", "ForAnyValue:StringLike", true),
            ("Allow", "ecr:PutImage", "StringLike", false),
            ("Deny", "ecr:BatchGetImage", "StringNotLike", false),
        ] {
            let condition = json!({operator: {"bonded:imagetag": "v*"}});
            let found = warnings(effect, action, &condition);
            assert_eq!(found.len(), usize::from(warned), "{action} {operator}");
            assert!(
                found.iter().all(|message| message.contains(text)),
                "{found:?}"
            );
        }
        let by_digest_only = json!({"Null": {"bonded:ImageTag": "true"}});
        assert!(warnings("Allow", "ecr:BatchGetImage", &by_digest_only).is_empty());
    }

    #[test]
    fn an_owner_with_a_wildcard_is_warned_of() {
        for (operator, value, warned) in [
            ("StringLike", "repo:acme*", true),
            ("StringLike", "repo:acme*/app:*", true),
            ("StringLike", "project_path:ac?e/app:*", true),
            ("StringLike", "repo:acme/*", false),
            ("StringLike", "system:serviceaccount:default:*", false),
            ("StringEquals", "repo:acme*", false),
            ("StringNotLike", "repo:acme*", false),
        ] {
            let condition = json!({operator: {"issuer.example.org:sub": value}});
            let found = warnings("Allow", "sts:AssumeRoleWithWebIdentity", &condition);
            assert_eq!(found.len(), usize::from(warned), "{operator} {value}");
        }
    }

    #[test]
    fn a_value_that_never_occurs_is_warned_of() {
        for (key, value, warned) in [
            ("bonded:ScanStatus", "COMPLETE", false),
            ("bonded:ScanStatus", "FAILED", true),
            ("bonded:MaxSeverity", "critical", true),
            ("bonded:MaxSeverity", "UNDEFINED", false),
            ("bonded:ImageTag", "FAILED", false),
        ] {
            let condition = json!({"StringNotEquals": {key: value}});
            let found = warnings("Deny", "ecr:BatchGetImage", &condition);
            assert_eq!(found.len(), usize::from(warned), "{key} {value}");
        }
    }
}
