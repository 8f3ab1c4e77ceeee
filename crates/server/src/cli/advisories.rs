//! `bonded advisories`: what scanning knows.

mod artifact;
mod import;
mod load;
mod mirror;
mod transfer;
mod update;

use std::cmp::Ordering;
use std::fs::File;
use std::io::{BufReader, ErrorKind};
use std::path::{Path, PathBuf};

use bonded_scan::{TableTotals, VersionOrder, check_table};
use clap::{Args, Subcommand};

use serde_json::json;

use super::print::Output;
use super::{Failure, print_totals};
pub(super) use artifact::{Reference, pull};
pub(super) use import::made_of;
pub(super) use mirror::Mirror;

/// Work on vulnerability advisories
#[derive(Args)]
pub(super) struct AdvisoriesCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Print the order of two versions, or check a table of them
    Compare(Compare),
    Import(import::Import),
    Load(load::Load),
    Update(update::Update),
    Push(transfer::Push),
    Pull(transfer::Pull),
}

#[derive(Args)]
struct Compare {
    /// Where the versions come from, as OSV names it: Debian:12, PyPI, npm, …; or the short name
    /// of an order: deb, pep440, …
    #[arg(required_unless_present = "file")]
    ecosystem: Option<VersionOrder>,

    /// A version
    #[arg(required_unless_present = "file", allow_hyphen_values = true)]
    a: Option<String>,

    /// Another
    #[arg(required_unless_present = "file", allow_hyphen_values = true)]
    b: Option<String>,

    /// Check the rows of a table: ecosystem, two versions and -1, 0 or 1, separated by tabs
    #[arg(long, value_name = "TSV", conflicts_with = "ecosystem")]
    file: Option<PathBuf>,

    #[command(flatten)]
    output: Output,
}

impl AdvisoriesCommand {
    pub(super) fn run(self) -> Result<(), Failure> {
        let compare = match self.action {
            Action::Import(import) => return import.run(),
            Action::Compare(compare) => compare,
            Action::Load(load) => return load.run(),
            Action::Update(update) => return update.run(),
            Action::Push(push) => return push.run(),
            Action::Pull(pull) => return pull.run(),
        };
        let output = compare.output;
        match (compare.file, compare.ecosystem, compare.a, compare.b) {
            (Some(file), ..) => check(&file, output),
            (None, Some(order), Some(a), Some(b)) => print_order(order, &a, &b, output),
            _ => Err(Failure::usage(
                "give an ecosystem and two versions, or '--file' and a table",
            )),
        }
    }
}

fn print_order(order: VersionOrder, a: &str, b: &str, output: Output) -> Result<(), Failure> {
    let sign = match order.compare(a, b).map_err(Failure::failed)? {
        Ordering::Less => "<",
        Ordering::Equal => "=",
        Ordering::Greater => ">",
    };
    let answer = json!({ "a": a, "order": sign, "b": b });
    output.done(&answer, format!("{a} {sign} {b}"))
}

fn check(file: &Path, output: Output) -> Result<(), Failure> {
    let unreadable = |error| {
        Failure::usage(format!(
            "cannot read the table '{}': {error}",
            file.display()
        ))
    };
    let opened = File::open(file).map_err(unreadable)?;
    if opened.metadata().map_err(unreadable)?.is_dir() {
        return Err(unreadable(ErrorKind::IsADirectory.into()));
    }
    let mut totals = TableTotals::default();
    let mut failures = Vec::new();
    for row in check_table(BufReader::new(opened)) {
        totals.count(&row);
        if !row.is_passed() {
            failures.push(row.to_string());
        }
    }
    if totals.passed == 0 && failures.is_empty() {
        return Err(Failure::usage(format!(
            "the table '{}' has no rows: an ecosystem, two versions and -1, 0 or 1, separated by tabs, \
             are expected",
            file.display()
        )));
    }
    print_totals(output, totals.passed, &failures)
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::*;

    fn status(done: Result<(), Failure>) -> Option<Status> {
        done.err().map(|failure| failure.status)
    }

    #[test]
    fn a_version_without_an_order_fails_and_is_named() {
        assert!(print_order(VersionOrder::Deb, "1.0~rc1", "1.0", Output::QUIET).is_ok());
        let failure = print_order(VersionOrder::Deb, "1.0", "x:1", Output::QUIET).unwrap_err();
        assert_eq!(failure.status, Status::Failed);
        assert!(failure.message.unwrap().contains("'x:1'"));
    }

    #[test]
    fn a_table_passes_as_a_whole_or_not_at_all() {
        let directory = tempfile::tempdir().unwrap();
        let table = directory.path().join("table.tsv");
        for (rows, want) in [
            ("deb\t1\t2\t-1\n", None),
            ("deb\t1\t2\t-1\nPyPI\t1\t2\t0\n", Some(Status::Failed)),
            ("plan9\t1\t2\t-1\n", Some(Status::Failed)),
            ("# nothing\n\n", Some(Status::Usage)),
            ("", Some(Status::Usage)),
        ] {
            std::fs::write(&table, rows).unwrap();
            assert_eq!(status(check(&table, Output::QUIET)), want, "{rows}");
        }
        assert_eq!(
            status(check(directory.path(), Output::QUIET)),
            Some(Status::Usage)
        );
        assert_eq!(
            status(check(Path::new("absent.tsv"), Output::QUIET)),
            Some(Status::Usage)
        );
    }
}
