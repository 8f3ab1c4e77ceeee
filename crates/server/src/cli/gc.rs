//! `bonded gc`: collection of garbage, now and from beginning to end, through the socket of the server.

use clap::Args;

use super::progress::ProgressArgs;
use super::{Failure, OfHost, ask_server_for_long};
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

    #[command(flatten)]
    progress: ProgressArgs,

    #[command(flatten)]
    host: OfHost,
}

impl GcCommand {
    pub(super) fn run(self) -> Result<(), Failure> {
        let (dry_run, no_grace) = (self.dry_run, self.no_grace);
        let OfHost { output, data } = self.host;
        let amounts = ask_server_for_long(
            &data.path()?,
            &Collect { dry_run, no_grace },
            &self.progress.begin(output.is_quiet()),
        )?;
        output.print(&amounts, |amounts| table(amounts, dry_run), |_| Vec::new())
    }
}

/// The amounts for people.
fn table(amounts: &CollectedAmounts, dry_run: bool) -> Vec<String> {
    let rows = [
        ("unfinished uploads", amounts.uploads),
        ("unused layers", amounts.layers),
        ("objects without a layer", amounts.unlinked),
        ("objects deleted", amounts.objects),
    ];
    let mut lines = vec![format!("{:<24} {:>10} {:>16}", "", "count", "bytes")];
    lines.extend(
        rows.map(|(name, amount)| format!("{name:<24} {:>10} {:>16}", amount.count, amount.bytes)),
    );
    let counts = [
        ("objects without a row", amounts.strays),
        ("deleted repositories", amounts.repositories),
    ];
    let counts = counts.into_iter().filter(|(_, count)| *count > 0);
    lines.extend(counts.map(|(name, count)| format!("{name:<24} {count:>10}")));
    let freed = if dry_run { "would be freed" } else { "freed" };
    lines.push(format!(
        "{freed:<24} {:>10} {:>16}",
        "", amounts.freed_bytes
    ));
    lines
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
            .iter()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(lines[0], ["count", "bytes"]);
        assert_eq!(lines[1], ["unfinished", "uploads", "1", "10"]);
        assert_eq!(lines[4], ["objects", "deleted", "1", "100"]);
        assert_eq!(lines[5], ["objects", "without", "a", "row", "4"]);
        assert_eq!(lines[6], ["freed", "110"]);
        assert!(table(&amounts, true)[6].starts_with("would be freed"));
    }
}
