//! What a bucket's server says when it does not do what it was asked.

use std::error::Error as _;

use object_store::Error;

/// How long a reason may be, in characters.
const REASON_LIMIT: usize = 300;

/// Whether the object or the upload is not there. That the bucket is not there is another thing:
/// nobody may take its objects for lost then.
pub(super) fn is_missing(error: &Error) -> bool {
    matches!(error, Error::NotFound { .. }) && !reason(error).starts_with("NoSuchBucket")
}

/// Whether the access key is refused. Of some requests only the server's code says so.
pub(super) fn is_denial(error: &Error) -> bool {
    const CODES: [&str; 5] = [
        "AccessDenied",
        "ExpiredToken",
        "InvalidAccessKeyId",
        "InvalidToken",
        "SignatureDoesNotMatch",
    ];
    let reason = reason(error);
    matches!(
        error,
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. }
    ) || CODES.iter().any(|code| reason.starts_with(code))
}

/// What went wrong, in one line: S3's code and message if the server gave them, else the last cause.
pub(super) fn reason(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = error.to_string();
        cause = error.source();
    }
    let element = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        let (inside, _) = rest.split_once(&format!("</{name}>"))?;
        Some(inside)
    };
    let reason = match (element("Code"), element("Message")) {
        (Some(code), Some(message)) if !message.is_empty() => format!("{code}: {message}"),
        (Some(code), _) => code.to_owned(),
        _ => text.clone(),
    };
    let mut line = String::new();
    for word in reason.split(|c: char| c.is_whitespace() || c.is_control()) {
        if !word.is_empty() {
            line += if line.is_empty() { "" } else { " " };
            line += word;
        }
    }
    line.chars().take(REASON_LIMIT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> Error {
        Error::Generic {
            store: "S3",
            source: text.to_owned().into(),
        }
    }

    #[test]
    fn a_reason_is_one_line_with_the_servers_code() {
        let long = "x".repeat(1000);
        for (text, expected) in [
            (
                "Server returned: <?xml?><Error><Code>NoSuchBucket</Code>\n<Message>The\n bucket</Message></Error>",
                "NoSuchBucket: The bucket",
            ),
            (
                "<Error><Code>SignatureDoesNotMatch</Code><Message></Message></Error>",
                "SignatureDoesNotMatch",
            ),
            ("<Code>SlowDown</Code>", "SlowDown"),
            (
                "connection\u{1b}[31m refused\r\n",
                "connection [31m refused",
            ),
            (&long, &long[..REASON_LIMIT]),
        ] {
            assert_eq!(reason(&error(text)), expected);
        }
    }

    #[test]
    fn a_refused_key_is_known_by_the_code_and_a_missing_bucket_is_no_missing_object() {
        assert!(is_denial(&error("<Code>AccessDenied</Code>")));
        assert!(!is_denial(&error("<Code>SlowDown</Code>")));
        let missing = |text: &str| Error::NotFound {
            path: "key".to_owned(),
            source: text.to_owned().into(),
        };
        assert!(is_missing(&missing("<Code>NoSuchKey</Code>")));
        assert!(!is_missing(&missing("<Code>NoSuchBucket</Code>")));
        assert!(!is_missing(&error("<Code>NoSuchKey</Code>")));
    }
}
