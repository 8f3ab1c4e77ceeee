//! `bonded policy`: policies without a server.

use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};

use bonded_iam::case::{CaseTotals, run_cases};
use bonded_iam::{Policy, PolicyKind, Warning, lint, validate};
use clap::{Args, Subcommand, ValueEnum};

use serde_json::json;

use super::print::Output;
use super::{Failure, Status, print_totals};

/// Work on policies without a server
#[derive(Args)]
pub(super) struct PolicyCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Decide cases and compare with what they expect
    Test {
        /// A file with a case on each line, as JSON
        #[arg(value_name = "FILE.jsonl")]
        file: PathBuf,

        #[command(flatten)]
        output: Output,
    },
    /// Check whether a policy may be saved, and warn of what it hardly means
    #[command(visible_alias = "validate")]
    Lint {
        /// A file with a policy, as JSON
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// What the policy is to be used as
        #[arg(long, value_enum, default_value_t = Kind::Identity)]
        kind: Kind,

        #[command(flatten)]
        output: Output,
    },
}

/// What a policy is attached to.
#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    /// A user or a role
    Identity,
    /// A session
    Session,
    /// A user or a role, as its permissions boundary
    Boundary,
    /// A repository
    Repository,
    /// A registry
    Registry,
    /// A role, as its trust policy
    Trust,
    /// An account, as what its members may do at most
    ServiceControl,
    /// An account, as what may be done to its resources at most
    ResourceControl,
}

impl From<Kind> for PolicyKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Identity => Self::Identity,
            Kind::Session => Self::Session,
            Kind::Boundary => Self::Boundary,
            Kind::Repository => Self::Repository,
            Kind::Registry => Self::Registry,
            Kind::Trust => Self::Trust,
            Kind::ServiceControl => Self::ServiceControl,
            Kind::ResourceControl => Self::ResourceControl,
        }
    }
}

/// The longest file that can hold a policy: blanks do not count in most kinds.
const FILE_LIMIT: u64 = 1 << 20;

/// A policy that may be saved as `kind`, or why not: AWS's words and, where they say little, more.
pub(super) fn checked(text: &str, kind: PolicyKind) -> Result<Policy, String> {
    const EXPECTED: &str = r#"expected is {"Version": "2012-10-17", "Statement": [{"Effect": "Allow" or "Deny", "Action": …, "Resource": …}]} with elements of that kind of policy"#;
    validate(text, kind).map_err(|error| {
        let more = match bonded_model::json::parse(text.as_bytes()) {
            Err(json) => json.to_string(),
            Ok(_) if error.to_string().contains("yntax") => EXPECTED.to_owned(),
            Ok(_) => return error.to_string(),
        };
        format!("{error} ({more})")
    })
}

impl PolicyCommand {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self.action {
            Action::Test { file, output } => Self::test(&file, output),
            Action::Lint { file, kind, output } => Self::lint(&file, kind, output),
        }
    }

    fn lint(file: &Path, kind: Kind, output: Output) -> Result<(), Failure> {
        let unreadable = |error| {
            Failure::usage(format!(
                "cannot read the policy '{}': {error}",
                file.display()
            ))
        };
        let mut text = String::new();
        let opened = File::open(file).map_err(unreadable)?;
        opened
            .take(FILE_LIMIT)
            .read_to_string(&mut text)
            .map_err(unreadable)?;
        let policy = checked(&text, kind.into()).map_err(|problem| {
            Failure::failed(format!("the policy may not be saved: {problem}"))
        })?;
        let warnings = lint(&policy);
        let line = |warning: &Warning| {
            let place = warning.span.map_or_else(String::new, |span| {
                format!("{}:{}: ", span.start.line, span.start.column)
            });
            format!(
                "{place}statement {}: {}",
                warning.statement, warning.message
            )
        };
        output.print(
            &json!({ "valid": true, "warnings": warnings }),
            |_| warnings.iter().map(line).collect(),
            |_| Vec::new(),
        )?;
        match warnings.len() {
            0 => Ok(()),
            _ => Err(Failure::shown(Status::Failed)),
        }
    }

    fn test(file: &Path, output: Output) -> Result<(), Failure> {
        let unreadable = |error| {
            Failure::usage(format!(
                "cannot read the cases '{}': {error}",
                file.display()
            ))
        };
        let opened = File::open(file).map_err(unreadable)?;
        if opened.metadata().map_err(unreadable)?.is_dir() {
            return Err(unreadable(std::io::ErrorKind::IsADirectory.into()));
        }
        let mut totals = CaseTotals::default();
        let mut failures = Vec::new();
        for result in run_cases(BufReader::new(opened)) {
            totals.count(&result);
            if !result.is_passed() {
                failures.push(result.to_string());
            }
        }
        print_totals(output, totals.passed, &failures)
    }
}
