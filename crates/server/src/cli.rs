//! The command line: one file per command.

mod account;
mod advisories;
mod allow;
mod backup;
mod can;
mod completion;
mod config;
mod credential_helper;
mod demo;
mod doctor;
mod events;
mod failure;
mod gate;
mod gc;
mod keyring;
mod kubelet_plugin;
mod login;
mod oidc_provider;
mod policy;
mod print;
mod progress;
mod remote;
mod scan;
mod serve;
mod share;
mod status;
mod token;
mod verified;
mod why;

use std::ffi::OsString;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{DATA, RawConfig};
use crate::operator::{self, Operation};
use failure::{Failure, Status};
use print::{Output, clean};
use progress::Progress;
pub(crate) use serve::Updates;

/// A container registry with AWS's API and AWS's policies.
#[derive(Parser)]
#[command(name = "bonded", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Serve(Box<serve::Serve>),
    Demo(demo::Demo),
    Config(config::ConfigCommand),
    Account(account::AccountCommand),
    OidcProvider(oidc_provider::OidcProviderCommand),
    Gc(gc::GcCommand),
    Gate(gate::GateCommand),
    Keyring(keyring::KeyringCommand),
    Policy(policy::PolicyCommand),
    Advisories(advisories::AdvisoriesCommand),
    Allow(allow::AllowCommand),
    Scan(Box<scan::ScanCommand>),
    Token(token::TokenCommand),
    Why(why::Why),
    Can(can::Can),
    Share(share::Share),
    Login(login::Login),
    Logout(login::Logout),
    CredentialHelper(credential_helper::CredentialHelper),
    KubeletPlugin(kubelet_plugin::KubeletPlugin),
    Backup(backup::BackupCommand),
    Restore(Box<backup::RestoreCommand>),
    Status(status::Status),
    Events(events::Events),
    Doctor(Box<doctor::Doctor>),
    Completion(completion::Completion),
}

/// Every command with its arguments, for the pages of the reference.
#[cfg(test)]
pub(crate) fn command() -> clap::Command {
    <Cli as clap::CommandFactory>::command()
}

/// Runs the command that the arguments of the process name.
pub fn run() -> ExitCode {
    let done = match Cli::parse_from(arguments(std::env::args_os())).command {
        Command::Serve(command) => command.run(),
        Command::Demo(command) => command.run(),
        Command::Config(command) => command.run(),
        Command::Account(command) => command.run(),
        Command::OidcProvider(command) => command.run(),
        Command::Gc(command) => command.run(),
        Command::Gate(command) => command.run(),
        Command::Keyring(command) => command.run(),
        Command::Policy(command) => command.run(),
        Command::Advisories(command) => command.run(),
        Command::Allow(command) => command.run(),
        Command::Scan(command) => command.run(),
        Command::Token(command) => command.run(),
        Command::Why(command) => command.run(),
        Command::Can(command) => command.run(),
        Command::Share(command) => command.run(),
        Command::Login(command) => command.run(),
        Command::Logout(command) => command.run(),
        Command::CredentialHelper(command) => command.run(),
        Command::KubeletPlugin(command) => command.run(),
        Command::Backup(command) => command.run(),
        Command::Restore(command) => command.run(),
        Command::Status(command) => command.run(),
        Command::Events(command) => command.run(),
        Command::Doctor(command) => command.run(),
        Command::Completion(command) => command.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if let Some(message) = failure.message {
                print::error(clean(&message));
            }
            ExitCode::from(failure.status as u8)
        }
    }
}

/// The arguments as `bonded` takes them: under docker's name for it, it is the credential helper.
fn arguments(given: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = given.collect();
    let name = arguments.first().map(Path::new).and_then(Path::file_name);
    if name.is_some_and(|name| name == login::HELPER) {
        arguments.insert(1, "credential-helper".into());
    }
    arguments
}

/// Where the data of the server on this machine is.
#[derive(Args)]
struct DataDirectory {
    /// The data directory of the server on this machine [default: bonded-data]
    #[arg(long, value_name = "DIRECTORY", env = "BONDED_DATA")]
    data: Option<PathBuf>,

    /// The TOML file with the settings of that server
    #[arg(long, value_name = "FILE", env = "BONDED_CONFIG")]
    config: Option<PathBuf>,
}

/// What a command takes that asks the server on this machine.
#[derive(Args)]
struct OfHost {
    #[command(flatten)]
    output: Output,

    #[command(flatten)]
    data: DataDirectory,
}

impl DataDirectory {
    fn path(&self) -> Result<PathBuf, Failure> {
        let settings = match (&self.data, &self.config) {
            (Some(data), _) => Ok(RawConfig::default().with(&DATA, data)),
            (None, Some(file)) => RawConfig::from_file(file),
            (None, None) => Ok(RawConfig::default()),
        };
        settings
            .and_then(|settings| settings.read(&DATA))
            .map_err(Failure::usage)
    }
}

/// What the server that runs on `data` answers to the operator.
fn ask_server<O: Operation>(data: &Path, operation: &O) -> Result<O::Output, Failure> {
    block_on(async {
        let answer = operator::call(data, operation).await;
        answer.map_err(|error| Failure::failed(clean(&error.to_string())))
    })
}

/// The same; `progress` shows meanwhile how far it is.
fn ask_server_for_long<O: Operation>(
    data: &Path,
    operation: &O,
    progress: &Progress,
) -> Result<O::Output, Failure> {
    if !progress.is_shown() {
        return ask_server(data, operation);
    }
    block_on(async {
        let told = |advance: &bonded_store::Advance| progress.tell(advance);
        let answer = operator::call_watched(data, operation, &told).await;
        answer.map_err(|error| Failure::failed(clean(&error.to_string())))
    })
}

/// Prints what became of cases or rows that were tried, and fails if one did.
fn print_totals(
    output: Output,
    passed: impl serde::Serialize + Display,
    failures: &[String],
) -> Result<(), Failure> {
    let failed = failures.len();
    let answer = serde_json::json!({ "passed": passed, "failed": failed, "failures": failures });
    let totals = format!("{passed} passed, {failed} failed");
    output.print(
        &answer,
        |_| failures.iter().cloned().chain([totals]).collect(),
        |_| Vec::new(),
    )?;
    match failed {
        0 => Ok(()),
        _ => Err(Failure::shown(Status::Failed)),
    }
}

/// The error with what caused it: on the host nothing is hidden.
pub(crate) fn with_sources(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    // That of the store says more than that there is one.
    if let Some(bonded_registry::Error::Store(of_store)) = error.downcast_ref() {
        error = of_store;
    }
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text += ": ";
            text += &cause_text;
        }
        source = cause.source();
    }
    text
}

/// Runs `future` to its end.
fn block_on<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.enable_all().build();
    runtime
        .map_err(|error| Failure::failed(format!("cannot start threads: {error}")))?
        .block_on(future)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn under_dockers_name_it_is_the_credential_helper() {
        for (given, want) in [
            (
                "/usr/bin/docker-credential-bonded get",
                "credential-helper get",
            ),
            ("bonded why x", "why x"),
        ] {
            let given = given.split(' ').map(OsString::from);
            let arguments = arguments(given);
            let rest: Vec<_> = arguments[1..].iter().map(|a| a.to_str().unwrap()).collect();
            assert_eq!(rest.join(" "), want);
        }
    }

    #[test]
    fn an_error_is_told_with_its_causes_each_once() {
        let error = bonded_registry::Error::Store(bonded_store::StoreError::Io {
            what: "cannot read 'x'".to_owned(),
            source: std::io::Error::other("no such thing"),
        });
        assert_eq!(
            with_sources(&error),
            "cannot read 'x': no such thing; check its permissions and the free space"
        );
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    /// The commands whose output has one form, and why.
    const WITHOUT_FORMS: [(&str, &str); 5] = [
        ("serve", "runs until it is stopped; its log has settings"),
        ("demo", "tells a story to people"),
        ("credential-helper", "speaks docker's protocol"),
        ("kubelet-plugin", "speaks the kubelet's protocol"),
        ("completion", "prints a script"),
    ];

    #[test]
    fn a_command_has_the_forms_of_output_that_all_have() {
        let mut without = Vec::new();
        find_without_forms(&Cli::command(), "", &mut without);
        assert_eq!(without, WITHOUT_FORMS.map(|(name, _)| name));
    }

    /// The commands that may take long.
    const LONG: [&str; 13] = [
        "gc",
        "gate check",
        "keyring rotate",
        "advisories import",
        "advisories load",
        "advisories pull",
        "advisories push",
        "advisories update",
        "scan",
        "scan diff",
        "scan report",
        "backup",
        "restore",
    ];

    #[test]
    fn a_command_that_takes_long_says_how_far_it_is() {
        let root = Cli::command();
        for name in LONG {
            let words = name.split(' ');
            let command = words.fold(&root, |command, word| {
                command.find_subcommand(word).expect(name)
            });
            let progress = command
                .get_arguments()
                .find(|arg| arg.get_id() == "progress");
            let values = progress
                .map(clap::Arg::get_possible_values)
                .unwrap_or_default();
            let values: Vec<&str> = values
                .iter()
                .map(clap::builder::PossibleValue::get_name)
                .collect();
            assert_eq!(values, ["auto", "plain", "json", "none"], "{name}");
        }
    }

    /// Finds the commands that cannot print a table, JSON, or ids alone.
    fn find_without_forms(command: &clap::Command, before: &str, without: &mut Vec<String>) {
        for command in command.get_subcommands() {
            let name = format!("{before}{}", command.get_name());
            let has = |id: &str, long: &[&str], values: &[&str]| {
                command.get_arguments().any(|arg| {
                    let given = arg.get_possible_values();
                    let has = |value: &&str| given.iter().any(|given| given.get_name() == *value);
                    arg.get_id() == id
                        && arg.get_long().is_some_and(|name| long.contains(&name))
                        && values.iter().all(has)
                })
            };
            let form = ["form", "output"].iter().any(|id| {
                // What writes a file has its name in '--output'.
                has(id, &["output", "format"], &["table", "json"])
            });
            // `scan` is a command and has some.
            let runs = !command.has_subcommands() || command.get_name() == "scan";
            if runs && !(form && has("quiet", &["quiet"], &[])) {
                without.push(name.clone());
            }
            find_without_forms(command, &format!("{name} "), without);
        }
    }
}
