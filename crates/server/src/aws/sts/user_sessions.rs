//! Sessions of users: as themselves, and for someone they vouch for.

use bonded_registry::target::{Everything, FederatedUserNamed};
use bonded_registry::{Action, Allowed, Caller, Checks, FederationRequest, Registry, Result};
use serde::{Deserialize, Serialize};

use super::shapes::{
    Credentials, PolicyDescriptor, SessionTag, check_policy, duration, no_second_factor,
    packed_size, policy_arns, session_tags, word,
};
use crate::aws::Operation;
use crate::aws::query::number;

/// The default of `DurationSeconds`, and its limit: 12 and 36 hours.
const DURATION: u32 = 43_200;
const DURATION_LIMIT: u32 = 129_600;

/// `GetSessionToken`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetSessionToken {
    #[serde(default, deserialize_with = "number")]
    duration_seconds: Option<u32>,
    serial_number: Option<String>,
    token_code: Option<String>,
}

/// `GetSessionTokenResponse`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SessionToken {
    credentials: Credentials,
}

impl Operation for GetSessionToken {
    const NAME: &'static str = "GetSessionToken";
    const ACTION: Action = Action::new("sts:GetSessionToken");
    const EXAMPLE: &'static str = "{}";
    type Target = Everything;
    type Output = SessionToken;

    fn checks(&self, caller: &Caller) -> Result<Checks<Everything>> {
        no_second_factor(self.serial_number.as_deref(), self.token_code.as_deref())?;
        duration(self.duration_seconds.unwrap_or(DURATION), DURATION_LIMIT)?;
        Ok(Checks::new(Self::ACTION, Everything::of(caller)))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<Everything>) -> Result<SessionToken> {
        let lifetime = duration(self.duration_seconds.unwrap_or(DURATION), DURATION_LIMIT)?;
        let made = registry.session_token(&allowed, lifetime).await?;
        Ok(SessionToken {
            credentials: Credentials::new(&made.session, &made.secret, &made.token),
        })
    }
}

/// `GetFederationToken`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetFederationToken {
    name: String,
    policy: Option<String>,
    #[serde(default)]
    policy_arns: Vec<PolicyDescriptor>,
    #[serde(default, deserialize_with = "number")]
    duration_seconds: Option<u32>,
    #[serde(default)]
    tags: Vec<SessionTag>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct FederatedUser {
    federated_user_id: String,
    arn: String,
}

/// `GetFederationTokenResponse`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct FederationToken {
    credentials: Credentials,
    federated_user: FederatedUser,
    packed_policy_size: usize,
}

impl Operation for GetFederationToken {
    const NAME: &'static str = "GetFederationToken";
    const ACTION: Action = Action::new("sts:GetFederationToken");
    const EXAMPLE: &'static str = r#"{"Name":"guest"}"#;
    type Target = FederatedUserNamed;
    type Output = FederationToken;

    fn checks(&self, caller: &Caller) -> Result<Checks<FederatedUserNamed>> {
        word("name", &self.name, 2, 32, "")?;
        check_policy(self.policy.as_deref())?;
        policy_arns(&self.policy_arns)?;
        duration(self.duration_seconds.unwrap_or(DURATION), DURATION_LIMIT)?;
        let tags = session_tags(&self.tags)?;
        let target = FederatedUserNamed {
            account: caller.account().clone(),
            name: self.name.clone(),
        };
        let tag = Action::new("sts:TagSession");
        Ok(Checks::new(Self::ACTION, target).tagged(tag, &tags))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<FederatedUserNamed>,
    ) -> Result<FederationToken> {
        let size = packed_size(self.policy.as_deref(), &self.policy_arns);
        let request = FederationRequest {
            policy: self.policy,
            policy_arns: policy_arns(&self.policy_arns)?,
            duration: duration(self.duration_seconds.unwrap_or(DURATION), DURATION_LIMIT)?,
            tags: session_tags(&self.tags)?,
        };
        let made = registry.federation_token(&allowed, request).await?;
        let target = allowed.target();
        Ok(FederationToken {
            credentials: Credentials::new(&made.session, &made.secret, &made.token),
            federated_user: FederatedUser {
                federated_user_id: format!("{}:{}", target.account, target.name),
                arn: target.arn(),
            },
            packed_policy_size: size.unwrap_or(0),
        })
    }
}
