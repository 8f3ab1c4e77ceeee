//! `bonded scan show`: what the registry knows of an image, in a form that others read.

use bonded_registry::Clock;
use clap::{Args, ValueEnum};
use serde::Deserialize;
use serde_json::json;

use crate::cli::gate::ImageName;
use crate::cli::print;
use crate::cli::{DataDirectory, Failure, block_on};
use crate::client::Client;
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
    #[arg(short, long, value_name = "FORM", value_enum)]
    output: ReportForm,

    /// The server to ask [default: https://127.0.0.1:5000]
    #[arg(long, value_name = "URL", env = "AWS_ENDPOINT_URL")]
    endpoint_url: Option<String>,

    #[command(flatten)]
    data: DataDirectory,
}

#[derive(Clone, Copy, ValueEnum)]
enum ReportForm {
    /// What is in the image: CycloneDX 1.6 in JSON
    Cyclonedx,
    /// What is in the image: SPDX 2.3 in JSON
    Spdx,
    /// What was found, for code scanning: SARIF 2.1.0
    Sarif,
    /// What is known of each vulnerability, to hand on: OpenVEX 0.2.0
    Openvex,
    /// What was found, for people, in one file to hand on
    Html,
    /// What was found, for a spreadsheet
    Csv,
}

impl ReportForm {
    /// The word of the API.
    fn name(self) -> &'static str {
        match self {
            Self::Cyclonedx => "CYCLONEDX_1_6",
            Self::Spdx => "SPDX_2_3",
            Self::Sarif => "SARIF_2_1_0",
            Self::Openvex => "OPENVEX_0_2_0",
            Self::Html => "HTML",
            Self::Csv => "CSV",
        }
    }
}

#[derive(Deserialize)]
struct Answer {
    report: String,
}

impl Show {
    pub(super) fn run(self) -> Result<(), Failure> {
        let data = self.data.path()?;
        let client = Client::new(self.endpoint_url.as_deref(), &data, variable);
        let client = client?;
        let mut input = json!({
            "imageId": self.image.image_id(), "reportFormat": self.output.name(),
        });
        self.image.address(&mut input);
        let answer = block_on(async {
            let now = Clock::system().now();
            Ok(client.ecr("GetImageReport", &input, now).await?)
        })?;
        let body = answer.success()?;
        let answer: Answer = serde_json::from_slice(&body)
            .map_err(|_| Failure::failed(client.unexpected("its answer has no report")))?;
        print::text(&answer.report)
    }
}
