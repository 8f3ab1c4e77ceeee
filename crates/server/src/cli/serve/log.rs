//! The log, on standard error: what happened, one line each, whatever clients sent.

use std::fmt;
use std::io::{self, IsTerminal as _};

use tracing::field::Field;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::format::{Format, Json, JsonFields, Writer, debug_fn};
use tracing_subscriber::fmt::{FormatFields, MakeWriter, SubscriberBuilder};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, reload};

use crate::cli::Failure;
use crate::cli::print::clean;
use crate::config::{Config, LogFormat};

/// Which lines are written, as long as the process runs.
pub(super) struct LogLevel(Exchange);

/// Puts a filter in the place of the one in force.
type Exchange = Box<dyn Fn(EnvFilter) -> Result<(), reload::Error> + Send>;

impl LogLevel {
    /// Writes what `config` says from now on.
    ///
    /// # Errors
    /// Its level cannot be read; then nothing changes.
    pub(super) fn set(&self, config: &Config) -> Result<(), Failure> {
        let filter = config.log_level.parse().map_err(Failure::usage)?;
        (self.0)(filter).map_err(Failure::failed)
    }
}

/// Starts the log of this process.
pub(super) fn start(config: &Config) -> Result<LogLevel, Failure> {
    let filter: EnvFilter = config.log_level.parse().map_err(Failure::usage)?;
    let colors = io::stderr().is_terminal();
    let (started, exchange): (_, Exchange) = match config.log_format {
        LogFormat::Text => {
            let builder = text(filter, io::stderr, colors).with_filter_reloading();
            let handle = builder.reload_handle();
            let exchange = Box::new(move |filter| handle.reload(filter));
            (builder.finish().try_init(), exchange)
        }
        LogFormat::Json => {
            let builder = json(filter, io::stderr).with_filter_reloading();
            let handle = builder.reload_handle();
            let exchange = Box::new(move |filter| handle.reload(filter));
            (builder.finish().try_init(), exchange)
        }
    };
    started.map_err(Failure::failed)?;
    Ok(LogLevel(exchange))
}

/// Lines for people. No value can end its line or steer a terminal.
fn text<W>(
    filter: EnvFilter,
    writer: W,
    colors: bool,
) -> SubscriberBuilder<impl for<'w> FormatFields<'w> + Send + Sync + 'static, Format, EnvFilter, W>
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
}

/// One JSON object a line.
fn json<W>(
    filter: EnvFilter,
    writer: W,
) -> SubscriberBuilder<JsonFields, Format<Json>, EnvFilter, W>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::fmt()
        .json()
        .with_env_filter(filter)
        .with_writer(writer)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use tracing::Subscriber;

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
        let text = logged(|lines| Box::new(text(filter(), move || lines.clone(), false).finish()));
        let json = logged(|lines| Box::new(json(filter(), move || lines.clone()).finish()));
        for line in [&text, &json] {
            assert_eq!(line.matches('\n').count(), 1, "{line:?}");
            assert!(!line.contains(['\u{1b}', '\r']), "{line:?}");
        }
        assert!(!text.contains('\u{9b}'), "{text:?}");
        assert!(text.contains(" refused a\\u{1b}[2J\\n2026"), "{text}");
        assert!(text.contains("number=7"), "{text}");
    }
}
