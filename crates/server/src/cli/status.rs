//! `bonded status`: what the server on this machine holds and does.

use clap::Args;

use super::print::{self, Form};
use super::{DataDirectory, Failure, ask_server};
use crate::operator::{GetStatus, HostStatus};

/// Say what the server on this machine holds and what waits to be done
#[derive(Args)]
pub(super) struct Status {
    /// The form of the output
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: Form,

    #[command(flatten)]
    data: DataDirectory,
}

impl Status {
    pub(super) fn run(self) -> Result<(), Failure> {
        let data = self.data.path()?;
        let status = ask_server(&data, &GetStatus {})?;
        match self.output {
            Form::Json => {
                print::line(serde_json::to_string_pretty(&status).map_err(Failure::failed)?);
            }
            Form::Table => lines(&status).iter().for_each(print::line),
        }
        Ok(())
    }
}

fn lines(status: &HostStatus) -> Vec<String> {
    let HostStatus {
        version,
        region,
        account,
        accounts,
        repositories,
        images,
        objects,
        object_bytes,
        uploads,
        jobs,
        oldest_job_at,
        failed_jobs,
    } = status;
    let row = |name: &str, value: &dyn std::fmt::Display| format!("{name:<20} {value}");
    let mut lines = vec![
        row("version", version),
        row("default registry", &format!("{account} in {region}")),
        row("accounts", accounts),
        row("repositories", repositories),
        row("images", images),
        row("blobs", &format!("{objects}, {object_bytes} bytes")),
        row("unfinished uploads", uploads),
    ];
    let since = oldest_job_at
        .as_ref()
        .map(|time| format!(", the oldest since {time}"));
    lines.push(row("jobs", &format!("{jobs}{}", since.unwrap_or_default())));
    lines.push(row("failed jobs", failed_jobs));
    lines
}
