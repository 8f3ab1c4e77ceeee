//! `bonded oidc-provider`: the keys of identity providers that the server cannot ask for them, and
//! whether it can ask the others.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::print::{self, Form, clean};
use super::{DataDirectory, Failure, ask_server};
use crate::files;
use crate::operator::{CheckProvider, ListProviders, ProviderEntry, SetProviderKeys};

/// How large a file of keys may be, in bytes; a request to the server must hold it.
const FILE_LIMIT: u64 = 24 * 1024;

/// Give the server on this machine the keys of identity providers that it cannot reach, and check the others
///
/// An account makes its providers by IAM's CreateOpenIDConnectProvider. Their keys are fetched over HTTPS when a token
/// comes; this is for sites without a way to the provider, and to find out why fetching fails.
#[derive(Args)]
pub(super) struct OidcProviderCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List the providers of all accounts
    List {
        /// The form of the output
        #[arg(short, long, value_name = "FORM", default_value = "text")]
        output: Form,

        #[command(flatten)]
        data: DataDirectory,
    },
    /// Give the keys of a provider, which are then not fetched any more
    SetKeys {
        /// The provider, such as arn:aws:iam::111122223333:oidc-provider/gitlab.example.org
        #[arg(value_name = "ARN")]
        arn: String,

        /// The file with its JWK Set: what its 'jwks_uri' answers
        #[arg(value_name = "FILE")]
        file: PathBuf,

        #[command(flatten)]
        data: DataDirectory,
    },
    /// Have the keys of a provider fetched again
    RemoveKeys {
        /// The provider
        #[arg(value_name = "ARN")]
        arn: String,

        #[command(flatten)]
        data: DataDirectory,
    },
    /// Look for the keys of a provider now, and say what is wrong
    Check {
        /// The provider
        #[arg(value_name = "ARN")]
        arn: String,

        #[command(flatten)]
        data: DataDirectory,
    },
}

impl OidcProviderCommand {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self.action {
            Action::List { output, data } => list(output, data),
            Action::SetKeys { arn, file, data } => {
                let jwks = Some(read(&file)?);
                ask_server(&data.path()?, &SetProviderKeys { arn, jwks })
            }
            Action::RemoveKeys { arn, data } => {
                ask_server(&data.path()?, &SetProviderKeys { arn, jwks: None })
            }
            Action::Check { arn, data } => {
                let count = ask_server(&data.path()?, &CheckProvider { arn })?;
                print::line(format!("{count} keys can be used"));
                Ok(())
            }
        }
    }
}

fn read(file: &Path) -> Result<String, Failure> {
    let unusable = |problem: &dyn std::fmt::Display| {
        Failure::usage(format!("cannot read '{}': {problem}", file.display()))
    };
    match files::read(file, FILE_LIMIT) {
        Ok(Some(text)) => Ok(text),
        Ok(None) => Err(unusable(&"it does not exist")),
        Err(error) => Err(unusable(&error)),
    }
}

fn list(output: Form, data: DataDirectory) -> Result<(), Failure> {
    let providers = ask_server(&data.path()?, &ListProviders {})?;
    let text = match output {
        Form::Json => serde_json::to_string_pretty(&providers).map_err(Failure::failed)?,
        Form::Table => {
            let line = |entry: &ProviderEntry| {
                let keys = if entry.keys_given { "given" } else { "fetched" };
                let audiences = entry.audiences.join(", ");
                clean(&format!("{}  keys {keys}  for {audiences}", entry.arn))
            };
            let lines: Vec<String> = providers.iter().map(line).collect();
            lines.join("\n")
        }
    };
    print::line(&text);
    Ok(())
}
