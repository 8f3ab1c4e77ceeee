use std::collections::HashMap;
use std::net::SocketAddr;

use http::Response;
use hyper::body::Incoming;
use tokio::net::TcpListener;

use super::*;
use crate::listen::{Door, ListenSettings, Peer, ResponseBody, serve};

const SECRET: &str = "secret";

/// Verifies the signature and gives the form back, or 403 and the reason.
#[derive(Clone)]
struct Verifier(Timestamp);

impl Door for Verifier {
    async fn answer(&self, request: Request<Incoming>, _: Peer) -> Response<ResponseBody> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let headers: Vec<(&str, &str)> = parts
            .headers
            .iter()
            .map(|(k, v)| (k.as_str(), v.to_str().unwrap()))
            .collect();
        let digest = Digest::sha256(&body);
        let signed = SignedRequest {
            method: "POST",
            path: parts.uri.path(),
            query: "",
            headers: &headers,
            body_sha256_hex: digest.as_str().trim_start_matches("sha256:"),
        };
        let header = parts.headers["authorization"].to_str().unwrap();
        let verified = sigv4::parse_authorization(header).and_then(|authorization| {
            authorization.check_scope(&["on-prem"], "sts")?;
            sigv4::verify(&authorization, &signed, SECRET.as_bytes(), self.0, 1000)
        });
        let (status, body) = match verified {
            Ok(()) => (StatusCode::OK, body),
            Err(error) => (StatusCode::FORBIDDEN, error.to_string().into()),
        };
        let body = Full::from(body).map_err(|never: std::convert::Infallible| match never {});
        let mut response = Response::new(body.boxed_unsync());
        *response.status_mut() = status;
        response
    }
}

fn now() -> Timestamp {
    Timestamp::parse_amz_date("20261122T120000Z").unwrap()
}

async fn start(data: &Path) -> SocketAddr {
    let names = crate::tls::names(None, &[], None, &[]);
    // Certificates are checked against the real time.
    let today = bonded_registry::Clock::system().now();
    let tls = crate::tls::own(&data.join("tls"), &names, today).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let settings = ListenSettings {
        plain_http_from: vec!["127.0.0.0/8".parse().unwrap()],
        connections: 8,
        grace: Duration::ZERO,
    };
    tokio::spawn(serve(
        listener,
        tls,
        settings,
        Verifier(now()),
        std::future::pending(),
    ));
    address
}

fn client(endpoint: &str, data: &Path, pairs: &[(&str, &str)]) -> Result<Client, ClientError> {
    let pairs: HashMap<&str, &str> = pairs.iter().copied().collect();
    Client::new(Some(endpoint), data, |name| {
        pairs.get(name).map(OsString::from)
    })
}

#[tokio::test]
async fn a_call_is_signed_over_https_and_http() {
    let data = tempfile::tempdir().unwrap();
    let address = start(data.path()).await;
    let id = ("AWS_ACCESS_KEY_ID", "AKIA");
    let region = ("AWS_REGION", "on-prem");
    let right = ("AWS_SECRET_ACCESS_KEY", SECRET);
    let wrong = ("AWS_SECRET_ACCESS_KEY", "other");
    let token = ("AWS_SESSION_TOKEN", "a/b+c=");
    for (pairs, status) in [
        (&[id, region, right][..], StatusCode::OK),
        (&[id, region, right, token], StatusCode::OK),
        (&[id, region, wrong], StatusCode::FORBIDDEN),
        (&[id, right], StatusCode::FORBIDDEN),
    ] {
        for scheme in ["https", "http"] {
            let client = client(&format!("{scheme}://{address}"), data.path(), pairs).unwrap();
            let parameters = [("Action", "Why"), ("Id", "a b&c=ü")];
            let answer = client.query("sts", &parameters, now()).await.unwrap();
            assert_eq!(answer.status, status, "{:?}", answer.body);
            if status == StatusCode::OK {
                assert_eq!(answer.body, "Action=Why&Id=a+b%26c%3D%C3%BC");
            }
        }
    }
}

#[tokio::test]
async fn a_server_that_is_not_trusted_is_told_nothing() {
    let (data, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let address = start(data.path()).await;
    start(other.path()).await;
    let key = [
        ("AWS_ACCESS_KEY_ID", "AKIA"),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
    ];
    let client = client(&format!("https://{address}"), other.path(), &key).unwrap();
    let error = client
        .query("sts", &[], now())
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("AWS_CA_BUNDLE"), "{error}");
}

#[test]
fn settings_that_cannot_be_are_refused() {
    let data = tempfile::tempdir().unwrap();
    let key = [
        ("AWS_ACCESS_KEY_ID", "AKIA"),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
    ];
    for endpoint in [
        "",
        "host:1",
        "ftp://a",
        "https://a/b",
        "https://u:p@a",
        "https://",
    ] {
        let error = client(endpoint, data.path(), &key)
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains("is not an endpoint"), "{error}");
    }
    std::fs::create_dir(data.path().join("tls")).unwrap();
    std::fs::write(data.path().join("tls/ca.crt"), "").unwrap();
    assert!(client("https://127.0.0.1", data.path(), &key).is_ok());
    let error = client("https://a", data.path(), &key)
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("no authority to trust"), "{error}");
    let error = client("https://127.0.0.1.example.org", data.path(), &key);
    assert!(error.is_err(), "the own authority is for this machine only");
    assert!(client("http://a", data.path(), &key).is_ok());
    assert!(client("http://a", data.path(), &[]).is_err());
}
