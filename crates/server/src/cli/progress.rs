//! How far a command is, on standard error: a bar for people, lines for logs, JSON for programs.

use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Read, Write as _};

use clap::ValueEnum;
use serde_json::json;

use super::print::clean;

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ProgressForm {
    /// A bar on a terminal, lines in a pipeline (where CI is set), else nothing.
    Auto,
    /// A line for each step that is done.
    Plain,
    /// A line of JSON for each step that is done.
    Json,
    /// Nothing.
    None,
}

/// A bar is drawn anew each time this many bytes have been read.
const DRAWN_EVERY: u64 = 1 << 20;

/// The cells of a bar.
const CELLS: u64 = 20;

/// Shows how far a command is.
pub(super) struct Progress(Shown);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Bar,
    Plain,
    Json,
    Nothing,
}

impl Progress {
    /// `variable` gives the environment.
    pub(super) fn new(form: ProgressForm, variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let is_pipeline =
            || variable("CI").is_some_and(|value| !value.is_empty() && value != "false");
        Self(match form {
            ProgressForm::Auto if io::stderr().is_terminal() => Shown::Bar,
            ProgressForm::Auto if is_pipeline() => Shown::Plain,
            ProgressForm::Plain => Shown::Plain,
            ProgressForm::Json => Shown::Json,
            ProgressForm::Auto | ProgressForm::None => Shown::Nothing,
        })
    }

    /// Begins the step `number` of `of`, counted from 1, of something with a name; `bytes` is its
    /// length, if that is known.
    pub(super) fn step<'a>(
        &'a self,
        what: &'static str,
        name: &'a str,
        (number, of): (usize, usize),
        bytes: Option<u64>,
    ) -> Step<'a> {
        Step {
            shown: self.0,
            what,
            name,
            place: (number, of),
            total: bytes.filter(|bytes| *bytes > 0),
            read: 0,
            drawn: 0,
        }
    }
}

/// A step on its way.
pub(super) struct Step<'a> {
    shown: Shown,
    what: &'static str,
    name: &'a str,
    place: (usize, usize),
    total: Option<u64>,
    read: u64,
    drawn: u64,
}

impl<'a> Step<'a> {
    /// What is read of `input` counts.
    pub(super) fn reading<'s, R: Read>(&'s mut self, input: R) -> Reading<'s, 'a, R> {
        Reading { step: self, input }
    }

    /// It is done.
    pub(super) fn done(self) {
        match self.shown {
            Shown::Nothing => {}
            Shown::Bar => {
                let _ = write!(io::stderr().lock(), "\r\x1b[K");
            }
            Shown::Plain => {
                let _ = writeln!(io::stderr().lock(), "{}", self.line());
            }
            Shown::Json => {
                let line = json!({
                    "event": "step", "step": self.what, "name": self.name,
                    "number": self.place.0, "of": self.place.1, "bytes": self.read,
                });
                let _ = writeln!(io::stderr().lock(), "{line}");
            }
        }
    }

    fn add(&mut self, bytes: usize) {
        self.read += bytes as u64;
        if self.shown == Shown::Bar && self.read >= self.drawn + DRAWN_EVERY {
            self.drawn = self.read;
            let (bar, line) = (self.bar(), self.line());
            // Nobody may be looking.
            let _ = write!(io::stderr().lock(), "\r{bar}{line}\x1b[K");
        }
    }

    fn line(&self) -> String {
        let (number, of) = self.place;
        let name: String = clean(self.name).chars().take(24).collect();
        #[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
        let megabytes = self.read as f64 / 1e6;
        format!("{} {number}/{of}  {name}  {megabytes:.1} MB", self.what)
    }

    fn bar(&self) -> String {
        let Some(total) = self.total else {
            return String::new();
        };
        let full = (self.read.saturating_mul(CELLS) / total).min(CELLS);
        let full = usize::try_from(full).unwrap_or_default();
        let empty = usize::try_from(CELLS).unwrap_or_default() - full;
        format!("[{}{}]  ", "#".repeat(full), " ".repeat(empty))
    }
}

/// A reader whose bytes count.
pub(super) struct Reading<'s, 'a, R> {
    step: &'s mut Step<'a>,
    input: R,
}

impl<R: Read> Read for Reading<'_, '_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.step.add(read);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipeline_gets_lines_and_a_script_nothing() {
        // The tests have no terminal, or it is not looked at.
        let with = |form, value: Option<&str>| {
            let value = value.map(OsString::from);
            Progress::new(form, |name| value.clone().filter(|_| name == "CI")).0
        };
        assert!(matches!(with(ProgressForm::Plain, None), Shown::Plain));
        assert!(matches!(
            with(ProgressForm::Json, Some("true")),
            Shown::Json
        ));
        assert!(matches!(
            with(ProgressForm::None, Some("true")),
            Shown::Nothing
        ));
        if !io::stderr().is_terminal() {
            assert!(matches!(
                with(ProgressForm::Auto, Some("true")),
                Shown::Plain
            ));
            assert!(matches!(
                with(ProgressForm::Auto, Some("false")),
                Shown::Nothing
            ));
            assert!(matches!(with(ProgressForm::Auto, None), Shown::Nothing));
        }
    }

    #[test]
    fn a_bar_grows_with_what_was_read() {
        let progress = Progress(Shown::Nothing);
        let mut step = progress.step("layer", "sha256:\u{1b}[2J", (1, 4), Some(2_000_000));
        io::copy(&mut step.reading(&[0; 1_000_000][..]), &mut io::sink()).unwrap();
        assert_eq!(step.bar(), "[##########          ]  ");
        assert_eq!(step.line(), "layer 1/4  sha256:\\u{1b}[2J  1.0 MB");
    }
}
