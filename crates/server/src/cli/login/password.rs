//! The password of a registry, and whose it is.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bonded_model::{Secret, Timestamp};
use serde::Deserialize;

use crate::cli::Failure;
use crate::client::Client;

/// What docker sends to a registry.
pub(crate) struct Password {
    /// The name: `AWS`.
    pub(crate) user: String,
    /// The token.
    pub(crate) secret: Secret,
    /// When it ends.
    pub(crate) expires_at: Timestamp,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    authorization_data: Vec<AuthorizationData>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AuthorizationData {
    authorization_token: String,
    expires_at: f64,
}

/// Asks for a password by `GetAuthorizationToken`.
pub(crate) async fn fetch(client: &Client, now: Timestamp) -> Result<Password, Failure> {
    let input = serde_json::json!({});
    let answer = client.ecr("GetAuthorizationToken", &input, now).await;
    let body = answer?.success()?;
    let unexpected = || Failure::failed(client.unexpected("its answer has no token"));
    let answer: Answer = serde_json::from_slice(&body).map_err(|_| unexpected())?;
    let data = answer
        .authorization_data
        .into_iter()
        .next()
        .ok_or_else(unexpected)?;
    let decoded = STANDARD
        .decode(&data.authorization_token)
        .map_err(|_| unexpected())?;
    let pair = String::from_utf8(decoded).map_err(|_| unexpected())?;
    let (user, secret) = pair.split_once(':').ok_or_else(unexpected)?;
    #[expect(clippy::cast_possible_truncation, reason = "a float cast saturates")]
    let expires_at = Timestamp::from_millis((data.expires_at * 1000.0) as i64);
    Ok(Password {
        user: user.to_owned(),
        secret: Secret::new(secret.to_owned()),
        expires_at,
    })
}

/// The ARN of the caller, by `GetCallerIdentity`.
pub(crate) async fn identity(client: &Client, now: Timestamp) -> Result<String, Failure> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Response {
        get_caller_identity_result: Identity,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Identity {
        arn: String,
    }
    let parameters = [("Action", "GetCallerIdentity"), ("Version", "2011-06-15")];
    let answer = client.query("sts", &parameters, now).await;
    let body = answer?.success()?;
    let response: Response = quick_xml::de::from_str(&String::from_utf8_lossy(&body))
        .map_err(|_| Failure::failed(client.unexpected("its answer names nobody")))?;
    Ok(response.get_caller_identity_result.arn)
}
