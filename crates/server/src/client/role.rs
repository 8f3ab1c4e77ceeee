//! Keys that are exchanged for others: a role by a key or a token, and what a container or a
//! machine is given.

mod instance;

use bonded_model::{Secret, Timestamp};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, header};
use http_body_util::Full;
use serde::Deserialize;

use super::credentials::{Credentials, Source, Token};
use super::server::Server;
use super::{Call, ClientError, FORM, form};
use crate::files;

/// How large a token in a file may be, in bytes.
const TOKEN_LIMIT: u64 = 64 * 1024;

const STS_VERSION: (&str, &str) = ("Version", "2011-06-15");

impl Source {
    /// The key to sign with at `now`; roles are assumed at `sts`.
    pub(super) fn credentials<'a>(
        &'a self,
        sts: &'a Server,
        region: &'a str,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Credentials, ClientError>> {
        Box::pin(async move {
            match self {
                Self::Key(key) => Ok(key.copied()),
                Self::Role {
                    role_arn,
                    session_name,
                    external_id,
                    with,
                } => {
                    let key = with.credentials(sts, region, now).await?;
                    let mut parameters = vec![
                        ("Action", "AssumeRole"),
                        STS_VERSION,
                        ("RoleArn", role_arn),
                        ("RoleSessionName", session_name),
                    ];
                    if let Some(external_id) = external_id {
                        parameters.push(("ExternalId", external_id));
                    }
                    let call = Call {
                        service: "sts",
                        target: None,
                        body: form(&parameters),
                    };
                    let request = call.signed(sts.endpoint(), &key, region, now)?;
                    assumed(sts, request, role_arn).await
                }
                Self::WebIdentity {
                    role_arn,
                    session_name,
                    token,
                } => {
                    let token = token.read()?;
                    let body = form(&[
                        ("Action", "AssumeRoleWithWebIdentity"),
                        STS_VERSION,
                        ("RoleArn", role_arn),
                        ("RoleSessionName", session_name),
                        ("WebIdentityToken", token.expose()),
                    ]);
                    let request = Request::post("/")
                        .header(header::HOST, sts.endpoint().authority())
                        .header(header::CONTENT_TYPE, FORM)
                        .body(Full::from(body))
                        .map_err(|error| ClientError::Settings(error.to_string()))?;
                    assumed(sts, request, role_arn).await
                }
                Self::Container {
                    endpoint,
                    path,
                    authorization,
                } => {
                    let agent = Server::new(endpoint.clone(), &[])?;
                    let mut request =
                        Request::get(path.as_str()).header(header::HOST, endpoint.authority());
                    if let Some(token) = authorization {
                        let token = token.read()?;
                        request = request.header(header::AUTHORIZATION, token.expose());
                    }
                    let request = request
                        .body(Full::from(Bytes::new()))
                        .map_err(|error| ClientError::Settings(error.to_string()))?;
                    of_container(&agent, request, path).await
                }
                Self::Instance { endpoint } => instance::credentials(endpoint).await,
            }
        })
    }
}

impl Credentials {
    fn copied(&self) -> Self {
        Self {
            access_key_id: self.access_key_id.clone(),
            secret_access_key: copied(&self.secret_access_key),
            session_token: self.session_token.as_ref().map(copied),
        }
    }
}

fn copied(secret: &Secret) -> Secret {
    Secret::new(secret.expose().to_owned())
}

impl Token {
    fn read(&self) -> Result<Secret, ClientError> {
        let path = match self {
            Self::Given(token) => return Ok(copied(token)),
            Self::File(path) => path,
        };
        let unusable = |problem: &str| {
            let path = path.display();
            ClientError::Settings(format!("cannot read the token in '{path}': {problem}"))
        };
        match files::read(path, TOKEN_LIMIT) {
            Ok(Some(text)) => Ok(Secret::new(text.trim().to_owned())),
            Ok(None) => Err(unusable("it does not exist")),
            Err(error) => Err(unusable(&error.to_string())),
        }
    }
}

/// The key in an answer of STS; both operations call it the same.
async fn assumed(
    sts: &Server,
    request: Request<Full<Bytes>>,
    role: &str,
) -> Result<Credentials, ClientError> {
    #[derive(Deserialize)]
    struct Response {
        #[serde(alias = "AssumeRoleResult", alias = "AssumeRoleWithWebIdentityResult")]
        result: Assumed,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Assumed {
        credentials: Given,
    }
    let body = success(sts, request, role).await?;
    let text = String::from_utf8_lossy(&body);
    let response: Response = quick_xml::de::from_str(&text)
        .map_err(|_| sts.unexpected("its answer has no credentials"))?;
    Ok(response.result.credentials.into())
}

async fn of_container(
    agent: &Server,
    request: Request<Full<Bytes>>,
    path: &str,
) -> Result<Credentials, ClientError> {
    let body = success(agent, request, path).await?;
    let given: Given = serde_json::from_slice(&body)
        .map_err(|_| agent.unexpected("its answer has no credentials"))?;
    Ok(given.into())
}

async fn success(
    server: &Server,
    request: Request<Full<Bytes>>,
    role: &str,
) -> Result<Bytes, ClientError> {
    let answer = server.send(request).await?;
    answer.success().map_err(|refusal| ClientError::Exchange {
        role: role.to_owned(),
        refusal,
    })
}

/// Credentials as STS and container agents write them.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Given {
    access_key_id: String,
    secret_access_key: String,
    #[serde(alias = "Token")]
    session_token: Option<String>,
}

impl From<Given> for Credentials {
    fn from(given: Given) -> Self {
        Self {
            access_key_id: given.access_key_id,
            secret_access_key: Secret::new(given.secret_access_key),
            session_token: given.session_token.map(Secret::new),
        }
    }
}
