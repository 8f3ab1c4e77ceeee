//! The log, on standard error: what happened, one line each, whatever clients sent.

use std::fmt;
use std::io::{self, IsTerminal as _};

use tracing::Subscriber;
use tracing::field::Field;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::cli::Failure;
use crate::cli::print::clean;
use crate::config::{Config, LogFormat};

/// Starts the log of this process.
pub(super) fn start(config: &Config) -> Result<(), Failure> {
    let filter: EnvFilter = config.log_level.parse().map_err(Failure::usage)?;
    let colors = io::stderr().is_terminal();
    let started = match config.log_format {
        LogFormat::Text => text(filter, io::stderr, colors).try_init(),
        LogFormat::Json => json(filter, io::stderr).try_init(),
    };
    started.map_err(Failure::failed)
}

/// Lines for people. No value can end its line or steer a terminal.
fn text<W>(filter: EnvFilter, writer: W, colors: bool) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let field = |writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug| {
        let value = clean(&format!("{value:?}"));
        match field.name() {
            "message" => write!(writer, "{value}"),
            name => write!(writer, "{name}={value}"),
        }
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(colors)
        .fmt_fields(debug_fn(field).delimited(" "))
        .finish()
}

/// One JSON object a line.
fn json<W>(filter: EnvFilter, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::fmt()
        .json()
        .with_env_filter(filter)
        .with_writer(writer)
        .finish()
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(log: impl FnOnce(Lines) -> Box<dyn Subscriber + Send + Sync>) -> String {
        let lines = Lines::default();
        tracing::subscriber::with_default(log(lines.clone()), || {
            let agent = "a\u{1b}[2J\n2026-01-01T00:00:00Z  INFO forged\r\u{9b}";
            tracing::warn!(%agent, also = agent, debug = ?agent, number = 7, "refused {agent}");
        });
        let bytes = lines.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn what_a_client_sends_stays_on_its_line() {
        let filter = || EnvFilter::new("info");
        let text = logged(|lines| Box::new(text(filter(), move || lines.clone(), false)));
        let json = logged(|lines| Box::new(json(filter(), move || lines.clone())));
        for line in [&text, &json] {
            assert_eq!(line.matches('\n').count(), 1, "{line:?}");
            assert!(!line.contains(['\u{1b}', '\r']), "{line:?}");
        }
        assert!(!text.contains('\u{9b}'), "{text:?}");
        assert!(text.contains(" refused a\\u{1b}[2J\\n2026"), "{text}");
        assert!(text.contains("number=7"), "{text}");
    }
}
