//! `docker-credential-bonded`: docker's protocol for credential helpers (docker/docker-credential-helpers).
//!
//! The operation is the argument; what it is about comes on standard input, and an error goes to
//! *standard output* with status 1: that is where docker looks.

use std::io::{self, Read as _};

use bonded_registry::Clock;
use clap::{Args, ValueEnum};
use serde_json::json;

use super::login::{Hosts, fetch};
use super::print::{self, clean};
use super::{Failure, Status, block_on};

/// The text by which docker knows that a helper has no password, and goes on without.
const NOT_FOUND: &str = "credentials not found in native keychain";

/// How much is read of standard input, in bytes.
const INPUT_LIMIT: u64 = 64 * 1024;

/// Give docker a password for a registry (called by docker as 'docker-credential-bonded')
#[derive(Args)]
pub(super) struct CredentialHelper {
    /// What docker wants
    #[arg(value_enum)]
    operation: Operation,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Operation {
    /// A password for the registry that standard input names
    Get,
    /// Nothing: passwords are made when they are asked for
    Store,
    /// Nothing: passwords are not kept
    Erase,
    /// The registries that are known
    List,
    /// The version of this program
    Version,
}

impl CredentialHelper {
    pub(super) fn run(self) -> Result<(), Failure> {
        let done = match self.operation {
            Operation::Get => get(),
            // 'docker login' and 'docker logout' must not fail with a helper that needs neither.
            Operation::Store | Operation::Erase => input().map(|_| ()),
            Operation::List => list(),
            Operation::Version => {
                print::line(format!("bonded {}", env!("CARGO_PKG_VERSION")));
                Ok(())
            }
        };
        done.map_err(|failure| {
            print::line(clean(&failure.message.unwrap_or_default()));
            Failure {
                status: Status::Failed,
                message: None,
            }
        })
    }
}

fn input() -> Result<String, Failure> {
    let mut text = String::new();
    io::stdin()
        .take(INPUT_LIMIT)
        .read_to_string(&mut text)
        .map_err(|error| Failure::failed(format!("cannot read standard input: {error}")))?;
    Ok(text)
}

fn get() -> Result<(), Failure> {
    let input = input()?;
    let url = input.trim();
    let name = url.split_once("://").map_or(url, |(_, rest)| rest);
    let name = name
        .split('/')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let host = Hosts::find(&name)?.ok_or_else(|| Failure::failed(NOT_FOUND))?;
    let client = host.client(None)?;
    let password = block_on(fetch(&client, Clock::system().now()))?;
    let answer = json!({
        "ServerURL": url,
        "Username": password.user,
        "Secret": password.secret.expose(),
    });
    print::line(zeroize::Zeroizing::new(answer.to_string()).as_str());
    Ok(())
}

fn list() -> Result<(), Failure> {
    let names = Hosts::names()?;
    let known: serde_json::Map<_, _> = names.into_iter().map(|name| (name, json!("AWS"))).collect();
    print::line(serde_json::Value::from(known));
    Ok(())
}
