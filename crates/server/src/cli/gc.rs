//! `bonded gc`: collection of garbage, now and from beginning to end, through the socket of the server.

use std::fmt::Write as _;

use clap::Args;

use super::print::{self, Form};
use super::{DataDirectory, Failure, ask_server};
use crate::operator::{Collect, CollectedAmounts};

/// Collect garbage now, on the server on this machine, while it serves
///
/// The server does this by itself, a piece every ten minutes. Uploads that rest for a day, layers
/// that no image has referred to for a day, and bytes that have had no layer for an hour are deleted.
#[derive(Args)]
pub(super) struct GcCommand {
    /// Say what would be deleted, and change nothing
    #[arg(long)]
    dry_run: bool,

    /// Wait for nobody: delete what no image refers to even if it was pushed or asked for just now,
    /// and uploads that no request is writing to. Images stay whole; a push or a pull in progress
    /// may fail and have to begin again
    #[arg(long)]
    no_grace: bool,

    /// The form of the output
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: Form,

    #[command(flatten)]
    data: DataDirectory,
}

impl GcCommand {
    pub(super) fn run(self) -> Result<(), Failure> {
        let data = self.data.path()?;
        let (dry_run, no_grace) = (self.dry_run, self.no_grace);
        let amounts = ask_server(&data, &Collect { dry_run, no_grace })?;
        print::line(match self.output {
            Form::Json => serde_json::to_string_pretty(&amounts).map_err(Failure::failed)?,
            Form::Table => table(&amounts, dry_run),
        });
        Ok(())
    }
}

/// The amounts for people.
fn table(amounts: &CollectedAmounts, dry_run: bool) -> String {
    let rows = [
        ("unfinished uploads", amounts.uploads),
        ("unused layers", amounts.layers),
        ("objects without a layer", amounts.unlinked),
        ("objects deleted", amounts.objects),
    ];
    let mut text = format!("{:<24} {:>10} {:>16}\n", "", "count", "bytes");
    for (name, amount) in rows {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{name:<24} {:>10} {:>16}", amount.count, amount.bytes);
    }
    for (name, count) in [
        ("objects without a row", amounts.strays),
        ("deleted repositories", amounts.repositories),
    ] {
        if count > 0 {
            let _ = writeln!(text, "{name:<24} {count:>10}");
        }
    }
    let freed = if dry_run { "would be freed" } else { "freed" };
    text + &format!("{freed:<24} {:>10} {:>16}", "", amounts.freed_bytes)
}

#[cfg(test)]
mod tests {
    use bonded_registry::Amount;

    use super::*;

    #[test]
    fn the_table_says_what_was_freed_or_would_be() {
        let amount = |count, bytes| Amount { count, bytes }.into();
        let amounts = CollectedAmounts {
            uploads: amount(1, 10),
            repositories: 0,
            strays: 4,
            layers: amount(3, 300),
            unlinked: amount(2, 200),
            objects: amount(1, 100),
            freed_bytes: 110,
        };
        let text = table(&amounts, false);
        let lines: Vec<Vec<&str>> = text
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(lines[0], ["count", "bytes"]);
        assert_eq!(lines[1], ["unfinished", "uploads", "1", "10"]);
        assert_eq!(lines[4], ["objects", "deleted", "1", "100"]);
        assert_eq!(lines[5], ["objects", "without", "a", "row", "4"]);
        assert_eq!(lines[6], ["freed", "110"]);
        assert!(table(&amounts, true).contains("would be freed"));
    }
}
