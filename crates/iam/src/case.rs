//! Cases as data: one JSON object a line with a request, policies and the expected outcome
//! (iam.md §7). Run by the tests and by `bonded policy test FILE.jsonl`.

mod schema;

use std::io::BufRead;

use crate::decision::Outcome;
use crate::evaluate::evaluate;
use schema::{Case, OwnedPolicies};

/// How long a line may be, in bytes.
const LINE_LIMIT: usize = 4 << 20;

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
/// failed case.
pub fn run_cases(reader: impl BufRead) -> impl Iterator<Item = CaseResult> {
    let lines = reader.split(b'\n').enumerate();
    lines.filter_map(|(index, bytes)| {
        let line = index + 1;
        let unreadable = |reason: String| CaseResult::Unreadable { line, reason };
        match bytes {
            Err(error) => Some(unreadable(error.to_string())),
            Ok(bytes) if bytes.trim_ascii().is_empty() => None,
            Ok(bytes) if bytes.len() > LINE_LIMIT => {
                Some(unreadable(format!("longer than {LINE_LIMIT} bytes")))
            }
            Ok(bytes) => Some(run_case(&bytes).unwrap_or_else(unreadable)),
        }
    })
}

fn run_case(line: &[u8]) -> Result<CaseResult, String> {
    let value = bonded_model::json::parse(line).map_err(|error| error.to_string())?;
    let case: Case = serde_json::from_value(value).map_err(|error| error.to_string())?;
    if ![Outcome::Allow, Outcome::ExplicitDeny, Outcome::ImplicitDeny]
        .iter()
        .any(|outcome| name(*outcome) == case.expected)
    {
        return Err(format!(
            "'{}' is not an outcome: allow, explicit_deny or implicit_deny are expected",
            case.expected.escape_debug()
        ));
    }
    let owned = OwnedPolicies::parse(&case.policies).map_err(|error| error.to_string())?;
    let got = evaluate(&case.request.into(), &owned.borrow()).outcome;
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
