//! AWS STS: who am I, and sessions of roles and users. API version 2011-06-15.
//!
//! | file | subject |
//! |---|---|
//! | `assume_role` | sessions of roles |
//! | `web_identity` | the same for the token of an identity provider, which nobody signs |
//! | `user_sessions` | sessions of users: `GetSessionToken`, `GetFederationToken` |
//! | `shapes` | credentials, session tags and session policies |

mod assume_role;
mod shapes;
mod user_sessions;
mod web_identity;

use bonded_registry::target::Everything;
use bonded_registry::{Action, Allowed, Caller, Checks, DecisionNamed, Registry, Result};
use serde::{Deserialize, Serialize};

use super::operation::{Endpoint, Operation};
pub(super) use web_identity::{AssumeRoleWithWebIdentity, caller as web_identity};

/// The operations that are served, one line each.
pub(super) const OPERATIONS: &[Endpoint] = &[
    Endpoint::of::<GetCallerIdentity>(),
    Endpoint::of::<assume_role::AssumeRole>(),
    Endpoint::of::<AssumeRoleWithWebIdentity>(),
    Endpoint::of::<user_sessions::GetSessionToken>(),
    Endpoint::of::<user_sessions::GetFederationToken>(),
    Endpoint::of::<GetAccessKeyInfo>(),
    Endpoint::of::<DecodeAuthorizationMessage>(),
];

/// `GetCallerIdentity`.
#[derive(Debug, Deserialize)]
pub(super) struct GetCallerIdentity {}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CallerIdentity {
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
        Ok(Checks::new(Self::ACTION, Everything::of(caller)))
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

/// `GetAccessKeyInfo`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetAccessKeyInfo {
    access_key_id: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct AccessKeyInfo {
    account: String,
}

impl Operation for GetAccessKeyInfo {
    const NAME: &'static str = "GetAccessKeyInfo";
    const ACTION: Action = Action::new("sts:GetAccessKeyInfo");
    const EXAMPLE: &'static str = r#"{"AccessKeyId":"AKIAIOSFODNN7EXAMPLE"}"#;
    type Target = Everything;
    type Output = AccessKeyInfo;

    fn checks(&self, caller: &Caller) -> Result<Checks<Everything>> {
        shapes::word("accessKeyId", &self.access_key_id, 16, 128, "")?;
        Ok(Checks::new(Self::ACTION, Everything::of(caller)))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<Everything>) -> Result<AccessKeyInfo> {
        let account = registry
            .account_of_access_key(&allowed, &self.access_key_id)
            .await?;
        Ok(AccessKeyInfo {
            account: account.to_string(),
        })
    }
}
