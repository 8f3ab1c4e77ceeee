//! `bonded policy`: policies without a server.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use bonded_iam::case::{CaseTotals, run_cases};
use clap::{Args, Subcommand};

use super::print::{self, clean};
use super::{Failure, Status};

/// Work on policies without a server
#[derive(Args)]
pub(super) struct PolicyCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Decide cases and compare with what they expect
    Test {
        /// A file with a case on each line, as JSON
        #[arg(value_name = "FILE.jsonl")]
        file: PathBuf,
    },
}

impl PolicyCommand {
    pub(super) fn run(self) -> Result<(), Failure> {
        let Action::Test { file } = self.action;
        let unreadable = |error| {
            Failure::usage(format!(
                "cannot read the cases '{}': {error}",
                file.display()
            ))
        };
        let opened = File::open(&file).map_err(unreadable)?;
        if opened.metadata().map_err(unreadable)?.is_dir() {
            return Err(unreadable(std::io::ErrorKind::IsADirectory.into()));
        }
        let mut totals = CaseTotals::default();
        for result in run_cases(BufReader::new(opened)) {
            totals.count(&result);
            if !result.is_passed() {
                print::line(clean(&result.to_string()));
            }
        }
        print::line(totals);
        match totals.failed {
            0 => Ok(()),
            _ => Err(Failure {
                status: Status::Failed,
                message: None,
            }),
        }
    }
}
