//! `bonded completion`: what a shell needs to complete our commands.

use std::io;

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::{Cli, Failure};

/// Print the completion script of a shell
///
/// For bash: bonded completion bash > /etc/bash_completion.d/bonded
#[derive(Args)]
pub(super) struct Completion {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completion {
    pub(super) fn run(self) -> Result<(), Failure> {
        clap_complete::generate(self.shell, &mut Cli::command(), "bonded", &mut io::stdout());
        Ok(())
    }
}
