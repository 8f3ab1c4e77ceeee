//! AWS STS: who am I, and sessions of roles. API version 2011-06-15.

use std::time::Duration;

use bonded_model::{AccountId, ResourceTag, ResourceTags};
use bonded_registry::target::{Everything, RoleToAssume};
use bonded_registry::{
    Action, Allowed, Caller, Checks, DecisionNamed, Error, Registry, Result, SessionRequest,
};
use serde::{Deserialize, Serialize};

use super::operation::{Endpoint, Operation};
use super::query::number;

/// The operations that are served, one line each.
pub(super) const OPERATIONS: &[Endpoint] = &[
    Endpoint::of::<GetCallerIdentity>(),
    Endpoint::of::<AssumeRole>(),
    Endpoint::of::<DecodeAuthorizationMessage>(),
];

/// `GetCallerIdentity`.
#[derive(Debug, Deserialize)]
struct GetCallerIdentity {}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct CallerIdentity {
    user_id: String,
    account: String,
    arn: String,
}

impl Operation for GetCallerIdentity {
    const NAME: &'static str = "GetCallerIdentity";
    const ACTION: Action = Action::new("sts:GetCallerIdentity");
    const EXAMPLE: &'static str = "{}";
    type Target = Everything;
    type Output = CallerIdentity;

    fn checks(&self, caller: &Caller) -> Result<Checks<Everything>> {
        Ok(Checks::new(
            Self::ACTION,
            Everything(caller.account().clone()),
        ))
    }

    async fn run(self, _: &Registry, allowed: Allowed<Everything>) -> Result<CallerIdentity> {
        let caller = allowed.caller();
        Ok(CallerIdentity {
            user_id: caller.user_id(),
            account: caller.account().to_string(),
            arn: caller.arn(),
        })
    }
}

/// `AssumeRole`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AssumeRole {
    role_arn: String,
    role_session_name: String,
    #[serde(default, deserialize_with = "number")]
    duration_seconds: Option<u32>,
    policy: Option<String>,
    policy_arns: Option<serde_json::Value>,
    external_id: Option<String>,
    #[serde(default)]
    tags: Vec<SessionTag>,
    #[serde(default)]
    transitive_tag_keys: Vec<String>,
    source_identity: Option<String>,
    serial_number: Option<String>,
    token_code: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SessionTag {
    key: String,
    value: String,
}

/// The default of `DurationSeconds`.
const DURATION: u32 = 3600;

impl AssumeRole {
    fn request(&self) -> Result<SessionRequest> {
        self.refuse_unsupported()?;
        word("roleSessionName", &self.role_session_name, 2, 64, "")?;
        if let Some(source_identity) = &self.source_identity {
            word("sourceIdentity", source_identity, 2, 64, "")?;
        }
        if let Some(external_id) = &self.external_id {
            word("externalId", external_id, 2, 1224, ":/")?;
        }
        if self
            .policy
            .as_ref()
            .is_some_and(|policy| policy.chars().count() > POLICY_LIMIT)
        {
            return Err(Error::Validation(
                "1 validation error detected: Value at 'policy' failed to satisfy constraint: Member must have length less than or equal to 2048".to_owned(),
            ));
        }
        let duration = self.duration_seconds.unwrap_or(DURATION);
        if !(900..=43_200).contains(&duration) {
            return Err(Error::Validation(format!(
                "1 validation error detected: Value '{duration}' at 'durationSeconds' failed to satisfy constraint: Member must have value between 900 and 43200"
            )));
        }
        let tags = self.session_tags()?;
        let unknown = |key: &&String| !tags.contains_key(*key);
        if self.transitive_tag_keys.iter().any(|key| unknown(&key)) {
            return Err(Error::InvalidParameterValue(
                "The specified transitive tag key must be included in the requested tags."
                    .to_owned(),
            ));
        }
        Ok(SessionRequest {
            role: parse_role(&self.role_arn)?,
            name: self.role_session_name.clone(),
            duration: Duration::from_secs(duration.into()),
            policy: self.policy.clone(),
            external_id: self.external_id.clone(),
            tags,
            transitive_keys: self.transitive_tag_keys.clone(),
            source_identity: self.source_identity.clone(),
        })
    }

    fn refuse_unsupported(&self) -> Result<()> {
        let unsupported = |name: &str, why: &str| {
            Err(Error::Validation(format!(
                "the parameter '{name}' is not supported yet: {why}"
            )))
        };
        if self.policy_arns.is_some() {
            return unsupported(
                "PolicyArns",
                "there are no managed policies; pass the policy inline",
            );
        }
        if self.serial_number.is_some() || self.token_code.is_some() {
            return unsupported("SerialNumber", "there are no MFA devices");
        }
        Ok(())
    }

    fn session_tags(&self) -> Result<ResourceTags> {
        let mut tags = ResourceTags::new();
        for SessionTag { key, value } in &self.tags {
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
}

/// A text of `[\w+=,.@-]` and `more`, within its lengths.
fn word(at: &str, text: &str, min: usize, max: usize, more: &str) -> Result<()> {
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

/// `arn:aws:iam::ACCOUNT:role/PATH/NAME`.
fn parse_role(arn: &str) -> Result<RoleToAssume> {
    let invalid = || Error::Validation(format!("{} is invalid", arn.escape_debug()));
    let rest = arn.strip_prefix("arn:aws:iam::").ok_or_else(invalid)?;
    let (account, path) = rest.split_once(":role/").ok_or_else(invalid)?;
    let account: AccountId = account.parse().map_err(|_| invalid())?;
    let name = path
        .rsplit('/')
        .next()
        .filter(|name| !name.is_empty())
        .ok_or_else(invalid)?;
    Ok(RoleToAssume {
        arn: arn.to_owned(),
        account,
        name: name.to_owned(),
    })
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Credentials {
    access_key_id: String,
    secret_access_key: String,
    session_token: String,
    expiration: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct AssumedRoleUser {
    assumed_role_id: String,
    arn: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct AssumedRole {
    credentials: Credentials,
    assumed_role_user: AssumedRoleUser,
    #[serde(skip_serializing_if = "Option::is_none")]
    packed_policy_size: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_identity: Option<String>,
}

/// The longest inline session policy, in characters.
const POLICY_LIMIT: usize = 2048;

/// How much of the room for session policies `policy` takes, in percent, rounded up.
fn packed_size(policy: &str) -> usize {
    (policy.chars().count() * 100).div_ceil(POLICY_LIMIT)
}

impl Operation for AssumeRole {
    const NAME: &'static str = "AssumeRole";
    const ACTION: Action = Action::new("sts:AssumeRole");
    const EXAMPLE: &'static str =
        r#"{"RoleArn":"arn:aws:iam::111122223333:role/ci","RoleSessionName":"build"}"#;
    type Target = RoleToAssume;
    type Output = AssumedRole;

    fn checks(&self, caller: &Caller) -> Result<Checks<RoleToAssume>> {
        Ok(self.request()?.checks(caller))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<RoleToAssume>) -> Result<AssumedRole> {
        let packed_policy_size = self.policy.as_deref().map(packed_size);
        let made = registry.assume_role(&allowed, self.request()?).await?;
        let (session, role) = (made.session, made.role);
        Ok(AssumedRole {
            assumed_role_user: AssumedRoleUser {
                assumed_role_id: format!("{}:{}", role.id, session.name),
                arn: format!(
                    "arn:aws:sts::{}:assumed-role/{}/{}",
                    role.account, role.name, session.name
                ),
            },
            credentials: Credentials {
                access_key_id: session.id,
                secret_access_key: made.secret.expose().to_owned(),
                session_token: made.token.expose().to_owned(),
                expiration: session.expires_at.to_string(),
            },
            packed_policy_size,
            source_identity: session.source_identity,
        })
    }
}

/// `DecodeAuthorizationMessage`: here the encoded message is the id of a decision, and the decoded
/// one its record taken apart.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DecodeAuthorizationMessage {
    encoded_message: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct DecodedMessage {
    decoded_message: String,
}

impl Operation for DecodeAuthorizationMessage {
    const NAME: &'static str = "DecodeAuthorizationMessage";
    const ACTION: Action = Action::new("sts:DecodeAuthorizationMessage");
    const EXAMPLE: &'static str = r#"{"EncodedMessage":"0190f3a1b2c3d4e5f6a7b8c9"}"#;
    type Target = DecisionNamed;
    type Output = DecodedMessage;

    fn checks(&self, caller: &Caller) -> Result<Checks<DecisionNamed>> {
        let target = DecisionNamed {
            id: self.encoded_message.clone(),
            asker: caller.account().clone(),
        };
        Ok(Checks::new(Self::ACTION, target))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<DecisionNamed>,
    ) -> Result<DecodedMessage> {
        Ok(DecodedMessage {
            decoded_message: registry.explain(&allowed).await?.to_string(),
        })
    }
}
