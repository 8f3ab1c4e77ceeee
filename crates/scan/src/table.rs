//! Tables of versions with the order they must have, for trust and for acceptance.
//!
//! A row is `ecosystem`, `a`, `b` and `-1`, `0` or `1`, separated by tabs; more columns are left
//! alone, lines that are empty or begin with `#` are skipped. The ecosystem is an order's short
//! name or an OSV name.

use std::cmp::Ordering;
use std::fmt;
use std::io::{self, BufRead, Read as _};

use crate::{UnknownVersionOrder, UnparsableVersion, VersionOrder};

/// The longest line that is read, in bytes.
const LINE_LIMIT: u64 = 64 * 1024;

/// How a row came out. Its text is `FAIL line N: …` for a row that failed.
#[derive(Debug)]
pub struct Check {
    /// Counted from 1.
    pub line: u64,
    /// What comparing gave.
    pub outcome: Outcome,
}

/// What comparing the versions of a row gave.
#[derive(Debug)]
pub enum Outcome {
    /// The order that the row expects.
    Passed,
    /// Another order.
    Different {
        /// The ecosystem as the row names it.
        ecosystem: String,
        /// The first version.
        a: String,
        /// The second version.
        b: String,
        /// What the row expects.
        expected: Ordering,
        /// What there is.
        got: Ordering,
    },
    /// One of the versions has no order.
    Unparsable(UnparsableVersion),
    /// The row names an order that we do not have.
    UnknownOrder(UnknownVersionOrder),
    /// The line is not a row, or could not be read; why.
    NotARow(String),
}

impl Check {
    /// Whether the row has the order that it expects.
    #[must_use]
    pub fn is_passed(&self) -> bool {
        matches!(self.outcome, Outcome::Passed)
    }
}

impl fmt::Display for Check {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.line;
        match &self.outcome {
            Outcome::Passed => write!(formatter, "ok line {line}"),
            Outcome::Different {
                ecosystem,
                a,
                b,
                expected,
                got,
            } => write!(
                formatter,
                "FAIL line {line}: {ecosystem} {a} {b}: expected {}, got {}",
                sign(*expected),
                sign(*got)
            ),
            Outcome::Unparsable(error) => write!(formatter, "FAIL line {line}: {error}"),
            Outcome::UnknownOrder(error) => write!(formatter, "FAIL line {line}: {error}"),
            Outcome::NotARow(error) => write!(formatter, "FAIL line {line}: {error}"),
        }
    }
}

/// `<`, `=` or `>`.
fn sign(order: Ordering) -> char {
    match order {
        Ordering::Less => '<',
        Ordering::Equal => '=',
        Ordering::Greater => '>',
    }
}

/// How many rows passed and failed. Its text is `N passed, M failed`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TableTotals {
    /// Rows with the order that they expect.
    pub passed: u64,
    /// All others.
    pub failed: u64,
}

impl TableTotals {
    /// Counts one more row.
    pub fn count(&mut self, check: &Check) {
        if check.is_passed() {
            self.passed += 1;
        } else {
            self.failed += 1;
        }
    }
}

impl fmt::Display for TableTotals {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// Checks a table row by row, holding one line of at most 64 KiB at a time. A line that cannot be
/// read is a row that failed, and the last.
pub fn check_table(mut input: impl BufRead) -> impl Iterator<Item = Check> {
    let mut line = 0;
    let mut broken = false;
    std::iter::from_fn(move || {
        while !broken {
            line += 1;
            let outcome = match read_line(&mut input) {
                Ok(None) => return None,
                Ok(Some(text)) if text.is_empty() || text.starts_with('#') => continue,
                Ok(Some(text)) => check_row(&text),
                Err(error) => {
                    broken = true;
                    Outcome::NotARow(format!("the line cannot be read: {error}"))
                }
            };
            return Some(Check { line, outcome });
        }
        None
    })
}

/// The next line without its end.
fn read_line(input: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    input
        .by_ref()
        .take(LINE_LIMIT)
        .read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    if !line.ends_with(b"\n") && line.len() as u64 == LINE_LIMIT {
        return Err(io::Error::other("it has more than 65536 bytes"));
    }
    let text = String::from_utf8(line).map_err(|_| io::Error::other("it is not UTF-8"))?;
    Ok(Some(text.trim_end_matches(['\n', '\r']).to_owned()))
}

fn check_row(row: &str) -> Outcome {
    let mut columns = row.split('\t');
    let (Some(ecosystem), Some(a), Some(b), Some(expected)) = (
        columns.next(),
        columns.next(),
        columns.next(),
        columns.next(),
    ) else {
        return Outcome::NotARow(
            "it needs an ecosystem, two versions and -1, 0 or 1, separated by tabs".to_owned(),
        );
    };
    let expected = match expected {
        "-1" => Ordering::Less,
        "0" => Ordering::Equal,
        "1" => Ordering::Greater,
        other => return Outcome::NotARow(format!("'{other}' is none of -1, 0 and 1")),
    };
    let order: VersionOrder = match ecosystem.parse() {
        Ok(order) => order,
        Err(error) => return Outcome::UnknownOrder(error),
    };
    match order.compare(a, b) {
        Ok(got) if got == expected => Outcome::Passed,
        Ok(got) => Outcome::Different {
            ecosystem: ecosystem.to_owned(),
            a: a.to_owned(),
            b: b.to_owned(),
            expected,
            got,
        },
        Err(error) => Outcome::Unparsable(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(table: &[u8]) -> Vec<String> {
        check_table(table).map(|check| check.to_string()).collect()
    }

    #[test]
    fn a_row_passes_or_says_what_is_wrong_and_where() {
        let table = "#ecosystem\ta\tb\texpected\n\
                     deb\t1\t2\t-1\tsource\n\
                     \n\
                     Debian:12\t1\t2\t1\n\
                     deb\tx:1\t2\t1\n\
                     plan9\t1\t2\t1\n\
                     deb\t1\t2\n\
                     deb\t1\t2\tless";
        assert_eq!(
            texts(table.as_bytes())[..3],
            [
                "ok line 2",
                "FAIL line 4: Debian:12 1 2: expected >, got <",
                "FAIL line 5: 'x:1' is not a version that deb orders: its epoch, before ':', is \
                 not a number",
            ]
        );
        let mut totals = TableTotals::default();
        for check in check_table(table.as_bytes()) {
            totals.count(&check);
        }
        assert_eq!(totals.to_string(), "1 passed, 5 failed");
    }

    #[test]
    fn a_line_without_end_is_not_read_into_memory() {
        let endless = io::BufReader::new(io::repeat(b'1'));
        let checks: Vec<Check> = check_table(endless).collect();
        assert_eq!(checks.len(), 1);
        assert!(!checks[0].is_passed());
    }
}
