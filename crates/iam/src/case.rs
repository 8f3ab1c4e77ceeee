//! Cases as data: one JSON object a line with a request, policies and the expected outcome
//! (iam.md §7). Run by the tests and by `bonded policy test FILE.jsonl`.

mod schema;

use std::io::{BufRead, Read as _};

use serde_json::Value;

use crate::decision::{Decision, Outcome};
use crate::{engine, reference};
use schema::Case;

/// How long a line may be, in bytes.
const LINE_LIMIT: u64 = 4 << 20;

/// What became of one line. `Display` gives the text to print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaseResult {
    /// As expected.
    Passed {
        /// The case.
        id: String,
    },
    /// Another outcome.
    Failed {
        /// The case.
        id: String,
        /// What the line expects.
        expected: String,
        /// What the engine decided.
        got: Outcome,
    },
    /// The engine that serves and the reference do not say the same: a defect of ours, whatever
    /// the case expects.
    Disagreed {
        /// The case.
        id: String,
        /// What the engine decided.
        engine: Box<Decision>,
        /// What the reference decided.
        reference: Box<Decision>,
    },
    /// Not a case.
    Unreadable {
        /// The line, counted from 1.
        line: usize,
        /// Why not.
        reason: String,
    },
}

impl CaseResult {
    /// Whether the case passed.
    #[must_use]
    pub fn is_passed(&self) -> bool {
        matches!(self, Self::Passed { .. })
    }
}

impl std::fmt::Display for CaseResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Passed { id } => write!(f, "ok {id}"),
            Self::Failed { id, expected, got } => {
                write!(f, "FAIL {id}: expected {expected}, got {}", name(*got))
            }
            Self::Disagreed {
                id,
                engine,
                reference,
            } => write!(
                f,
                "FAIL {id}: the engine says {engine:?}, the reference {reference:?}"
            ),
            Self::Unreadable { line, reason } => write!(f, "FAIL line {line}: {reason}"),
        }
    }
}

/// How many cases passed and failed. `Display` gives the last line to print.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CaseTotals {
    /// As expected.
    pub passed: usize,
    /// Not as expected, or unreadable.
    pub failed: usize,
}

impl CaseTotals {
    /// Counts one result.
    pub fn count(&mut self, result: &CaseResult) {
        if result.is_passed() {
            self.passed += 1;
        } else {
            self.failed += 1;
        }
    }
}

impl std::fmt::Display for CaseTotals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// Runs every line of `reader`, lazily. Blank lines are skipped; a line that cannot be read is a
/// failed case, and one longer than 4 MiB ends the run.
pub fn run_cases(mut reader: impl BufRead) -> impl Iterator<Item = CaseResult> {
    let mut line = 0;
    let mut ended = false;
    std::iter::from_fn(move || {
        loop {
            if ended {
                return None;
            }
            line += 1;
            let mut bytes = Vec::new();
            let read = reader
                .by_ref()
                .take(LINE_LIMIT)
                .read_until(b'\n', &mut bytes);
            let complete = bytes.ends_with(b"\n");
            ended = !complete;
            let unreadable = |reason| CaseResult::Unreadable { line, reason };
            return Some(match read {
                Err(error) => unreadable(error.to_string()),
                Ok(read) if !complete && read as u64 == LINE_LIMIT => {
                    unreadable(format!("longer than {LINE_LIMIT} bytes"))
                }
                Ok(_) if bytes.trim_ascii().is_empty() => continue,
                Ok(_) => run_line(&bytes).unwrap_or_else(unreadable),
            });
        }
    })
}

fn run_line(line: &[u8]) -> Result<CaseResult, String> {
    let value = bonded_model::json::parse(line).map_err(|error| error.to_string())?;
    run_case(value)
}

/// Runs one case.
///
/// # Errors
/// The value is not a case; the text says why not.
pub fn run_case(case: Value) -> Result<CaseResult, String> {
    let case: Case = serde_json::from_value(case).map_err(|error| error.to_string())?;
    if ![Outcome::Allow, Outcome::ExplicitDeny, Outcome::ImplicitDeny]
        .iter()
        .any(|outcome| name(*outcome) == case.expected)
    {
        return Err(format!(
            "'{}' is not an outcome: allow, explicit_deny or implicit_deny are expected",
            case.expected.escape_debug()
        ));
    }
    let owned = schema::parse(&case.policies).map_err(|error| error.to_string())?;
    let (request, policies) = (case.request.into(), owned.borrow());
    let strict = engine::evaluate(&request, &policies);
    for (engine, reference) in [
        (strict, reference::evaluate(&request, &policies)),
        (
            engine::evaluate_free(&request, &policies),
            reference::evaluate_free(&request, &policies),
        ),
    ] {
        if engine != reference {
            return Ok(CaseResult::Disagreed {
                id: case.id,
                engine: engine.into(),
                reference: reference.into(),
            });
        }
    }
    let got = strict.outcome;
    Ok(if name(got) == case.expected {
        CaseResult::Passed { id: case.id }
    } else {
        CaseResult::Failed {
            id: case.id,
            expected: case.expected,
            got,
        }
    })
}

/// The name of an outcome in a case.
fn name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Allow => "allow",
        Outcome::ExplicitDeny => "explicit_deny",
        Outcome::ImplicitDeny => "implicit_deny",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASE: &str = r#"{"id":"x","tags":[],"request":{"principal":{"type":"anonymous"},
        "action":"ecr:PutImage","resource":{"arn":"*","account":"111122223333"}},
        "policies":{},"expected":"EXPECTED","more":1}"#;

    fn run(lines: &[&str]) -> (Vec<String>, String) {
        let text = lines.join("\n");
        let mut totals = CaseTotals::default();
        let results = run_cases(text.as_bytes()).map(|result| {
            totals.count(&result);
            result.to_string()
        });
        (results.collect(), totals.to_string())
    }

    #[test]
    fn results_are_printed_by_id_and_unreadable_lines_by_number() {
        let case = |expected| CASE.replace('\n', "").replace("EXPECTED", expected);
        let (results, totals) = run(&[
            &case("implicit_deny"),
            "",
            &case("allow"),
            &case("deny"),
            "{",
            &case("implicit_deny"),
        ]);
        assert_eq!(results[0], "ok x");
        assert_eq!(results[1], "FAIL x: expected allow, got implicit_deny");
        assert!(results[2].starts_with("FAIL line 4: 'deny' is not an outcome"));
        assert!(results[3].starts_with("FAIL line 5: "));
        assert_eq!(results[4], "ok x");
        assert_eq!(totals, "2 passed, 3 failed");
    }

    #[test]
    fn an_endless_line_ends_the_run() {
        let limit = usize::try_from(LINE_LIMIT).unwrap();
        let (results, totals) = run(&[&"x".repeat(limit + 1), "{"]);
        assert_eq!(results, ["FAIL line 1: longer than 4194304 bytes"]);
        assert_eq!(totals, "0 passed, 1 failed");
    }
}
