//! `bonded config`: what the server would run with.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Failure, print};
use crate::config::{Config, RawConfig, variable};

/// Show or check the configuration
#[derive(Args)]
pub(super) struct ConfigCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Print every setting as it would be used, with passwords hidden
    Show(Box<ConfigArgs>),
    /// Say whether the server could start with it
    Check(Box<ConfigArgs>),
}

/// Where settings come from: a file, the environment over it, flags over both.
#[derive(Clone, Args)]
pub(super) struct ConfigArgs {
    /// A TOML file with settings
    #[arg(long, value_name = "FILE", env = "BONDED_CONFIG")]
    config: Option<PathBuf>,

    #[command(flatten)]
    settings: RawConfig,
}

impl ConfigArgs {
    /// The configuration.
    pub(super) fn resolve(self) -> Result<Config, Failure> {
        let base = match &self.config {
            Some(path) => RawConfig::from_file(path).map_err(Failure::usage)?,
            None => RawConfig::default(),
        };
        Config::resolve(self.settings.over(base), variable).map_err(Failure::usage)
    }
}

impl ConfigCommand {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self.action {
            Action::Show(args) => {
                print::line(args.resolve()?.shown.to_toml().trim_end());
            }
            Action::Check(args) => {
                args.resolve()?;
                print::line("the configuration is good");
            }
        }
        Ok(())
    }
}
