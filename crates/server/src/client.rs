//! A small client of a Bonded server, for the commands that ask one: AWS's Query protocol, signed
//! with the caller's own key as any AWS tool would.

mod credentials;

use std::ffi::OsString;
use std::fmt::Display;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bonded_iam::sigv4::{self, SignedRequest};
use bonded_model::{Digest, Timestamp};
use bytes::Bytes;
use http::uri::{Authority, Scheme};
use http::{HeaderName, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use credentials::Credentials;

/// How long a call may take.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// How large an answer may be, in bytes.
const ANSWER_LIMIT: usize = 4 * 1024 * 1024;

/// Where a server listens when nothing is configured.
const DEFAULT_ENDPOINT: &str = "https://127.0.0.1:5000";

/// The region that AWS tools fall back to.
const DEFAULT_REGION: &str = "us-east-1";

const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

/// Why a server could not be asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// Something that the environment should say is missing or wrong.
    #[error("{0}")]
    Settings(String),
    /// The server cannot be reached.
    #[error("cannot reach '{endpoint}': {source}; is the server running?")]
    Unreachable {
        /// Which server.
        endpoint: String,
        /// Why.
        source: io::Error,
    },
    /// The conversation broke off.
    #[error("the server at '{endpoint}' did not answer as expected: {problem}")]
    Talk {
        /// Which server.
        endpoint: String,
        /// What happened.
        problem: String,
    },
}

/// What a server answered.
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: StatusCode,
    /// The body, at most 4 MiB.
    pub(crate) body: Bytes,
}

/// Who asks which server.
pub(crate) struct Client {
    scheme: Scheme,
    authority: Authority,
    region: String,
    credentials: Credentials,
    /// Whom to trust; `None` for plain HTTP.
    tls: Option<Arc<rustls::ClientConfig>>,
}

impl Client {
    /// A client of the server at `endpoint` (by default the one on this machine) that reads what
    /// AWS tools read: the key from `AWS_ACCESS_KEY_ID` and its companions, or the profile
    /// `AWS_PROFILE`, else from `administrator.json` in the data directory `data`; whom to trust
    /// from `AWS_CA_BUNDLE`, and for a server on this machine from `data`; the region from `AWS_REGION`. `variable` gives the
    /// environment.
    ///
    /// # Errors
    /// [`ClientError::Settings`].
    pub(crate) fn new(
        endpoint: Option<&str>,
        data: &Path,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, ClientError> {
        let (scheme, authority) = parse_endpoint(endpoint.unwrap_or(DEFAULT_ENDPOINT))?;
        let text = |name| variable(name).and_then(|value| value.into_string().ok());
        let region = text("AWS_REGION").or_else(|| text("AWS_DEFAULT_REGION"));
        let tls = match scheme == Scheme::HTTPS {
            true => {
                let bundle = variable("AWS_CA_BUNDLE").map(PathBuf::from);
                let own = data.join("tls").join("ca.crt");
                let own = (is_local(authority.host()) && own.exists()).then_some(own);
                Some(trust(
                    &[bundle, own].into_iter().flatten().collect::<Vec<_>>(),
                )?)
            }
            false => None,
        };
        Ok(Self {
            scheme,
            authority,
            region: region.unwrap_or_else(|| DEFAULT_REGION.to_owned()),
            credentials: Credentials::find(data, variable)?,
            tls,
        })
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
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(parameters)
            .finish();
        let request = self.signed(service, body, now)?;
        let answered = timeout(TIME_LIMIT, self.send(request)).await;
        answered.unwrap_or_else(|_| Err(self.unexpected("it took too long")))
    }

    fn signed(
        &self,
        service: &str,
        body: String,
        now: Timestamp,
    ) -> Result<Request<Full<Bytes>>, ClientError> {
        let date = now.to_amz_date();
        let mut headers = vec![
            ("content-type", FORM),
            ("host", self.authority.as_str()),
            ("x-amz-date", &date),
        ];
        if let Some(token) = &self.credentials.session_token {
            headers.push(("x-amz-security-token", token.expose()));
        }
        let digest = Digest::sha256(body.as_bytes());
        let signed = SignedRequest {
            method: "POST",
            path: "/",
            query: "",
            headers: &headers,
            body_sha256_hex: digest.as_str().trim_start_matches("sha256:"),
        };
        let Credentials {
            access_key_id,
            secret_access_key,
            ..
        } = &self.credentials;
        let secret = secret_access_key.expose().as_bytes();
        let authorization = sigv4::sign(&signed, access_key_id, secret, &self.region, service)
            .map_err(|error| ClientError::Settings(error.to_string()))?;
        headers.push(("authorization", &authorization));
        let mut request = Request::post("/");
        for (name, value) in headers {
            request = request.header(HeaderName::from_static(name), value);
        }
        request.body(Full::from(body)).map_err(|_| {
            ClientError::Settings(
                "the access key or its token has a character that no header may have".to_owned(),
            )
        })
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Answer, ClientError> {
        let unreachable = |source| ClientError::Unreachable {
            endpoint: self.endpoint(),
            source,
        };
        let host = self.authority.host().trim_matches(['[', ']']);
        let port = match self.authority.port_u16() {
            Some(port) => port,
            None if self.tls.is_some() => 443,
            None => 80,
        };
        let stream = TcpStream::connect((host, port))
            .await
            .map_err(unreachable)?;
        let Some(tls) = &self.tls else {
            return self.exchange(stream, request).await;
        };
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| self.unexpected("its name cannot be in a certificate"))?;
        let connector = TlsConnector::from(Arc::clone(tls));
        let stream = connector.connect(name, stream).await.map_err(|error| {
            self.unexpected(&format!(
                "{error}; set AWS_CA_BUNDLE to the 'ca.crt' of the server"
            ))
        })?;
        self.exchange(stream, request).await
    }

    async fn exchange<S>(
        &self,
        stream: S,
        request: Request<Full<Bytes>>,
    ) -> Result<Answer, ClientError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let failed = |error: hyper::Error| self.unexpected(&error.to_string());
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(failed)?;
        // It ends with the connection; its error comes back from `send_request` too.
        let connection = tokio::spawn(connection);
        let response = sender.send_request(request).await.map_err(failed)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_LIMIT)
            .collect()
            .await;
        let body = body
            .map_err(|error| self.unexpected(&error.to_string()))?
            .to_bytes();
        connection.abort();
        Ok(Answer { status, body })
    }

    /// The server, as shown in messages.
    pub(crate) fn endpoint(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }

    /// An answer that is not what it should be.
    pub(crate) fn unexpected(&self, problem: &str) -> ClientError {
        ClientError::Talk {
            endpoint: self.endpoint(),
            problem: problem.to_owned(),
        }
    }
}

fn parse_endpoint(text: &str) -> Result<(Scheme, Authority), ClientError> {
    let wrong = || {
        let text = text.escape_debug();
        ClientError::Settings(format!(
            "'{text}' is not an endpoint, such as '{DEFAULT_ENDPOINT}'"
        ))
    };
    let parts = text.parse::<Uri>().map_err(|_| wrong())?.into_parts();
    let plain = parts.path_and_query.is_none_or(|path| path == "/");
    match (parts.scheme, parts.authority) {
        (Some(scheme), Some(authority))
            if plain
                && (scheme == Scheme::HTTP || scheme == Scheme::HTTPS)
                && !authority.as_str().contains('@') =>
        {
            Ok((scheme, authority))
        }
        _ => Err(wrong()),
    }
}

/// Whether `host` can only be this machine.
fn is_local(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.to_canonical().is_loopback())
}

/// Trusts the certificates in the PEM files `paths`.
fn trust(paths: &[PathBuf]) -> Result<Arc<rustls::ClientConfig>, ClientError> {
    if paths.is_empty() {
        let problem = "no authority to trust: set AWS_CA_BUNDLE to the 'ca.crt' of the server";
        return Err(ClientError::Settings(problem.to_owned()));
    }
    let mut roots = rustls::RootCertStore::empty();
    for path in paths {
        let unusable = |problem: &dyn Display| {
            let path = path.display();
            ClientError::Settings(format!("cannot trust the file '{path}': {problem}"))
        };
        for certificate in CertificateDer::pem_file_iter(path).map_err(|e| unusable(&e))? {
            let certificate = certificate.map_err(|e| unusable(&e))?;
            roots.add(certificate).map_err(|e| unusable(&e))?;
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ClientError::Settings(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests;
