//! What a server says when it refuses: AWS's errors, as JSON or as XML.

use http::StatusCode;
use serde::Deserialize;

use super::Answer;

/// An error that a server answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The HTTP status.
    pub(crate) status: StatusCode,
    /// AWS's name of the error; empty if the answer had none.
    pub(crate) code: String,
    /// What it says.
    pub(crate) message: String,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.code.as_str() {
            "" => write!(f, "the server answered {}", self.status)?,
            code => write!(f, "{code}: {}", self.message)?,
        }
        match self.next_step() {
            Some(next) => write!(f, " ({next})"),
            None => Ok(()),
        }
    }
}

impl Refusal {
    /// What to do, where AWS's text does not say it.
    fn next_step(&self) -> Option<&'static str> {
        let says = |text: &str| self.message.contains(text);
        Some(match self.code.as_str() {
            "SignatureDoesNotMatch" | "InvalidSignatureException"
                if says("Signature expired") || says("Signature not yet current") =>
            {
                "set the clock of this machine; 'bonded doctor' compares it with the server's"
            }
            "SignatureDoesNotMatch" | "InvalidSignatureException" if says("valid region") => {
                "set AWS_REGION to a region of the server"
            }
            "SignatureDoesNotMatch" | "InvalidSignatureException" => {
                "is AWS_SECRET_ACCESS_KEY, or that of the profile, the one of this access key?"
            }
            "InvalidClientTokenId" | "UnrecognizedClientException" => {
                "this server does not know the access key: is it another server's, or was it deleted?"
            }
            "ExpiredToken" | "ExpiredTokenException" => {
                "get new credentials from where these came from"
            }
            "RepositoryNotFoundException" => {
                "the repositories of an account are listed by 'aws ecr describe-repositories'"
            }
            "" if self.status == StatusCode::NOT_FOUND || self.status.is_server_error() => {
                "is the address that of a Bonded server?"
            }
            _ => return None,
        })
    }
}

#[derive(Deserialize)]
struct QueryError {
    #[serde(rename = "Error")]
    error: ErrorBody,
}

#[derive(Deserialize)]
struct ErrorBody {
    #[serde(rename = "Code")]
    code: String,
    #[serde(rename = "Message", default)]
    message: String,
}

#[derive(Deserialize)]
struct JsonError {
    #[serde(rename = "__type")]
    code: String,
    #[serde(default, alias = "Message")]
    message: String,
}

impl Answer {
    /// The body of a success, or the refusal.
    pub(crate) fn success(self) -> Result<bytes::Bytes, Refusal> {
        if self.status.is_success() {
            return Ok(self.body);
        }
        let text = String::from_utf8_lossy(&self.body);
        let xml = quick_xml::de::from_str::<QueryError>(&text);
        let (code, message) = match xml {
            Ok(QueryError { error }) => (error.code, error.message),
            Err(_) => match serde_json::from_slice::<JsonError>(&self.body) {
                // Some services put their name before a '#'.
                Ok(error) => {
                    let code = error.code.rsplit('#').next().unwrap_or_default();
                    (code.to_owned(), error.message)
                }
                Err(_) => (String::new(), String::new()),
            },
        };
        Err(Refusal {
            status: self.status,
            code,
            message,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_to_do_where_its_text_does_not() {
        let text = |code: &str, message: &str| {
            let refusal = Refusal {
                status: StatusCode::FORBIDDEN,
                code: code.to_owned(),
                message: message.to_owned(),
            };
            refusal.to_string()
        };
        for (code, message, next) in [
            (
                "SignatureDoesNotMatch",
                "Signature expired: 20260101T000500Z is now earlier than …",
                "set the clock of this machine",
            ),
            (
                "InvalidSignatureException",
                "Signature not yet current: …",
                "bonded doctor",
            ),
            (
                "SignatureDoesNotMatch",
                "Credential should be scoped to a valid region, not 'x'.",
                "set AWS_REGION",
            ),
            (
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match …",
                "AWS_SECRET_ACCESS_KEY",
            ),
            (
                "UnrecognizedClientException",
                "…",
                "does not know the access key",
            ),
            ("ExpiredToken", "…", "get new credentials"),
        ] {
            let said = text(code, message);
            assert!(said.starts_with(&format!("{code}: {message} (")), "{said}");
            assert!(said.contains(next), "{said}");
        }
        let denied = "User: … (decision 1; run: bonded why 1)";
        assert_eq!(
            text("AccessDenied", denied),
            format!("AccessDenied: {denied}")
        );
    }

    #[test]
    fn refusals_of_both_protocols_are_read() {
        let xml = "<ErrorResponse xmlns=\"n\"><Error><Type>Sender</Type><Code>AccessDenied</Code>\
                   <Message>a &lt;b&gt;</Message></Error></ErrorResponse>";
        let json = r#"{"__type":"com.amazonaws#AccessDenied","message":"a <b>"}"#;
        for body in [xml, json] {
            let answer = Answer {
                status: StatusCode::FORBIDDEN,
                date: None,
                body: body.to_owned().into(),
            };
            let refusal = answer.success().unwrap_err();
            assert_eq!(refusal.to_string(), "AccessDenied: a <b>");
        }
        let answer = Answer {
            status: StatusCode::BAD_GATEWAY,
            date: None,
            body: "x".into(),
        };
        let refusal = answer.success().unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "the server answered 502 Bad Gateway (is the address that of a Bonded server?)"
        );
    }
}
