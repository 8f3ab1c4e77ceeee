//! The context keys of a request: what AWS derives for each kind of caller.
//!
//! Source: IAM user guide, "AWS global condition context keys"; the table is in
//! `contracts/iam.md` §1.

use std::collections::BTreeMap;

use bonded_iam::{Context, ContextValue};
use bonded_model::ResourceTags;
use bonded_store::SessionKind;
use serde::{Deserialize, Serialize};

use crate::caller::{Caller, Identity};

/// One value of a context key, as decision records keep it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Fact {
    /// A key with one value.
    One(String),
    /// A key that may have several.
    Many(Vec<String>),
    /// A key that applies but whose value cannot be known now; `null` in records.
    Unknown,
}

/// Context keys by name.
pub type ContextFacts = BTreeMap<String, Fact>;

/// The keys every request of `caller` has, whatever it asks for.
pub(crate) fn of_caller(caller: &Caller) -> ContextFacts {
    let mut facts = ContextFacts::new();
    let mut add = |key: &str, value: String| {
        facts.insert(key.to_owned(), Fact::One(value));
    };
    let request = caller.facts();
    add("aws:CurrentTime", caller.time().to_string());
    add("aws:EpochTime", caller.time().as_seconds().to_string());
    add("aws:SecureTransport", request.secure_transport.to_string());
    add("aws:SourceIp", request.source_ip.to_canonical().to_string());
    if let Some(network) = &request.network {
        add("aws:SourceVpce", network.clone());
        add("aws:SourceVpc", network.clone());
        add(
            "aws:VpcSourceIp",
            request.source_ip.to_canonical().to_string(),
        );
    }
    add("aws:RequestedRegion", request.region.to_string());
    if let Some(user_agent) = &request.user_agent {
        add("aws:UserAgent", user_agent.clone());
    }
    add("aws:PrincipalIsAWSService", "false".to_owned());
    if let Some(identity) = caller.web_identity() {
        facts.extend(identity.facts());
        return facts;
    }
    add("aws:userid", caller.user_id());
    add("aws:PrincipalAccount", caller.account().to_string());
    match caller.identity() {
        Identity::Web(_) => {}
        Identity::User(user) | Identity::ServiceToken { user, .. } => {
            add("aws:PrincipalType", "User".to_owned());
            add("aws:PrincipalArn", user.arn());
            add("aws:username", user.name.clone());
            principal_tags(&mut facts, &user.tags);
        }
        Identity::Session { session, role } => {
            add("aws:PrincipalType", "AssumedRole".to_owned());
            add("aws:PrincipalArn", role.arn());
            add("aws:TokenIssueTime", session.issued_at.to_string());
            add("aws:MultiFactorAuthPresent", "false".to_owned());
            if let Some(source_identity) = &session.source_identity {
                add("aws:SourceIdentity", source_identity.clone());
            }
            for (key, value) in &session.context {
                add(key, value.clone());
            }
            principal_tags(&mut facts, &overridden(&role.tags, &session.tags));
        }
        Identity::UserSession { session, user } => {
            add("aws:TokenIssueTime", session.issued_at.to_string());
            add("aws:MultiFactorAuthPresent", "false".to_owned());
            if session.kind == SessionKind::Federated {
                add("aws:PrincipalType", "FederatedUser".to_owned());
                add("aws:PrincipalArn", caller.arn());
            } else {
                add("aws:PrincipalType", "User".to_owned());
                add("aws:PrincipalArn", user.arn());
                add("aws:username", user.name.clone());
            }
            principal_tags(&mut facts, &overridden(&user.tags, &session.tags));
        }
    }
    facts
}

/// The tags of a role or user with those of its session in place of any of the same key.
fn overridden(own: &ResourceTags, of_session: &ResourceTags) -> ResourceTags {
    // As the engine compares names of keys.
    let replaced = |key: &String| {
        let key = key.to_lowercase();
        of_session.keys().any(|new| new.to_lowercase() == key)
    };
    let mut tags = own.clone();
    tags.retain(|key, _| !replaced(key));
    tags.extend(of_session.clone());
    tags
}

fn principal_tags(facts: &mut ContextFacts, tags: &ResourceTags) {
    facts.extend(of_principal_tags(tags));
}

/// `aws:PrincipalTag/KEY` for each tag.
pub(crate) fn of_principal_tags(tags: &ResourceTags) -> ContextFacts {
    let of_tag = |(key, value): (&String, &String)| {
        (format!("aws:PrincipalTag/{key}"), Fact::One(value.clone()))
    };
    tags.iter().map(of_tag).collect()
}

/// `aws:RequestTag/KEY` for each tag and `aws:TagKeys`.
#[must_use]
pub fn of_request_tags(tags: &ResourceTags) -> ContextFacts {
    let mut facts = of_tag_keys(tags.keys().cloned());
    for (key, value) in tags {
        facts.insert(format!("aws:RequestTag/{key}"), Fact::One(value.clone()));
    }
    facts
}

/// `aws:TagKeys` alone: a request that names tags by key only.
#[must_use]
pub fn of_tag_keys(keys: impl IntoIterator<Item = String>) -> ContextFacts {
    let keys: Vec<String> = keys.into_iter().collect();
    ContextFacts::from([("aws:TagKeys".to_owned(), Fact::Many(keys))])
}

/// `aws:ResourceTag/KEY` and `ecr:ResourceTag/KEY` of a repository.
#[must_use]
pub fn of_repository_tags(tags: &ResourceTags) -> ContextFacts {
    resource_tags("ecr", tags)
}

/// Those of [`of_principal_resource`] and `iam:PermissionsBoundary` of a user or a role.
pub(crate) fn of_bounded_resource(tags: &ResourceTags, boundary: Option<&String>) -> ContextFacts {
    let mut facts = of_principal_resource(tags);
    if let Some(boundary) = boundary {
        facts.extend(of_boundary(boundary));
    }
    facts
}

/// `iam:PermissionsBoundary`: the ARN of the policy that a request sets, or that is set.
#[must_use]
pub fn of_boundary(arn: &str) -> ContextFacts {
    one("iam:PermissionsBoundary", arn)
}

/// `iam:PolicyARN` of a request that attaches or detaches a managed policy.
#[must_use]
pub fn of_policy_arn(arn: &str) -> ContextFacts {
    one("iam:PolicyARN", arn)
}

/// `iam:AWSServiceName` of a request about the role of a service.
#[must_use]
pub fn of_service_name(service: &str) -> ContextFacts {
    one("iam:AWSServiceName", service)
}

/// `iam:ServiceSpecificCredentialServiceName` and `iam:ServiceSpecificCredentialAgeDays` of a
/// request that makes such a credential; without an age in days the second is absent.
#[must_use]
pub fn of_service_credential(service: &str, days: Option<u32>) -> ContextFacts {
    let mut facts = one("iam:ServiceSpecificCredentialServiceName", service);
    if let Some(days) = days {
        facts.extend(one(
            "iam:ServiceSpecificCredentialAgeDays",
            &days.to_string(),
        ));
    }
    facts
}

fn one(key: &str, value: &str) -> ContextFacts {
    ContextFacts::from([(key.to_owned(), Fact::One(value.to_owned()))])
}

/// `aws:ResourceTag/KEY` and `iam:ResourceTag/KEY` of a thing of IAM.
pub(crate) fn of_principal_resource(tags: &ResourceTags) -> ContextFacts {
    resource_tags("iam", tags)
}

fn resource_tags(service: &str, tags: &ResourceTags) -> ContextFacts {
    tags.iter()
        .flat_map(|(key, value)| {
            let named = |prefix| {
                (
                    format!("{prefix}:ResourceTag/{key}"),
                    Fact::One(value.clone()),
                )
            };
            ["aws", service].map(named)
        })
        .collect()
}

/// The engine's form. Two keys that differ in case only and disagree become unknown there.
pub(crate) fn to_engine(facts: &ContextFacts) -> Context {
    let mut context = Context::default();
    for (key, fact) in facts {
        let value = match fact {
            Fact::One(value) => ContextValue::One(value.clone()),
            Fact::Many(values) => ContextValue::Many(values.clone()),
            Fact::Unknown => ContextValue::Unknown,
        };
        context.insert(key, value);
    }
    context
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sessions_tag_takes_the_place_of_what_the_engine_holds_for_the_same() {
        let tags = |tags: &[(&str, &str)]| -> ResourceTags {
            let pairs = tags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
            pairs.collect()
        };
        for (own, of_session) in [
            ("team", "TEAM"),
            ("\u{e9}quipe", "\u{c9}quipe"),
            ("k", "\u{212a}"),
        ] {
            let all = overridden(
                &tags(&[(own, "a"), ("other", "x")]),
                &tags(&[(of_session, "b")]),
            );
            assert_eq!(all, tags(&[("other", "x"), (of_session, "b")]));
        }
    }
}
