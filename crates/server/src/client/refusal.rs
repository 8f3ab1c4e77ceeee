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
            "" => write!(f, "the server answered {}", self.status),
            code => write!(f, "{code}: {}", self.message),
        }
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
        assert_eq!(refusal.to_string(), "the server answered 502 Bad Gateway");
    }
}
