//! Nanoseconds per decision of Bonded's engine, of its reference and of `cedar-policy`, in one
//! process, with policies that say the same.
//!
//!     cargo run --release --manifest-path benches/Cargo.toml
//!
//! Every figure is that of the fastest twentieth of many short rounds: what a machine without other
//! work would show. The ratios say more than the figures.

mod cedar;
mod iam;

use std::hint::black_box;
use std::time::{Duration, Instant};

/// The statements of the policies that are measured.
const SIZES: [usize; 3] = [1, 20, 1000];

/// How long one line is measured.
const BUDGET: Duration = Duration::from_millis(2500);

/// The time of one call, in nanoseconds.
fn measure(mut decide: impl FnMut() -> bool, expected: bool) -> f64 {
    assert_eq!(decide(), expected, "the answer is wrong");
    let once = Instant::now();
    for _ in 0..8 {
        black_box(decide());
    }
    let calls = (300_000 / once.elapsed().as_nanos().max(1) * 8).clamp(1, 100_000);
    let mut rounds = Vec::new();
    let started = Instant::now();
    while started.elapsed() < BUDGET || rounds.len() < 5 {
        let round = Instant::now();
        for _ in 0..calls {
            black_box(decide());
        }
        rounds.push(round.elapsed().as_nanos() as f64 / calls as f64);
    }
    rounds.sort_by(f64::total_cmp);
    rounds[rounds.len() / 20]
}

fn main() {
    println!("{:<34} {:>10} {:>12} {:>12} {:>8}", "ns per decision", "engine", "reference", "cedar", "ratio");
    for size in SIZES {
        for (what, team, allowed) in [("allowed by the last", size - 1, true), ("denied", size, false)] {
            let ours = iam::Scenario::teams(size, team);
            let theirs = cedar::Scenario::teams(size, team);
            line(&format!("{size} statements, {what}"), &ours, Some(&theirs), allowed);
        }
    }
    for size in SIZES {
        let ours = iam::Scenario::conditions(size);
        let theirs = cedar::Scenario::conditions(size);
        line(&format!("{size} conditions on \"*\", the last"), &ours, Some(&theirs), true);
    }
    line("7 policies in 5 layers", &iam::Scenario::layers(), None, true);
}

fn line(what: &str, ours: &iam::Scenario, theirs: Option<&cedar::Scenario>, allowed: bool) {
    let engine = measure(|| ours.engine(), allowed);
    let reference = measure(|| ours.reference(), allowed);
    match theirs {
        Some(theirs) => {
            let cedar = measure(|| theirs.decide(), allowed);
            println!("{what:<34} {engine:>10.0} {reference:>12.0} {cedar:>12.0} {:>8.1}", cedar / engine);
        }
        None => println!("{what:<34} {engine:>10.0} {reference:>12.0}"),
    }
}
