//! The order of versions against the tables of the ecosystems' own projects.

use std::path::Path;

use bonded_scan::{TableTotals, check_table};

/// Checks every table of `tests/cases`, so that adding a row, or a table, needs no Rust.
#[test]
fn every_table_passes() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut totals = TableTotals::default();
    let mut failures = Vec::new();
    for entry in std::fs::read_dir(cases).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "tsv") {
            continue;
        }
        let table = std::fs::read(&path).unwrap();
        for check in check_table(table.as_slice()) {
            totals.count(&check);
            if !check.is_passed() {
                failures.push(format!("{}: {check}", path.display()));
            }
        }
    }
    assert!(failures.is_empty(), "{totals}\n{}", failures.join("\n"));
    assert!(totals.passed > 10_000, "the tables are gone: {totals}");
}
