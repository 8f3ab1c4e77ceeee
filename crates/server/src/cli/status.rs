//! `bonded status`: what the server on this machine holds and does.

use clap::Args;

use super::{Failure, OfHost, ask_server};
use crate::operator::{GetStatus, HostStatus};

/// Say what the server on this machine holds and what waits to be done
#[derive(Args)]
pub(super) struct Status {
    #[command(flatten)]
    host: OfHost,
}

impl Status {
    pub(super) fn run(self) -> Result<(), Failure> {
        let OfHost { output, data } = self.host;
        let status = ask_server(&data.path()?, &GetStatus {})?;
        output.print(&status, lines, |_| Vec::new())
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
