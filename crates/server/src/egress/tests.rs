use std::convert::Infallible;
use std::future::pending;
use std::path::PathBuf;
use std::sync::Mutex;

use http_body_util::Full;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;

/// A server on loopback whose answers are given by path.
struct Origin {
    address: SocketAddr,
    authority: PathBuf,
    _directory: tempfile::TempDir,
    asked: Arc<Mutex<Vec<String>>>,
}

fn answer(request: &Request<Incoming>, port: u16) -> Response<Full<Bytes>> {
    let path = request.uri().path();
    let (status, location, body) = match path {
        "/keys" => (200, String::new(), "the keys".to_owned()),
        "/large" => (200, String::new(), "x".repeat(5000)),
        "/missing" => (404, String::new(), "no".to_owned()),
        "/empty" => (304, String::new(), String::new()),
        "/moved" => (302, "/keys".to_owned(), String::new()),
        "/moved-whole" => (307, format!("https://LOCALHOST:{port}/keys"), String::new()),
        "/loop" => (302, "/loop".to_owned(), String::new()),
        "/away" => (302, "https://example.org/keys".to_owned(), String::new()),
        "/away-by-host" => (302, "//example.org/keys".to_owned(), String::new()),
        "/other-port" => (302, "https://localhost:1/keys".to_owned(), String::new()),
        "/downgrade" => (302, format!("http://localhost:{port}/keys"), String::new()),
        "/metadata" => (
            302,
            "http://169.254.169.254/latest".to_owned(),
            String::new(),
        ),
        _ => (500, String::new(), String::new()),
    };
    let mut response = Response::builder().status(status).header("etag", "\"1\"");
    if !location.is_empty() {
        response = response.header(header::LOCATION, location);
    }
    response.body(Full::from(body)).unwrap()
}

async fn origin(tls: bool) -> Origin {
    let directory = tempfile::tempdir().unwrap();
    let today = bonded_registry::Clock::system().now();
    let names = crate::tls::names(None, &[], None, &[]);
    let mut config = (*crate::tls::own(directory.path(), &names, today).unwrap()).clone();
    config.alpn_protocols.clear();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (acceptor, seen) = (acceptor.clone(), Arc::clone(&seen));
            let service = hyper::service::service_fn(move |request: Request<Incoming>| {
                let head = format!("{:?}", request.headers());
                seen.lock().unwrap().push(head);
                let stalls = request.uri().path() == "/stall";
                let response = answer(&request, address.port());
                async move {
                    if stalls {
                        pending::<()>().await;
                    }
                    Ok::<_, Infallible>(response)
                }
            });
            let http = hyper::server::conn::http1::Builder::new();
            tokio::spawn(async move {
                if tls {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        let _ = http.serve_connection(TokioIo::new(stream), service).await;
                    }
                } else {
                    let _ = http.serve_connection(TokioIo::new(stream), service).await;
                }
            });
        }
    });
    Origin {
        address,
        authority: directory.path().join("ca.crt"),
        _directory: directory,
        asked,
    }
}

const LIMITS: Limits = Limits {
    bytes: 1000,
    time: Duration::from_secs(60),
};

impl Origin {
    fn url(&self, host: &str, path: &str) -> String {
        format!("https://{host}:{}{path}", self.address.port())
    }

    async fn get(&self, allow: &[&str], url: &str) -> Result<Vec<u8>, EgressError> {
        let allow = allow.iter().map(|text| Reachable::parse(text).unwrap());
        let egress = Egress::new(allow.collect(), Some(&self.authority)).unwrap();
        egress.get(url, LIMITS).await?.read().await
    }
}

fn problem(result: Result<Vec<u8>, EgressError>) -> String {
    result
        .err()
        .map_or("no problem".to_owned(), |e| e.to_string())
}

#[tokio::test]
async fn what_is_allowed_is_fetched_over_tls_without_any_credential() {
    let origin = origin(true).await;
    for allow in [&["127.0.0.0/8", "::1"][..], &["localhost"]] {
        let body = origin.get(allow, &origin.url("localhost", "/keys")).await;
        assert_eq!(body.unwrap(), b"the keys");
    }
    let moved = origin
        .get(&["localhost"], &origin.url("localhost", "/moved"))
        .await;
    assert_eq!(moved.unwrap(), b"the keys");
    let moved = origin
        .get(&["localhost"], &origin.url("localhost", "/moved-whole"))
        .await;
    assert_eq!(moved.unwrap(), b"the keys");
    for head in origin.asked.lock().unwrap().iter() {
        assert!(
            !head.contains("authorization") && !head.contains("cookie"),
            "{head}"
        );
    }
}

#[tokio::test]
async fn an_address_that_is_not_public_is_not_connected_to() {
    let origin = origin(true).await;
    let port = origin.address.port();
    for host in [
        "localhost",
        "127.0.0.1",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "0x7f.1",
        "2130706433",
        "0",
        "LOCALHOST",
    ] {
        for allow in [&[][..], &["10.0.0.0/8", "example.org", "http://localhost"]] {
            let problem = problem(origin.get(allow, &origin.url(host, "/keys")).await);
            assert!(
                problem.contains("not a public address"),
                "{host}: {problem}"
            );
            assert!(problem.contains("'egress.allow'"), "{problem}");
        }
    }
    let plain = format!("http://localhost:{port}/keys");
    let refused = problem(origin.get(&["localhost", "127.0.0.0/8"], &plain).await);
    assert!(
        refused.contains("does not begin with 'https://'"),
        "{refused}"
    );
    assert!(origin.asked.lock().unwrap().is_empty(), "nothing was asked");
}

#[tokio::test]
async fn plain_http_goes_to_listed_origins_only() {
    let origin = origin(false).await;
    let port = origin.address.port();
    let url = format!("http://localhost:{port}/keys");
    let listed = format!("http://localhost:{port}");
    assert_eq!(origin.get(&[&listed], &url).await.unwrap(), b"the keys");
    for allow in ["http://localhost:1", "http://127.0.0.1:5000", "localhost"] {
        let problem = problem(origin.get(&[allow], &url).await);
        assert!(
            problem.contains("does not begin with"),
            "{allow}: {problem}"
        );
    }
    let https = problem(
        origin
            .get(&[&listed], &origin.url("localhost", "/keys"))
            .await,
    );
    assert!(https.contains("not a public address"), "{https}");
}

#[tokio::test]
async fn no_redirect_leaves_its_origin() {
    let origin = origin(true).await;
    for path in [
        "/loop",
        "/away",
        "/away-by-host",
        "/other-port",
        "/downgrade",
        "/metadata",
    ] {
        let url = origin.url("localhost", path);
        let allow = [
            "localhost",
            "169.254.0.0/16",
            "http://169.254.169.254",
            "0.0.0.0/0",
        ];
        let problem = problem(origin.get(&allow, &url).await);
        assert!(
            problem.contains("redirects to another origin"),
            "{path}: {problem}"
        );
    }
}

#[tokio::test]
async fn an_answer_is_bounded_and_must_be_a_success() {
    let origin = origin(true).await;
    for (path, expected) in [
        ("/large", "has more than 1000 bytes"),
        ("/missing", "is answered with 404 Not Found"),
        ("/empty", "is answered with 304 Not Modified"),
    ] {
        let url = origin.url("localhost", path);
        let problem = problem(origin.get(&["localhost"], &url).await);
        assert!(problem.contains(expected), "{path}: {problem}");
    }
    let egress = Egress::new(
        vec![Reachable::Host("localhost".to_owned())],
        Some(&origin.authority),
    );
    let limits = Limits {
        time: Duration::from_millis(50),
        ..LIMITS
    };
    let stalled = egress
        .unwrap()
        .get(&origin.url("localhost", "/stall"), limits)
        .await;
    assert!(matches!(stalled, Err(EgressError::TooSlow { .. })));
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_refused() {
    let (origin, other) = (origin(true).await, origin(true).await);
    let url = origin.url("localhost", "/keys");
    let problem = problem(other.get(&["localhost"], &url).await);
    assert!(problem.contains("did not answer as expected"), "{problem}");
}

#[tokio::test]
async fn what_is_no_url_of_a_server_is_refused() {
    let origin = origin(true).await;
    for url in [
        "",
        "localhost",
        "/etc/passwd",
        "file:///etc/passwd",
        "ftp://localhost/",
        "gopher://127.0.0.1:70/_x",
        "https://",
        "https:///keys",
        "https://user:secret@localhost/",
        "https://exa mple/",
        "https://localhost:99999999/",
    ] {
        let result = origin.get(&["localhost", "0.0.0.0/0"], url).await;
        assert!(matches!(result, Err(EgressError::Url { .. })), "{url}");
    }
}
