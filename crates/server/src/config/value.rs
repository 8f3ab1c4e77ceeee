//! One setting each: from what is written to what it means.

use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use bonded_model::{Region, Secret};
use bonded_registry::Unrated;
use bonded_store::Database;
use ipnet::IpNet;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use super::raw::{RawLog, RawTls};
use super::{ConfigError, DEFAULT_LOG_LEVEL, DEFAULT_REGION, LogFormat, TlsFiles, invalid};

/// Where to listen.
pub(super) fn listen(text: &str) -> Result<SocketAddr, ConfigError> {
    text.parse().map_err(|_| {
        let text = text.escape_debug();
        let problem = format!(
            "'{text}' is not an address and a port, such as '127.0.0.1:5000' or '[::]:443'"
        );
        invalid("listen", problem)
    })
}

/// Where rows are.
pub(super) fn database(text: Option<String>) -> Result<Database, ConfigError> {
    match text {
        None => Ok(Database::Sqlite),
        Some(text) if text == "sqlite" => Ok(Database::Sqlite),
        Some(text) if text.starts_with("postgres://") || text.starts_with("postgresql://") => {
            Ok(Database::Postgres(Secret::new(text)))
        }
        // The value may hold a password.
        Some(_) => {
            let problem = "neither 'sqlite' nor a URL that begins with 'postgres://'";
            Err(invalid("database", problem.to_owned()))
        }
    }
}

/// What findings without a severity count as.
pub(super) fn unrated(text: Option<&str>) -> Result<Unrated, ConfigError> {
    let Some(text) = text.filter(|text| !text.eq_ignore_ascii_case("unknown")) else {
        return Ok(Unrated::Unknown);
    };
    let severity = text.to_ascii_uppercase().parse().map_err(|_| {
        let text = text.escape_debug();
        let problem = format!(
            "'{text}' is neither 'unknown' nor a severity: NONE, INFORMATIONAL, LOW, MEDIUM, HIGH or CRITICAL"
        );
        invalid("scan.unrated", problem)
    })?;
    Ok(Unrated::As(severity))
}

/// How long a pull waits for a scan.
pub(super) fn pull_wait(text: Option<&str>) -> Result<Duration, ConfigError> {
    const LIMIT: Duration = Duration::from_secs(60);
    let text = text.unwrap_or("5s");
    let duration = match text.strip_suffix("ms") {
        Some(millis) => millis.parse().ok().map(Duration::from_millis),
        None => text
            .strip_suffix('s')
            .and_then(|seconds| seconds.parse().ok().map(Duration::from_secs)),
    };
    duration
        .filter(|duration| *duration <= LIMIT)
        .ok_or_else(|| {
            let text = text.escape_debug();
            let problem = format!(
                "'{text}' is not a duration up to a minute in seconds or milliseconds, such as '5s' or '500ms'"
            );
            invalid("scan.pull_wait", problem)
        })
}

/// The default region and all of them.
pub(super) fn regions(texts: Option<Vec<String>>) -> Result<(Region, Vec<Region>), ConfigError> {
    let texts = texts.unwrap_or_else(|| vec![DEFAULT_REGION.to_owned()]);
    let regions: Vec<Region> = list(Some(texts), |text| parsed("regions", text))?;
    let mut repeated = regions
        .iter()
        .enumerate()
        .filter(|(i, r)| regions[..*i].contains(r));
    if let Some((_, region)) = repeated.next() {
        return Err(invalid("regions", format!("'{region}' stands twice")));
    }
    match regions.first() {
        Some(region) => Ok((region.clone(), regions)),
        None => {
            let problem = "at least one region is needed, such as 'us-east-1'";
            Err(invalid("regions", problem.to_owned()))
        }
    }
}

/// A network, or one address.
pub(super) fn net(key: &'static str, text: &str) -> Result<IpNet, ConfigError> {
    let address = || {
        text.parse()
            .map(|address: std::net::IpAddr| address.to_canonical().into())
    };
    text.parse::<IpNet>().or_else(|_| address()).map_err(|_| {
        let text = text.escape_debug();
        invalid(
            key,
            format!("'{text}' is not a network, such as '10.0.0.0/8' or '10.1.2.3'"),
        )
    })
}

/// `text` as a host name in lower case; `None` if it is none.
pub(crate) fn host_name(text: &str) -> Option<String> {
    let label = |label: &str| {
        let letter = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        (1..=63).contains(&label.len()) && label.bytes().all(letter)
    };
    let is_one = text.len() <= 253 && text.split('.').all(label);
    is_one.then(|| text.to_ascii_lowercase())
}

/// A host name in lower case.
pub(super) fn host(key: &'static str, text: &str) -> Result<String, ConfigError> {
    host_name(text).ok_or_else(|| {
        let text = text.escape_debug();
        let problem = format!(
            "'{text}' is not a host name, such as 'registry.example.org'; leave out scheme and port"
        );
        invalid(key, problem)
    })
}

/// The operator's certificate, of which both files or none are given.
pub(super) fn tls_files(tls: RawTls) -> Result<Option<TlsFiles>, ConfigError> {
    match (tls.certificate, tls.key) {
        (None, None) => Ok(None),
        (Some(certificate), Some(key)) => Ok(Some(TlsFiles { certificate, key })),
        (Some(_), None) => Err(invalid(
            "tls.certificate",
            "'tls.key' must be set too".to_owned(),
        )),
        (None, Some(_)) => Err(invalid(
            "tls.key",
            "'tls.certificate' must be set too".to_owned(),
        )),
    }
}

/// Which log lines are written, and their form.
pub(super) fn log(log: RawLog) -> Result<(String, LogFormat), ConfigError> {
    let level = log.level.unwrap_or_else(|| DEFAULT_LOG_LEVEL.to_owned());
    // As a directive, a misspelt level would be the name of a module, and all others be silent.
    let mut words = level
        .split(',')
        .filter(|directive| !directive.contains('='));
    let known = words.all(|word| !word.is_empty() && word.trim().parse::<LevelFilter>().is_ok());
    if !known || level.parse::<EnvFilter>().is_err() {
        let problem = format!(
            "'{}' is not a level: error, warn, info, debug, trace or off is expected",
            level.escape_debug()
        );
        return Err(invalid("log.level", problem));
    }
    let format = match log.format.as_deref() {
        None | Some("text") => LogFormat::Text,
        Some("json") => LogFormat::Json,
        Some(other) => {
            let problem = format!("'{}' is neither 'text' nor 'json'", other.escape_debug());
            return Err(invalid("log.format", problem));
        }
    };
    Ok((level, format))
}

/// What `T` reads.
pub(super) fn parsed<T: FromStr<Err: std::fmt::Display>>(
    key: &'static str,
    text: &str,
) -> Result<T, ConfigError> {
    text.parse()
        .map_err(|error: T::Err| invalid(key, error.to_string()))
}

/// Each of `texts`, or none.
pub(super) fn list<T>(
    texts: Option<Vec<String>>,
    parse: impl Fn(&str) -> Result<T, ConfigError>,
) -> Result<Vec<T>, ConfigError> {
    texts
        .unwrap_or_default()
        .iter()
        .map(|text| parse(text.trim()))
        .collect()
}
