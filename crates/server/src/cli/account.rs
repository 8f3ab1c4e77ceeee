//! `bonded account`: what the operator of the host does, through the socket of the server.

use bonded_model::AccountId;
use clap::{Args, Subcommand};

use super::print::{self, Form};
use super::{DataDirectory, Failure, ask_server};
use crate::operator::CreateAccount;

/// Make accounts on the server on this machine
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
}

impl AccountCommand {
    pub(super) fn run(self) -> Result<(), Failure> {
        let Action::Create {
            account,
            output,
            data,
        } = self.action;
        let data = data.path()?;
        let key = ask_server(&data, &CreateAccount { account })?;
        let text = match output {
            Form::Json => serde_json::to_string_pretty(&key).map_err(Failure::failed)?,
            Form::Text => format!(
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
}
