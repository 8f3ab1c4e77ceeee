//! One port for TLS and plain HTTP, HTTP/1 and HTTP/2.
//!
//! The first byte is peeked: 0x16 begins a TLS handshake, anything else is plain HTTP, which is
//! served only to the *peers* of [`ListenSettings::plain_http_from`]. A message whose length could
//! be read in two ways is refused before it is parsed ([`guard`]). Every phase of a connection has
//! a limit of time, every head one of size, and the number of connections is bounded, for all peers
//! together and for each address.

mod framing;
mod guard;
mod response;

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use ipnet::IpNet;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::per_address::PerAddress;
use framing::HEAD_LIMIT;
use guard::Guarded;
use response::{json_error, without_body};

/// How long the first byte, and then the TLS handshake, may take.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// How long an HTTP/1 connection may be idle, and a head may take.
const HEAD_TIME_LIMIT: Duration = Duration::from_mins(1);

/// How often an HTTP/2 peer is asked whether it still lives, and how long it may take to answer.
const PING_INTERVAL: Duration = Duration::from_secs(30);

/// How long a connection may be open without a request in flight.
const IDLE_LIMIT: Duration = Duration::from_mins(1);

/// How many headers a request may have.
const HEADERS_LIMIT: usize = 100;

/// How many requests one HTTP/2 connection may have in flight.
const STREAMS_LIMIT: u32 = 128;

/// The flow-control window of an HTTP/2 stream, and of a connection, in bytes.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;

/// How long to wait before accepting again when the system is out of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The content type of TLS's first record, a handshake (RFC 8446 §5.1).
const TLS_HANDSHAKE: u8 = 0x16;

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Peer {
    /// The peer's own address, never one that a header claims. A v4-mapped address is given as v4.
    pub(crate) address: SocketAddr,
    /// Whether the connection is encrypted.
    pub(crate) tls: bool,
}

/// The body of an answer: bytes in any number of frames, or an error that cuts the connection.
pub(crate) type ResponseBody = http_body_util::combinators::UnsyncBoxBody<Bytes, io::Error>;

/// What answers requests.
pub(crate) trait Door: Clone + Send + Sync + 'static {
    /// Answers `request`, which came from `peer`. Dropped when the peer goes away.
    fn answer(
        &self,
        request: Request<Incoming>,
        peer: Peer,
    ) -> impl Future<Output = Response<ResponseBody>> + Send;
}

/// How to listen.
#[derive(Debug, Clone)]
pub(crate) struct ListenSettings {
    /// The peers that may use plain HTTP.
    pub(crate) plain_http_from: Vec<IpNet>,
    /// How many connections may be open at once; more wait in the system's queue.
    pub(crate) connections: usize,
    /// How many of them one address may have; more are closed.
    pub(crate) connections_per_address: usize,
    /// The proxies to which that does not apply: they stand for many clients.
    pub(crate) trusted_proxies: Vec<IpNet>,
    /// How long requests in flight may go on after a shutdown began.
    pub(crate) grace: Duration,
}

impl ListenSettings {
    fn allows_plain_http(&self, peer: Peer) -> bool {
        let address = peer.address.ip();
        self.plain_http_from
            .iter()
            .any(|net| net.contains(&address))
    }

    /// The place of one more connection from `address`; `None` if it has too many. The inner one
    /// is `None` for a proxy, which needs no place.
    fn admit(&self, each: &PerAddress, address: IpAddr) -> Option<Option<OwnedSemaphorePermit>> {
        let address = address.to_canonical();
        if self
            .trusted_proxies
            .iter()
            .any(|net| net.contains(&address))
        {
            return Some(None);
        }
        each.of(address).try_acquire_owned().ok().map(Some)
    }
}

/// Serves `door` on `listener`, with the certificate that is the newest when a connection comes, until `shutdown` is ready, then lets the requests in flight finish
/// within [`ListenSettings::grace`].
///
/// # Errors
/// Accepting failed in a way that will not pass.
pub(crate) async fn serve<D: Door>(
    listener: TcpListener,
    tls: watch::Receiver<Arc<rustls::ServerConfig>>,
    settings: ListenSettings,
    door: D,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let permits = Arc::new(Semaphore::new(settings.connections));
    let each = PerAddress::new(settings.connections_per_address);
    let settings = Arc::new(settings);
    let (closing, closed) = watch::channel(());
    let mut connections = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        let next = async {
            let permit = Arc::clone(&permits).acquire_owned().await;
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            () = &mut shutdown => break,
            next = next => next,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, address)) => {
                let Some(own) = settings.admit(&each, address.ip()) else {
                    tracing::debug!(%address, "closed: its address has too many connections");
                    continue;
                };
                let connection = Connection {
                    settings: Arc::clone(&settings),
                    tls: TlsAcceptor::from(Arc::clone(&tls.borrow())),
                    door: door.clone(),
                    closed: closed.clone(),
                };
                connections.spawn(async move {
                    connection.serve(stream, address).await;
                    drop((permit, own));
                });
            }
            Err(error) if of_one_connection(&error) => {}
            Err(error) if listener.local_addr().is_ok() => {
                tracing::warn!(%error, "cannot accept a connection, trying again");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
            Err(error) => return Err(error),
        }
    }
    drop(listener);
    drop(closing);
    let drained = async { while connections.join_next().await.is_some() {} };
    if timeout(settings.grace, drained).await.is_err() {
        tracing::warn!("requests were still in flight when the grace period ended");
    }
    Ok(())
}

/// Whether `accept` failed by the fault of the one connection it would have given.
fn of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

/// What one connection needs.
struct Connection<D> {
    settings: Arc<ListenSettings>,
    tls: TlsAcceptor,
    door: D,
    /// Changes, by losing its sender, when the server shuts down.
    closed: watch::Receiver<()>,
}

impl<D: Door> Connection<D> {
    async fn serve(mut self, stream: TcpStream, address: SocketAddr) {
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        // Without it small answers wait for the peer's acknowledgement; it is only about speed.
        let _ = stream.set_nodelay(true);
        let mut closed = self.closed.clone();
        let first = tokio::select! {
            first = first_byte(&stream) => first,
            _ = closed.changed() => return,
        };
        let mut peer = Peer {
            address,
            tls: false,
        };
        match first {
            Some(TLS_HANDSHAKE) => {
                peer.tls = true;
                let handshake = timeout(HANDSHAKE_LIMIT, self.tls.accept(stream));
                match tokio::select! {
                    done = handshake => done,
                    _ = closed.changed() => return,
                } {
                    Ok(Ok(stream)) => {
                        self.http(stream, self.door.clone(), peer).await;
                    }
                    Ok(Err(error)) => tracing::debug!(%address, %error, "tls handshake failed"),
                    Err(_) => tracing::debug!(%address, "tls handshake took too long"),
                }
            }
            Some(_) if self.settings.allows_plain_http(peer) => {
                self.http(stream, self.door.clone(), peer).await;
            }
            Some(_) => {
                tracing::debug!(%address, "plain http refused");
                let refusal = PlainRefused(Arc::clone(&self.settings));
                self.http(stream, refusal, peer).await;
            }
            None => {}
        }
    }

    /// Speaks HTTP on `stream` until it ends.
    async fn http<S, A>(&mut self, stream: S, door: A, peer: Peer)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        A: Door,
    {
        let requests = Arc::new(Requests::default());
        let counted = Arc::clone(&requests);
        let service = hyper::service::service_fn(move |request| {
            let door = door.clone();
            let in_flight = counted.begin();
            async move {
                let answer = answer(&door, request, peer).await;
                drop(in_flight);
                Ok::<_, Infallible>(answer)
            }
        });
        let builder = builder();
        let stream = TokioIo::new(Guarded::new(stream));
        let connection = builder.serve_connection(stream, service);
        tokio::pin!(connection);
        let result = tokio::select! {
            result = connection.as_mut() => result,
            _ = self.closed.changed() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
            () = requests.idle() => {
                // Answers that are still being sent are finished.
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = result {
            tracing::debug!(address = %peer.address, %error, "connection ended");
        }
    }
}

/// The requests of one connection.
#[derive(Default)]
struct Requests {
    begun: AtomicU64,
    ended: AtomicU64,
}

/// A request in flight; it ends when this is dropped, whether it was answered or given up.
struct InFlight(Arc<Requests>);

impl Requests {
    fn begin(self: &Arc<Self>) -> InFlight {
        self.begun.fetch_add(1, Ordering::SeqCst);
        InFlight(Arc::clone(self))
    }

    /// Ends when there was no request for [`IDLE_LIMIT`] and none is in flight.
    async fn idle(&self) {
        loop {
            let before = self.begun.load(Ordering::SeqCst);
            tokio::time::sleep(IDLE_LIMIT).await;
            let begun = self.begun.load(Ordering::SeqCst);
            if begun == before && begun == self.ended.load(Ordering::SeqCst) {
                return;
            }
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::SeqCst);
    }
}

/// Lets `door` answer, unless the lengths of `request` differ (HTTP/1 was judged by [`Guarded`]).
async fn answer<D: Door>(
    door: &D,
    request: Request<Incoming>,
    peer: Peer,
) -> Response<ResponseBody> {
    let lengths = request.headers().get_all(header::CONTENT_LENGTH);
    if lengths.iter().nth(1).is_some() {
        let message = "content-length stands twice";
        return json_error(StatusCode::BAD_REQUEST, "UNSUPPORTED", message);
    }
    let is_head = request.method() == Method::HEAD;
    let response = door.answer(request, peer).await;
    match is_head {
        true => without_body(response),
        false => response,
    }
}

fn builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_LIMIT)
        .max_headers(HEADERS_LIMIT)
        .max_buf_size(HEAD_LIMIT);
    builder
        .http2()
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(STREAMS_LIMIT)
        .max_header_list_size(HEAD_LIMIT as u32)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_INTERVAL);
    builder
}

/// The first byte, left where it is; `None` if the peer sends none in time.
async fn first_byte(stream: &TcpStream) -> Option<u8> {
    let mut byte = [0];
    match timeout(HANDSHAKE_LIMIT, stream.peek(&mut byte)).await {
        Ok(Ok(1)) => Some(byte[0]),
        _ => None,
    }
}

/// Answers a peer that may not use plain HTTP: no challenge, so that no client sends a password.
#[derive(Clone)]
struct PlainRefused(Arc<ListenSettings>);

impl Door for PlainRefused {
    async fn answer(&self, _request: Request<Incoming>, _peer: Peer) -> Response<ResponseBody> {
        let nets: Vec<String> = self
            .0
            .plain_http_from
            .iter()
            .map(IpNet::to_string)
            .collect();
        let nets = nets.join(", ");
        let message = match nets.as_str() {
            "" => "plain HTTP is not accepted; use https://".to_owned(),
            nets => format!("plain HTTP is accepted from {nets} only; use https://"),
        };
        json_error(StatusCode::FORBIDDEN, "DENIED", &message)
    }
}

#[cfg(test)]
mod tests;
