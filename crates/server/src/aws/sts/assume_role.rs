//! Sessions of roles.

use bonded_model::AccountId;
use bonded_registry::target::RoleToAssume;
use bonded_registry::{
    Action, Allowed, Caller, Checks, Error, Registry, Result, Role, Session, SessionRequest,
};
use serde::{Deserialize, Serialize};

use super::shapes::{
    Credentials, PolicyDescriptor, SessionTag, check_policy, duration, no_second_factor,
    packed_size, policy_arns, session_tags, word,
};
use crate::aws::Operation;
use crate::aws::query::number;

/// `AssumeRole`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AssumeRole {
    role_arn: String,
    role_session_name: String,
    #[serde(default, deserialize_with = "number")]
    duration_seconds: Option<u32>,
    policy: Option<String>,
    #[serde(default)]
    policy_arns: Vec<PolicyDescriptor>,
    external_id: Option<String>,
    #[serde(default)]
    tags: Vec<SessionTag>,
    #[serde(default)]
    transitive_tag_keys: Vec<String>,
    source_identity: Option<String>,
    serial_number: Option<String>,
    token_code: Option<String>,
}

/// The default of `DurationSeconds`.
pub(super) const DURATION: u32 = 3600;

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
        check_policy(self.policy.as_deref())?;
        let duration = duration(self.duration_seconds.unwrap_or(DURATION), 43_200)?;
        let tags = session_tags(&self.tags)?;
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
            duration,
            policy_arns: policy_arns(&self.policy_arns)?,
            policy: self.policy.clone(),
            external_id: self.external_id.clone(),
            tags,
            transitive_keys: self.transitive_tag_keys.clone(),
            source_identity: self.source_identity.clone(),
        })
    }

    fn refuse_unsupported(&self) -> Result<()> {
        no_second_factor(self.serial_number.as_deref(), self.token_code.as_deref())
    }
}

/// `arn:aws:iam::ACCOUNT:role/PATH/NAME`.
pub(super) fn parse_role(arn: &str) -> Result<RoleToAssume> {
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

/// `AssumedRoleUser`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AssumedRoleUser {
    assumed_role_id: String,
    arn: String,
}

impl AssumedRoleUser {
    pub(super) fn new(session: &Session, role: &Role) -> Self {
        Self {
            assumed_role_id: format!("{}:{}", role.id, session.name),
            arn: format!(
                "arn:aws:sts::{}:assumed-role/{}/{}",
                role.account, role.name, session.name
            ),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AssumedRole {
    credentials: Credentials,
    assumed_role_user: AssumedRoleUser,
    #[serde(skip_serializing_if = "Option::is_none")]
    packed_policy_size: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_identity: Option<String>,
}

impl Operation for AssumeRole {
    const NAME: &'static str = "AssumeRole";
    const ACTION: Action = Action::new("sts:AssumeRole");
    const EXAMPLE: &'static str =
        r#"{"RoleArn":"arn:aws:iam::111122223333:role/ci","RoleSessionName":"build"}"#;
    type Target = RoleToAssume;
    type Output = AssumedRole;

    fn checks(&self, caller: &Caller) -> Result<Checks<RoleToAssume>> {
        Ok(self.request()?.checks(Self::ACTION, caller))
    }

    async fn run(self, registry: &Registry, allowed: Allowed<RoleToAssume>) -> Result<AssumedRole> {
        let packed_policy_size = packed_size(self.policy.as_deref(), &self.policy_arns);
        let made = registry.assume_role(&allowed, self.request()?).await?;
        let session = made.session;
        Ok(AssumedRole {
            assumed_role_user: AssumedRoleUser::new(&session, &made.role),
            credentials: Credentials::new(&session, &made.secret, &made.token),
            packed_policy_size,
            source_identity: session.source_identity,
        })
    }
}
