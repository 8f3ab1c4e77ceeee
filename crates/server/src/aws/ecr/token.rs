//! The password for `docker login`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bonded_model::AccountId;
use bonded_registry::target::Everything;
use bonded_registry::{Action, Allowed, Caller, Checks, Error, Registry, Result};
use serde::{Deserialize, Serialize};

use crate::aws::Operation;

/// `GetAuthorizationToken`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetAuthorizationToken {
    registry_ids: Option<Vec<AccountId>>,
}

/// `AuthorizationData`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AuthorizationData {
    authorization_token: String,
    expires_at: f64,
    proxy_endpoint: String,
}

/// `GetAuthorizationTokenResponse`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AuthorizationAnswer {
    authorization_data: Vec<AuthorizationData>,
}

impl Operation for GetAuthorizationToken {
    const NAME: &'static str = "GetAuthorizationToken";
    const ACTION: Action = Action::new("ecr:GetAuthorizationToken");
    const EXAMPLE: &'static str = "{}";
    type Target = Everything;
    type Output = AuthorizationAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<Everything>> {
        if self
            .registry_ids
            .as_ref()
            .is_some_and(|ids| !(1..=10).contains(&ids.len()))
        {
            return Err(Error::parameter(
                "registryIds",
                "Member must have length between 1 and 10",
            ));
        }
        Ok(Checks::new(Self::ACTION, Everything::of(caller)))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<Everything>,
    ) -> Result<AuthorizationAnswer> {
        let caller = allowed.caller();
        let token = registry.authorization_token(&allowed).await?;
        let encoded = STANDARD.encode(format!("AWS:{}", token.password.expose()));
        let own = vec![registry.home(caller).clone()];
        let data = |account: &AccountId| AuthorizationData {
            authorization_token: encoded.clone(),
            expires_at: token.expires_at.as_seconds_f64(),
            proxy_endpoint: format!(
                "https://{}",
                registry.authority(account, caller.region(), caller)
            ),
        };
        let accounts = self.registry_ids.unwrap_or(own);
        Ok(AuthorizationAnswer {
            authorization_data: accounts.iter().map(data).collect(),
        })
    }
}
