//! `bonded why`: a decision taken apart, asked from the server with the caller's own key.

pub(super) mod record;

use bonded_registry::Clock;
use clap::Args;
use serde::Deserialize;
use serde_json::Value;

use super::print::Output;
use super::{DataDirectory, Failure, block_on};
use crate::client::Client;
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

    #[command(flatten)]
    output: Output,

    /// The server to ask [default: https://127.0.0.1:5000]
    #[arg(long, value_name = "URL", env = "AWS_ENDPOINT_URL")]
    endpoint_url: Option<String>,

    #[command(flatten)]
    data: DataDirectory,
}

impl Why {
    pub(super) fn run(self) -> Result<(), Failure> {
        let data = self.data.path()?;
        let client = Client::new(self.endpoint_url.as_deref(), &data, variable)?;
        let parameters = [
            ("Action", "DecodeAuthorizationMessage"),
            ("Version", "2011-06-15"),
            ("EncodedMessage", self.id.as_str()),
        ];
        let now = Clock::system().now();
        let answer = block_on(async {
            let answer = client.query("sts", &parameters, now).await;
            Ok(answer?)
        })?;
        let unexpected = |problem: &str| Failure::failed(client.unexpected(problem));
        let body = answer.success()?;
        let text = String::from_utf8_lossy(&body);
        let response: Response = quick_xml::de::from_str(&text)
            .map_err(|_| unexpected("its answer is not that of DecodeAuthorizationMessage"))?;
        let message = response.result.message;
        let value: Value = bonded_model::json::parse(message.as_bytes())
            .map_err(|_| unexpected("the decoded message is not JSON"))?;
        let record: Result<Record, _> = serde_json::from_value(value.clone());
        match (record, self.output.is_for_people()) {
            (Err(error), true) => Err(unexpected(&format!("{error} in the record; try -o json"))),
            (record, _) => self.output.print(
                &value,
                |_| record.map_or_else(|_| Vec::new(), |record| record.lines()),
                |_| Vec::new(),
            ),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

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
