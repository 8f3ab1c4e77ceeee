use std::collections::HashMap;
use std::net::SocketAddr;

use std::time::Duration;

use http::{Response, StatusCode};
use http_body_util::BodyExt as _;
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
    start_door(data, Verifier(now())).await
}

async fn start_door(data: &Path, door: impl Door) -> SocketAddr {
    let names = crate::tls::names(None, &[], None, &[]);
    // Certificates are checked against the real time.
    let today = bonded_registry::Clock::system().now();
    let tls = crate::tls::own(&data.join("tls"), &names, today).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let settings = ListenSettings {
        plain_http_from: vec!["127.0.0.0/8".parse().unwrap()],
        connections: 8,
        connections_per_address: 8,
        trusted_proxies: Vec::new(),
        grace: Duration::ZERO,
    };
    let (_, tls) = tokio::sync::watch::channel(tls);
    tokio::spawn(serve(listener, tls, settings, door, std::future::pending()));
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
    let error = client("https://127.0.0.1", data.path(), &key);
    let error = error.err().unwrap().to_string();
    assert!(error.contains("holds no certificate"), "{error}");
    let bundle = ("AWS_CA_BUNDLE", "/nonexistent/ca.crt");
    let with_bundle: Vec<_> = key.iter().copied().chain([bundle]).collect();
    let error = client("https://a", data.path(), &with_bundle);
    let error = error.err().unwrap().to_string();
    assert!(error.contains("cannot trust the file"), "{error}");
    assert!(client("http://a", data.path(), &key).is_ok());
    let disabled = ("AWS_EC2_METADATA_DISABLED", "true");
    assert!(client("http://a", data.path(), &[disabled]).is_err());
}

/// Plays STS, a container agent and a machine's metadata service: gives a key to whoever asks rightly, and to that key's
/// signature a JSON answer.
#[derive(Clone)]
struct Exchange;

impl Door for Exchange {
    async fn answer(&self, request: Request<Incoming>, _: Peer) -> Response<ResponseBody> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let body = String::from_utf8(body.to_vec()).unwrap();
        let header = |name: &str| {
            let value = parts.headers.get(name);
            value.map_or("", |value| value.to_str().unwrap()).to_owned()
        };
        let by = header("authorization");
        let credentials = |id: &str| {
            format!(
                "<Credentials><AccessKeyId>{id}</AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
                 <SessionToken>token-of-{id}</SessionToken><Expiration>x</Expiration></Credentials>"
            )
        };
        let (status, text) = if parts.uri.path().starts_with("/latest/") {
            metadata(&parts)
        } else if parts.method == "GET" {
            assert_eq!((parts.uri.path(), by.as_str()), ("/key", "Agent token"));
            let key = r#"{"AccessKeyId":"AGENT","SecretAccessKey":"s","Token":"token-of-AGENT"}"#;
            (200, key.to_owned())
        } else if body.contains("AssumeRoleWithWebIdentity") {
            assert!(by.is_empty(), "a token needs no signature");
            let denied = "<ErrorResponse><Error><Code>InvalidIdentityToken</Code>\
                          <Message>no</Message></Error></ErrorResponse>";
            match body.contains("WebIdentityToken=good") {
                true => (200, xml("AssumeRoleWithWebIdentity", &credentials("WEB"))),
                false => (400, denied.to_owned()),
            }
        } else if body.contains("AssumeRole") {
            assert!(by.contains("Credential=AGENT/"), "{by}");
            (200, xml("AssumeRole", &credentials("ROLE")))
        } else {
            (
                200,
                format!(
                    "{} {}",
                    header("x-amz-security-token"),
                    header("x-amz-target")
                ),
            )
        };
        let body = Full::from(text).map_err(|never: std::convert::Infallible| match never {});
        let mut response = Response::new(body.boxed_unsync());
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        response
    }
}

/// Version 2 of the service: a token first.
fn metadata(parts: &http::request::Parts) -> (u16, String) {
    let header = |name: &str| parts.headers.get(name).map(http::HeaderValue::as_bytes);
    if parts.method == "PUT" {
        assert!(header("x-aws-ec2-metadata-token-ttl-seconds").is_some());
        return (200, "session".to_owned());
    }
    if header("x-aws-ec2-metadata-token") != Some(b"session") {
        return (401, String::new());
    }
    let key =
        r#"{"Code":"Success","AccessKeyId":"NODE","SecretAccessKey":"s","Token":"token-of-NODE"}"#;
    match parts
        .uri
        .path()
        .strip_prefix("/latest/meta-data/iam/security-credentials/")
    {
        Some("") => (200, "node\n".to_owned()),
        Some("node") => (200, key.to_owned()),
        _ => (404, String::new()),
    }
}

fn xml(action: &str, credentials: &str) -> String {
    format!(
        "<{action}Response xmlns=\"n\"><{action}Result>{credentials}<AssumedRoleUser>\
         <Arn>a</Arn></AssumedRoleUser></{action}Result></{action}Response>"
    )
}

#[tokio::test]
async fn a_key_is_exchanged_for_that_of_a_role() {
    let data = tempfile::tempdir().unwrap();
    let address = start_door(data.path(), Exchange).await;
    let token = data.path().join("token");
    std::fs::write(&token, "good\n").unwrap();
    let bad = data.path().join("bad");
    std::fs::write(&bad, "bad").unwrap();
    let config = data.path().join("config");
    let profile = "[profile r]\nrole_arn = arn:r\ncredential_source = EcsContainer\n";
    std::fs::write(&config, profile).unwrap();
    let agent = format!("http://{address}/key");
    let agent = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", agent.as_str()),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "Agent token"),
    ];
    let web = |path| {
        [
            ("AWS_WEB_IDENTITY_TOKEN_FILE", path),
            ("AWS_ROLE_ARN", "arn:w"),
        ]
    };
    let role = [
        ("AWS_CONFIG_FILE", config.to_str().unwrap()),
        ("AWS_PROFILE", "r"),
    ];
    let here = format!("http://{address}");
    let machine = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", here.as_str())];
    let nobody = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1")];
    for (pairs, want) in [
        (machine.to_vec(), Some("NODE")),
        (nobody.to_vec(), None),
        (agent.to_vec(), Some("AGENT")),
        (web(token.to_str().unwrap()).to_vec(), Some("WEB")),
        ([agent, role].concat(), Some("ROLE")),
        (web(bad.to_str().unwrap()).to_vec(), None),
        (web("/nonexistent").to_vec(), None),
    ] {
        let client = client(&format!("http://{address}"), data.path(), &pairs).unwrap();
        let input = serde_json::json!({});
        let answer = client.ecr("DescribeRepositories", &input, now()).await;
        let text = answer.map(|answer| String::from_utf8(answer.body.to_vec()).unwrap());
        let target = "AmazonEC2ContainerRegistry_V20150921.DescribeRepositories";
        let want = want.map(|id| format!("token-of-{id} {target}"));
        assert_eq!(text.as_deref().ok(), want.as_deref(), "{pairs:?}");
    }
}
