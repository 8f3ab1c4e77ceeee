//! OpenID Connect providers.

use bonded_registry::target::{Everything, OidcProviderNamed};
use bonded_registry::{Action, Allowed, Caller, Checks, Error, Registry, Result};
use serde::{Deserialize, Serialize};

use super::deletion::Deletable;
use super::families::Call;
use super::named::{Named, OfOidcProvider};
use super::shapes::{NoAnswer, Tag, constraint, tag_list, tags};
use crate::aws::Operation;
use crate::aws::query::List;

/// `https://HOST[:PORT]/PATH` without its scheme and without a `/` at its end.
fn provider_url(url: &str) -> Result<String> {
    let invalid = || {
        Error::InvalidInput(format!(
            "Invalid Open ID Connect provider URL: {}",
            url.escape_debug()
        ))
    };
    let rest = url.strip_prefix("https://").ok_or_else(invalid)?;
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~:/%+".contains(c);
    let host = rest.split(['/', ':']).next().unwrap_or_default();
    if host.is_empty() || rest.len() > 247 || !rest.chars().all(allowed) {
        return Err(invalid());
    }
    Ok(rest.to_owned())
}

fn client_id(text: &str) -> Result<&str> {
    if (1..=255).contains(&text.chars().count()) {
        Ok(text)
    } else {
        Err(constraint(
            "clientID",
            "Member must have length between 1 and 255",
        ))
    }
}

fn check_thumbprints(list: &[String]) -> Result<()> {
    let hex = |text: &String| text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit());
    if list.len() > 5 {
        return Err(Error::InvalidInput(
            "Thumbprint list must contain fewer than 5 entries.".to_owned(),
        ));
    }
    if list.iter().all(hex) {
        Ok(())
    } else {
        Err(constraint(
            "thumbprintList",
            "Member must have length less than or equal to 40, Member must have length greater than or equal to 40",
        ))
    }
}

/// `CreateOpenIDConnectProvider`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateOidcProvider {
    url: String,
    #[serde(rename = "ClientIDList", default)]
    client_ids: Vec<String>,
    #[serde(rename = "ThumbprintList", default)]
    thumbprints: Vec<String>,
    #[serde(default)]
    tags: Vec<Tag>,
}

/// `CreateOpenIDConnectProviderResponse`.
#[derive(Debug, Serialize)]
pub(super) struct CreatedProvider {
    #[serde(rename = "OpenIDConnectProviderArn")]
    arn: String,
    #[serde(rename = "Tags")]
    tags: List<Tag>,
}

impl Operation for CreateOidcProvider {
    const NAME: &'static str = "CreateOpenIDConnectProvider";
    const ACTION: Action = Action::new("iam:CreateOpenIDConnectProvider");
    const EXAMPLE: &'static str =
        r#"{"Url":"https://gitlab.example.com","ClientIDList":["sts.amazonaws.com"]}"#;
    type Target = OidcProviderNamed;
    type Output = CreatedProvider;

    fn checks(&self, caller: &Caller) -> Result<Checks<OidcProviderNamed>> {
        self.client_ids
            .iter()
            .try_for_each(|id| client_id(id).map(drop))?;
        check_thumbprints(&self.thumbprints)?;
        let target = OidcProviderNamed {
            account: caller.account().clone(),
            url: provider_url(&self.url)?,
        };
        let tags = tags(&self.tags)?;
        let tag = Action::new("iam:TagOpenIDConnectProvider");
        Ok(Checks::new(Self::ACTION, target).tagged(tag, &tags))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<OidcProviderNamed>,
    ) -> Result<CreatedProvider> {
        let made = registry
            .create_oidc_provider(
                &allowed,
                self.client_ids,
                self.thumbprints,
                tags(&self.tags)?,
            )
            .await?;
        Ok(CreatedProvider {
            arn: made.arn(),
            tags: tag_list(&made.tags).into(),
        })
    }
}

/// `GetOpenIDConnectProvider`.
#[derive(Debug, Deserialize)]
pub(super) struct GetOidcProvider {
    #[serde(flatten)]
    provider: OfOidcProvider,
}

/// `GetOpenIDConnectProviderResponse`.
#[derive(Debug, Serialize)]
pub(super) struct ProviderAnswer {
    #[serde(rename = "Url")]
    url: String,
    #[serde(rename = "ClientIDList")]
    client_ids: List<String>,
    #[serde(rename = "ThumbprintList")]
    thumbprints: List<String>,
    #[serde(rename = "CreateDate")]
    create_date: String,
    #[serde(rename = "Tags")]
    tags: List<Tag>,
}

impl Operation for GetOidcProvider {
    const NAME: &'static str = "GetOpenIDConnectProvider";
    const ACTION: Action = Action::new("iam:GetOpenIDConnectProvider");
    const EXAMPLE: &'static str = r#"{"OpenIDConnectProviderArn":"arn:aws:iam::111122223333:oidc-provider/gitlab.example.com"}"#;
    type Target = OidcProviderNamed;
    type Output = ProviderAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<OidcProviderNamed>> {
        Ok(Checks::new(Self::ACTION, self.provider.target(caller)?))
    }

    async fn run(
        self,
        _: &Registry,
        allowed: Allowed<OidcProviderNamed>,
    ) -> Result<ProviderAnswer> {
        let provider = allowed.oidc_provider()?;
        Ok(ProviderAnswer {
            url: provider.url.clone(),
            client_ids: provider.client_ids.clone().into(),
            thumbprints: provider.thumbprints.clone().into(),
            create_date: provider.created_at.to_string(),
            tags: tag_list(&provider.tags).into(),
        })
    }
}

/// `ListOpenIDConnectProviders`.
#[derive(Debug, Deserialize)]
pub(super) struct ListOidcProviders {}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ProviderEntry {
    arn: String,
}

/// `ListOpenIDConnectProvidersResponse`.
#[derive(Debug, Serialize)]
pub(super) struct ProvidersAnswer {
    #[serde(rename = "OpenIDConnectProviderList")]
    providers: List<ProviderEntry>,
}

impl Operation for ListOidcProviders {
    const NAME: &'static str = "ListOpenIDConnectProviders";
    const ACTION: Action = Action::new("iam:ListOpenIDConnectProviders");
    const EXAMPLE: &'static str = "{}";
    type Target = Everything;
    type Output = ProvidersAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<Everything>> {
        Ok(Checks::new(Self::ACTION, Everything::of(caller)))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<Everything>,
    ) -> Result<ProvidersAnswer> {
        let providers = registry.list_oidc_providers(&allowed).await?;
        let entries = providers.iter().map(|provider| ProviderEntry {
            arn: provider.arn(),
        });
        Ok(ProvidersAnswer {
            providers: entries.collect(),
        })
    }
}

impl Deletable for OfOidcProvider {
    const DELETION: Call = Call::new(
        "DeleteOpenIDConnectProvider",
        "iam:DeleteOpenIDConnectProvider",
        r#"{"OpenIDConnectProviderArn":"arn:aws:iam::111122223333:oidc-provider/gitlab.example.com"}"#,
    );

    async fn delete(registry: &Registry, allowed: &Allowed<OidcProviderNamed>) -> Result<()> {
        registry.delete_oidc_provider(allowed).await
    }
}

/// A provider, and an audience that its tokens may have.
#[derive(Debug, Deserialize)]
struct ClientOfProvider {
    #[serde(flatten)]
    provider: OfOidcProvider,
    #[serde(rename = "ClientID")]
    client_id: String,
}

impl Named for ClientOfProvider {
    type Target = OidcProviderNamed;

    fn target(&self, caller: &Caller) -> Result<OidcProviderNamed> {
        client_id(&self.client_id)?;
        self.provider.target(caller)
    }
}

/// `AddClientIDToOpenIDConnectProvider`.
#[derive(Debug, Deserialize)]
pub(super) struct AddClientId(ClientOfProvider);

impl Operation for AddClientId {
    const NAME: &'static str = "AddClientIDToOpenIDConnectProvider";
    const ACTION: Action = Action::new("iam:AddClientIDToOpenIDConnectProvider");
    const EXAMPLE: &'static str = r#"{"OpenIDConnectProviderArn":"arn:aws:iam::111122223333:oidc-provider/gitlab.example.com","ClientID":"ci"}"#;
    type Target = OidcProviderNamed;
    type Output = NoAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<OidcProviderNamed>> {
        Ok(Checks::new(Self::ACTION, self.0.target(caller)?))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<OidcProviderNamed>,
    ) -> Result<NoAnswer> {
        let id = self.0.client_id;
        registry
            .change_client_ids(&allowed, |ids| {
                if !ids.contains(&id) {
                    ids.push(id);
                }
            })
            .await?;
        Ok(NoAnswer {})
    }
}

/// `RemoveClientIDFromOpenIDConnectProvider`.
#[derive(Debug, Deserialize)]
pub(super) struct RemoveClientId(ClientOfProvider);

impl Operation for RemoveClientId {
    const NAME: &'static str = "RemoveClientIDFromOpenIDConnectProvider";
    const ACTION: Action = Action::new("iam:RemoveClientIDFromOpenIDConnectProvider");
    const EXAMPLE: &'static str = r#"{"OpenIDConnectProviderArn":"arn:aws:iam::111122223333:oidc-provider/gitlab.example.com","ClientID":"ci"}"#;
    type Target = OidcProviderNamed;
    type Output = NoAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<OidcProviderNamed>> {
        Ok(Checks::new(Self::ACTION, self.0.target(caller)?))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<OidcProviderNamed>,
    ) -> Result<NoAnswer> {
        let id = self.0.client_id;
        registry
            .change_client_ids(&allowed, |ids| ids.retain(|other| *other != id))
            .await?;
        Ok(NoAnswer {})
    }
}

/// `UpdateOpenIDConnectProviderThumbprint`.
#[derive(Debug, Deserialize)]
pub(super) struct UpdateThumbprints {
    #[serde(flatten)]
    provider: OfOidcProvider,
    #[serde(rename = "ThumbprintList")]
    thumbprints: Vec<String>,
}

impl Operation for UpdateThumbprints {
    const NAME: &'static str = "UpdateOpenIDConnectProviderThumbprint";
    const ACTION: Action = Action::new("iam:UpdateOpenIDConnectProviderThumbprint");
    const EXAMPLE: &'static str = r#"{"OpenIDConnectProviderArn":"arn:aws:iam::111122223333:oidc-provider/gitlab.example.com","ThumbprintList":["0000000000000000000000000000000000000000"]}"#;
    type Target = OidcProviderNamed;
    type Output = NoAnswer;

    fn checks(&self, caller: &Caller) -> Result<Checks<OidcProviderNamed>> {
        check_thumbprints(&self.thumbprints)?;
        Ok(Checks::new(Self::ACTION, self.provider.target(caller)?))
    }

    async fn run(
        self,
        registry: &Registry,
        allowed: Allowed<OidcProviderNamed>,
    ) -> Result<NoAnswer> {
        registry
            .set_thumbprints(&allowed, &self.thumbprints)
            .await?;
        Ok(NoAnswer {})
    }
}
