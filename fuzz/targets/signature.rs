//! SigV4, the tokens of identity providers, and service tokens.

use bonded_iam::jwt::{KeySet, Token};
use bonded_iam::sigv4::{self, SignedRequest};
use bonded_model::{Secret, Timestamp};
use bonded_registry::service_token_id;
use http::{HeaderName, HeaderValue};

use super::{can_be_shown, first_line};

/// A request as a text: `Authorization`, method, path and query in a line each, then a header
/// `NAME:VALUE` a line. What HTTP does not take for a header is left out.
pub(super) fn authorization(data: &[u8]) {
    let (authorization, rest) = first_line(data);
    let (method, rest) = first_line(rest);
    let (path, rest) = first_line(rest);
    let (query, rest) = first_line(rest);
    let rest = String::from_utf8_lossy(rest);
    let is_header = |(name, value): &(&str, &str)| {
        name.parse::<HeaderName>().is_ok()
            && value
                .parse::<HeaderValue>()
                .is_ok_and(|value| value.to_str().is_ok())
    };
    let headers = rest.lines().filter_map(|line| line.split_once(':'));
    let headers: Vec<(&str, &str)> = headers.filter(is_header).collect();
    let body_sha256_hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let request = SignedRequest {
        method,
        path,
        query,
        headers: &headers,
        body_sha256_hex,
    };
    let now = Timestamp::from_millis(1_767_225_900_000);
    let window = 5 * 60 * 1000;
    match sigv4::parse_authorization(authorization) {
        Ok(parsed) => {
            if let Err(error) = parsed.check_scope(&["us-east-1"], "ecr") {
                can_be_shown(&error);
            }
            match sigv4::verify(
                &parsed,
                &request,
                b"a secret that signed nothing",
                now,
                window,
            ) {
                Ok(()) => panic!("a signature of an unknown secret"),
                Err(error) => can_be_shown(&error),
            }
        }
        Err(error) => can_be_shown(&error),
    }
    // What is signed by us verifies, or is refused for what it says and not for its signature.
    let secret = b"the secret";
    let Ok(signed) = sigv4::sign(&request, "AKIDEXAMPLE", secret, "us-east-1", "ecr") else {
        return;
    };
    let parsed = sigv4::parse_authorization(&signed).expect("the header that was made");
    match sigv4::verify(&parsed, &request, secret, now, window) {
        Ok(()) => {}
        Err(sigv4::SigV4Error::SignatureMismatch) => panic!("our own signature: {signed}"),
        Err(error) => can_be_shown(&error),
    }
}

/// A query that is signed, or is meant to be; it asks `GET /` of one host.
pub(super) fn presigned(data: &[u8]) {
    let Ok(query) = std::str::from_utf8(data) else {
        return;
    };
    let parsed = match sigv4::parse_query(query) {
        Ok(parsed) => parsed,
        Err(error) => return can_be_shown(&error),
    };
    assert!(sigv4::is_signed_query(query), "it was read as one");
    let request = SignedRequest {
        method: "GET",
        path: "/",
        query,
        headers: &[("host", "localhost")],
        body_sha256_hex: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    };
    let now = Timestamp::from_millis(1_767_225_900_000);
    match sigv4::verify(
        &parsed,
        &request,
        b"a secret that signed nothing",
        now,
        300_000,
    ) {
        Ok(()) => panic!("a signature of an unknown secret"),
        Err(error) => can_be_shown(&error),
    }
}

/// The first line is a token, the rest the keys of its issuer.
pub(super) fn jwt(data: &[u8]) {
    let (token, keys) = first_line(data);
    let keys = KeySet::parse(keys);
    if let Err(error) = &keys {
        can_be_shown(error);
    }
    let token = match Token::parse(token) {
        Ok(token) => token,
        Err(error) => return can_be_shown(&error),
    };
    assert!(!token.issuer().is_empty());
    let Ok(keys) = keys else {
        return;
    };
    assert!((1..=100).contains(&keys.count()));
    match token.verify(&keys, Timestamp::from_millis(1_800_000_000_000)) {
        Ok(claims) => {
            assert!(!claims.subject.is_empty() && !claims.audiences.is_empty());
            assert_eq!(claims.issuer, token.issuer());
            assert!(claims.values().contains_key("sub"));
        }
        Err(error) => can_be_shown(&error),
    }
}

/// A password that may be a service token.
pub(super) fn service_token(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let password = Secret::new(text.to_owned());
    let Some(id) = service_token_id(&password) else {
        return;
    };
    let word = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let secret = text.strip_prefix(&format!("bonded_{id}_"));
    let secret = secret.expect("the id stands behind the prefix");
    assert!(word(id) && id.len() <= 32 && word(secret) && secret.len() == 46);
    // The checksum is of everything before it.
    let mut changed = text.to_owned();
    let last = changed.pop();
    changed.push(if last == Some('0') { '1' } else { '0' });
    assert_eq!(service_token_id(&Secret::new(changed)), None);
}
