//! The decision on every case of `tests/cases/*.jsonl`.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use bonded_iam::case::{CaseTotals, run_cases};

fn run(file: &str, at_least: usize) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/cases")
        .join(file);
    let reader = BufReader::new(File::open(&path).unwrap());
    let mut totals = CaseTotals::default();
    for result in run_cases(reader) {
        totals.count(&result);
        if !result.is_passed() {
            println!("{result}");
        }
    }
    println!("{file}: {totals}");
    assert_eq!(totals.failed, 0);
    assert!(totals.passed >= at_least, "cases are missing");
}

#[test]
fn the_documented_facts_hold() {
    run("iam-golden.jsonl", 100);
}

#[test]
fn the_generated_cases_hold() {
    run("iam-public.jsonl", 310);
}

#[test]
fn our_own_corners_hold() {
    run("bonded.jsonl", 883);
}
