//! Output. What came from elsewhere is cleaned first, so that it cannot steer a terminal.

use std::fmt::Display;
use std::io::{self, Write as _};

use clap::ValueEnum;

/// The form of a command's output.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Form {
    /// For people.
    #[value(alias = "text")]
    Table,
    /// JSON, for programs.
    Json,
}

/// The text with control characters, and those that turn the direction of text, escaped: one line
/// that shows what is there.
pub(super) fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    for character in text.chars() {
        let turns = matches!(
            character,
            '\u{061c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
        );
        if character.is_control() || turns {
            cleaned.extend(character.escape_default());
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
pub(super) fn text(text: &str) -> Result<(), super::Failure> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(super::Failure::failed(
            format!("cannot write to standard output: {error}"),
        )),
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
}
