//! AWS's own signing test suite: every vector that applies verifies, in the header and in the
//! query, and those in the header are signed alike.
//!
//! Vectors with `"normalize": false` do not apply: they are S3's canonical form, and we have no
//! service of that form. SigV4A vectors do not apply: we do not accept it.

use std::path::{Path, PathBuf};
use std::process::Command;

use aws_lc_rs::digest;
use bonded_iam::sigv4::{
    SigV4Error, SignedRequest, parse_authorization, parse_query, sign, verify,
};
use bonded_model::Timestamp;
use serde_json::Value;

/// The vectors of the suite that must be found, and how many of them are S3's.
const VECTORS: usize = 38;
const NOT_NORMALIZED: usize = 7;

/// An HTTP request in a file: the lines may be folded.
struct Message {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Message {
    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
        let mut lines = head.lines();
        let line = lines.next().unwrap().strip_suffix(" HTTP/1.1").unwrap();
        let (method, target) = line.split_once(' ').unwrap();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut headers: Vec<(String, String)> = Vec::new();
        for line in lines {
            if line.starts_with(' ') {
                let value = &mut headers.last_mut().unwrap().1;
                value.push(' ');
                value.push_str(line.trim());
            } else {
                let (name, value) = line.split_once(':').unwrap();
                headers.push((name.to_owned(), value.to_owned()));
            }
        }
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers,
            body: body.trim_end_matches('\n').to_owned(),
        }
    }
}

fn suite() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let archive = root.join("shared/cases/aws-signing-test-suite.tgz");
    if !archive.exists() {
        assert!(
            option_env!("BONDED_CI").is_none(),
            "the signing suite is missing"
        );
        println!("skipped: the signing suite is not beside the checkout");
        return None;
    }
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("aws-signing-test-suite");
    std::fs::create_dir_all(&target).unwrap();
    let status = Command::new("tar")
        .arg("-xzf")
        .arg(archive)
        .arg("-C")
        .arg(&target)
        .status()
        .unwrap();
    assert!(status.success());
    Some(target.join("tests/aws-signing-test-suite/v4"))
}

fn check(vector: &Path, context: &Value) {
    let read = |name: &str| std::fs::read_to_string(vector.join(name)).unwrap();
    let text = |pointer: &str| context.pointer(pointer).and_then(Value::as_str).unwrap();
    let message = Message::parse(&read("header-signed-request.txt"));
    let (authorization, headers): (Vec<_>, Vec<_>) = message
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .partition(|(name, _)| *name == "Authorization");
    let hash = digest::digest(&digest::SHA256, message.body.as_bytes());
    let request = SignedRequest {
        method: &message.method,
        path: &message.path,
        query: &message.query,
        headers: &headers,
        body_sha256_hex: &hex::encode(hash),
    };
    let secret = text("/credentials/secret_access_key").as_bytes();
    let stamp = text("/timestamp").replace(['-', ':'], "");
    let now = Timestamp::parse_amz_date(&stamp).unwrap();
    let header = authorization[0].1;
    let parsed = parse_authorization(header).unwrap();
    assert_eq!(
        verify(&parsed, &request, secret, now, 0),
        Ok(()),
        "{vector:?}"
    );
    parsed
        .check_scope(&[text("/region")], text("/service"))
        .unwrap();

    // The token that is added after signing is not ours to sign.
    let late_token = context["omit_session_token"] == true;
    let signed: Vec<_> = headers
        .iter()
        .copied()
        .filter(|(name, _)| !(late_token && *name == "X-Amz-Security-Token"))
        .collect();
    let request = SignedRequest {
        headers: &signed,
        ..request
    };
    let key = text("/credentials/access_key_id");
    let again = sign(&request, key, secret, text("/region"), text("/service")).unwrap();
    assert_eq!(again, header, "{vector:?}");
}

/// Verifies the vector's presigned request when it is made and at its last moment, and no longer.
fn check_query(vector: &Path, context: &Value) {
    let read = |name: &str| std::fs::read_to_string(vector.join(name)).unwrap();
    let text = |pointer: &str| context.pointer(pointer).and_then(Value::as_str).unwrap();
    let message = Message::parse(&read("query-signed-request.txt"));
    let headers: Vec<(&str, &str)> = message
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let hash = digest::digest(&digest::SHA256, message.body.as_bytes());
    let request = SignedRequest {
        method: &message.method,
        path: &message.path,
        query: &message.query,
        headers: &headers,
        body_sha256_hex: &hex::encode(hash),
    };
    let secret = text("/credentials/secret_access_key").as_bytes();
    let stamp = text("/timestamp").replace(['-', ':'], "");
    let made = Timestamp::parse_amz_date(&stamp).unwrap();
    let parsed = parse_query(&message.query).unwrap();
    let token = context
        .pointer("/credentials/token")
        .and_then(Value::as_str);
    let given = parsed.session_token().map(bonded_model::Secret::expose);
    assert_eq!(given, token, "{vector:?}");
    parsed
        .check_scope(&[text("/region")], text("/service"))
        .unwrap();
    let after = |seconds: i64| {
        let now = Timestamp::from_millis(made.as_millis() + seconds * 1000);
        verify(&parsed, &request, secret, now, 0)
    };
    let lifetime = context["expiration_in_seconds"].as_i64().unwrap();
    assert_eq!(after(0), Ok(()), "{vector:?}");
    assert_eq!(after(lifetime), Ok(()), "{vector:?}");
    assert!(matches!(
        after(lifetime + 1),
        Err(SigV4Error::Expired { .. })
    ));
    assert!(matches!(after(-1), Err(SigV4Error::NotYetValid { .. })));
    let other = verify(&parsed, &request, b"another secret", made, 0);
    assert_eq!(other, Err(SigV4Error::SignatureMismatch));
}

#[test]
fn the_vectors_verify_and_are_signed_alike() {
    let Some(suite) = suite() else {
        return;
    };
    let (mut found, mut not_normalized) = (0, 0);
    for entry in std::fs::read_dir(suite).unwrap() {
        let vector = entry.unwrap().path();
        let context = std::fs::read_to_string(vector.join("context.json")).unwrap();
        let context: Value = serde_json::from_str(&context).unwrap();
        found += 1;
        if context["normalize"] == true {
            check(&vector, &context);
            check_query(&vector, &context);
        } else {
            not_normalized += 1;
        }
    }
    assert_eq!((found, not_normalized), (VECTORS, NOT_NORMALIZED));
}
