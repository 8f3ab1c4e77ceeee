//! What may be saved as a policy: stricter than what evaluation can read.
//!
//! Everything whose meaning is not defined is refused here, so that evaluation never has to take
//! the denying reading of a policy we accepted. The texts are those of AWS's
//! `MalformedPolicyDocument` (iam.md §2, §3, §6, §11).

mod condition;

use std::collections::HashSet;

use serde_json::Value;

use crate::action::ActionPattern;
use crate::malformed::MalformedPolicy;
use crate::policy::{Effect, Element, Policy, PolicyKind, Statement, list};
use crate::principal::Entry;
use crate::resource::ResourcePattern;
use condition::{check_conditions, check_own_variables, check_shared_providers};

/// Parses a document and refuses it unless it may be saved as `kind`.
///
/// Whether the principals it names exist is for the caller to check; see [`Policy::principals`].
///
/// # Errors
/// The first defect found, in AWS's words; see [`MalformedPolicy::is_too_long`] for the size.
pub fn validate(text: &str, kind: PolicyKind) -> Result<Policy, MalformedPolicy> {
    let limit = size_limit(kind);
    if document_size(text, kind) > limit {
        return Err(MalformedPolicy::too_long(limit));
    }
    validate_any_size(text, kind)
}

/// [`validate`] for a document that is not to be saved, so that its size does not matter.
///
/// # Errors
/// The first defect found, in AWS's words.
pub fn validate_any_size(text: &str, kind: PolicyKind) -> Result<Policy, MalformedPolicy> {
    if !is_ecr(kind) && !text.chars().all(is_allowed) {
        return Err(MalformedPolicy::new(
            "The specified value for policyDocument is invalid. It must contain only printable ASCII characters.",
        ));
    }
    let document = bonded_model::json::parse(text.as_bytes()).map_err(|_| match kind {
        PolicyKind::Trust => MalformedPolicy::new("This policy contains invalid Json"),
        _ => MalformedPolicy::syntax(),
    })?;
    let policy = Policy::from_text(text, &document)?;
    check_document(&document, kind)?;
    if policy.statements.is_empty() {
        return Err(MalformedPolicy::syntax());
    }
    let mut sids = HashSet::new();
    for statement in &policy.statements {
        if !statement.understood {
            return Err(MalformedPolicy::syntax());
        }
        check_sid(statement, kind, &mut sids)?;
        check_action(statement, kind)?;
        check_resource(statement, kind)?;
        check_principal(statement, kind)?;
        check_conditions(statement)?;
        if kind == PolicyKind::Trust {
            check_shared_providers(statement)?;
        }
    }
    Ok(policy)
}

/// The size of a document as AWS counts it for `kind`: bytes for ECR, all characters for session
/// and organization policies, characters that are not white space for the rest.
#[must_use]
pub fn document_size(text: &str, kind: PolicyKind) -> usize {
    match kind {
        PolicyKind::Repository | PolicyKind::Registry => text.len(),
        PolicyKind::Session | PolicyKind::ServiceControl | PolicyKind::ResourceControl => {
            text.chars().count()
        }
        PolicyKind::Identity | PolicyKind::Boundary | PolicyKind::Trust => {
            text.chars().filter(|c| !c.is_whitespace()).count()
        }
    }
}

/// The largest document of a kind. What an inline policy may be depends on what it belongs to and
/// on its siblings; here is the most it can be.
fn size_limit(kind: PolicyKind) -> usize {
    match kind {
        PolicyKind::Identity | PolicyKind::Repository | PolicyKind::Registry => 10_240,
        PolicyKind::Boundary => 6_144,
        PolicyKind::Session => 2_048,
        PolicyKind::Trust => 4_096,
        PolicyKind::ServiceControl | PolicyKind::ResourceControl => 5_120,
    }
}

fn is_ecr(kind: PolicyKind) -> bool {
    matches!(kind, PolicyKind::Repository | PolicyKind::Registry)
}

fn is_allowed(char: char) -> bool {
    matches!(char, '\t' | '\n' | '\r' | ' '..='\u{ff}')
}

fn check_document(document: &Value, kind: PolicyKind) -> Result<(), MalformedPolicy> {
    let needs_2012 = matches!(
        kind,
        PolicyKind::Identity
            | PolicyKind::Boundary
            | PolicyKind::ServiceControl
            | PolicyKind::ResourceControl
    );
    match document.get("Version").map(Value::as_str) {
        Some(Some("2012-10-17")) => {}
        Some(Some("2008-10-17")) | None if needs_2012 => {
            return Err(MalformedPolicy::new(
                "Policy document must be version 2012-10-17 or greater.",
            ));
        }
        Some(Some("2008-10-17")) | None => {}
        Some(_) => return Err(MalformedPolicy::syntax()),
    }
    if document.get("Id").is_some_and(|id| !id.is_string()) {
        return Err(MalformedPolicy::syntax());
    }
    Ok(())
}

fn check_sid<'p>(
    statement: &'p Statement,
    kind: PolicyKind,
    sids: &mut HashSet<&'p str>,
) -> Result<(), MalformedPolicy> {
    let Some(sid) = statement.source.get("Sid").and_then(Value::as_str) else {
        return Ok(());
    };
    if is_ecr(kind) {
        return Ok(());
    }
    if !sid.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(MalformedPolicy::new(
            "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*",
        ));
    }
    if !sid.is_empty() && !sids.insert(sid) {
        return Err(MalformedPolicy::new(
            "Statement IDs (SID) in a single policy must be unique.",
        ));
    }
    Ok(())
}

fn check_action(statement: &Statement, kind: PolicyKind) -> Result<(), MalformedPolicy> {
    let missing = || MalformedPolicy::new("Policy statement must contain actions.");
    let (patterns, element) = match &statement.action {
        Element::Absent => return Err(missing()),
        Element::NotUnderstood => return Err(MalformedPolicy::syntax()),
        Element::Excluded(_) if kind == PolicyKind::ResourceControl => {
            return Err(MalformedPolicy::syntax());
        }
        Element::Listed(patterns) => (patterns, "Action"),
        Element::Excluded(patterns) => (patterns, "NotAction"),
    };
    if patterns.is_empty() {
        return Err(missing());
    }
    for (pattern, value) in patterns.iter().zip(values(statement, element)) {
        let text = value.as_str().ok_or_else(MalformedPolicy::syntax)?;
        match pattern {
            ActionPattern::Everything if kind != PolicyKind::Trust => {}
            ActionPattern::Named { service, .. }
                if kind == PolicyKind::Trust && !service.eq_ignore_ascii_case("sts") =>
            {
                return Err(only_sts());
            }
            ActionPattern::Named { service, .. } => check_service(service, text)?,
            ActionPattern::Everything => return Err(only_sts()),
            ActionPattern::NotUnderstood(_) => {
                return Err(match text.split_once(':') {
                    Some((service, _)) => not_a_vendor(service),
                    None => no_vendor(),
                });
            }
        }
    }
    Ok(())
}

fn only_sts() -> MalformedPolicy {
    MalformedPolicy::new("AssumeRole policy may only specify STS AssumeRole actions.")
}

fn no_vendor() -> MalformedPolicy {
    MalformedPolicy::new(
        "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
    )
}

fn not_a_vendor(service: &str) -> MalformedPolicy {
    MalformedPolicy::new(format!("Vendor {} is not valid", service.escape_debug()))
}

fn check_service(service: &str, action: &str) -> Result<(), MalformedPolicy> {
    let valid = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    if !service.bytes().all(valid) {
        return Err(not_a_vendor(service));
    }
    if action.matches(':').count() > 1 {
        return Err(MalformedPolicy::new(
            "Actions/Condition can contain only one colon.",
        ));
    }
    Ok(())
}

fn check_resource(statement: &Statement, kind: PolicyKind) -> Result<(), MalformedPolicy> {
    let implied = matches!(kind, PolicyKind::Repository | PolicyKind::Trust);
    let missing = || MalformedPolicy::new("Policy statement must contain resources.");
    let (patterns, element) = match &statement.resource {
        Element::Absent if implied => return Ok(()),
        _ if implied => return Err(MalformedPolicy::new("Has prohibited field Resource")),
        Element::Absent => return Err(missing()),
        Element::NotUnderstood => return Err(MalformedPolicy::syntax()),
        Element::Listed(patterns) => (patterns, "Resource"),
        Element::Excluded(patterns) => (patterns, "NotResource"),
    };
    if patterns.is_empty() {
        return Err(missing());
    }
    for (pattern, value) in patterns.iter().zip(values(statement, element)) {
        let text = value.as_str().ok_or_else(MalformedPolicy::syntax)?;
        check_own_variables(text)?;
        if let ResourcePattern::NotUnderstood(whole) = pattern {
            return Err(resource_defect(text, whole.is_some()));
        }
    }
    Ok(())
}

fn resource_defect(text: &str, readable: bool) -> MalformedPolicy {
    if !readable {
        return MalformedPolicy::legacy();
    }
    let service = text.split(':').nth(2).unwrap_or_default();
    if text.starts_with("arn:") && service.contains(['*', '?']) {
        return MalformedPolicy::new(
            "Resource vendor must be fully qualified and cannot contain regexes.",
        );
    }
    MalformedPolicy::new(format!("Resource {text} must be in ARN format or \"*\"."))
}

fn check_principal(statement: &Statement, kind: PolicyKind) -> Result<(), MalformedPolicy> {
    let entries = match (kind, &statement.principal) {
        (
            PolicyKind::Identity
            | PolicyKind::Session
            | PolicyKind::Boundary
            | PolicyKind::ServiceControl,
            principal,
        ) => {
            return match principal {
                Element::Absent => Ok(()),
                _ => Err(MalformedPolicy::new(
                    "Policy document should not specify a principal.",
                )),
            };
        }
        (PolicyKind::ResourceControl, principal) => {
            let everyone = matches!(principal, Element::Listed(e) if e[..] == [Entry::Everyone]);
            return if everyone && statement.effect == Effect::Deny {
                Ok(())
            } else {
                Err(MalformedPolicy::syntax())
            };
        }
        (_, Element::Absent) => {
            return Err(MalformedPolicy::new("Missing required field Principal"));
        }
        (_, Element::NotUnderstood) => return Err(MalformedPolicy::syntax()),
        (_, Element::Listed(entries)) => entries,
        (_, Element::Excluded(entries)) => {
            if kind == PolicyKind::Trust || statement.effect == Effect::Allow {
                return Err(MalformedPolicy::syntax());
            }
            entries
        }
    };
    let bad = entries.iter().find_map(|entry| match entry {
        Entry::NotUnderstood(text) => Some(MalformedPolicy::invalid_principal(text)),
        _ => None,
    });
    bad.map_or(Ok(()), Err)
}

/// The values of an element, as written.
fn values<'p>(statement: &'p Statement, element: &str) -> impl Iterator<Item = &'p Value> {
    statement.source.get(element).into_iter().flat_map(list)
}

#[cfg(test)]
mod tests;
