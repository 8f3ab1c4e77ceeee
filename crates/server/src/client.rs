//! A small client of a Bonded server, for the commands that ask one: AWS's protocols, signed with
//! the caller's own key as any AWS tool would.
//!
//! | file | subject |
//! |---|---|
//! | `server` | where the server is, whom to trust, one request and its answer |
//! | `credentials`, `profile` | where the key is found: the places where AWS tools look |
//! | `role` | keys that are exchanged for others: roles, web identities, containers |
//! | `refusal` | what a server says when it refuses |

mod credentials;
mod profile;
mod refusal;
mod role;
mod server;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use bonded_iam::sigv4::{self, SignedRequest};
use bonded_model::{Digest, Secret, Timestamp};
use bytes::Bytes;
use http::{HeaderName, Request};
use http_body_util::Full;
use tokio::sync::OnceCell;

use credentials::{Credentials, Source, Token};
pub(crate) use refusal::Refusal;
pub(crate) use server::{Answer, Endpoint, Server, Streamed};

/// Where a server listens when nothing is configured.
const DEFAULT_ENDPOINT: &str = "https://127.0.0.1:5000";

/// The region that AWS tools fall back to.
const DEFAULT_REGION: &str = "us-east-1";

/// The content types of AWS's Query and JSON protocols.
const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";
const JSON: &str = "application/x-amz-json-1.1";

/// Why a server could not be asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// Something that the environment should say is missing or wrong.
    #[error("{0}")]
    Settings(String),
    /// The server cannot be reached.
    #[error("cannot reach '{endpoint}': {source}; {}", when_unreachable(source))]
    Unreachable {
        /// Which server.
        endpoint: String,
        /// Why.
        source: io::Error,
    },
    /// It cannot be known that it is the server.
    #[error("cannot trust the server at '{endpoint}': {problem}")]
    Untrusted {
        /// Which server.
        endpoint: String,
        /// Why, and what to do.
        problem: String,
    },
    /// The conversation broke off.
    #[error("the server at '{endpoint}' did not answer as expected: {problem}")]
    Talk {
        /// Which server.
        endpoint: String,
        /// What happened.
        problem: String,
    },
    /// The key could not be exchanged for the one that is asked for.
    #[error("no credentials for '{role}': {refusal}")]
    Exchange {
        /// The role, or the address of the container's credentials.
        role: String,
        /// What the server said.
        refusal: Refusal,
    },
}

/// What to do about a server that cannot be reached.
fn when_unreachable(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            "is the server running? Start it with 'bonded serve', or name another with --endpoint-url or \
             AWS_ENDPOINT_URL"
        }
        // The standard library has no kind for it.
        _ if error.to_string().contains("lookup") => {
            "is the name right? It is that of --endpoint-url or AWS_ENDPOINT_URL"
        }
        _ => {
            "is there a way to it from here? It is the address of --endpoint-url or AWS_ENDPOINT_URL"
        }
    }
}

/// What is known before the first request: who asks which server.
pub(crate) struct ClientSettings<'a> {
    /// `https://HOST[:PORT]`; by default the server on this machine.
    pub(crate) endpoint: Option<&'a str>,
    /// The data directory of the server on this machine, whose authority is trusted for it.
    pub(crate) data: &'a Path,
    /// A PEM file of authorities that comes before `AWS_CA_BUNDLE`.
    pub(crate) authority: Option<PathBuf>,
    /// The profile that comes before the one in the environment.
    pub(crate) profile: Option<String>,
    /// A role, and the token of an identity provider that it is assumed with, which come before
    /// everything else.
    pub(crate) web_identity: Option<(String, Secret)>,
    /// The region that comes before the one in the environment.
    pub(crate) region: Option<String>,
}

/// Who asks which server.
pub(crate) struct Client {
    server: Server,
    region: String,
    source: Source,
    credentials: OnceCell<Credentials>,
}

impl Client {
    /// A client of the server at `endpoint` (by default the one on this machine) that reads what
    /// AWS tools read: the key from where [`Source`] says; whom to trust from `AWS_CA_BUNDLE`, and
    /// for a server on this machine from `data`; the region from `AWS_REGION`. `variable` gives
    /// the environment.
    ///
    /// # Errors
    /// [`ClientError::Settings`].
    pub(crate) fn new(
        endpoint: Option<&str>,
        data: &Path,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, ClientError> {
        let settings = ClientSettings {
            endpoint,
            data,
            authority: None,
            profile: None,
            web_identity: None,
            region: None,
        };
        Self::with(settings, &variable)
    }

    /// [`Client::new`] with more settings of its own.
    ///
    /// # Errors
    /// [`ClientError::Settings`].
    pub(crate) fn with(
        settings: ClientSettings<'_>,
        variable: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Self, ClientError> {
        let ClientSettings {
            endpoint,
            data,
            authority,
            profile,
            web_identity,
            region,
        } = settings;
        let endpoint = Endpoint::parse(endpoint.unwrap_or(DEFAULT_ENDPOINT))?;
        let text = |name| variable(name).and_then(|value| value.into_string().ok());
        let profiles = profile::Profiles::read(variable);
        // As with AWS's tools, one that is named beats a key in the environment.
        let is_named = profile.is_some();
        let profile = profile.or_else(|| text("AWS_PROFILE"));
        let region = region
            .or_else(|| text("AWS_REGION"))
            .or_else(|| text("AWS_DEFAULT_REGION"))
            .or_else(|| profiles.value(profile.as_deref()?, "region"));
        let bundle = authority.or_else(|| variable("AWS_CA_BUNDLE").map(PathBuf::from));
        let own = data.join("tls").join("ca.crt");
        let own = (endpoint.is_local() && own.exists()).then_some(own);
        let authorities: Vec<PathBuf> = bundle.into_iter().chain(own).collect();
        Ok(Self {
            server: Server::new(endpoint, &authorities)?,
            region: region.unwrap_or_else(|| DEFAULT_REGION.to_owned()),
            source: match web_identity {
                Some((role_arn, token)) => Source::WebIdentity {
                    role_arn,
                    session_name: "bonded".to_owned(),
                    token: Token::Given(token),
                },
                None => Source::find(data, &profiles, (profile.as_deref(), is_named), variable)?,
            },
            credentials: OnceCell::new(),
        })
    }

    /// A client that signs with one key, whatever the environment says; of a server that speaks
    /// plain HTTP, or has a certificate that this system trusts.
    ///
    /// # Errors
    /// [`ClientError::Settings`].
    pub(crate) fn of_key(
        endpoint: Endpoint,
        region: &str,
        access_key_id: String,
        secret_access_key: Secret,
        session_token: Option<Secret>,
    ) -> Result<Self, ClientError> {
        Ok(Self {
            server: Server::new(endpoint, &[])?,
            region: region.to_owned(),
            source: Source::Key(Credentials {
                access_key_id,
                secret_access_key,
                session_token,
            }),
            credentials: OnceCell::new(),
        })
    }

    /// The same for a session of a role, which is begun at the first call.
    pub(crate) fn into_role(self, role_arn: &str, session_name: &str) -> Self {
        Self {
            source: Source::Role {
                role_arn: role_arn.to_owned(),
                session_name: session_name.to_owned(),
                external_id: None,
                with: Box::new(self.source),
            },
            credentials: OnceCell::new(),
            ..self
        }
    }

    /// The server, for requests without a signature.
    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    /// The server alone.
    pub(crate) fn into_server(self) -> Server {
        self.server
    }

    /// Calls an action of the Query protocol at `now`: `parameters` with `Action` and `Version`.
    ///
    /// # Errors
    /// The server cannot be reached or does not speak HTTP. Its own refusals are answers.
    pub(crate) async fn query(
        &self,
        service: &str,
        parameters: &[(&str, &str)],
        now: Timestamp,
    ) -> Result<Answer, ClientError> {
        let call = Call {
            service,
            target: None,
            body: form(parameters),
        };
        self.send(call, now).await
    }

    /// Calls an operation of ECR, `DescribeRepositories`, at `now`: `input` is JSON.
    ///
    /// # Errors
    /// As [`Client::query`].
    pub(crate) async fn ecr(
        &self,
        operation: &str,
        input: &serde_json::Value,
        now: Timestamp,
    ) -> Result<Answer, ClientError> {
        let target = format!("AmazonEC2ContainerRegistry_V20150921.{operation}");
        let call = Call {
            service: "ecr",
            target: Some(&target),
            body: input.to_string(),
        };
        self.send(call, now).await
    }

    /// What time it is at the server, if it says so; a call without a signature.
    ///
    /// # Errors
    /// As [`Client::query`].
    pub(crate) async fn clock(&self) -> Result<Option<Timestamp>, ClientError> {
        let request = Request::get("/health")
            .header(http::header::HOST, self.server.endpoint().authority())
            .body(Full::from(Bytes::new()))
            .map_err(|error| ClientError::Settings(error.to_string()))?;
        Ok(self.server.send(request).await?.date)
    }

    async fn send(&self, call: Call<'_>, now: Timestamp) -> Result<Answer, ClientError> {
        let find = || self.source.credentials(&self.server, &self.region, now);
        let credentials = self.credentials.get_or_try_init(find).await?;
        let request = call.signed(self.server.endpoint(), credentials, &self.region, now)?;
        self.server.send(request).await
    }

    /// An answer that is not what it should be.
    pub(crate) fn unexpected(&self, problem: &str) -> ClientError {
        self.server.unexpected(problem)
    }
}

/// A body of the Query protocol.
fn form(parameters: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(parameters)
        .finish()
}

/// A call of one of AWS's services.
struct Call<'a> {
    service: &'a str,
    /// The operation, in AWS's JSON protocol.
    target: Option<&'a str>,
    body: String,
}

impl Call<'_> {
    /// The request with the caller's signature.
    fn signed(
        self,
        endpoint: &Endpoint,
        credentials: &Credentials,
        region: &str,
        now: Timestamp,
    ) -> Result<Request<Full<Bytes>>, ClientError> {
        let date = now.to_amz_date();
        let mut headers = vec![
            ("content-type", self.target.map_or(FORM, |_| JSON)),
            ("host", endpoint.authority()),
            ("x-amz-date", &date),
        ];
        if let Some(token) = &credentials.session_token {
            headers.push(("x-amz-security-token", token.expose()));
        }
        if let Some(target) = self.target {
            headers.push(("x-amz-target", target));
        }
        let digest = Digest::sha256(self.body.as_bytes());
        let signed = SignedRequest {
            method: "POST",
            path: "/",
            query: "",
            headers: &headers,
            body_sha256_hex: digest.as_str().trim_start_matches("sha256:"),
        };
        let id = &credentials.access_key_id;
        let secret = credentials.secret_access_key.expose().as_bytes();
        let authorization = sigv4::sign(&signed, id, secret, region, self.service)
            .map_err(|error| ClientError::Settings(error.to_string()))?;
        headers.push(("authorization", &authorization));
        let mut request = Request::post("/");
        for (name, value) in headers {
            request = request.header(HeaderName::from_static(name), value);
        }
        request.body(Full::from(self.body)).map_err(|_| {
            ClientError::Settings(
                "the access key or its token has a character that no header may have".to_owned(),
            )
        })
    }
}

#[cfg(test)]
mod tests;
