//! `bonded why`: a decision taken apart, asked from the server with the caller's own key.

pub(super) mod record;

use bonded_registry::Clock;
use clap::Args;
use serde::Deserialize;
use serde_json::Value;

use super::print::{self, Form, clean};
use super::{DataDirectory, Failure, Status, block_on};
use crate::client::{Client, Refusal};
use crate::config::variable;
use record::Record;

/// Explain a decision
///
/// Prints who asked for what, every policy and statement that was looked at with what missed, and
/// the smallest change that would allow it. The key is read where AWS tools read it.
#[derive(Args)]
pub(super) struct Why {
    /// The id that the denial showed
    #[arg(value_name = "ID")]
    id: String,

    /// The form of the output
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: Form,

    /// The server to ask [default: https://127.0.0.1:5000]
    #[arg(long, value_name = "URL", env = "AWS_ENDPOINT_URL")]
    endpoint_url: Option<String>,

    #[command(flatten)]
    data: DataDirectory,
}

impl Why {
    pub(super) fn run(self) -> Result<(), Failure> {
        let data = self.data.path()?;
        let client = Client::new(self.endpoint_url.as_deref(), &data, variable);
        let client = client.map_err(Failure::usage)?;
        let parameters = [
            ("Action", "DecodeAuthorizationMessage"),
            ("Version", "2011-06-15"),
            ("EncodedMessage", self.id.as_str()),
        ];
        let now = Clock::system().now();
        let answer = block_on(async {
            client
                .query("sts", &parameters, now)
                .await
                .map_err(Failure::failed)
        })?;
        let unexpected = |problem: &str| Failure::failed(client.unexpected(problem));
        let body = answer.success().map_err(|refusal| refused(&refusal))?;
        let text = String::from_utf8_lossy(&body);
        let response: Response = quick_xml::de::from_str(&text)
            .map_err(|_| unexpected("its answer is not that of DecodeAuthorizationMessage"))?;
        let message = response.result.message;
        let value: Value = bonded_model::json::parse(message.as_bytes())
            .map_err(|_| unexpected("the decoded message is not JSON"))?;
        match self.output {
            // serde_json escapes ASCII's control characters only.
            Form::Json => print::line(clean(&value.to_string())),
            Form::Text => {
                let record: Record = serde_json::from_value(value)
                    .map_err(|error| unexpected(&format!("{error} in the record; try -o json")))?;
                record
                    .lines()
                    .iter()
                    .for_each(|line| print::line(clean(line)));
            }
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct Response {
    #[serde(rename = "DecodeAuthorizationMessageResult")]
    result: Decoded,
}

#[derive(Deserialize)]
struct Decoded {
    #[serde(rename = "DecodedMessage")]
    message: String,
}

fn refused(refusal: &Refusal) -> Failure {
    let status = match (refusal.code.as_str(), refusal.status.as_u16()) {
        ("InvalidAuthorizationMessageException", _) | (_, 404) => Status::NotFound,
        (_, 401 | 403) => Status::Denied,
        _ => Status::Failed,
    };
    Failure::new(status, refusal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_tells_denied_from_unknown() {
        for (code, number, status) in [
            ("AccessDenied", 403, Status::Denied),
            ("InvalidClientTokenId", 403, Status::Denied),
            (
                "InvalidAuthorizationMessageException",
                400,
                Status::NotFound,
            ),
            ("ServiceFailure", 500, Status::Failed),
            ("", 502, Status::Failed),
        ] {
            let failure = refused(&Refusal {
                status: http::StatusCode::from_u16(number).unwrap(),
                code: code.to_owned(),
                message: String::new(),
            });
            assert_eq!(failure.status, status, "{code}");
        }
    }

    #[test]
    fn the_message_of_an_answer_is_unescaped() {
        let text = "<DecodeAuthorizationMessageResponse xmlns=\"n\"><DecodeAuthorizationMessageResult>\
                    <DecodedMessage>{&quot;a&quot;:&quot;&lt;&amp;&#x27;ü&quot;}</DecodedMessage>\
                    </DecodeAuthorizationMessageResult><ResponseMetadata><RequestId>r</RequestId>\
                    </ResponseMetadata></DecodeAuthorizationMessageResponse>";
        let response: Response = quick_xml::de::from_str(text).unwrap();
        assert_eq!(response.result.message, "{\"a\":\"<&'ü\"}");
    }
}
