//! Service-specific credentials of users for ECR: what we call service tokens.
//!
//! Beside AWS's members, `CreateServiceSpecificCredential` takes what binds a token (decision 0018).

use std::net::IpAddr;
use std::time::Duration;

use bonded_registry::target::UserNamed;
use bonded_registry::{
    Action, Allowed, Caller, Checks, Error, NewServiceToken, Registry, Result, ServiceToken,
    TokenRequest, of_service_credential,
};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::access_keys::Status;
use super::named::Named;
use super::shapes::{NoAnswer, constraint, description, user};
use crate::aws::Operation;
use crate::aws::query::number;

/// The one service that has such credentials here.
const SERVICE: &str = "ecr.amazonaws.com";

/// The user name that goes with every password of ECR.
const SERVICE_USER_NAME: &str = "AWS";

/// AWS's longest life of a credential, in days.
const DAYS_LIMIT: u32 = 36_600;

/// The most patterns or networks that a token is bound to, each.
const BOUNDS_LIMIT: usize = 50;

/// `ServiceSpecificCredential`, with its password where that is shown.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CredentialShape {
    create_date: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiration_date: Option<String>,
    service_name: &'static str,
    service_user_name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_password: Option<String>,
    service_specific_credential_id: String,
    user_name: String,
    status: &'static str,
}

impl CredentialShape {
    pub(super) fn new(user_name: &str, token: ServiceToken, caller: &Caller) -> Self {
        Self {
            create_date: token.created_at.to_string(),
            expiration_date: token.expires_at.map(|end| end.to_string()),
            service_name: SERVICE,
            service_user_name: SERVICE_USER_NAME,
            service_password: None,
            status: status(&token, caller),
            service_specific_credential_id: token.id,
            user_name: user_name.to_owned(),
        }
    }
}

/// The status of a token at the time of `caller`'s request.
pub(super) fn status(token: &ServiceToken, caller: &Caller) -> &'static str {
    match token.expires_at {
        Some(end) if end <= caller.time() => "Expired",
        _ if token.active => "Active",
        _ => "Inactive",
    }
}

/// `CreateServiceSpecificCredentialResponse` and `ResetServiceSpecificCredentialResponse`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CredentialAnswer {
    service_specific_credential: CredentialShape,
}

impl CredentialAnswer {
    fn new(allowed: &Allowed<UserNamed>, made: NewServiceToken) -> Result<Self> {
        let name = &allowed.user()?.name;
        let mut shape = CredentialShape::new(name, made.token, allowed.caller());
        shape.service_password = Some(made.password.expose().to_owned());
        Ok(Self {
            service_specific_credential: shape,
        })
    }
}

/// `CreateServiceSpecificCredential`, and what binds the token; AWS has the first three members.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateCredential {
    user_name: Option<String>,
    service_name: String,
    #[serde(default, deserialize_with = "number")]
    credential_age_days: Option<u32>,
    /// How long it lives, for less than a day.
    #[serde(default, deserialize_with = "number")]
    duration_seconds: Option<u32>,
    description: Option<String>,
    /// Patterns of actions, `ecr:BatchGetImage`.
    #[serde(default)]
    actions: Vec<String>,
    /// Patterns of names of repositories, or of their ARNs.
    #[serde(default)]
    repositories: Vec<String>,
    #[serde(default)]
    source_networks: Vec<String>,
}

impl CreateCredential {
    fn lifetime(&self) -> Result<Option<Duration>> {
        const DAY: u64 = 24 * 60 * 60;
        let range = |at: &str, value: u32| {
            constraint(
                at,
                &format!("Member must have value between 1 and {DAYS_LIMIT} days, not {value}"),
            )
        };
        match (self.credential_age_days, self.duration_seconds) {
            (None, None) => Ok(None),
            (Some(days), None) if (1..=DAYS_LIMIT).contains(&days) => {
                Ok(Some(Duration::from_secs(u64::from(days) * DAY)))
            }
            (Some(days), None) => Err(range("credentialAgeDays", days)),
            (None, Some(seconds))
                if u64::from(seconds) <= u64::from(DAYS_LIMIT) * DAY && seconds > 0 =>
            {
                Ok(Some(Duration::from_secs(seconds.into())))
            }
            (None, Some(seconds)) => Err(range("durationSeconds", seconds)),
            (Some(_), Some(_)) => Err(Error::Validation(
                "CredentialAgeDays and DurationSeconds cannot both be given".to_owned(),
            )),
        }
    }

    fn check_bounds(&self) -> Result<()> {
        for (at, list) in [
            ("actions", &self.actions),
            ("repositories", &self.repositories),
            ("sourceNetworks", &self.source_networks),
        ] {
            if list.len() > BOUNDS_LIMIT || list.iter().any(String::is_empty) {
                let what = format!("Member must have 1 to {BOUNDS_LIMIT} texts that are not empty");
                return Err(constraint(at, &what));
            }
        }
        let ecr = |action: &String| action.to_ascii_lowercase().starts_with("ecr:");
        if !self.actions.iter().all(ecr) {
            let what = "Member must be an action of ECR, such as ecr:BatchGetImage, or a pattern";
            return Err(constraint("actions", what));
        }
        let pattern = |text: &String| {
            let name = |c: char| c.is_ascii_alphanumeric() || "._-/*?".contains(c);
            text.starts_with("arn:aws:ecr:") || text.chars().all(name)
        };
        if !self.repositories.iter().all(pattern) {
            let what = "Member must be the name of a repository, an ARN of one, or a pattern";
            return Err(constraint("repositories", what));
        }
        let network =
            |text: &String| text.parse::<IpNet>().is_ok() || text.parse::<IpAddr>().is_ok();
        if !self.source_networks.iter().all(network) {
            let what = "Member must be an address or a network, such as 10.1.0.0/16";
            return Err(constraint("sourceNetworks", what));
        }
        Ok(())
    }
}

impl Operation for CreateCredential {
    const NAME: &'static str = "CreateServiceSpecificCredential";
    const ACTION: Action = Action::new("iam:CreateServiceSpecificCredential");
    const EXAMPLE: &'static str = r#"{"UserName":"alice","ServiceName":"ecr.amazonaws.com"}"#;
    type Target = UserNamed;
    type Output = CredentialAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<UserNamed>> {
        supported(&self.service_name)?;
        self.lifetime()?;
        self.check_bounds()?;
        description(self.description.as_deref())?;
        let target = user(caller, self.user_name.as_deref())?;
        let facts = of_service_credential(SERVICE, self.credential_age_days);
        Ok(Checks::new(Self::ACTION, target).with(facts))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<UserNamed>,
    ) -> Result<CredentialAnswer> {
        let request = TokenRequest {
            lifetime: self.lifetime()?,
            description: description(self.description.as_deref())?.unwrap_or_default(),
            actions: self.actions,
            repositories: self.repositories,
            networks: self.source_networks,
        };
        let made = registry.create_service_token(&allowed, request).await?;
        CredentialAnswer::new(&allowed, made)
    }
}

/// A token of a user, by default of the caller.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OfCredential {
    user_name: Option<String>,
    #[serde(rename = "ServiceSpecificCredentialId")]
    id: String,
}

impl Named for OfCredential {
    type Target = UserNamed;

    fn target(&self, caller: &Caller) -> Result<UserNamed> {
        credential_id(&self.id)?;
        user(caller, self.user_name.as_deref())
    }
}

/// `ResetServiceSpecificCredential`.
#[derive(Debug, Deserialize)]
pub(super) struct ResetCredential(OfCredential);

impl Operation for ResetCredential {
    const NAME: &'static str = "ResetServiceSpecificCredential";
    const ACTION: Action = Action::new("iam:ResetServiceSpecificCredential");
    const EXAMPLE: &'static str =
        r#"{"UserName":"alice","ServiceSpecificCredentialId":"ACCAIOSFODNN7EXAMPLEA"}"#;
    type Target = UserNamed;
    type Output = CredentialAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<UserNamed>> {
        Ok(Checks::new(Self::ACTION, self.0.target(caller)?))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<UserNamed>,
    ) -> Result<CredentialAnswer> {
        let made = registry.reset_service_token(&allowed, &self.0.id).await?;
        CredentialAnswer::new(&allowed, made)
    }
}

/// `UpdateServiceSpecificCredential`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateCredential {
    #[serde(flatten)]
    credential: OfCredential,
    status: Status,
}

impl Operation for UpdateCredential {
    const NAME: &'static str = "UpdateServiceSpecificCredential";
    const ACTION: Action = Action::new("iam:UpdateServiceSpecificCredential");
    const EXAMPLE: &'static str = r#"{"UserName":"alice","ServiceSpecificCredentialId":"ACCAIOSFODNN7EXAMPLEA","Status":"Inactive"}"#;
    type Target = UserNamed;
    type Output = NoAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<UserNamed>> {
        Ok(Checks::new(Self::ACTION, self.credential.target(caller)?))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<UserNamed>) -> Result<NoAnswer> {
        let id = &self.credential.id;
        let active = matches!(self.status, Status::Active);
        registry.update_service_token(&allowed, id, active).await?;
        Ok(NoAnswer {})
    }
}

/// `DeleteServiceSpecificCredential`.
#[derive(Debug, Deserialize)]
pub(super) struct DeleteCredential(OfCredential);

impl Operation for DeleteCredential {
    const NAME: &'static str = "DeleteServiceSpecificCredential";
    const ACTION: Action = Action::new("iam:DeleteServiceSpecificCredential");
    const EXAMPLE: &'static str =
        r#"{"UserName":"alice","ServiceSpecificCredentialId":"ACCAIOSFODNN7EXAMPLEA"}"#;
    type Target = UserNamed;
    type Output = NoAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<UserNamed>> {
        Ok(Checks::new(Self::ACTION, self.0.target(caller)?))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<UserNamed>) -> Result<NoAnswer> {
        registry.delete_service_token(&allowed, &self.0.id).await?;
        Ok(NoAnswer {})
    }
}

pub(super) fn supported(service: &str) -> Result<()> {
    if service == SERVICE {
        return Ok(());
    }
    let service = service.escape_debug();
    Err(Error::ServiceNotSupported(format!(
        "the service '{service}' has no credentials of its own here; expected is {SERVICE}"
    )))
}

fn credential_id(text: &str) -> Result<()> {
    let word = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if (20..=128).contains(&text.len()) && word {
        return Ok(());
    }
    Err(constraint(
        "serviceSpecificCredentialId",
        "Member must satisfy regular expression pattern: [\\w]{20,128}",
    ))
}
