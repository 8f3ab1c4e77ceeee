//! The record of a decision as the server gives it, and as text.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// One call of authorize.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    id: String,
    time: String,
    principal: String,
    access_key_id: String,
    #[serde(default)]
    web_identity_subject: Option<String>,
    source_ip: String,
    user_agent: Option<String>,
    allowed: bool,
    message: Option<String>,
    checks: Vec<Check>,
}

/// One action on one resource.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::cli) struct Check {
    action: String,
    resource: String,
    #[serde(default)]
    context: BTreeMap<String, Value>,
    /// `allowed` or `denied`.
    outcome: String,
    /// `None` if neither half may be seen.
    explanation: Option<Explanation>,
}

#[derive(Deserialize)]
struct Explanation {
    blocked_by: Option<Blocked>,
    policies: Vec<Policy>,
    #[serde(default)]
    removals: Vec<Removal>,
    additions: Vec<Addition>,
}

/// What stood in the way: a layer, or a limit of the kind of credential.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Blocked {
    HardLimit(String),
    Denied(String),
    NotAllowed(String),
}

#[derive(Deserialize)]
struct Policy {
    layer: String,
    label: String,
    statements: Vec<Statement>,
}

#[derive(Deserialize)]
struct Statement {
    number: usize,
    span: Option<Span>,
    sid: Option<String>,
    effect: String,
    missed: Option<Missed>,
    #[serde(default)]
    presumed: Vec<Missed>,
}

/// Where a statement stands in its document.
#[derive(Deserialize)]
struct Span {
    start: Position,
}

#[derive(Deserialize)]
struct Position {
    line: u32,
    column: u32,
}

/// An element that did not match, or a condition that was presumed to.
#[derive(Deserialize)]
struct Missed {
    element: Option<String>,
    operator: Option<String>,
    key: Option<String>,
    wanted: Option<Value>,
    got: Option<Value>,
    #[serde(default)]
    undefined: bool,
}

/// A statement that denies.
#[derive(Deserialize)]
struct Removal {
    layer: String,
    label: String,
    number: usize,
    sid: Option<String>,
}

#[derive(Deserialize)]
struct Addition {
    kind: String,
    statement: Value,
}

impl Record {
    /// The lines of text, not yet cleaned.
    pub(super) fn lines(&self) -> Vec<String> {
        let outcome = if self.allowed { "allowed" } else { "denied" };
        let agent = self.user_agent.as_deref().unwrap_or("no user agent");
        let mut lines = vec![
            format!("decision {}: {outcome}", self.id),
            match &self.web_identity_subject {
                Some(subject) => format!("who    {subject} by a token of {}", self.principal),
                None => format!(
                    "who    {} with the key {}",
                    self.principal, self.access_key_id
                ),
            },
            format!("where  {} ({agent})", self.source_ip),
            format!("when   {}", self.time),
        ];
        lines.extend(
            self.message
                .iter()
                .map(|message| format!("told   {message}")),
        );
        for check in &self.checks {
            lines.push(String::new());
            check.write(&mut lines);
        }
        lines
    }
}

impl Check {
    /// Adds its lines of text, not yet cleaned.
    pub(in crate::cli) fn write(&self, lines: &mut Vec<String>) {
        lines.push(format!("what   {} on {}", self.action, self.resource));
        lines.push(format!("       {}", self.outcome));
        for (key, value) in &self.context {
            let value = match value {
                Value::Null => "unknown".to_owned(),
                value => words(value),
            };
            lines.push(format!("       {key} = {value}"));
        }
        let Some(explanation) = &self.explanation else {
            lines.push("  the policies belong to accounts that you may not look into".to_owned());
            return;
        };
        if let Some(blocked) = &explanation.blocked_by {
            lines.push(format!("  {}", blocked.text()));
        }
        for policy in &explanation.policies {
            lines.push(format!("  {}: {}", policy.layer, policy.label));
            lines.extend(policy.statements.iter().map(Statement::line));
        }
        for removal in &explanation.removals {
            let name = name(removal.number, removal.sid.as_deref());
            lines.push(format!(
                "  to allow it, take out {name} of {}: {}",
                removal.layer, removal.label
            ));
        }
        for addition in &explanation.additions {
            lines.push(format!(
                "  to allow it, add to a policy of the kind '{}':",
                addition.kind
            ));
            let json = serde_json::to_string_pretty(&addition.statement).unwrap_or_default();
            lines.extend(json.lines().map(|line| format!("    {line}")));
        }
        let no_change = explanation.removals.is_empty() && explanation.additions.is_empty();
        if no_change && explanation.blocked_by.is_some() {
            lines.push("  no change of the policies shown would allow it".to_owned());
        }
    }
}

impl Blocked {
    fn text(&self) -> String {
        match self {
            Self::HardLimit(limit) => format!("no credential of this kind can do it: {limit}"),
            Self::Denied(layer) => format!("denied by a statement of the layer '{layer}'"),
            Self::NotAllowed(layer) => {
                format!("not allowed by any statement of the layer '{layer}'")
            }
        }
    }
}

impl Statement {
    fn line(&self) -> String {
        let name = name(self.number, self.sid.as_deref());
        let place = match &self.span {
            Some(Span {
                start: Position { line, column },
            }) => format!(" (line {line} column {column})"),
            None => String::new(),
        };
        let verdict = match &self.missed {
            None => "applies".to_owned(),
            Some(missed) => format!("does not apply: {}", missed.text()),
        };
        let presumed = match self.presumed.is_empty() {
            true => String::new(),
            false => {
                let presumed: Vec<String> = self.presumed.iter().map(Missed::text).collect();
                format!(", presuming {}", presumed.join("; "))
            }
        };
        format!("    {name} {}{place}: {verdict}{presumed}", self.effect)
    }
}

/// A statement by its place and its `Sid`.
fn name(number: usize, sid: Option<&str>) -> String {
    match sid {
        Some(sid) => format!("#{number} '{sid}'"),
        None => format!("#{number}"),
    }
}

impl Missed {
    fn text(&self) -> String {
        let element = match (&self.operator, &self.key) {
            (Some(operator), Some(key)) => format!("condition {operator} {key}"),
            _ => self.element.clone().unwrap_or_default(),
        };
        let shown = |value: &Option<Value>| value.as_ref().map_or_else(String::new, words);
        let not_understood = if self.undefined {
            " (not understood)"
        } else {
            ""
        };
        match (&self.wanted, &self.got) {
            (None, None) => format!("the {element} is not understood"),
            (wanted, got) => {
                format!(
                    "{element} wants {}{not_understood}, got {}",
                    shown(wanted),
                    shown(got)
                )
            }
        }
    }
}

/// A JSON value in words: texts as they are, lists with commas, tags with spaces.
fn words(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(words).collect::<Vec<_>>().join(", "),
        Value::Object(members) => {
            let member = |(key, value): (&String, &Value)| match key.as_str() {
                "values" => words(value),
                key => format!("{} {}", key.replace('-', " "), words(value)),
            };
            members.iter().map(member).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use bonded_iam::{
        Context, ContextValue, NamedPolicy, Policies, Policy as Document, Principal, Request,
    };
    use serde_json::json;

    use super::*;

    /// A record whose explanation the engine makes, so that the two keep step.
    fn record(statements: &Value) -> Record {
        let document = json!({"Version": "2012-10-17", "Statement": statements});
        let policy = NamedPolicy {
            label: "ci".to_owned(),
            policy: Document::parse(&document.to_string()).unwrap(),
        };
        let mut context = Context::default();
        context.insert("aws:SourceIp", ContextValue::One("10.0.0.1".to_owned()));
        let request = Request {
            principal: Principal::User {
                arn: "arn:aws:iam::111122223333:user/ci".to_owned(),
                account: "111122223333".to_owned(),
                unique_id: None,
            },
            action: "ecr:PutImage".to_owned(),
            resource: "arn:aws:ecr:us-east-1:111122223333:repository/a".to_owned(),
            resource_account: "111122223333".to_owned(),
            context,
        };
        let policies = Policies {
            identity: vec![&policy],
            ..Policies::default()
        };
        let explanation = bonded_iam::explain(&request, &policies);
        let value = json!({
            "id": "0190f3a1", "time": "2026-11-22T12:00:00Z",
            "principal": "arn:aws:iam::111122223333:user/ci", "accessKeyId": "AKIA",
            "sourceIp": "10.0.0.1", "userAgent": "\u{1b}[2J", "allowed": false,
            "message": "User: … is not authorized",
            "checks": [{
                "action": request.action, "resource": request.resource,
                "resourceAccount": "111122223333", "context": {"aws:SourceIp": "10.0.0.1"},
                "outcome": "denied", "explanation": explanation,
            }],
        });
        serde_json::from_value(value).unwrap()
    }

    fn text(record: &Record) -> String {
        record.lines().join("\n")
    }

    #[test]
    fn a_record_says_who_what_where_when_and_what_missed() {
        let text = text(&record(&json!([
            {"Sid": "Pull", "Effect": "Allow", "Action": "ecr:BatchGetImage", "Resource": "*"},
            {"Effect": "Allow", "Action": "ecr:*", "Resource": "arn:aws:ecr:*:*:repository/b"},
            {"Effect": "Allow", "Action": "*", "Resource": "*",
             "Condition": {"StringEquals": {"aws:username": "x"}}},
        ])));
        for want in [
            "decision 0190f3a1: denied",
            "who    arn:aws:iam::111122223333:user/ci with the key AKIA",
            "where  10.0.0.1",
            "when   2026-11-22T12:00:00Z",
            "what   ecr:PutImage on arn:aws:ecr:us-east-1:111122223333:repository/a",
            "aws:SourceIp = 10.0.0.1",
            "not allowed by any statement of the layer 'identity'",
            "  identity: ci",
            "#1 'Pull' Allow (line 1 column 15): does not apply: action wants ecr:BatchGetImage, got ecr:PutImage",
            "#2 Allow (line 1 column 91): does not apply: resource wants arn:aws:ecr:*:*:repository/b, got arn:aws:ecr:",
            "): does not apply: condition StringEquals aws:username wants x, got absent",
            "to allow it, add to a policy of the kind 'identity':",
            "\"Action\": \"ecr:PutImage\"",
        ] {
            assert!(text.contains(want), "{want} is not in\n{text}");
        }
    }

    #[test]
    fn a_deny_says_what_to_take_out() {
        let text = text(&record(&json!([
            {"Sid": "No", "Effect": "Deny", "Action": "ecr:*", "Resource": "*"},
        ])));
        assert!(
            text.contains("denied by a statement of the layer 'identity'"),
            "{text}"
        );
        assert!(
            text.contains("#1 'No' Deny (line 1 column 15): applies"),
            "{text}"
        );
        assert!(
            text.contains("to allow it, take out #1 'No' of identity: ci"),
            "{text}"
        );
    }

    #[test]
    fn a_half_that_may_not_be_seen_is_not_made_up() {
        let mut record = record(&json!([]));
        record.checks[0].explanation = None;
        assert!(text(&record).contains("may not look into"));
    }
}
