//! `bonded account`: what the operator of the host does, through the socket of the server.

use std::path::PathBuf;

use bonded_iam::PolicyKind;
use bonded_model::AccountId;
use clap::{Args, Subcommand};

use serde_json::json;

use super::policy::checked;
use super::{Failure, OfHost, ask_server};
use crate::operator::{
    AccountEntry, AttachPolicy, CloseAccount, CreateAccount, DetachPolicy, ListAccounts,
    ListPolicies,
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

        #[command(flatten)]
        host: OfHost,
    },
    /// List all accounts
    List {
        #[command(flatten)]
        host: OfHost,
    },
    /// Close an account for ever: none of its credentials works any more, what it owns stays
    Close {
        /// 12 digits
        #[arg(value_name = "ACCOUNT")]
        account: AccountId,

        #[command(flatten)]
        host: OfHost,
    },
    /// List the service control policies of an account
    Policies {
        /// 12 digits
        #[arg(value_name = "ACCOUNT")]
        account: AccountId,

        #[command(flatten)]
        host: OfHost,
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
        host: OfHost,
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
        host: OfHost,
    },
}

impl AccountCommand {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self.action {
            Action::Create { account, host } => create(account, host),
            Action::List { host } => list(host),
            Action::Close { account, host } => close(account, host),
            Action::Policies { account, host } => policies(account, host),
            Action::AttachPolicy {
                account,
                name,
                file,
                host,
            } => attach(account, name, file, host),
            Action::DetachPolicy {
                account,
                name,
                host,
            } => detach(account, name, host),
        }
    }
}

fn create(account: AccountId, OfHost { output, data }: OfHost) -> Result<(), Failure> {
    let key = ask_server(&data.path()?, &CreateAccount { account })?;
    // A key that is shown once is shown to whoever wants nothing else, too.
    let lines = |key: &crate::administrator::AdministratorKey| {
        vec![
            format!("AWS_ACCESS_KEY_ID={}", key.access_key_id),
            format!("AWS_SECRET_ACCESS_KEY={}", key.secret_access_key.expose()),
        ]
    };
    let told = |key: &crate::administrator::AdministratorKey| {
        let account = &key.account;
        let title = format!(
            "account {account} is made; the key of its user 'administrator', shown this once:"
        );
        [vec![title], lines(key)].concat()
    };
    output.print(&key, told, lines)
}

fn list(OfHost { output, data }: OfHost) -> Result<(), Failure> {
    let accounts = ask_server(&data.path()?, &ListAccounts {})?;
    let line = |entry: &AccountEntry| {
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
    output.print(
        &accounts,
        |accounts| accounts.iter().map(line).collect(),
        |accounts| accounts.iter().map(|of| of.account.to_string()).collect(),
    )
}

fn close(account: AccountId, OfHost { output, data }: OfHost) -> Result<(), Failure> {
    let answer = json!({ "account": account.as_str(), "closed": true });
    let sentence = format!("account {account} is closed");
    ask_server(&data.path()?, &CloseAccount { account })?;
    output.done(&answer, sentence)
}

fn policies(account: AccountId, OfHost { output, data }: OfHost) -> Result<(), Failure> {
    let policies = ask_server(&data.path()?, &ListPolicies { account })?;
    output.print(
        &policies,
        |policies| {
            let line = |(name, text): &(String, String)| format!("{name}  {text}");
            policies.iter().map(line).collect()
        },
        |policies| policies.iter().map(|(name, _)| name.clone()).collect(),
    )
}

fn attach(
    account: AccountId,
    name: String,
    file: Option<PathBuf>,
    OfHost { output, data }: OfHost,
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
    if !text.is_empty() {
        // The server says no more than AWS does.
        checked(&text, PolicyKind::ServiceControl).map_err(|problem| {
            Failure::failed(format!(
                "the policy '{name}' may not be attached: {problem}"
            ))
        })?;
    }
    let answer = json!({ "account": account.as_str(), "policy": name, "attached": true });
    let sentence = format!("the policy '{name}' is attached to the account {account}");
    let request = AttachPolicy {
        account,
        name,
        text,
    };
    ask_server(&data.path()?, &request)?;
    output.done(&answer, sentence)
}

fn detach(
    account: AccountId,
    name: String,
    OfHost { output, data }: OfHost,
) -> Result<(), Failure> {
    let answer = json!({ "account": account.as_str(), "policy": name, "attached": false });
    let sentence = format!("the policy '{name}' is detached from the account {account}");
    ask_server(&data.path()?, &DetachPolicy { account, name })?;
    output.done(&answer, sentence)
}
