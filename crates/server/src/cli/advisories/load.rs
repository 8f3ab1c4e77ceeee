//! `bonded advisories load`: advisories for the server on this machine, while it serves.

use std::path::PathBuf;

use clap::Args;

use super::super::print::Output;
use super::super::progress::ProgressArgs;
use super::super::{DataDirectory, Failure, ask_server_for_long};
use crate::operator::LoadAdvisories;

/// Have the server on this machine judge images by the advisories in a file
///
/// The server copies the file, and judges every image again by it. Advisories of which more than a
/// tenth is missing in an ecosystem are refused, as a broken import would look like safety.
#[derive(Args)]
pub(super) struct Load {
    /// What 'bonded advisories import' has made
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Take them although an ecosystem has lost more than a tenth of its advisories
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    output: Output,

    #[command(flatten)]
    progress: ProgressArgs,

    #[command(flatten)]
    data: DataDirectory,
}

impl Load {
    pub(super) fn run(self) -> Result<(), Failure> {
        let data = self.data.path()?;
        let file = std::path::absolute(&self.file)
            .map_err(|e| Failure::usage(format!("cannot use '{}': {e}", self.file.display())))?;
        let request = LoadAdvisories {
            file,
            force: self.force,
        };
        let progress = self.progress.begin(self.output.is_quiet());
        let report = ask_server_for_long(&data, &request, &progress)?;
        self.output.print(
            &report,
            |report| {
                let total: u64 = report.ecosystems.values().sum();
                vec![format!(
                    "{total} advisories for {} ecosystems as of {}; every image is judged again",
                    report.ecosystems.len(),
                    report.as_of
                )]
            },
            |report| vec![report.digest.to_string()],
        )
    }
}
