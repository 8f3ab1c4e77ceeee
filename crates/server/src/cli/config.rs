//! `bonded config`: what the server would run with.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Failure;
use super::print::Output;
use crate::config::{Config, RawConfig, variable};

/// Show or check the configuration
#[derive(Args)]
pub(super) struct ConfigCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Print every setting as it would be used, with passwords hidden; as a table that is TOML
    Show(Box<Shown>),
    /// Say whether the server could start with it
    Check(Box<Shown>),
}

/// A configuration of which something is said.
#[derive(Args)]
struct Shown {
    #[command(flatten)]
    output: Output,

    #[command(flatten)]
    config: ConfigArgs,
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
                let toml = args.config.resolve()?.shown.to_toml();
                let value: serde_json::Value = toml::from_str(&toml).map_err(Failure::failed)?;
                args.output.print(
                    &value,
                    |_| toml.lines().map(str::to_owned).collect(),
                    |_| Vec::new(),
                )
            }
            Action::Check(args) => {
                args.config.resolve()?;
                let answer = serde_json::json!({ "valid": true });
                args.output.done(&answer, "the configuration is good")
            }
        }
    }
}
