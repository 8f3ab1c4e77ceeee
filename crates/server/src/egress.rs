//! The one client for what the server itself fetches from other machines: keys of identity
//! providers, mirrors of advisories.
//!
//! Where it connects to is decided by URLs that others chose, so it guards the network around it:
//!
//! - The address is judged that is connected to, after the name was resolved; a name that
//!   resolves otherwise a moment later gains nothing. Loopback, private, link-local, shared and
//!   metadata addresses are refused in every way to write them, unless the operator [lists](Reachable) them.
//! - TLS always, but for the origins that the operator lists with `http://`. Trusted are the
//!   authorities of the system and those of the setting `egress.authorities`.
//! - Through a proxy, which resolves names itself, nothing is asked but what the operator named: a
//!   mirror, and the hosts and origins that they list. All else is connected to and judged here.
//! - A redirect is followed within the origin only: nothing is asked elsewhere than where it was
//!   meant, and no credential goes there.
//! - What is read is bounded in bytes and in time, both by the caller.
//!
//! ```no_run
//! # use std::time::Duration;
//! # use bonded_server::egress::{Reachable, Egress, EgressError, Limits};
//! # async fn example() -> Result<(), EgressError> {
//! let egress = Egress::new(vec![Reachable::parse("10.0.0.0/8").unwrap()], None)?;
//! let limits = Limits { bytes: 1024 * 1024, time: Duration::from_secs(10) };
//! let keys = egress.get("https://issuer.example.org/keys", limits).await?.read().await?;
//!
//! // Or piece by piece, for what does not fit into memory:
//! let mut body = egress.get("https://mirror.example.org/osv/all.zip", limits).await?;
//! while let Some(piece) = body.next().await? { /* write it */ }
//! # Ok(()) }
//! ```

mod address;
mod body;
mod error;
mod target;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bonded_registry::Fetch;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response, StatusCode, header};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use ipnet::IpNet;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;

pub use body::Body;
pub use error::EgressError;
use target::Target;

use crate::proxy::Proxy;
use crate::tls;

/// How many redirects are followed.
const REDIRECTS: usize = 3;

/// How long one of several addresses of a host may take to accept a connection.
const CONNECT_TIME: Duration = Duration::from_secs(3);

/// How long a document that the registry asks for may take.
const DOCUMENT_TIME: Duration = Duration::from_secs(10);

/// How we call ourselves.
const USER_AGENT: &str = concat!("bonded/", env!("CARGO_PKG_VERSION"));

/// What the operator allows beyond the public internet by HTTPS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reachable {
    /// The addresses of this network.
    Net(IpNet),
    /// Whatever address this host name, in lower case, resolves to.
    Host(String),
    /// Plain HTTP to this host and port, whatever it resolves to.
    PlainHttp(String, u16),
}

impl Reachable {
    /// Reads `10.0.0.0/8`, `10.1.2.3`, `keys.example.org` or `http://mirror.example.org:8080`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(net) = text.parse::<IpNet>() {
            return Some(Self::Net(net.trunc()));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Some(Self::Net(address.to_canonical().into()));
        }
        if text.starts_with("http://") {
            let target = Target::parse(text).ok()?;
            let alone = target.path == "/" && !text.contains('?');
            return alone.then(|| Self::PlainHttp(target.host.clone(), target.port()));
        }
        crate::config::host_name(text).map(Self::Host)
    }
}

impl std::fmt::Display for Reachable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Net(net) => net.fmt(f),
            Self::Host(host) => f.write_str(host),
            Self::PlainHttp(host, port) if host.contains(':') => {
                write!(f, "http://[{host}]:{port}")
            }
            Self::PlainHttp(host, port) => write!(f, "http://{host}:{port}"),
        }
    }
}

/// How much one fetch may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The longest body, in bytes.
    pub bytes: u64,
    /// From resolving the name to the last byte.
    pub time: Duration,
}

/// The outgoing client.
pub struct Egress {
    allow: Vec<Reachable>,
    tls: Arc<rustls::ClientConfig>,
}

impl Egress {
    /// A client that trusts the system's authorities and those in the PEM file `authorities`.
    ///
    /// # Errors
    /// [`EgressError::Authorities`].
    pub fn new(allow: Vec<Reachable>, authorities: Option<&Path>) -> Result<Self, EgressError> {
        let tls = tls::client_beside_system(authorities)?;
        Ok(Self { allow, tls })
    }

    /// Asks for `url`; what is returned is the body of an answer with status 200, yet to be read.
    ///
    /// # Errors
    /// Every [`EgressError`].
    pub async fn get(&self, url: &str, limits: Limits) -> Result<Body, EgressError> {
        self.get_from(url, None, limits).await
    }

    /// As [`get`](Self::get), but from a byte on, if what is there is still what has this strong
    /// `ETag`; [`Body::begins_at`] says from where it really is.
    ///
    /// # Errors
    /// Every [`EgressError`].
    pub async fn get_from(
        &self,
        url: &str,
        from: Option<(u64, &str)>,
        limits: Limits,
    ) -> Result<Body, EgressError> {
        let deadline = Instant::now() + limits.time;
        let late = || EgressError::TooSlow {
            url: url.to_owned(),
            limit: limits.time,
        };
        let asked = timeout_at(deadline, self.follow(url, from)).await;
        let (response, connection) = asked.unwrap_or_else(|_| Err(late()))?;
        let partial = response.status() == StatusCode::PARTIAL_CONTENT;
        let body = Body {
            url: url.to_owned(),
            begins_at: from.map_or(0, |(byte, _)| if partial { byte } else { 0 }),
            headers: response.headers().clone(),
            incoming: response.into_body(),
            deadline,
            limits,
            seen: 0,
            _connection: connection,
        };
        let length = body.headers.get(header::CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        match length {
            Some(length) if length > limits.bytes => Err(body.too_large()),
            _ => Ok(body),
        }
    }

    /// The answer with status 200 at the end of the redirects, or 206 from where it was asked for.
    async fn follow(
        &self,
        url: &str,
        from: Option<(u64, &str)>,
    ) -> Result<(Response<Incoming>, JoinSet<()>), EgressError> {
        let mut target = Target::parse(url)?;
        for _ in 0..=REDIRECTS {
            let (response, connection) = self.ask(&target, from).await?;
            let status = response.status();
            if status == StatusCode::OK || is_rest(&response, from) {
                return Ok((response, connection));
            }
            let location = response.headers().get(header::LOCATION);
            let location = location.filter(|_| status.is_redirection());
            let Some(location) = location.and_then(|location| location.to_str().ok()) else {
                return Err(EgressError::Status {
                    url: target.url(),
                    status,
                });
            };
            match target.within(location) {
                Some(next) => target = next,
                None => break,
            }
        }
        Err(EgressError::Redirect { url: target.url() })
    }

    async fn ask(
        &self,
        target: &Target,
        from: Option<(u64, &str)>,
    ) -> Result<(Response<Incoming>, JoinSet<()>), EgressError> {
        let plain = Reachable::PlainHttp(target.host.clone(), target.port());
        if !target.is_https() && !self.allow.contains(&plain) {
            return Err(EgressError::Url {
                url: target.url(),
                problem: "does not begin with 'https://', and its origin is not in the setting 'egress.allow'",
            });
        }
        let proxy = self.proxy(target);
        let stream = match &proxy {
            Some(proxy) => through(proxy, target).await?,
            None => self.connect(target).await?,
        };
        if !target.is_https() {
            return exchange(stream, target, from, proxy.as_ref()).await;
        }
        let name = ServerName::try_from(target.host.clone())
            .map_err(|_| target.talk(&"its name cannot be in a certificate"))?;
        let connector = TlsConnector::from(Arc::clone(&self.tls));
        let stream = connector.connect(name, stream).await;
        let stream = stream.map_err(|error| target.talk(&error))?;
        exchange(stream, target, from, None).await
    }

    /// The proxy that a host is asked through which the operator has named.
    fn proxy(&self, target: &Target) -> Option<Proxy> {
        let names = |allowed: &Reachable| match allowed {
            Reachable::Host(host) => *host == target.host,
            Reachable::PlainHttp(host, port) => {
                !target.is_https() && *host == target.host && *port == target.port()
            }
            Reachable::Net(net) => {
                let address = target.host.parse();
                address.is_ok_and(|address| address::is_in(net, address))
            }
        };
        let is_named = self.allow.iter().any(names);
        is_named.then(|| Proxy::of(target.is_https(), &target.host, target.port()))?
    }

    /// A connection to the first address of the host that may be connected to and answers.
    async fn connect(&self, target: &Target) -> Result<TcpStream, EgressError> {
        let unreachable = |source| EgressError::Unreachable {
            host: target.host.clone(),
            source,
        };
        let found = tokio::net::lookup_host((target.host.as_str(), target.port())).await;
        let mut failure = unreachable(io::ErrorKind::NotFound.into());
        for address in found.map_err(unreachable)? {
            if !self.may_connect(target, address) {
                failure = EgressError::NotPublic {
                    host: target.host.clone(),
                    address: address.ip(),
                };
                continue;
            }
            match timeout(CONNECT_TIME, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => failure = unreachable(error),
                Err(_) => failure = unreachable(io::ErrorKind::TimedOut.into()),
            }
        }
        Err(failure)
    }

    fn may_connect(&self, target: &Target, address: SocketAddr) -> bool {
        let allows = |allowed: &Reachable| match allowed {
            Reachable::Net(net) => address::is_in(net, address.ip()),
            Reachable::Host(host) => *host == target.host,
            Reachable::PlainHttp(host, port) => {
                !target.is_https() && *host == target.host && *port == target.port()
            }
        };
        address::is_public(address.ip()) || self.allow.iter().any(allows)
    }
}

impl Fetch for Egress {
    fn fetch<'a>(&'a self, url: &'a str, limit: usize) -> BoxFuture<'a, Result<Vec<u8>, String>> {
        let limits = Limits {
            bytes: limit as u64,
            time: DOCUMENT_TIME,
        };
        Box::pin(async move {
            let body = self.get(url, limits).await.map_err(|e| e.to_string())?;
            body.read().await.map_err(|e| e.to_string())
        })
    }
}

/// Whether an answer is the part that was asked for.
fn is_rest(response: &Response<Incoming>, from: Option<(u64, &str)>) -> bool {
    let range = response.headers().get(header::CONTENT_RANGE);
    let range = range.and_then(|range| range.to_str().ok());
    let begins_at = |range: &str| {
        range
            .strip_prefix("bytes ")?
            .split_once('-')?
            .0
            .parse()
            .ok()
    };
    response.status() == StatusCode::PARTIAL_CONTENT
        && from.is_some_and(|(byte, _)| range.and_then(begins_at) == Some(byte))
}

/// A connection to a proxy that goes on to the host, if it speaks TLS.
async fn through(proxy: &Proxy, target: &Target) -> Result<TcpStream, EgressError> {
    let connected = match target.is_https() {
        true => proxy.tunnel(&target.host, target.port()).await,
        false => proxy.connect().await,
    };
    connected.map_err(|source| EgressError::Unreachable {
        host: target.host.clone(),
        source,
    })
}

/// Sends the request on a connection of its own, which ends with the set that is returned. A `proxy`
/// on the other side wants the whole URL.
async fn exchange<S>(
    stream: S,
    target: &Target,
    from: Option<(u64, &str)>,
    proxy: Option<&Proxy>,
) -> Result<(Response<Incoming>, JoinSet<()>), EgressError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let failed = |error: hyper::Error| target.talk(&error);
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(failed)?;
    let mut connections = JoinSet::new();
    connections.spawn(async move {
        // Its error comes back from the request or from reading the body too.
        let _ = connection.await;
    });
    let mut request = match proxy {
        Some(_) => Request::get(target.url()),
        None => Request::get(target.path.as_str()),
    };
    if let Some(authorization) = proxy.and_then(Proxy::authorization) {
        request = request.header(header::PROXY_AUTHORIZATION, authorization);
    }
    if let Some((byte, etag)) = from {
        request = request
            .header(header::RANGE, format!("bytes={byte}-"))
            .header(header::IF_RANGE, etag);
    }
    let request = request
        .header(header::HOST, target.authority.as_str())
        .header(header::USER_AGENT, USER_AGENT)
        .header(header::ACCEPT, "*/*")
        .header(header::ACCEPT_ENCODING, "identity")
        .body(Empty::<Bytes>::new())
        .map_err(|error| target.talk(&error))?;
    let response = sender.send_request(request).await.map_err(failed)?;
    Ok((response, connections))
}

#[cfg(test)]
mod tests;
