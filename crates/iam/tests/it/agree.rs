//! The engine that serves says what the reference says: on cases that chance makes.
//!
//! A disagreement is printed as a case of `tests/cases`, to be kept there once it is understood.

mod dice;
mod generate;

use bonded_iam::Outcome;
use bonded_iam::case::{CaseResult, run_case};

/// How many cases are made, unless `BONDED_AGREEMENT_CASES` says otherwise (`./test long`).
const CASES: u64 = 20_000;

#[expect(clippy::disallowed_methods, reason = "a longer run of the same test")]
fn cases() -> u64 {
    std::env::var("BONDED_AGREEMENT_CASES").map_or(CASES, |cases| cases.parse().unwrap())
}

#[test]
fn the_engine_agrees_with_the_reference() {
    let cases = cases();
    let (mut allowed, mut denied) = (0, 0);
    for seed in 0..cases {
        match run_case(generate::case(seed)).unwrap() {
            CaseResult::Passed { .. } => {}
            CaseResult::Failed {
                got: Outcome::Allow,
                ..
            } => allowed += 1,
            CaseResult::Failed { .. } => denied += 1,
            other => panic!("{other}\n{}", generate::case(seed)),
        }
    }
    println!("{cases} cases agree: {allowed} are allowed, {denied} explicitly denied");
    // Cases that all end alike would prove nothing.
    assert!(allowed > cases / 20, "{allowed} of {cases} are allowed");
    assert!(denied > cases / 20, "{denied} of {cases} are denied");
}
