//! Each request to the door it is for.

mod lent;

use std::net::IpAddr;
use std::sync::Arc;

use bonded_model::Secret;
use bonded_registry::{Error, Facts, LAYERS_PATH, Registry, Result};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _};
use http::{HeaderMap, Method, Request, Response, StatusCode, header, request};
use http_body_util::{BodyExt as _, BodyStream, Full};
use ipnet::IpNet;

use crate::listen::{Door, Peer, ResponseBody};
use crate::{aws, layers, oci};

/// How much of a `User-Agent` header conditions and records see, in characters.
const USER_AGENT_LIMIT: usize = 1024;

/// A request's body, whatever carried it.
pub(crate) type RequestBody = http_body_util::combinators::BoxBody<Bytes, String>;

/// What the doors are told of the deployment.
#[derive(Debug, Clone, Default)]
pub(crate) struct DoorSettings {
    /// Host names that are ours beside those of ECR's form; empty: every name.
    pub(crate) hosts: Vec<String>,
    /// Proxies that may state the client's address and scheme.
    pub(crate) trusted_proxies: Vec<IpNet>,
}

/// Both front doors.
#[derive(Clone)]
pub(crate) struct FrontDoor {
    registry: Registry,
    settings: Arc<DoorSettings>,
}

/// All of a request but its body.
pub(crate) struct Head {
    pub(crate) parts: request::Parts,
    /// Host name and port as the client used them.
    pub(crate) authority: String,
    /// The client's address.
    pub(crate) source_ip: IpAddr,
    /// Whether the client used TLS.
    pub(crate) secure: bool,
}

/// A request that came in, with the id its answer will carry.
pub(crate) struct Incoming {
    pub(crate) id: String,
    pub(crate) head: Head,
    pub(crate) body: RequestBody,
}

/// An answer.
pub(crate) struct Reply(pub(crate) Response<ResponseBody>);

impl FrontDoor {
    pub(crate) fn new(registry: Registry, settings: DoorSettings) -> Self {
        Self {
            registry,
            settings: Arc::new(settings),
        }
    }

    /// Answers one request.
    pub(crate) async fn reply(&self, request: Request<RequestBody>, peer: Peer) -> Reply {
        let id = match self.registry.request_id() {
            Ok(id) => id,
            Err(error) => {
                log_failure("-", &error);
                return Reply::text(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    HeaderMap::new(),
                    "internal error\n".to_owned(),
                );
            }
        };
        let (parts, body) = request.into_parts();
        let head = self.head(parts, peer);
        let (method, path) = (head.parts.method.clone(), head.parts.uri.path().to_owned());
        let request = Incoming { id, head, body };
        if !self.is_ours(&request.head.authority) {
            let text = format!(
                "'{}' is not a host name of this registry; add it to 'hosts' in the configuration\n",
                request.head.authority.escape_debug()
            );
            return Reply::text(StatusCode::MISDIRECTED_REQUEST, HeaderMap::new(), text);
        }
        if path == "/v2" || path.starts_with("/v2/") {
            return oci::answer(&self.registry, request).await;
        }
        if let (&Method::GET, Some(ticket)) = (&method, path.strip_prefix(LAYERS_PATH)) {
            let ticket = Secret::new(ticket.to_owned());
            return layers::answer(&self.registry, request, &ticket).await;
        }
        match (&method, path.as_str()) {
            (&Method::POST, "/") => aws::answer(&self.registry, request).await,
            (&Method::GET | &Method::HEAD, "/health") => {
                Reply::text(StatusCode::OK, HeaderMap::new(), "ok\n".to_owned())
            }
            _ => Reply::text(
                StatusCode::NOT_FOUND,
                HeaderMap::new(),
                "nothing is here; the registry is at /v2/, the AWS APIs are at POST /\n".to_owned(),
            ),
        }
    }

    /// Client address and scheme are the connection's, unless a trusted proxy states others.
    fn head(&self, parts: request::Parts, peer: Peer) -> Head {
        let host = parts
            .headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok());
        let authority = parts
            .uri
            .authority()
            .map(http::uri::Authority::as_str)
            .or(host);
        let authority = authority.unwrap_or_default().to_ascii_lowercase();
        let peer_ip = peer.address.ip();
        let proxied = self
            .settings
            .trusted_proxies
            .iter()
            .any(|net| net.contains(&peer_ip));
        let stated = |name: &str| {
            let value = parts.headers.get(name).filter(|_| proxied)?.to_str().ok()?;
            // The last entry is the one the trusted proxy itself has added.
            Some(value.rsplit(',').next()?.trim().to_owned())
        };
        let source_ip = stated("x-forwarded-for")
            .and_then(|ip| ip.parse().ok())
            .unwrap_or(peer_ip);
        let secure = stated("x-forwarded-proto").map_or(peer.tls, |scheme| scheme == "https");
        Head {
            authority,
            source_ip,
            secure,
            parts,
        }
    }

    fn is_ours(&self, authority: &str) -> bool {
        let host = authority
            .rsplit_once(':')
            .map_or(authority, |(host, _)| host);
        let hosts = &self.settings.hosts;
        hosts.is_empty()
            || host.contains(".dkr.ecr.")
            || hosts.iter().any(|ours| ours == host || ours == authority)
    }
}

impl Door for FrontDoor {
    async fn answer(
        &self,
        request: Request<hyper::body::Incoming>,
        peer: Peer,
    ) -> Response<ResponseBody> {
        // A client that waits for "100 Continue" sends nothing unless its body is read.
        let waits = request.headers().contains_key(header::EXPECT);
        let (parts, body) = request.into_parts();
        let (lent, lender) = lent::lend(body);
        let body = lent.map_err(|e| e.to_string()).boxed();
        let reply = self.reply(Request::from_parts(parts, body), peer).await;
        if !waits {
            lender.read_rest().await;
        }
        reply.0
    }
}

impl Head {
    /// A header's value, if it is there once and is visible ASCII.
    pub(crate) fn header(&self, name: impl header::AsHeaderName) -> Option<&str> {
        let mut values = self.parts.headers.get_all(name).iter();
        let value = values.next()?.to_str().ok()?;
        values.next().is_none().then_some(value)
    }

    /// What the registry is told of the request beside its credential.
    pub(crate) fn facts(&self, region: bonded_model::Region) -> Facts {
        Facts {
            source_ip: self.source_ip,
            user_agent: self
                .header(header::USER_AGENT)
                .map(|text| text.chars().take(USER_AGENT_LIMIT).collect()),
            secure_transport: self.secure,
            region,
            authority: self.authority.clone(),
        }
    }
}

impl Incoming {
    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.head.parts.headers
    }

    /// The whole body.
    ///
    /// # Errors
    /// [`Error::BodyTooLarge`] as soon as it is longer than `limit` or says it will be;
    /// [`Error::BodyIncomplete`].
    pub(crate) async fn read(self, limit: usize) -> Result<(Head, Bytes)> {
        let Self { head, body, .. } = self;
        let stated = head
            .header(header::CONTENT_LENGTH)
            .and_then(|length| length.parse::<usize>().ok());
        if stated.is_some_and(|length| length > limit) {
            return Err(Error::BodyTooLarge(limit));
        }
        let mut bytes = BytesMut::new();
        let mut stream = std::pin::pin!(data(body));
        while let Some(piece) = stream.next().await {
            let piece = piece.map_err(Error::BodyIncomplete)?;
            if bytes.len() + piece.len() > limit {
                return Err(Error::BodyTooLarge(limit));
            }
            bytes.extend_from_slice(&piece);
        }
        Ok((head, bytes.freeze()))
    }
}

/// The data of a body, without trailers.
pub(crate) fn data(
    body: RequestBody,
) -> impl Stream<Item = std::result::Result<Bytes, String>> + Send {
    BodyStream::new(body).filter_map(|frame| async {
        match frame {
            Ok(frame) => frame.into_data().ok().map(Ok),
            Err(e) => Some(Err(e)),
        }
    })
}

impl Reply {
    /// An answer with a text as its body; plain text unless `headers` say otherwise.
    pub(crate) fn text(status: StatusCode, mut headers: HeaderMap, body: String) -> Self {
        headers
            .entry(header::CONTENT_TYPE)
            .or_insert(header::HeaderValue::from_static(
                "text/plain; charset=utf-8",
            ));
        Self::whole(status, headers, Bytes::from(body))
    }

    /// An answer whose body is at hand.
    pub(crate) fn whole(status: StatusCode, headers: HeaderMap, body: Bytes) -> Self {
        let body = Full::new(body)
            .map_err(|never| match never {})
            .boxed_unsync();
        Self::with(status, headers, body)
    }

    /// An answer with any body.
    pub(crate) fn with(status: StatusCode, headers: HeaderMap, body: ResponseBody) -> Self {
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Self(response)
    }
}

/// One line in the log for a request that failed: faults of ours with their cause, denials and
/// refusals for whoever looks for them. Error texts never hold a secret.
pub(crate) fn log_failure(id: &str, error: &Error) {
    if error.is_internal() {
        let cause = std::error::Error::source(error).map(ToString::to_string);
        tracing::error!(request = id, cause = cause.as_deref().unwrap_or("-"), error = ?error.kind(), "request failed");
    } else {
        tracing::info!(request = id, error = %error, "request refused");
    }
}
