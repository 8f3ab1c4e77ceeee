//! `bonded account`: what the operator of the host does, through the socket of the server.

use std::path::PathBuf;

use bonded_model::AccountId;
use clap::{Args, Subcommand};

use super::print::{self, Form};
use super::{DataDirectory, Failure, ask_server};
use crate::operator::{
    AttachPolicy, CloseAccount, CreateAccount, DetachPolicy, ListAccounts, ListPolicies,
};

/// Make, list and close the accounts of the server on this machine, and say what they may do at most
#[derive(Args)]
pub(super) struct AccountCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Make an account and print the key of its administrator, this once
    Create {
        /// 12 digits
        #[arg(value_name = "ACCOUNT")]
        account: AccountId,

        /// The form of the output
        #[arg(short, long, value_name = "FORM", default_value = "text")]
        output: Form,

        #[command(flatten)]
        data: DataDirectory,
    },
    /// List all accounts
    List {
        /// The form of the output
        #[arg(short, long, value_name = "FORM", default_value = "text")]
        output: Form,

        #[command(flatten)]
        data: DataDirectory,
    },
    /// Close an account for ever: none of its credentials works any more, what it owns stays
    Close {
        /// 12 digits
        #[arg(value_name = "ACCOUNT")]
        account: AccountId,

        #[command(flatten)]
        data: DataDirectory,
    },
    /// List the service control policies of an account
    Policies {
        /// 12 digits
        #[arg(value_name = "ACCOUNT")]
        account: AccountId,

        /// The form of the output
        #[arg(short, long, value_name = "FORM", default_value = "text")]
        output: Form,

        #[command(flatten)]
        data: DataDirectory,
    },
    /// Attach a service control policy: what it does not allow nobody in the account may do
    AttachPolicy {
        /// 12 digits
        #[arg(value_name = "ACCOUNT")]
        account: AccountId,

        /// The policy's name; one of the same name is replaced
        #[arg(value_name = "NAME")]
        name: String,

        /// The file with its document; not needed for FullAWSAccess
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,

        #[command(flatten)]
        data: DataDirectory,
    },
    /// Detach a service control policy
    DetachPolicy {
        /// 12 digits
        #[arg(value_name = "ACCOUNT")]
        account: AccountId,

        /// The policy's name, such as FullAWSAccess, which every account begins with
        #[arg(value_name = "NAME")]
        name: String,

        #[command(flatten)]
        data: DataDirectory,
    },
}

impl AccountCommand {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self.action {
            Action::Create {
                account,
                output,
                data,
            } => create(account, output, data),
            Action::List { output, data } => list(output, data),
            Action::Close { account, data } => ask_server(&data.path()?, &CloseAccount { account }),
            Action::Policies {
                account,
                output,
                data,
            } => policies(account, output, data),
            Action::AttachPolicy {
                account,
                name,
                file,
                data,
            } => attach(account, name, file, data),
            Action::DetachPolicy {
                account,
                name,
                data,
            } => ask_server(&data.path()?, &DetachPolicy { account, name }),
        }
    }
}

fn create(account: AccountId, output: Form, data: DataDirectory) -> Result<(), Failure> {
    let key = ask_server(&data.path()?, &CreateAccount { account })?;
    let text = match output {
        Form::Json => serde_json::to_string_pretty(&key).map_err(Failure::failed)?,
        Form::Table => format!(
            "account {} is made; the key of its user 'administrator', shown this once:\n\
             AWS_ACCESS_KEY_ID={}\nAWS_SECRET_ACCESS_KEY={}",
            key.account,
            key.access_key_id,
            key.secret_access_key.expose()
        ),
    };
    print::line(zeroize::Zeroizing::new(text).as_str());
    Ok(())
}

fn list(output: Form, data: DataDirectory) -> Result<(), Failure> {
    let accounts = ask_server(&data.path()?, &ListAccounts {})?;
    let text = match output {
        Form::Json => serde_json::to_string_pretty(&accounts).map_err(Failure::failed)?,
        Form::Table => {
            let line = |entry: &crate::operator::AccountEntry| {
                let alias = entry.alias.as_deref().unwrap_or("-");
                let state = match &entry.closed {
                    Some(at) => format!("closed {at}"),
                    None => "open".to_owned(),
                };
                format!(
                    "{}  {alias}  made {}  {state}",
                    entry.account, entry.created
                )
            };
            let lines: Vec<String> = accounts.iter().map(line).collect();
            lines.join("\n")
        }
    };
    print::line(&text);
    Ok(())
}

fn policies(account: AccountId, output: Form, data: DataDirectory) -> Result<(), Failure> {
    let policies = ask_server(&data.path()?, &ListPolicies { account })?;
    let text = match output {
        Form::Json => serde_json::to_string_pretty(&policies).map_err(Failure::failed)?,
        Form::Table => {
            let lines: Vec<String> = policies
                .iter()
                .map(|(name, text)| format!("{name}  {text}"))
                .collect();
            print::clean(&lines.join("\n"))
        }
    };
    print::line(&text);
    Ok(())
}

fn attach(
    account: AccountId,
    name: String,
    file: Option<PathBuf>,
    data: DataDirectory,
) -> Result<(), Failure> {
    let text = match file {
        Some(file) => std::fs::read_to_string(&file).map_err(|error| {
            Failure::usage(format!("cannot read '{}': {error}", file.display()))
        })?,
        None if name == "FullAWSAccess" => String::new(),
        None => {
            return Err(Failure::usage(format!(
                "the document of the policy '{name}' is missing; name the file that holds it"
            )));
        }
    };
    let request = AttachPolicy {
        account,
        name,
        text,
    };
    ask_server(&data.path()?, &request)
}
