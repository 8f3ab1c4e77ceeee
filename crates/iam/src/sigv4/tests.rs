use super::*;

const SECRET: &[u8] = b"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const FIVE_MINUTES: i64 = 300_000;

fn at(text: &str) -> Timestamp {
    Timestamp::parse_amz_date(text).unwrap()
}

fn request<'a>(query: &'a str, headers: &'a [(&'a str, &'a str)]) -> SignedRequest<'a> {
    SignedRequest {
        method: "POST",
        path: "/",
        query,
        headers,
        body_sha256_hex: EMPTY,
    }
}

const HEADERS: [(&str, &str); 3] = [
    ("Host", "api.ecr.us-east-1.amazonaws.com"),
    ("X-Amz-Date", "20260101T000500Z"),
    (
        "X-Amz-Target",
        "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken",
    ),
];

fn authorization(headers: &[(&str, &str)]) -> Authorization {
    let header = sign(
        &request("", headers),
        "AKIDEXAMPLE",
        SECRET,
        "us-east-1",
        "ecr",
    )
    .unwrap();
    parse_authorization(&header).unwrap()
}

fn outcome(headers: &[(&str, &str)], query: &str, now: &str) -> Result<(), SigV4Error> {
    let authorization = authorization(&HEADERS);
    let request = request(query, headers);
    verify(&authorization, &request, SECRET, at(now), FIVE_MINUTES)
}

#[test]
fn what_is_signed_verifies() {
    for now in ["20260101T000000Z", "20260101T000500Z", "20260101T001000Z"] {
        assert_eq!(outcome(&HEADERS, "", now), Ok(()));
    }
}

#[test]
fn everything_the_signature_covers_is_covered() {
    let now = at("20260101T000500Z");
    let good = authorization(&HEADERS);
    let plain = request("", &HEADERS);
    let mut other_target = HEADERS;
    other_target[2].1 = "AmazonEC2ContainerRegistry_V20150921.DeleteRepository";
    let mut twice = HEADERS.to_vec();
    twice.push(HEADERS[2]);
    let changed = [
        SignedRequest {
            method: "GET",
            ..plain
        },
        SignedRequest {
            path: "/x",
            ..plain
        },
        SignedRequest {
            query: "a=b",
            ..plain
        },
        SignedRequest {
            headers: &other_target,
            ..plain
        },
        SignedRequest {
            headers: &twice,
            ..plain
        },
        SignedRequest {
            headers: &HEADERS[..2],
            ..plain
        },
        SignedRequest {
            body_sha256_hex: "00",
            ..plain
        },
    ];
    for request in &changed {
        let result = verify(&good, request, SECRET, now, FIVE_MINUTES);
        assert_eq!(result, Err(SigV4Error::SignatureMismatch));
    }
    for (region, service) in [("eu-west-1", "ecr"), ("us-east-1", "sts")] {
        let mut other = good.clone();
        other.region = region.to_owned();
        other.service = service.to_owned();
        let result = verify(&other, &plain, SECRET, now, FIVE_MINUTES);
        assert_eq!(result, Err(SigV4Error::SignatureMismatch));
    }
    let result = verify(&good, &plain, b"another secret", now, FIVE_MINUTES);
    assert_eq!(result, Err(SigV4Error::SignatureMismatch));
    let mut short = good;
    short.signature.truncate(16);
    let result = verify(&short, &plain, SECRET, now, FIVE_MINUTES);
    assert_eq!(result, Err(SigV4Error::SignatureMismatch));
}

#[test]
fn the_time_is_told_in_awss_words() {
    let expired = outcome(&HEADERS, "", "20260101T001001Z").unwrap_err();
    assert_eq!(
        expired.to_string(),
        "Signature expired: 20260101T000500Z is now earlier than 20260101T000501Z (20260101T001001Z - 5 min.)"
    );
    let early = outcome(&HEADERS, "", "20251231T235959Z").unwrap_err();
    assert_eq!(
        early.to_string(),
        "Signature not yet current: 20260101T000500Z is still later than 20260101T000459Z (20251231T235959Z + 5 min.)"
    );
}

#[test]
fn host_and_amazon_headers_must_be_signed() {
    let mut more = HEADERS.to_vec();
    more.push(("X-Amz-Meta", "1"));
    let error = outcome(&more, "", "20260101T000500Z").unwrap_err();
    assert!(matches!(error, SigV4Error::NotSigned(text) if text.ends_with("x-amz-meta")));
    let mut token = HEADERS.to_vec();
    token.push(("X-Amz-Security-Token", "added after signing"));
    assert_eq!(outcome(&token, "", "20260101T000500Z"), Ok(()));
    let unsigned_host = sign(&request("", &HEADERS[1..]), "AK", SECRET, "r", "s");
    assert!(matches!(unsigned_host, Err(SigV4Error::NotSigned(_))));
}

#[test]
fn two_signatures_are_an_error() {
    for query in [
        "X-Amz-Signature=00",
        "a=b&x-amz-credential=x",
        "%58-Amz-Algorithm=x",
    ] {
        let error = outcome(&HEADERS, query, "20260101T000500Z").unwrap_err();
        assert!(matches!(error, SigV4Error::Incomplete(_)), "{query}");
    }
}

#[test]
fn the_date_must_be_there_once_and_of_the_scopes_day() {
    let now = at("20260101T000500Z");
    let good = authorization(&HEADERS);
    let with = |headers: &[(&str, &str)]| {
        verify(&good, &request("", headers), SECRET, now, FIVE_MINUTES).unwrap_err()
    };
    let host = HEADERS[0];
    assert!(matches!(with(&[host]), SigV4Error::Incomplete(_)));
    let bad = [host, ("x-amz-date", "2026-01-01T00:05:00Z")];
    assert!(matches!(with(&bad), SigV4Error::Incomplete(_)));
    let twice = [host, HEADERS[1], HEADERS[1]];
    assert!(matches!(with(&twice), SigV4Error::Incomplete(_)));
    let other_day = [host, ("x-amz-date", "20260102T000500Z"), HEADERS[2]];
    assert_eq!(
        with(&other_day).to_string(),
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20260101' != '20260102', from '20260102T000500Z'."
    );
}

#[test]
fn a_plain_date_header_will_do() {
    let headers = [HEADERS[0], ("Date", "Thu, 01 Jan 2026 00:05:00 GMT")];
    let good = authorization(&headers);
    let request = request("", &headers);
    let result = verify(
        &good,
        &request,
        SECRET,
        at("20260101T000500Z"),
        FIVE_MINUTES,
    );
    assert_eq!(result, Ok(()));
}

#[test]
fn the_scope_must_be_the_doors() {
    let good = authorization(&HEADERS);
    assert_eq!(good.check_scope(&["eu-west-1", "us-east-1"], "ecr"), Ok(()));
    for (regions, service) in [
        (&["eu-west-1"][..], "ecr"),
        (&["us-east-1"][..], "sts"),
        (&[][..], "ecr"),
    ] {
        let error = good.check_scope(regions, service).unwrap_err();
        assert!(matches!(error, SigV4Error::WrongScope(_)));
    }
}

#[test]
fn headers_are_read_with_and_without_spaces() {
    for separator in [", ", ",", " , "] {
        let header = [
            "AWS4-HMAC-SHA256 Credential=AK/20260101/r/s/aws4_request",
            "SignedHeaders=Host;a",
            "Signature=00ff",
        ]
        .join(separator);
        let parsed = parse_authorization(&header).unwrap();
        assert_eq!(parsed.access_key_id, "AK");
        assert_eq!(parsed.signed_headers, ["a", "host"]);
        assert_eq!(parsed.signature, [0, 255]);
        assert!(!format!("{parsed:?}").contains("255"));
    }
}

#[test]
fn broken_headers_are_refused_with_their_kind() {
    assert_eq!(parse_authorization(" ").unwrap_err(), SigV4Error::Missing);
    let parts = "Credential=AK/20260101/r/s/aws4_request, SignedHeaders=host, Signature=00";
    for header in [
        "AWS4-HMAC-SHA256".to_owned(),
        "Basic QVdTOng=".to_owned(),
        format!("AWS4-ECDSA-P256-SHA256 {parts}"),
        format!("AWS4-HMAC-SHA256 {parts}, Signature=00"),
        format!("AWS4-HMAC-SHA256 {parts}, Extra=1"),
        parts.replace("Credential", "AWS4-HMAC-SHA256 Cred"),
        format!("AWS4-HMAC-SHA256 {}", parts.replace("/r/s", "/r")),
        format!("AWS4-HMAC-SHA256 {}", parts.replace("=host", "=")),
    ] {
        let error = parse_authorization(&header).unwrap_err();
        assert!(matches!(error, SigV4Error::Incomplete(_)), "{header}");
    }
    let wrong_end = format!("AWS4-HMAC-SHA256 {}", parts.replace("aws4_request", "aws5"));
    assert!(matches!(
        parse_authorization(&wrong_end),
        Err(SigV4Error::WrongScope(_))
    ));
    let not_hex = format!("AWS4-HMAC-SHA256 {parts}zz");
    assert_eq!(
        parse_authorization(&not_hex).unwrap_err(),
        SigV4Error::SignatureMismatch
    );
}

/// A presigned `GetCallerIdentity` of boto3's form, with changes to its query.
fn presigned(change: impl Fn(&str) -> String, body: &str, now: &str) -> Result<(), SigV4Error> {
    let query = "Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256\
        &X-Amz-Credential=AKIDEXAMPLE%2F20260101%2Fus-east-1%2Fsts%2Faws4_request\
        &X-Amz-Date=20260101T000500Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host";
    let headers = [("Host", "sts.amazonaws.com")];
    let of_query = |query| SignedRequest {
        method: "GET",
        query,
        body_sha256_hex: body,
        ..request("", &headers)
    };
    // The signature that a client would compute over this query.
    let signed = SignedRequest {
        body_sha256_hex: EMPTY,
        ..of_query(query)
    };
    let mut unsigned = parse_query(&format!("{query}&X-Amz-Signature=00"))?;
    unsigned.signature = Vec::new();
    let text = string_to_sign(&signed, &unsigned, "20260101T000500Z", &["X-Amz-Signature"])?;
    let key = signing_key(SECRET, "20260101", "us-east-1", "sts");
    let signature = hex::encode(hmac::sign(&key, text.as_bytes()).as_ref());
    let sent = change(&format!("{query}&X-Amz-Signature={signature}"));
    verify(
        &parse_query(&sent)?,
        &of_query(&sent),
        SECRET,
        at(now),
        FIVE_MINUTES,
    )
}

#[test]
fn a_presigned_request_holds_as_long_as_it_says() {
    for (now, holds) in [
        ("20260101T000000Z", true),
        ("20260101T000500Z", true),
        ("20260101T000600Z", true),
        ("20260101T000601Z", false),
        ("20251231T235959Z", false),
    ] {
        let result = presigned(str::to_owned, EMPTY, now);
        assert_eq!(result.is_ok(), holds, "{now} {result:?}");
    }
}

#[test]
fn a_presigned_request_is_covered_as_a_whole() {
    type Kind = fn(&SigV4Error) -> bool;
    let mismatch: Kind = |error| matches!(error, SigV4Error::SignatureMismatch);
    let incomplete: Kind = |error| matches!(error, SigV4Error::Incomplete(_));
    let now = "20260101T000500Z";
    for (from, to, kind) in [
        ("GetCallerIdentity", "GetSessionToken", mismatch),
        ("Expires=60", "Expires=61", mismatch),
        ("Expires=60", "Expires=604801", incomplete),
        ("Expires=60", "Expires=0", incomplete),
        ("Expires=60", "Expires=-1", incomplete),
        ("Expires=60", "Expires=", incomplete),
        ("&X-Amz-Expires=60", "", incomplete),
        ("&X-Amz-Date=20260101T000500Z", "", incomplete),
        ("X-Amz-Date=2026", "X-Amz-Date=x", incomplete),
        ("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256", incomplete),
        ("%2Fsts%2F", "%2Fiam%2F", mismatch),
        ("&X-Amz-Signature", "&a=b&X-Amz-Signature", mismatch),
        ("&X-Amz-Signature", "&x-amz-signature", incomplete),
        (
            "&X-Amz-Signature=",
            "&X-Amz-Signature=00&X-Amz-Signature=",
            incomplete,
        ),
        (
            "&X-Amz-Expires=60",
            "&X-Amz-Expires=60&X-Amz-Expires=60",
            incomplete,
        ),
    ] {
        let error = presigned(|query| query.replacen(from, to, 1), EMPTY, now).unwrap_err();
        assert!(kind(&error), "{from} {to}: {error:?}");
    }
    let other_body = presigned(str::to_owned, "00", now).unwrap_err();
    assert_eq!(other_body, SigV4Error::SignatureMismatch);
    // Added after signing, as some clients do; it must belong to the key all the same.
    let late_token = |query: &str| format!("{query}&X-Amz-Security-Token=late");
    assert_eq!(presigned(late_token, EMPTY, now), Ok(()));
    let error = presigned(
        |query| query.replace("&X-Amz-Signature", "&Signature"),
        EMPTY,
        now,
    );
    assert_eq!(
        error.unwrap_err().to_string(),
        "AWS query-string parameters must include 'X-Amz-Signature'. Re-examine the query-string parameters."
    );
}
