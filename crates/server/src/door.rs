//! Each request to the door it is for.

mod held;
mod lent;
mod reply;

use std::net::IpAddr;
use std::sync::Arc;

use bonded_model::{Secret, shown};
use bonded_registry::{Error, Facts, LAYERS_PATH, Reach, Registry};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header, request};
use http_body_util::BodyExt as _;
use ipnet::IpNet;
use tokio::sync::watch;

use crate::failed_attempts::FailedAttempts;
use crate::forwarded;
use crate::listen::{Door, Peer, ResponseBody};
use crate::metrics::{self, Metrics};
use crate::reach::{self, AccountDoor, NetworkName, Way};
use crate::{aws, layers, oci};
use held::BodyBudget;
pub(crate) use held::{BodyRoom, data};
pub(crate) use reply::Reply;

/// How much of a `User-Agent` header conditions and records see, in characters.
const USER_AGENT_LIMIT: usize = 1024;

/// A request's body, whatever carried it.
pub(crate) type RequestBody = http_body_util::combinators::BoxBody<Bytes, String>;

/// What the doors are told of the deployment.
#[derive(Debug, Clone, Default)]
pub(crate) struct DoorSettings {
    /// Host names that are ours beside those of ECR's form; empty: every name while there is one
    /// account, and those of the certificate otherwise.
    pub(crate) hosts: Vec<String>,
    /// The names in the certificate.
    pub(crate) certified: Vec<String>,
    /// Proxies that may state the client's address and scheme.
    pub(crate) trusted_proxies: Vec<IpNet>,
    /// The clients that may read the metrics.
    pub(crate) metrics_from: Vec<IpNet>,
    /// The networks that have names.
    pub(crate) networks: Vec<(NetworkName, Vec<IpNet>)>,
    /// From where accounts are reached.
    pub(crate) accounts_from: Vec<(AccountDoor, Vec<IpNet>)>,
}

/// Both front doors.
#[derive(Clone)]
pub(crate) struct FrontDoor {
    registry: Registry,
    settings: watch::Receiver<Arc<DoorSettings>>,
    budget: Arc<BodyBudget>,
    metrics: Arc<Metrics>,
    failed: Arc<FailedAttempts>,
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
    /// Who tried wrong credentials lately.
    pub(crate) failed: Arc<FailedAttempts>,
    room: BodyRoom,
    settings: Arc<DoorSettings>,
}

/// A request that came in, with the id its answer will carry.
pub(crate) struct Incoming {
    pub(crate) id: String,
    pub(crate) head: Head,
    pub(crate) body: RequestBody,
}

impl FrontDoor {
    /// Follows `settings`: a request is answered by those that are in force when it comes.
    pub(crate) fn new(registry: Registry, settings: watch::Receiver<Arc<DoorSettings>>) -> Self {
        Self {
            registry,
            settings,
            budget: Arc::new(BodyBudget::new()),
            metrics: Arc::new(Metrics::new()),
            failed: Arc::new(FailedAttempts::new()),
        }
    }

    /// Answers one request.
    pub(crate) async fn reply(&self, request: Request<RequestBody>, peer: Peer) -> Reply {
        let id = match self.registry.request_id() {
            Ok(id) => id,
            Err(error) => {
                log_failure("-", &error);
                return internal_error();
            }
        };
        let (parts, body) = request.into_parts();
        let (method, path) = (parts.method.clone(), parts.uri.path().to_owned());
        let head = match self.head(parts, peer) {
            Ok(head) => head,
            Err(why) => {
                let text = format!("{why}\n");
                return Reply::text(StatusCode::BAD_REQUEST, HeaderMap::new(), text);
            }
        };
        // Whoever probes or measures a node knows it by an address.
        match (&method, path.as_str()) {
            (&Method::GET | &Method::HEAD, "/health") => {
                return Reply::text(StatusCode::OK, HeaderMap::new(), "ok\n".to_owned());
            }
            (&Method::GET, "/metrics") if self.may_measure(head.source_ip) => {
                return self.measures();
            }
            _ => {}
        }
        match self.is_ours(&head.authority).await {
            Ok(true) => {}
            Ok(false) => {
                let text = format!(
                    "'{}' is not a host name of this registry; add it to 'hosts' in the configuration\n",
                    shown(&head.authority)
                );
                return Reply::text(StatusCode::MISDIRECTED_REQUEST, HeaderMap::new(), text);
            }
            Err(error) => {
                log_failure(&id, &error);
                return internal_error();
            }
        }
        let request = Incoming { id, head, body };
        if path == "/v2" || path.starts_with("/v2/") {
            return oci::answer(&self.registry, request).await;
        }
        if let (&Method::GET, Some(ticket)) = (&method, path.strip_prefix(LAYERS_PATH)) {
            let ticket = Secret::new(ticket.to_owned());
            return layers::answer(&self.registry, request, &ticket).await;
        }
        match (&method, path.as_str()) {
            (&Method::POST, "/") => aws::answer(&self.registry, request).await,
            (&Method::GET, "/") if request.head.parts.uri.query().is_some() => {
                aws::answer(&self.registry, request).await
            }
            _ => Reply::text(
                StatusCode::NOT_FOUND,
                HeaderMap::new(),
                "nothing is here; the registry is at /v2/, the AWS APIs are at POST /\n".to_owned(),
            ),
        }
    }

    /// Client address and scheme are the connection's, unless a trusted proxy states others.
    ///
    /// # Errors
    /// The request names its host in two ways, or a trusted proxy states what cannot be read: the
    /// decision would rest on a guess.
    fn head(&self, parts: request::Parts, peer: Peer) -> Result<Head, &'static str> {
        let mut hosts = parts.headers.get_all(header::HOST).iter();
        let host = hosts.next().map(|host| host.to_str().unwrap_or_default());
        if hosts.next().is_some() {
            return Err("the request has more than one Host header");
        }
        let target = parts.uri.authority().map(http::uri::Authority::as_str);
        if let (Some(host), Some(target)) = (host, target)
            && !host.eq_ignore_ascii_case(target)
        {
            return Err("the Host header and the request's target name different hosts");
        }
        let authority = target.or(host).unwrap_or_default().to_ascii_lowercase();
        let (mut source_ip, mut secure) = (peer.address.ip(), peer.tls);
        let settings = self.settings();
        let proxies = &settings.trusted_proxies;
        if forwarded::is_proxy(source_ip, proxies) {
            source_ip = forwarded::client(&parts.headers, source_ip, proxies)?;
            secure = forwarded::is_secure(&parts.headers, secure)?;
        }
        Ok(Head {
            authority,
            source_ip,
            secure,
            parts,
            failed: Arc::clone(&self.failed),
            room: self.budget.of(source_ip),
            settings,
        })
    }

    fn settings(&self) -> Arc<DoorSettings> {
        Arc::clone(&self.settings.borrow())
    }

    fn may_measure(&self, client: IpAddr) -> bool {
        let nets = &self.settings().metrics_from;
        nets.iter().any(|net| net.contains(&client))
    }

    fn measures(&self) -> Reply {
        let advisories = self.registry.advisories_in_use();
        let update = self.registry.known_advisory_update();
        let now = self.registry.clock().now();
        let text = self.metrics.text(advisories.as_ref(), update.as_ref(), now);
        let Ok(text) = text else {
            return internal_error();
        };
        let mut headers = HeaderMap::new();
        let content_type = header::HeaderValue::from_static(metrics::CONTENT_TYPE);
        headers.insert(header::CONTENT_TYPE, content_type);
        Reply::text(StatusCode::OK, headers, text)
    }

    /// Whether the host name is one of ours. While there is one account, every name may stand for
    /// it; with more, a name that nobody has given us must not choose one.
    async fn is_ours(&self, authority: &str) -> bonded_registry::Result<bool> {
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => host,
            _ => authority,
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let among = |names: &[String]| names.iter().any(|ours| ours == host || ours == authority);
        let DoorSettings {
            hosts, certified, ..
        } = &*self.settings();
        if Registry::has_registry_form(host) || among(hosts) {
            return Ok(true);
        }
        Ok(hosts.is_empty() && (among(certified) || self.registry.has_one_account().await?))
    }
}

fn internal_error() -> Reply {
    let text = "internal error\n".to_owned();
    Reply::text(StatusCode::INTERNAL_SERVER_ERROR, HeaderMap::new(), text)
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
        let body = self.metrics.receiving(lent);
        let body = body.map_err(|e| e.to_string()).boxed();
        let measured = self.metrics.begin();
        let reply = self.reply(Request::from_parts(parts, body), peer).await;
        if !waits {
            lender.read_rest().await;
        }
        measured.answered(reply.0)
    }
}

impl Head {
    /// A header's value, if it is there once and is visible ASCII.
    pub(crate) fn header(&self, name: impl header::AsHeaderName) -> Option<&str> {
        let mut values = self.parts.headers.get_all(name).iter();
        let value = values.next()?.to_str().ok()?;
        values.next().is_none().then_some(value)
    }

    /// Which accounts are reached from where the request came from.
    pub(crate) fn reach(&self) -> Reach {
        let path = self.parts.uri.path();
        let way = if path == "/v2" || path.starts_with("/v2/") {
            Way::V2
        } else {
            Way::Aws
        };
        reach::reach(&self.settings.accounts_from, way, self.source_ip)
    }

    /// What the registry is told of the request beside its credential.
    pub(crate) fn facts(&self, region: bonded_model::Region) -> Facts {
        Facts {
            source_ip: self.source_ip,
            network: reach::network_of(&self.settings.networks, self.source_ip),
            reach: self.reach(),
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
}

/// One line in the log for a request that failed: faults of ours with their cause, denials and
/// refusals for whoever looks for them. Error texts never hold a secret.
pub(crate) fn log_failure(id: &str, error: &Error) {
    if error.is_internal() {
        let cause = std::error::Error::source(error).map(ToString::to_string);
        tracing::error!(request = id, cause = cause.as_deref().unwrap_or("-"), error = ?error.kind(), "request failed");
    } else if matches!(error, Error::TooManyAttempts(_)) {
        tracing::debug!(request = id, error = %error, "request refused");
    } else {
        tracing::info!(request = id, error = %error, "request refused");
    }
}
