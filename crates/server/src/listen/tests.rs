use http_body_util::BodyExt as _;
use std::sync::Mutex;

use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{Notify, oneshot};

use super::*;

/// Answers with the peer, the version, the length of the body and a header; `/slow` waits for
/// `go`, `/refuse` reads no body. Notes every path it was asked for.
#[derive(Clone, Default)]
struct Echo {
    go: Arc<Notify>,
    came: Arc<Notify>,
    paths: Arc<Mutex<Vec<String>>>,
}

impl Door for Echo {
    async fn answer(&self, request: Request<Incoming>, peer: Peer) -> Response<ResponseBody> {
        let path = request.uri().path().to_owned();
        self.paths.lock().unwrap().push(path.clone());
        if path == "/slow" {
            self.came.notify_one();
            self.go.notified().await;
        }
        let version = request.version();
        let length = match path.as_str() {
            "/refuse" => 0,
            _ => request
                .into_body()
                .collect()
                .await
                .map_or(0, |body| body.to_bytes().len()),
        };
        let text = format!("{path} {version:?} tls={} {length}", peer.tls);
        let body = http_body_util::Full::from(text).map_err(|never: Infallible| match never {});
        Response::new(body.boxed_unsync())
    }
}

struct Server {
    address: SocketAddr,
    door: Echo,
    certificate: CertificateDer<'static>,
    stop: Option<oneshot::Sender<()>>,
    done: tokio::task::JoinHandle<io::Result<()>>,
}

impl Server {
    async fn start(plain_http_from: &[&str]) -> Self {
        let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let certificate = own.cert.der().clone();
        let key = rustls_pki_types::PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
        let tls = crate::tls::server_config(vec![certificate.clone()], key.into()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let settings = ListenSettings {
            plain_http_from: plain_http_from
                .iter()
                .map(|net| net.parse().unwrap())
                .collect(),
            connections: 64,
            connections_per_address: PLACES,
            trusted_proxies: vec!["127.0.0.2/32".parse().unwrap()],
            grace: Duration::from_secs(30),
        };
        let door = Echo::default();
        let (stop, stopped) = oneshot::channel();
        let shutdown = async {
            let _ = stopped.await;
        };
        let (_, tls) = watch::channel(tls);
        let done = tokio::spawn(serve(listener, tls, settings, door.clone(), shutdown));
        Self {
            address,
            door,
            certificate,
            stop: Some(stop),
            done,
        }
    }

    async fn plain(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn tls(&self, protocol: &[u8]) -> tokio_rustls::client::TlsStream<TcpStream> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let mut config = rustls::ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let name = ServerName::try_from("localhost").unwrap();
        let stream = connector.connect(name, self.plain().await).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(protocol));
        stream
    }

    /// Sends `text` and gives everything that comes back until the server closes.
    async fn raw(&self, text: &str) -> String {
        converse(self.plain().await, text).await
    }

    fn paths(&self) -> Vec<String> {
        self.door.paths.lock().unwrap().clone()
    }
}

/// How many connections one address may have.
const PLACES: usize = 48;

/// A connection from another address of this machine.
async fn from(source: &str, to: SocketAddr) -> TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket
        .bind(SocketAddr::new(source.parse().unwrap(), 0))
        .unwrap();
    socket.connect(to).await.unwrap()
}

#[tokio::test]
async fn one_address_does_not_take_every_connection() {
    let server = Server::start(&["127.0.0.0/8"]).await;
    let mut held = Vec::new();
    for _ in 0..PLACES {
        let mut stream = from("127.0.0.3", server.address).await;
        let text = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n";
        stream.write_all(text.as_bytes()).await.unwrap();
        assert_ne!(stream.read(&mut [0; 64]).await.unwrap(), 0);
        held.push(stream);
    }
    let refused = converse(from("127.0.0.3", server.address).await, "").await;
    assert_eq!(refused, "");
    for other in ["127.0.0.4", "127.0.0.2"] {
        let answer = converse(from(other, server.address).await, POST).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{other}: {answer}");
    }
    drop(held);
    loop {
        let mut stream = from("127.0.0.3", server.address).await;
        // The places are free as soon as the server has seen the ends.
        if stream.write_all(POST.as_bytes()).await.is_ok()
            && stream.read(&mut [0; 64]).await.is_ok_and(|n| n > 0)
        {
            break;
        }
    }
}

async fn converse(mut stream: impl AsyncRead + AsyncWrite + Unpin, text: &str) -> String {
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // The server may close with bytes of ours unread, which is a reset.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

async fn over_h2(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> String {
    let io = TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io)
        .await
        .unwrap();
    tokio::spawn(connection);
    let body = http_body_util::Full::new(Bytes::from_static(b"abc"));
    let request = Request::post("https://localhost/h2").body(body).unwrap();
    let response = sender.send_request(request).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

const POST: &str =
    "POST /h1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc";

#[tokio::test]
async fn one_port_speaks_http_and_https_in_both_versions() {
    let server = Server::start(&["127.0.0.0/8"]).await;
    let answer = server.raw(POST).await;
    assert!(answer.ends_with("/h1 HTTP/1.1 tls=false 3"), "{answer}");
    let answer = converse(server.tls(b"http/1.1").await, POST).await;
    assert!(answer.ends_with("/h1 HTTP/1.1 tls=true 3"), "{answer}");
    let answer = over_h2(server.plain().await).await;
    assert_eq!(answer, "/h2 HTTP/2.0 tls=false 3");
    let answer = over_h2(server.tls(b"h2").await).await;
    assert_eq!(answer, "/h2 HTTP/2.0 tls=true 3");
}

#[tokio::test]
async fn plain_http_from_elsewhere_is_refused_without_a_challenge() {
    for (nets, names) in [
        (
            &["10.0.0.0/8", "::1/128"][..],
            "from 10.0.0.0/8, ::1/128 only",
        ),
        (&[], "not accepted"),
    ] {
        let server = Server::start(nets).await;
        let answer = server.raw("GET /v2/ HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
        assert!(answer.contains(names), "{answer}");
        assert!(
            answer.contains(r#"{"errors":[{"code":"DENIED","#),
            "{answer}"
        );
        assert!(
            !answer.to_lowercase().contains("www-authenticate"),
            "{answer}"
        );
        assert!(server.paths().is_empty());
        let answer = converse(server.tls(b"http/1.1").await, POST).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
}

#[test]
fn the_peer_decides_about_plain_http() {
    let settings = |nets: &[&str]| ListenSettings {
        plain_http_from: nets.iter().map(|net| net.parse().unwrap()).collect(),
        connections: 1,
        connections_per_address: 1,
        trusted_proxies: Vec::new(),
        grace: Duration::ZERO,
    };
    let loopback = settings(&["127.0.0.0/8", "::1/128"]);
    for (address, allowed) in [
        ("127.0.0.1:1", true),
        ("127.9.9.9:1", true),
        ("[::1]:1", true),
        ("[::ffff:127.0.0.1]:1", true),
        ("10.0.0.1:1", false),
        ("[::2]:1", false),
        ("[::ffff:10.0.0.1]:1", false),
    ] {
        let address: SocketAddr = address.parse().unwrap();
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        let peer = Peer {
            address,
            tls: false,
        };
        assert_eq!(loopback.allows_plain_http(peer), allowed, "{address}");
    }
}

#[tokio::test]
async fn a_message_with_two_lengths_is_refused_and_the_connection_closed() {
    let server = Server::start(&["127.0.0.0/8"]).await;
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    for headers in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Content-Length: +5\r\n",
        "Content-Length : 5\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding:\r\n\tchunked\r\n",
        "Transfer-Encoding: \x0bchunked\r\n",
    ] {
        let text = format!("POST /first HTTP/1.1\r\nHost: a\r\n{headers}\r\n0\r\n\r\n{smuggled}");
        for answer in [
            server.raw(&text).await,
            converse(server.tls(b"http/1.1").await, &text).await,
        ] {
            assert!(answer.starts_with("HTTP/1.1 400 "), "{headers:?}: {answer}");
            assert!(
                answer.contains("connection: close"),
                "{headers:?}: {answer}"
            );
            assert_eq!(
                answer.matches("HTTP/1.1").count(),
                1,
                "{headers:?}: {answer}"
            );
        }
    }
    assert_eq!(server.paths(), Vec::<String>::new());
}

#[tokio::test]
async fn a_later_message_of_a_connection_is_judged_too() {
    let server = Server::start(&["127.0.0.0/8"]).await;
    let bad =
        "POST /bad HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n";
    for first in [
        "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
        "POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "\r\n\r\nPOST /1 HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n\n3\r\nabc\r\n0\r\nT: u\r\n\r\n",
    ] {
        let answer = server.raw(&format!("{first}{bad}")).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{first:?}: {answer}");
        assert!(answer.contains("HTTP/1.1 400 "), "{first:?}: {answer}");
    }
    assert_eq!(server.paths(), ["/1"; 4]);
}

#[tokio::test]
async fn requests_in_a_row_are_answered_however_they_are_cut() {
    let server = Server::start(&["127.0.0.0/8"]).await;
    let text = "POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
                3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n\
                PUT /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabcd\
                GET /3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let want = [
        "/1 HTTP/1.1 tls=false 5",
        "/2 HTTP/1.1 tls=false 4",
        "/3 HTTP/1.1 tls=false 0",
    ];
    for size in [1, 2, 7, text.len()] {
        let mut stream = server.plain().await;
        for piece in text.as_bytes().chunks(size) {
            stream.write_all(piece).await.unwrap();
            stream.flush().await.unwrap();
            tokio::task::yield_now().await;
        }
        let answer = converse(stream, "").await;
        for want in want {
            assert!(answer.contains(want), "{size}: {answer}");
        }
    }
}

#[tokio::test]
async fn a_body_that_was_not_read_is_not_taken_for_a_request() {
    let server = Server::start(&["127.0.0.0/8"]).await;
    let text = "POST /refuse HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 37\r\n\r\n\
                GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n\
                GET /after HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let answer = server.raw(text).await;
    assert!(answer.contains("/refuse HTTP/1.1"), "{answer}");
    assert!(!server.paths().contains(&"/smuggled".to_owned()));
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let server = Server::start(&["127.0.0.0/8"]).await;
    let large = format!(
        "GET / HTTP/1.1\r\nA: {}\r\n\r\n",
        "a".repeat(2 * HEAD_LIMIT)
    );
    let many = format!(
        "GET / HTTP/1.1\r\n{}\r\n",
        "A: b\r\n".repeat(HEADERS_LIMIT + 1)
    );
    for text in [large, many] {
        let answer = server.raw(&text).await;
        assert!(
            answer.starts_with("HTTP/1.1 431 ") || answer.is_empty(),
            "{answer}"
        );
    }
    assert!(server.paths().is_empty());
}

#[tokio::test]
async fn a_shutdown_lets_requests_in_flight_finish_and_accepts_no_others() {
    let mut server = Server::start(&["127.0.0.0/8"]).await;
    let (came, go) = (Arc::clone(&server.door.came), Arc::clone(&server.door.go));
    let idle = server.plain().await;
    let idle_tls = server.tls(b"http/1.1").await;
    let idle_h2 = server.tls(b"h2").await;
    let stream = server.plain().await;
    let slow = tokio::spawn(converse(stream, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n"));
    came.notified().await;
    server.stop.take().unwrap().send(()).unwrap();
    assert_eq!(converse(idle, "").await, "");
    assert_eq!(converse(idle_tls, "").await, "");
    assert_eq!(converse(idle_h2, "").await, "");
    while TcpStream::connect(server.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!server.done.is_finished());
    go.notify_one();
    let answer = slow.await.unwrap();
    assert!(answer.contains("/slow HTTP/1.1"), "{answer}");
    server.done.await.unwrap().unwrap();
}
