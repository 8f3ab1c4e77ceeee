//! Output: the forms that every command has, and the one way to print. What came from elsewhere is
//! cleaned, so that it cannot steer a terminal.

use std::fmt::{Display, Write as _};
use std::io::{self, Write as _};

use clap::{Args, ValueEnum};
use serde::Serialize;
use zeroize::Zeroizing;

use super::Failure;

/// The form of a command's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people.
    #[value(alias = "text")]
    Table,
    /// JSON, for programs.
    Json,
}

/// How a command prints what it has to say. Each that says something takes these arguments, which a
/// test of the command line holds it to.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct Output {
    /// The form of the output
    #[arg(
        short = 'o',
        long = "output",
        alias = "format",
        value_name = "FORM",
        default_value = "table"
    )]
    form: Form,

    /// Print ids alone, of a list or of what was made, and nothing if there are none
    #[arg(short, long, conflicts_with = "form")]
    quiet: bool,
}

impl Output {
    #[cfg(test)]
    pub(super) const QUIET: Self = Self {
        form: Form::Table,
        quiet: true,
    };

    /// Prints an answer: as JSON, as `lines` for people, or only its `ids`.
    ///
    /// # Errors
    /// As [`text`].
    pub(super) fn print<T: Serialize>(
        self,
        answer: &T,
        lines: impl FnOnce(&T) -> Vec<String>,
        ids: impl FnOnce(&T) -> Vec<String>,
    ) -> Result<(), Failure> {
        let lines = match (self.quiet, self.form) {
            (true, _) => ids(answer),
            (false, Form::Table) => lines(answer),
            (false, Form::Json) => return json(answer),
        };
        for line in lines {
            // It may be a secret that is shown once.
            let line = Zeroizing::new(line);
            text(&Zeroizing::new(clean(&line) + "\n"))?;
        }
        Ok(())
    }

    /// Prints one part of a list without an end, whose JSON is one object a line.
    ///
    /// # Errors
    /// As [`text`].
    pub(super) fn print_each<T: Serialize>(
        self,
        entries: &[T],
        line: impl Fn(&T) -> String,
        id: impl Fn(&T) -> String,
    ) -> Result<(), Failure> {
        for entry in entries {
            let shown = match (self.quiet, self.form) {
                (true, _) => clean(&id(entry)),
                (false, Form::Table) => clean(&line(entry)),
                (false, Form::Json) => {
                    json_clean(&serde_json::to_string(entry).map_err(Failure::failed)?)
                }
            };
            text(&(shown + "\n"))?;
        }
        Ok(())
    }

    /// Prints what an action did: `sentence` for people, `answer` for programs.
    ///
    /// # Errors
    /// As [`text`].
    pub(super) fn done(
        self,
        answer: &impl Serialize,
        sentence: impl Into<String>,
    ) -> Result<(), Failure> {
        self.print(answer, |_| vec![sentence.into()], |_| Vec::new())
    }

    /// Says something beside the answer that only people need, on standard error.
    pub(super) fn note(self, text: impl Display) {
        if self.is_for_people() {
            error(clean(&text.to_string()));
        }
    }

    /// Whether the answer is for people: neither JSON nor ids.
    pub(super) fn is_for_people(self) -> bool {
        !self.quiet && self.form == Form::Table
    }

    /// Whether only ids are wanted.
    pub(super) fn is_quiet(self) -> bool {
        self.quiet
    }
}

/// Whether a character would steer a terminal, or turn the direction of text.
fn steers(character: char) -> bool {
    let turns = matches!(
        character,
        '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    character.is_control() || turns
}

/// The text with control characters, and those that turn the direction of text, escaped: one line
/// that shows what is there.
pub(super) fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    for character in text.chars() {
        if steers(character) {
            cleaned.extend(character.escape_default());
        } else {
            cleaned.push(character);
        }
    }
    cleaned
}

/// Writes a value to standard output as JSON. serde_json escapes ASCII's control characters only;
/// here everything that steers a terminal is escaped as JSON escapes it.
///
/// # Errors
/// As [`text`].
pub(super) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let pretty = Zeroizing::new(serde_json::to_string_pretty(value).map_err(Failure::failed)?);
    text(&Zeroizing::new(json_clean(&pretty) + "\n"))
}

/// JSON in which nothing steers a terminal; its own line ends stay.
pub(super) fn json_clean(json: &str) -> String {
    let mut cleaned = String::with_capacity(json.len());
    for character in json.chars() {
        if steers(character) && character != '\n' {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                // Writing to a string does not fail.
                let _ = write!(cleaned, "\\u{unit:04x}");
            }
        } else {
            cleaned.push(character);
        }
    }
    cleaned
}

/// Writes a line to standard output. Nobody may be reading any more, as in `bonded … | head`;
/// that is no failure.
pub(super) fn line(text: impl Display) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}

/// Writes a text to standard output, as [`line`] does; it must be free of what steers terminals.
///
/// # Errors
/// It cannot be written.
pub(super) fn text(text: &str) -> Result<(), Failure> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::failed(format!(
            "cannot write to standard output: {error}"
        ))),
        _ => Ok(()),
    }
}

/// Writes a line of the program to standard error.
pub(super) fn error(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "bonded: {text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_steer_the_terminal() {
        for (text, want) in [
            ("plain ü 世", "plain ü 世"),
            ("\u{1b}[2J", "\\u{1b}[2J"),
            ("a\nb\r\tc", "a\\nb\\r\\tc"),
            ("\u{9b}31m\u{7f}\0", "\\u{9b}31m\\u{7f}\\u{0}"),
            ("a\u{202e}b\u{2066}", "a\\u{202e}b\\u{2066}"),
        ] {
            assert_eq!(clean(text), want);
        }
    }

    #[test]
    fn json_stays_json_and_steers_nothing() {
        let value = serde_json::json!({"a": "\u{1b}[2J\u{202e}b\u{9b}\u{7f}\n", "ü": [1]});
        let text = json_clean(&serde_json::to_string_pretty(&value).unwrap());
        assert!(text.chars().all(|c| c == '\n' || !steers(c)), "{text}");
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&text).unwrap(),
            value
        );
    }
}
