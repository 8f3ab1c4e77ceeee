//! Sessions of roles for whoever holds a token of an identity provider.

use bonded_model::Secret;
use bonded_registry::target::RoleToAssume;
use bonded_registry::{
    Action, Allowed, Caller, Checks, Error, Registry, Result, SessionRequest, Unauthenticated,
    WebIdentity,
};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::assume_role::{AssumedRoleUser, DURATION, parse_role};
use super::shapes::{
    Credentials, PolicyDescriptor, check_policy, duration, packed_size, policy_arns, word,
};
use crate::aws::Operation;
use crate::aws::query::number;
use crate::door::Head;

/// How long a token may be, in characters.
const TOKEN: std::ops::RangeInclusive<usize> = 4..=20_000;

/// `AssumeRoleWithWebIdentity`. Its token is its credential: see [`caller`].
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::aws) struct AssumeRoleWithWebIdentity {
    role_arn: String,
    role_session_name: String,
    #[serde(deserialize_with = "secret")]
    web_identity_token: Secret,
    provider_id: Option<String>,
    policy: Option<String>,
    #[serde(default)]
    policy_arns: Vec<PolicyDescriptor>,
    #[serde(default, deserialize_with = "number")]
    duration_seconds: Option<u32>,
}

fn secret<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Secret, D::Error> {
    String::deserialize(from).map(Secret::new)
}

/// The caller whom the token in the parameters of the one call proves that nobody signs.
///
/// # Errors
/// A parameter is malformed; the token proves nothing; [`Error::TooManyAttempts`] if such tokens
/// came from this address too often.
pub(in crate::aws) async fn caller(
    registry: &Registry,
    head: &Head,
    parameters: &Value,
) -> Result<Caller> {
    let input = AssumeRoleWithWebIdentity::deserialize(parameters);
    let input =
        input.map_err(|e| crate::aws::operation::misshapen::<AssumeRoleWithWebIdentity>(&e))?;
    let role = input.check()?;
    let region = registry.regions().first().cloned();
    let region = region.ok_or(Unauthenticated::Missing)?;
    let done = registry
        .authenticate_web_identity(&input.web_identity_token, &role.account, head.facts(region))
        .await;
    if let Err(Error::InvalidIdentityToken(_)) = &done
        && let Some(seconds) = head.failed.count(head.source_ip, &input.role_arn)
    {
        return Err(Error::TooManyAttempts(seconds));
    }
    done
}

impl AssumeRoleWithWebIdentity {
    /// What is wrong with the parameters beside the token; gives the role.
    fn check(&self) -> Result<RoleToAssume> {
        let role = parse_role(&self.role_arn)?;
        word("roleSessionName", &self.role_session_name, 2, 64, "")?;
        let length = self.web_identity_token.expose().chars().count();
        if !TOKEN.contains(&length) {
            let (min, max) = (TOKEN.start(), TOKEN.end());
            return Err(Error::Validation(format!(
                "1 validation error detected: Value at 'webIdentityToken' failed to satisfy constraint: Member must have length between {min} and {max}"
            )));
        }
        if self.provider_id.is_some() {
            return Err(Error::Validation(
                "the parameter 'ProviderId' is for OAuth 2.0 access tokens, which are not taken; leave it out with an OpenID Connect token".to_owned(),
            ));
        }
        check_policy(self.policy.as_deref())?;
        policy_arns(&self.policy_arns)?;
        duration(self.duration_seconds.unwrap_or(DURATION), 43_200)?;
        Ok(role)
    }

    fn request(&self, identity: Option<&WebIdentity>) -> Result<SessionRequest> {
        Ok(SessionRequest {
            role: self.check()?,
            name: self.role_session_name.clone(),
            duration: duration(self.duration_seconds.unwrap_or(DURATION), 43_200)?,
            policy: self.policy.clone(),
            policy_arns: policy_arns(&self.policy_arns)?,
            external_id: None,
            tags: identity
                .map(|identity| identity.tags().clone())
                .unwrap_or_default(),
            transitive_keys: identity
                .map(|identity| identity.transitive_keys().to_vec())
                .unwrap_or_default(),
            source_identity: identity
                .and_then(WebIdentity::source_identity)
                .map(str::to_owned),
        })
    }
}

/// `AssumeRoleWithWebIdentityResponse`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::aws) struct AssumedRole {
    credentials: Credentials,
    subject_from_web_identity_token: String,
    assumed_role_user: AssumedRoleUser,
    #[serde(skip_serializing_if = "Option::is_none")]
    packed_policy_size: Option<usize>,
    provider: String,
    audience: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_identity: Option<String>,
}

impl Operation for AssumeRoleWithWebIdentity {
    const NAME: &'static str = "AssumeRoleWithWebIdentity";
    const ACTION: Action = Action::new("sts:AssumeRoleWithWebIdentity");
    const EXAMPLE: &'static str = r#"{"RoleArn":"arn:aws:iam::111122223333:role/ci","RoleSessionName":"build","WebIdentityToken":"eyJhbGciOiJSUzI1NiJ9.e30.AA"}"#;
    type Target = RoleToAssume;
    type Output = AssumedRole;

    fn checks(&self, caller: &Caller) -> Result<Checks<RoleToAssume>> {
        let request = self.request(caller.web_identity())?;
        Ok(request.checks(Self::ACTION, caller))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<RoleToAssume>) -> Result<AssumedRole> {
        let caller = allowed.caller().clone();
        // A signature is no token, whatever a trust policy allows to it.
        let identity = caller.web_identity().ok_or(Unauthenticated::Missing)?;
        let packed_policy_size = packed_size(self.policy.as_deref(), &self.policy_arns);
        let request = self.request(Some(identity))?;
        let made = registry.assume_role(&allowed, request).await?;
        Ok(AssumedRole {
            credentials: Credentials::new(&made.session, &made.secret, &made.token),
            subject_from_web_identity_token: identity.subject().to_owned(),
            assumed_role_user: AssumedRoleUser::new(&made.session, &made.role),
            packed_policy_size,
            provider: identity.provider(),
            audience: identity.audience().to_owned(),
            source_identity: made.session.source_identity,
        })
    }
}
