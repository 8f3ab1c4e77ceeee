//! `bonded advisories update`: new advisories from where the server gets them, now.

use clap::Args;

use super::super::print::Output;
use super::super::progress::ProgressArgs;
use super::super::{DataDirectory, Failure, ask_server_for_long};
use crate::operator::UpdateAdvisories;

/// Have the server on this machine get new advisories from where its settings say
///
/// It does so by itself too, as the settings 'advisory_updates.…' have it; this does not wait for the
/// time. What cannot be had or is refused leaves the advisories as they are.
#[derive(Args)]
pub(super) struct Update {
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

impl Update {
    pub(super) fn run(self) -> Result<(), Failure> {
        let request = UpdateAdvisories { force: self.force };
        let progress = self.progress.begin(self.output.is_quiet());
        let updated = ask_server_for_long(&self.data.path()?, &request, &progress)?;
        self.output.print(
            &updated,
            |updated| {
                let total: u64 = updated.report.ecosystems.values().sum();
                let done = match updated.changed {
                    true => "every image is judged again",
                    false => "those in use already",
                };
                vec![format!(
                    "{total} advisories for {} ecosystems as of {}; {done}",
                    updated.report.ecosystems.len(),
                    updated.report.as_of
                )]
            },
            |updated| vec![updated.report.digest.to_string()],
        )
    }
}
