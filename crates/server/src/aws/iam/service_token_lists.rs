//! The lists of service tokens: AWS's, and ours with bounds and last use (decision 0018).

use bonded_registry::target::UserNamed;
use bonded_registry::{Action, Allowed, Caller, Checks, Error, Registry, Result, ServiceToken};
use serde::{Deserialize, Serialize};

use super::page::{PageEnd, PageRequest};
use super::service_tokens::{CredentialShape, status, supported};
use super::shapes::user;
use crate::aws::Operation;
use crate::aws::query::{List, flag};

/// Whose tokens are listed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    user_name: Option<String>,
    service_name: Option<String>,
    #[serde(default, deserialize_with = "flag")]
    all_users: bool,
    #[serde(flatten)]
    page: PageRequest,
}

impl Listed {
    /// The user, or `user/*` for all of them.
    fn target(&self, list: &'static str, caller: &Caller) -> Result<UserNamed> {
        self.page.read(list)?;
        self.service_name.as_deref().map_or(Ok(()), supported)?;
        if !self.all_users {
            return user(caller, self.user_name.as_deref());
        }
        if self.user_name.is_some() {
            return Err(Error::Validation(
                "UserName and AllUsers cannot both be given".to_owned(),
            ));
        }
        Ok(UserNamed {
            account: caller.account().clone(),
            name: "*".to_owned(),
            path: "/".to_owned(),
        })
    }

    async fn read(
        &self,
        list: &'static str,
        registry: &Registry,
        allowed: &Allowed<UserNamed>,
    ) -> Result<(Vec<(String, ServiceToken)>, PageEnd)> {
        let page = self.page.read(list)?;
        let mut tokens = registry
            .list_service_tokens(allowed, self.all_users, page.after(), page.to_read())
            .await?;
        let end = page.cut(&mut tokens, |(_, token)| token.id.clone());
        Ok((tokens, end))
    }
}

/// `ListServiceSpecificCredentials`.
#[derive(Debug, Deserialize)]
pub(super) struct ListCredentials(Listed);

/// `ListServiceSpecificCredentialsResponse`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListCredentialsAnswer {
    service_specific_credentials: List<CredentialShape>,
    #[serde(flatten)]
    end: PageEnd,
}

impl Operation for ListCredentials {
    const NAME: &'static str = "ListServiceSpecificCredentials";
    const ACTION: Action = Action::new("iam:ListServiceSpecificCredentials");
    const EXAMPLE: &'static str = r#"{"UserName":"alice"}"#;
    type Target = UserNamed;
    type Output = ListCredentialsAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<UserNamed>> {
        let target = self.0.target(Self::NAME, caller)?;
        Ok(Checks::new(Self::ACTION, target))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<UserNamed>,
    ) -> Result<ListCredentialsAnswer> {
        let (tokens, end) = self.0.read(Self::NAME, registry, &allowed).await?;
        let shape =
            |(name, token): (String, _)| CredentialShape::new(&name, token, allowed.caller());
        let shapes: Vec<CredentialShape> = tokens.into_iter().map(shape).collect();
        Ok(ListCredentialsAnswer {
            service_specific_credentials: shapes.into(),
            end,
        })
    }
}

/// `ListServiceTokens`, which AWS has not: the same list with what binds each token and when it
/// was used last.
#[derive(Debug, Deserialize)]
pub(super) struct ListTokens(Listed);

/// A token of the list.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct TokenShape {
    id: String,
    user_name: String,
    status: &'static str,
    description: String,
    actions: List<String>,
    repositories: List<String>,
    source_networks: List<String>,
    create_date: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiration_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_region: Option<String>,
}

/// The answer of [`ListTokens`].
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListTokensAnswer {
    service_tokens: List<TokenShape>,
    #[serde(flatten)]
    end: PageEnd,
}

impl Operation for ListTokens {
    const NAME: &'static str = "ListServiceTokens";
    const ACTION: Action = Action::new("iam:ListServiceSpecificCredentials");
    const EXAMPLE: &'static str = r#"{"UserName":"alice"}"#;
    type Target = UserNamed;
    type Output = ListTokensAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<UserNamed>> {
        let target = self.0.target(Self::NAME, caller)?;
        Ok(Checks::new(Self::ACTION, target))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<UserNamed>,
    ) -> Result<ListTokensAnswer> {
        let (tokens, end) = self.0.read(Self::NAME, registry, &allowed).await?;
        let shape = |(user_name, token): (String, ServiceToken)| TokenShape {
            status: status(&token, allowed.caller()),
            id: token.id,
            user_name,
            description: token.description,
            actions: token.bounds.actions.into(),
            repositories: token.bounds.repositories.into(),
            source_networks: token.bounds.networks.into(),
            create_date: token.created_at.to_string(),
            expiration_date: token.expires_at.map(|end| end.to_string()),
            last_used_date: token.last_used.as_ref().map(|used| used.at.to_string()),
            last_used_region: token.last_used.map(|used| used.region),
        };
        let shapes: Vec<TokenShape> = tokens.into_iter().map(shape).collect();
        Ok(ListTokensAnswer {
            service_tokens: shapes.into(),
            end,
        })
    }
}
