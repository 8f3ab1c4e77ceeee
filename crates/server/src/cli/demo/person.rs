//! Somebody who uses the server as any client does: by HTTP, with a key of their own.

use bonded_model::Secret;
use bonded_registry::Clock;
use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::Full;
use serde_json::{Value, json};

use super::image::{DemoImage, MANIFEST, digest};
use crate::cli::Failure;
use crate::client::{Answer, Client, Endpoint};

/// Somebody with an access key.
pub(super) struct Person {
    endpoint: Endpoint,
    client: Client,
}

/// What became of a request under `/v2`.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It was carried out.
    Allowed,
    /// The policies do not allow it, for this reason.
    Denied(String),
}

/// An access key as it is given out.
pub(super) struct Key {
    pub(super) id: String,
    pub(super) secret: Secret,
    pub(super) token: Option<Secret>,
}

impl Person {
    pub(super) fn new(endpoint: &Endpoint, region: &str, key: Key) -> Result<Self, Failure> {
        let Key { id, secret, token } = key;
        let client = Client::of_key(endpoint.clone(), region, id, secret, token);
        Ok(Self {
            endpoint: endpoint.clone(),
            client: client.map_err(Failure::failed)?,
        })
    }

    /// An operation of ECR, which must succeed.
    pub(super) async fn ecr(&self, operation: &str, input: &Value) -> Result<Value, Failure> {
        let now = Clock::system().now();
        let answer = self.client.ecr(operation, input, now).await;
        let body = success(answer.map_err(Failure::failed)?)?;
        serde_json::from_slice(&body).map_err(Failure::failed)
    }

    /// An action of IAM or STS, which must succeed; its answer, XML.
    async fn query(&self, service: &str, parameters: &[(&str, &str)]) -> Result<Bytes, Failure> {
        let now = Clock::system().now();
        let answer = self.client.query(service, parameters, now).await;
        success(answer.map_err(Failure::failed)?)
    }

    /// A new role in this account, which its own principals may assume, with one policy.
    pub(super) async fn create_role(
        &self,
        account: &str,
        name: &str,
        policy: &Value,
    ) -> Result<(), Failure> {
        let trust = json!({ "Version": "2012-10-17", "Statement": {
            "Effect": "Allow", "Action": "sts:AssumeRole",
            "Principal": { "AWS": format!("arn:aws:iam::{account}:root") } } });
        let version = ("Version", "2010-05-08");
        let trust = trust.to_string();
        let create = [
            ("Action", "CreateRole"),
            version,
            ("RoleName", name),
            ("AssumeRolePolicyDocument", &trust),
        ];
        self.query("iam", &create).await?;
        let policy = policy.to_string();
        let put = [
            ("Action", "PutRolePolicy"),
            version,
            ("RoleName", name),
            ("PolicyName", "demo"),
            ("PolicyDocument", &policy),
        ];
        self.query("iam", &put).await.map(|_| ())
    }

    /// The same server for a session of a role, which this key may assume.
    pub(super) fn into_role(self, role_arn: &str, session_name: &str) -> Self {
        let Self { endpoint, client } = self;
        let client = client.into_role(role_arn, session_name);
        Self { endpoint, client }
    }

    /// What `docker login` would send: the value of `Authorization`.
    async fn login(&self) -> Result<String, Failure> {
        let answer = self.ecr("GetAuthorizationToken", &json!({})).await?;
        let token = answer["authorizationData"][0]["authorizationToken"].as_str();
        let token = token.ok_or_else(|| Failure::failed("the server gave no token"))?;
        Ok(format!("Basic {token}"))
    }

    /// Pushes an image as docker does: its blobs, then its manifest.
    pub(super) async fn push(
        &self,
        repository: &str,
        tag: &str,
        image: &DemoImage,
    ) -> Result<Outcome, Failure> {
        let [system, application] = &image.layers;
        for blob in [system, application, &image.config] {
            let path = format!("/v2/{repository}/blobs/uploads/?digest={}", digest(blob));
            let kind = "application/octet-stream";
            let sent = self.send(Method::POST, &path, kind, blob.clone()).await?;
            if let Outcome::Denied(reason) = sent {
                return Ok(Outcome::Denied(reason));
            }
        }
        let path = format!("/v2/{repository}/manifests/{tag}");
        let manifest = image.manifest.clone();
        self.send(Method::PUT, &path, MANIFEST, manifest).await
    }

    /// Pulls a manifest by tag or digest.
    pub(super) async fn pull(&self, repository: &str, reference: &str) -> Result<Outcome, Failure> {
        let path = format!("/v2/{repository}/manifests/{reference}");
        self.send(Method::GET, &path, MANIFEST, Vec::new()).await
    }

    /// Pulls a blob by its digest.
    pub(super) async fn pull_layer(
        &self,
        repository: &str,
        layer: &[u8],
    ) -> Result<Outcome, Failure> {
        let path = format!("/v2/{repository}/blobs/{}", digest(layer));
        self.send(Method::GET, &path, MANIFEST, Vec::new()).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        media_type: &str,
        body: Vec<u8>,
    ) -> Result<Outcome, Failure> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.endpoint.authority())
            .header(header::AUTHORIZATION, self.login().await?)
            .header(header::CONTENT_TYPE, media_type)
            .body(Full::from(Bytes::from(body)))
            .map_err(Failure::failed)?;
        let answer = self.client.server().send(request).await;
        let answer = answer.map_err(Failure::failed)?;
        if answer.status.is_success() {
            return Ok(Outcome::Allowed);
        }
        let errors: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let message = errors["errors"][0]["message"].as_str();
        let message = message.unwrap_or("the server gave no reason").to_owned();
        match answer.status.as_u16() {
            403 => Ok(Outcome::Denied(message)),
            status => Err(Failure::failed(format!("{path}: {status}: {message}"))),
        }
    }
}

fn success(answer: Answer) -> Result<Bytes, Failure> {
    answer.success().map_err(Failure::failed)
}
