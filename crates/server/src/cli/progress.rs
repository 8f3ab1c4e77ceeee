//! How far a command is, on standard error: a bar for people, lines for logs, JSON for programs.

use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Read, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bonded_store::{Advance, Unit, Watcher};
use clap::{Args, ValueEnum};
use serde_json::json;

use super::print::clean;
use crate::config::variable;

/// How a command that takes long shows how far it is.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct ProgressArgs {
    /// How far it is, on standard error
    #[arg(long, value_name = "FORM", value_enum, default_value_t = ProgressForm::Auto)]
    progress: ProgressForm,
}

impl ProgressArgs {
    /// As [`ProgressForm::begin`].
    pub(super) fn begin(self, quiet: bool) -> Progress {
        self.progress.begin(quiet)
    }
}

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

impl ProgressForm {
    /// Shows progress in this form; if the command is to be `quiet`, only where that is asked for.
    pub(super) fn begin(self, quiet: bool) -> Progress {
        match (self, quiet) {
            (Self::Auto, true) => Progress::new(Self::None, variable),
            (form, _) => Progress::new(form, variable),
        }
    }
}

/// A bar is drawn anew each time this many bytes have been read.
const DRAWN_EVERY: u64 = 1 << 20;

/// Takes a bar from the terminal.
const NO_BAR: &str = "\r\x1b[K";

/// The cells of a bar.
const CELLS: u64 = 20;

/// Of a step with a known end, a line is written each time so many parts of it are done.
const LINES: u64 = 10;

/// Shows how far a command is.
pub(super) struct Progress {
    shown: Shown,
    /// The step that was told of last, and how many of [`LINES`] parts of it were done.
    told: Mutex<(String, u64)>,
    /// Whether a bar is on the terminal.
    drawn: AtomicBool,
}

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
        Self::shown(match form {
            ProgressForm::Auto if io::stderr().is_terminal() => Shown::Bar,
            ProgressForm::Auto if is_pipeline() => Shown::Plain,
            ProgressForm::Plain => Shown::Plain,
            ProgressForm::Json => Shown::Json,
            ProgressForm::Auto | ProgressForm::None => Shown::Nothing,
        })
    }

    fn shown(shown: Shown) -> Self {
        Self {
            shown,
            told: Mutex::default(),
            drawn: AtomicBool::new(false),
        }
    }

    /// Whether somebody looks.
    pub(super) fn is_shown(&self) -> bool {
        self.shown != Shown::Nothing
    }

    /// Shows how far work is that tells of itself.
    pub(super) fn watcher(self) -> Watcher {
        match self.is_shown() {
            true => {
                let shared = Arc::new(self);
                Watcher::new(move |advance| shared.tell(&advance))
            }
            false => Watcher::nobody(),
        }
    }

    /// Shows how far a step is.
    pub(super) fn tell(&self, advance: &Advance) {
        let line = match self.shown {
            Shown::Nothing => return,
            Shown::Bar if advance.ended => NO_BAR.to_owned(),
            Shown::Bar => format!("\r{}{}\x1b[K", bar(advance), sentence(advance)),
            Shown::Plain | Shown::Json if !self.is_news(advance) => return,
            Shown::Plain => sentence(advance) + "\n",
            Shown::Json => {
                let line = json!({
                    "event": "step", "step": advance.step, "done": advance.done, "of": advance.of,
                    "unit": advance.unit, "ended": advance.ended,
                });
                format!("{line}\n")
            }
        };
        self.drawn.store(!advance.ended, Ordering::Relaxed);
        // Nobody may be looking.
        let _ = io::stderr().lock().write_all(line.as_bytes());
    }

    /// Whether a line is worth it: a step has ended, or another part of it is done.
    fn is_news(&self, advance: &Advance) -> bool {
        let parts = advance.parts(LINES).unwrap_or_default();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new_step = told.0 != advance.step;
        let before = if is_new_step { 0 } else { told.1 };
        *told = (advance.step.to_string(), parts);
        // The last part and the end are one line.
        advance.ended || (parts > before && parts < LINES)
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
            shown: self.shown,
            what,
            name,
            place: (number, of),
            total: bytes.filter(|bytes| *bytes > 0),
            read: 0,
            drawn: 0,
        }
    }
}

impl Drop for Progress {
    /// A step that failed leaves no bar before what is said of it.
    fn drop(&mut self) {
        if self.shown == Shown::Bar && self.drawn.load(Ordering::Relaxed) {
            let _ = io::stderr().lock().write_all(NO_BAR.as_bytes());
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
            Shown::Nothing | Shown::Bar => {}
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
        bar(&Advance {
            step: self.what.into(),
            done: self.read,
            of: self.total,
            unit: Unit::Bytes,
            ended: false,
        })
    }
}

impl Drop for Step<'_> {
    fn drop(&mut self) {
        if self.drawn > 0 {
            let _ = io::stderr().lock().write_all(NO_BAR.as_bytes());
        }
    }
}

/// The bar of a step; none if its end is not known.
fn bar(advance: &Advance) -> String {
    let Some(full) = advance.parts(CELLS) else {
        return String::new();
    };
    let full = usize::try_from(full).unwrap_or_default();
    let empty = usize::try_from(CELLS).unwrap_or_default() - full;
    format!("[{}{}]  ", "#".repeat(full), " ".repeat(empty))
}

/// `blobs  1.2 of 3.4 MB`, as far as it is known.
fn sentence(advance: &Advance) -> String {
    #[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
    let shown = |amount: u64| match advance.unit {
        Unit::Bytes => format!("{:.1}", amount as f64 / 1e6),
        Unit::Count | Unit::Seconds => amount.to_string(),
    };
    let unit = match advance.unit {
        Unit::Bytes => " MB",
        Unit::Count => "",
        Unit::Seconds => " s",
    };
    // It may be the server's.
    let step = clean(&advance.step);
    match (advance.done, advance.of) {
        (done, Some(of)) => format!("{step}  {} of {}{unit}", shown(done), shown(of)),
        (0, None) => step,
        (done, None) => format!("{step}  {}{unit}", shown(done)),
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
            Progress::new(form, |name| value.clone().filter(|_| name == "CI")).shown
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
        let progress = Progress::shown(Shown::Nothing);
        let mut step = progress.step("layer", "sha256:\u{1b}[2J", (1, 4), Some(2_000_000));
        io::copy(&mut step.reading(&[0; 1_000_000][..]), &mut io::sink()).unwrap();
        assert_eq!(step.bar(), "[##########          ]  ");
        assert_eq!(step.line(), "layer 1/4  sha256:\\u{1b}[2J  1.0 MB");
    }

    fn advance(step: &'static str, done: u64, of: Option<u64>, ended: bool) -> Advance {
        Advance {
            step: step.into(),
            done,
            of,
            unit: Unit::Bytes,
            ended,
        }
    }

    #[test]
    fn a_line_is_written_for_each_tenth_and_each_end() {
        let progress = Progress::shown(Shown::Plain);
        let steps = [
            (advance("rows", 0, None, false), false),
            (advance("rows", 7, None, false), false),
            (advance("rows", 7, None, true), true),
            (advance("blobs", 0, Some(1000), false), false),
            (advance("blobs", 99, Some(1000), false), false),
            (advance("blobs", 100, Some(1000), false), true),
            (advance("blobs", 150, Some(1000), false), false),
            (advance("blobs", 900, Some(1000), false), true),
            (advance("blobs", 1000, Some(1000), false), false),
            (advance("blobs", 1000, Some(1000), true), true),
        ];
        for (step, news) in steps {
            assert_eq!(progress.is_news(&step), news, "{step:?}");
        }
    }

    #[test]
    fn a_sentence_says_what_is_known() {
        for (advance, want) in [
            (advance("rows", 0, None, false), "rows"),
            (
                advance("\u{1b}[2J", 1_500_000, None, true),
                "\\u{1b}[2J  1.5 MB",
            ),
            (
                advance("blobs", 1_000_000, Some(2_000_000), false),
                "blobs  1.0 of 2.0 MB",
            ),
        ] {
            assert_eq!(sentence(&advance), want);
        }
    }
}
