//! A connection to one server: where it is, whom to trust, one request and its answer.

use std::fmt::Display;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bonded_model::Timestamp;
use bytes::Bytes;
use http::uri::{Authority, Scheme};
use http::{HeaderMap, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::ClientError;
use crate::proxy::Proxy;
use crate::tls;

/// How long a call may take.
const TIME_LIMIT: Duration = Duration::from_mins(1);

/// How large an answer may be, in bytes: a report of an image, as JSON.
const ANSWER_LIMIT: usize = 64 * 1024 * 1024;

/// What a server answered.
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: StatusCode,
    /// When it was given, by the server's clock.
    pub(crate) date: Option<Timestamp>,
    /// The body, at most 64 MiB.
    pub(crate) body: Bytes,
}

/// What a server answered, its body still on its way.
pub(crate) struct Streamed {
    /// The status.
    pub(crate) status: StatusCode,
    /// The header.
    pub(crate) headers: HeaderMap,
    /// The body, of any length.
    pub(crate) body: Incoming,
    connection: JoinHandle<hyper::Result<()>>,
}

impl Drop for Streamed {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// Scheme, host and port of a URL that has nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    scheme: Scheme,
    authority: Authority,
}

impl Endpoint {
    /// Reads `https://HOST[:PORT]`.
    ///
    /// # Errors
    /// [`ClientError::Settings`].
    pub(crate) fn parse(text: &str) -> Result<Self, ClientError> {
        let wrong = || {
            let text = text.escape_debug();
            ClientError::Settings(format!(
                "'{text}' is not an endpoint, such as 'https://127.0.0.1:5000'"
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
                Ok(Self { scheme, authority })
            }
            _ => Err(wrong()),
        }
    }

    /// Host name and port, as a request names them.
    pub(crate) fn authority(&self) -> &str {
        self.authority.as_str()
    }

    /// The host name, without brackets.
    pub(crate) fn host(&self) -> &str {
        self.authority.host().trim_matches(['[', ']'])
    }

    /// Whether it can only be this machine.
    pub(crate) fn is_local(&self) -> bool {
        let address = self.host().parse::<IpAddr>();
        self.host() == "localhost"
            || address.is_ok_and(|address| address.to_canonical().is_loopback())
    }

    /// Whether it speaks TLS.
    pub(crate) fn is_https(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    fn port(&self) -> u16 {
        let default = if self.is_https() { 443 } else { 80 };
        self.authority.port_u16().unwrap_or(default)
    }
}

impl Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority)
    }
}

/// A server that can be asked.
pub(crate) struct Server {
    endpoint: Endpoint,
    /// Whom to trust; `None` for plain HTTP.
    tls: Option<Arc<rustls::ClientConfig>>,
}

impl Server {
    /// A server at `endpoint` whose certificate must be by an authority in one of the PEM files
    /// `authorities`, or, if there is none, by one that this system trusts.
    ///
    /// # Errors
    /// [`ClientError::Settings`] if it speaks TLS and there is nobody to trust.
    pub(crate) fn new(endpoint: Endpoint, authorities: &[PathBuf]) -> Result<Self, ClientError> {
        let tls = match endpoint.is_https() {
            true => Some(trust(authorities)?),
            false => None,
        };
        Ok(Self { endpoint, tls })
    }

    /// Where it is.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Sends `request` on a connection of its own.
    ///
    /// # Errors
    /// The server cannot be reached or does not speak HTTP. Its own refusals are answers.
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Result<Answer, ClientError> {
        let answered = timeout(TIME_LIMIT, self.talk(request)).await;
        answered.unwrap_or_else(|_| Err(self.unexpected("it took too long")))
    }

    /// An answer that is not what it should be.
    pub(crate) fn unexpected(&self, problem: &str) -> ClientError {
        ClientError::Talk {
            endpoint: self.endpoint.to_string(),
            problem: problem.to_owned(),
        }
    }

    /// Sends `request` on a connection of its own, and gives the answer before its body.
    ///
    /// # Errors
    /// As [`Server::send`].
    pub(crate) async fn open(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Streamed, ClientError> {
        let answered = timeout(TIME_LIMIT, self.begin(request)).await;
        answered.unwrap_or_else(|_| Err(self.unexpected("it took too long")))
    }

    /// The rest of an answer, at most 64 MiB.
    ///
    /// # Errors
    /// As [`Server::send`].
    pub(crate) async fn collect(&self, mut streamed: Streamed) -> Result<Bytes, ClientError> {
        let limited = Limited::new(&mut streamed.body, ANSWER_LIMIT);
        let collected = timeout(TIME_LIMIT, limited.collect()).await;
        let collected = collected.map_err(|_| self.unexpected("it took too long"))?;
        let collected = collected.map_err(|error| self.unexpected(&error.to_string()))?;
        Ok(collected.to_bytes())
    }

    async fn talk(&self, request: Request<Full<Bytes>>) -> Result<Answer, ClientError> {
        let streamed = self.begin(request).await?;
        let status = streamed.status;
        let date = streamed.headers.get(header::DATE);
        let date = date.and_then(|date| Timestamp::parse_http_date(date.to_str().ok()?));
        let body = self.collect(streamed).await?;
        Ok(Answer { status, date, body })
    }

    async fn begin(&self, mut request: Request<Full<Bytes>>) -> Result<Streamed, ClientError> {
        let unreachable = |source| ClientError::Unreachable {
            endpoint: self.endpoint.to_string(),
            source,
        };
        let (host, port) = (self.endpoint.host(), self.endpoint.port());
        let proxy = Proxy::of(self.endpoint.is_https(), host, port);
        let stream = match &proxy {
            Some(proxy) if self.endpoint.is_https() => proxy.tunnel(host, port).await,
            Some(proxy) => proxy.connect().await,
            None => TcpStream::connect((host, port)).await,
        };
        let stream = stream.map_err(unreachable)?;
        let Some(tls) = &self.tls else {
            if let Some(proxy) = proxy {
                self.address_through(&proxy, &mut request)?;
            }
            return self.exchange(stream, request).await;
        };
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| self.unexpected("its name cannot be in a certificate"))?;
        let connector = TlsConnector::from(Arc::clone(tls));
        let connected = connector.connect(name, stream).await;
        let stream = connected.map_err(|error| ClientError::Untrusted {
            endpoint: self.endpoint.to_string(),
            problem: untrusted(&error, host),
        })?;
        self.exchange(stream, request).await
    }

    /// Has a request name its whole URL, as a proxy wants it.
    fn address_through(
        &self,
        proxy: &Proxy,
        request: &mut Request<Full<Bytes>>,
    ) -> Result<(), ClientError> {
        let url = format!("{}{}", self.endpoint, request.uri());
        *request.uri_mut() = url
            .parse()
            .map_err(|_| self.unexpected("its URL is none"))?;
        if let Some(authorization) = proxy.authorization() {
            let headers = request.headers_mut();
            headers.insert(header::PROXY_AUTHORIZATION, authorization.clone());
        }
        Ok(())
    }

    async fn exchange<S>(
        &self,
        stream: S,
        request: Request<Full<Bytes>>,
    ) -> Result<Streamed, ClientError>
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
        let (parts, body) = response.into_parts();
        Ok(Streamed {
            status: parts.status,
            headers: parts.headers,
            body,
            connection,
        })
    }
}

/// Why there is no TLS with the server of this host, and what to do.
fn untrusted(error: &io::Error, host: &str) -> String {
    use rustls::CertificateError as Certificate;
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    match inner {
        Some(rustls::Error::InvalidCertificate(Certificate::UnknownIssuer)) => {
            "the authority of its certificate is not known here; set AWS_CA_BUNDLE to that authority, which a \
             server keeps as 'tls/ca.crt' in its data directory"
                .to_owned()
        }
        Some(rustls::Error::InvalidCertificate(
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. },
        )) => format!(
            "its certificate is not for '{host}'; use a name that it is for, or have the server's setting \
             'hosts' name it"
        ),
        Some(rustls::Error::InvalidCertificate(
            Certificate::Expired
            | Certificate::ExpiredContext { .. }
            | Certificate::NotValidYet
            | Certificate::NotValidYetContext { .. },
        )) => format!("{error}; set the clocks of both machines, or renew the certificate"),
        Some(rustls::Error::InvalidMessage(_)) => {
            format!("it does not speak TLS ({error}); if it is meant to be plain HTTP, say 'http://'")
        }
        _ => format!("{error}; is it a server that speaks TLS?"),
    }
}

/// Trusts the certificates in the PEM files `paths`, or those of the system.
fn trust(paths: &[PathBuf]) -> Result<Arc<rustls::ClientConfig>, ClientError> {
    let system = tls::system_authorities().map(PathBuf::from);
    let paths = match paths {
        [] => system.as_slice(),
        paths => paths,
    };
    if paths.is_empty() {
        let problem = "no authority to trust: set AWS_CA_BUNDLE to the 'ca.crt' of the server";
        return Err(ClientError::Settings(problem.to_owned()));
    }
    tls::client_of(paths).map_err(|error| ClientError::Settings(error.to_string()))
}
