//! `bonded scan show`: what the registry knows of an image, in a form that others read.

use bonded_registry::Clock;
use bonded_scan::read_findings_json;
use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Form, Scanned, report};
use crate::cli::gate::ImageName;
use crate::cli::print;
use crate::cli::{DataDirectory, Failure, block_on};
use crate::client::{Client, ClientError, Refusal};
use crate::config::variable;

/// Print a report of an image that the registry has: nothing is pulled
///
/// The findings are those of its last scan. The key is read where AWS tools read it; it must be
/// allowed ecr:DescribeImageScanFindings.
#[derive(Args)]
pub(super) struct Show {
    /// The image: NAME, NAME:TAG or NAME@DIGEST, with or without the registry's host name
    #[arg(value_name = "IMAGE")]
    image: ImageName,

    /// The form of the report
    #[arg(short, long, alias = "format", value_name = "FORM", value_enum, default_value_t = Form::Table)]
    output: Form,

    /// Print the ids of the vulnerabilities alone, each once
    #[arg(short, long, conflicts_with = "output")]
    quiet: bool,

    /// The server to ask [default: https://127.0.0.1:5000]
    #[arg(long, value_name = "URL", env = "AWS_ENDPOINT_URL")]
    endpoint_url: Option<String>,

    #[command(flatten)]
    data: DataDirectory,
}

impl Show {
    pub(super) fn run(self) -> Result<(), Failure> {
        let data = self.data.path()?;
        let client = Client::new(self.endpoint_url.as_deref(), &data, variable);
        let client = client?;
        let mut input = json!({ "imageId": self.image.image_id() });
        self.image.address(&mut input);
        let text = block_on(async { Ok(ask(&client, input, self.output).await?) })??;
        match self.output {
            Form::Table => {
                let found = findings(&client, &text)?;
                match self.quiet {
                    true => report::ids(&[found]),
                    false => report::findings(Form::Table, "", &[found]),
                }
            }
            // Made for a terminal, whatever a server of somebody else says.
            Form::Json => {
                let value: Value = serde_json::from_str(&text).map_err(|_| unexpected(&client))?;
                print::json(&value)
            }
            _ => print::text(&text),
        }
    }
}

/// The text of `GetImageReport` with an input that names an image; the inner error is the server's
/// refusal.
pub(super) async fn ask(
    client: &Client,
    mut input: Value,
    form: Form,
) -> Result<Result<String, Refusal>, ClientError> {
    #[derive(Deserialize)]
    struct Answer {
        report: String,
    }
    input["reportFormat"] = form.of_api().into();
    let now = Clock::system().now();
    let answer = client.ecr("GetImageReport", &input, now).await?;
    let body = match answer.success() {
        Ok(body) => body,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let answer: Answer = serde_json::from_slice(&body).map_err(|_| unexpected(client))?;
    Ok(Ok(answer.report))
}

/// What a report says whose form is made of JSON.
pub(super) fn findings(client: &Client, text: &str) -> Result<Scanned, ClientError> {
    let read = read_findings_json(text.as_bytes());
    let (subject, result) = read.map_err(|_| unexpected(client))?;
    Ok(Scanned { subject, result })
}

fn unexpected(client: &Client) -> ClientError {
    client.unexpected("its answer has no report")
}
