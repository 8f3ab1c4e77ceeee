//! The key of the role of an instance, from its metadata service (EC2 user guide, "Instance metadata
//! service version 2"). Version 1, which asks for no session token, is not spoken: a request that
//! somebody else makes us forward must not be enough to read a key.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::Full;
use serde::Deserialize;
use tokio::time::timeout;

use super::Given;
use crate::client::ClientError;
use crate::client::credentials::{Credentials, NO_KEY};
use crate::client::server::{Answer, Endpoint, Server};

const ROLES: &str = "/latest/meta-data/iam/security-credentials/";

/// How long the service may take to answer, as in AWS's SDKs: on most machines nobody is there.
const PATIENCE: Duration = Duration::from_secs(1);

/// The key of the machine's role.
pub(super) async fn credentials(endpoint: &Endpoint) -> Result<Credentials, ClientError> {
    let service = Server::new(endpoint.clone(), &[])?;
    let lifetime = ("x-aws-ec2-metadata-token-ttl-seconds", "60");
    let token = match timeout(
        PATIENCE,
        ask(&service, Method::PUT, "/latest/api/token", lifetime),
    )
    .await
    {
        Ok(Ok(answer)) if answer.status == StatusCode::OK => text(&service, &answer)?,
        // Nobody who has roles for machines is there.
        _ => return Err(ClientError::Settings(NO_KEY.to_owned())),
    };
    let token = ("x-aws-ec2-metadata-token", token.as_str());
    let role = ask(&service, Method::GET, ROLES, token).await?;
    if role.status == StatusCode::NOT_FOUND {
        let problem = format!("{NO_KEY}; this machine has no role either");
        return Err(ClientError::Settings(problem));
    }
    let role = text(&service, &role)?;
    let role = role.lines().next().unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || "+=,.@-_".contains(c);
    if role.is_empty() || !role.chars().all(plain) {
        return Err(service.unexpected("it names no role"));
    }
    let answer = ask(&service, Method::GET, &format!("{ROLES}{role}"), token).await?;
    let given: Found = serde_json::from_str(&text(&service, &answer)?)
        .map_err(|_| service.unexpected("its answer has no credentials"))?;
    match given.code.as_deref() {
        None | Some("Success") => Ok(given.given.into()),
        Some(code) => {
            let code = code.escape_debug();
            Err(service.unexpected(&format!("it says '{code}'")))
        }
    }
}

#[derive(Deserialize)]
struct Found {
    #[serde(rename = "Code")]
    code: Option<String>,
    #[serde(flatten)]
    given: Given,
}

async fn ask(
    service: &Server,
    method: Method,
    path: &str,
    (name, value): (&str, &str),
) -> Result<Answer, ClientError> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, service.endpoint().authority())
        .header(name, value)
        .body(Full::from(Bytes::new()))
        .map_err(|error| ClientError::Settings(error.to_string()))?;
    service.send(request).await
}

/// The text of an answer that is one.
fn text(service: &Server, answer: &Answer) -> Result<String, ClientError> {
    if answer.status != StatusCode::OK {
        return Err(service.unexpected(&format!("it answers {}", answer.status)));
    }
    let text = String::from_utf8(answer.body.to_vec());
    let text = text.map_err(|_| service.unexpected("it answers no text"))?;
    Ok(text.trim().to_owned())
}
