//! `bonded oidc-provider`: the keys of identity providers that the server cannot ask for them, and
//! whether it can ask the others.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use serde_json::json;

use super::{Failure, OfHost, ask_server};
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
        #[command(flatten)]
        host: OfHost,
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
        host: OfHost,
    },
    /// Have the keys of a provider fetched again
    RemoveKeys {
        /// The provider
        #[arg(value_name = "ARN")]
        arn: String,

        #[command(flatten)]
        host: OfHost,
    },
    /// Look for the keys of a provider now, and say what is wrong
    Check {
        /// The provider
        #[arg(value_name = "ARN")]
        arn: String,

        #[command(flatten)]
        host: OfHost,
    },
}

impl OidcProviderCommand {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self.action {
            Action::List { host } => list(host),
            Action::SetKeys { arn, file, host } => {
                let jwks = read(&file)?;
                set_keys(arn, Some(jwks), host)
            }
            Action::RemoveKeys { arn, host } => set_keys(arn, None, host),
            Action::Check { arn, host } => check(&arn, host),
        }
    }
}

fn set_keys(
    arn: String,
    jwks: Option<String>,
    OfHost { output, data }: OfHost,
) -> Result<(), Failure> {
    let answer = json!({ "arn": arn, "keysGiven": jwks.is_some() });
    let sentence = match &jwks {
        Some(_) => format!("'{arn}' has the keys of the file; none are fetched any more"),
        None => format!("the keys of '{arn}' are fetched again"),
    };
    ask_server(&data.path()?, &SetProviderKeys { arn, jwks })?;
    output.done(&answer, sentence)
}

fn check(arn: &str, OfHost { output, data }: OfHost) -> Result<(), Failure> {
    let keys = ask_server(
        &data.path()?,
        &CheckProvider {
            arn: arn.to_owned(),
        },
    )?;
    let sentence = format!("{keys} keys can be used");
    output.done(&json!({ "arn": arn, "keys": keys }), sentence)
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

fn list(OfHost { output, data }: OfHost) -> Result<(), Failure> {
    let providers = ask_server(&data.path()?, &ListProviders {})?;
    let line = |entry: &ProviderEntry| {
        let keys = if entry.keys_given { "given" } else { "fetched" };
        let audiences = entry.audiences.join(", ");
        format!("{}  keys {keys}  for {audiences}", entry.arn)
    };
    output.print(
        &providers,
        |providers| providers.iter().map(line).collect(),
        |providers| providers.iter().map(|entry| entry.arn.clone()).collect(),
    )
}
