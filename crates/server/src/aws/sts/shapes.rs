//! What the operations that make sessions share.

use std::time::Duration;

use bonded_model::{InvalidPolicyArn, PolicyArn, ResourceTag, ResourceTags, Secret};
use bonded_registry::{Error, Result, Session};
use serde::{Deserialize, Serialize};

/// `Tag`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SessionTag {
    key: String,
    value: String,
}

/// `PolicyDescriptorType`.
#[derive(Debug, Deserialize)]
pub(super) struct PolicyDescriptor {
    arn: String,
}

/// `Credentials`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Credentials {
    access_key_id: String,
    secret_access_key: String,
    session_token: String,
    expiration: String,
}

impl Credentials {
    pub(super) fn new(session: &Session, secret: &Secret, token: &Secret) -> Self {
        Self {
            access_key_id: session.id.clone(),
            secret_access_key: secret.expose().to_owned(),
            session_token: token.expose().to_owned(),
            expiration: session.expires_at.to_string(),
        }
    }
}

/// The longest inline session policy, in characters.
const POLICY_LIMIT: usize = 2048;

/// How much of the room for session policies these take, in percent, rounded up; `None` without.
pub(super) fn packed_size(policy: Option<&str>, arns: &[PolicyDescriptor]) -> Option<usize> {
    if policy.is_none() && arns.is_empty() {
        return None;
    }
    let inline = policy.map_or(0, |text| text.chars().count());
    let named: usize = arns.iter().map(|policy| policy.arn.len()).sum();
    Some(((inline + named) * 100).div_ceil(POLICY_LIMIT).min(100))
}

/// Checks the length of an inline session policy; what it says is judged when it is used.
pub(super) fn check_policy(policy: Option<&str>) -> Result<()> {
    if policy.is_some_and(|policy| policy.chars().count() > POLICY_LIMIT) {
        return Err(Error::Validation(
            "1 validation error detected: Value at 'policy' failed to satisfy constraint: Member must have length less than or equal to 2048".to_owned(),
        ));
    }
    Ok(())
}

/// The managed policies that narrow a session, 10 at most.
pub(super) fn policy_arns(list: &[PolicyDescriptor]) -> Result<Vec<PolicyArn>> {
    if list.len() > 10 {
        return Err(Error::Validation(
            "1 validation error detected: Value at 'policyArns' failed to satisfy constraint: Member must have length less than or equal to 10".to_owned(),
        ));
    }
    let parse = |policy: &PolicyDescriptor| {
        let invalid = |_: InvalidPolicyArn| {
            Error::Validation(format!("{} is invalid", policy.arn.escape_debug()))
        };
        policy.arn.parse().map_err(invalid)
    };
    list.iter().map(parse).collect()
}

/// How long a session shall last, 900 seconds to `max`.
pub(super) fn duration(seconds: u32, max: u32) -> Result<Duration> {
    if (900..=max).contains(&seconds) {
        Ok(Duration::from_secs(seconds.into()))
    } else {
        Err(Error::Validation(format!(
            "1 validation error detected: Value '{seconds}' at 'durationSeconds' failed to satisfy constraint: Member must have value between 900 and {max}"
        )))
    }
}

/// A code of a second factor cannot be right: there are no devices.
pub(super) fn no_second_factor(serial: Option<&str>, code: Option<&str>) -> Result<()> {
    if serial.is_some() || code.is_some() {
        return Err(Error::Validation(
            "the parameter 'SerialNumber' is not supported: there are no MFA devices".to_owned(),
        ));
    }
    Ok(())
}

/// A text of `[\w+=,.@-]` and `more`, within its lengths.
pub(super) fn word(at: &str, text: &str, min: usize, max: usize, more: &str) -> Result<()> {
    let count = text.chars().count();
    let fails = |what: String| {
        let shown: String = text.chars().take(64).flat_map(char::escape_debug).collect();
        Err(Error::Validation(format!(
            "1 validation error detected: Value '{shown}' at '{at}' failed to satisfy constraint: {what}"
        )))
    };
    if count < min {
        return fails(format!(
            "Member must have length greater than or equal to {min}"
        ));
    }
    if count > max {
        return fails(format!(
            "Member must have length less than or equal to {max}"
        ));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c) || more.contains(c);
    if text.chars().all(allowed) {
        Ok(())
    } else {
        fails(format!(
            "Member must satisfy regular expression pattern: [\\w+=,.@{more}-]*"
        ))
    }
}

/// The tags of a session; keys are the same without regard to case.
pub(super) fn session_tags(list: &[SessionTag]) -> Result<ResourceTags> {
    let mut tags = ResourceTags::new();
    for SessionTag { key, value } in list {
        let tag = ResourceTag::new(key.clone(), value.clone())
            .map_err(|e| Error::Validation(e.to_string()))?;
        let twice = tags
            .keys()
            .any(|other| other.to_lowercase() == key.to_lowercase());
        if twice {
            return Err(Error::InvalidParameterValue(
                "Duplicate tag keys found. Please note that Tag keys are case insensitive."
                    .to_owned(),
            ));
        }
        tags.insert(tag.key().to_owned(), tag.value().to_owned());
    }
    if tags.len() > bonded_model::TAGS_LIMIT {
        return Err(Error::Validation(format!(
            "a session can have at most {} tags",
            bonded_model::TAGS_LIMIT
        )));
    }
    Ok(tags)
}
