//! What the process runs on: its directories, its address, its database, its certificate, its log.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use bonded_model::Secret;
use bonded_store::Database;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use super::setting::{About, Reading, Setting, Value, path, required, text};
use super::{ConfigError, HIDDEN, LogFormat, TlsFiles, invalid};

/// The settings of this file, in the order of the help.
pub(super) static TABLE: [&About; 8] = [
    &DATA.about,
    &KEYRING.about,
    &LISTEN.about,
    &DATABASE.about,
    &TLS_CERTIFICATE.about,
    &TLS_KEY.about,
    &LOG_LEVEL.about,
    &LOG_FORMAT.about,
];

pub(crate) static DATA: Setting<PathBuf> = Setting {
    about: About::path("data", "DIRECTORY")
        .default("bonded-data")
        .doc("The directory of the server's data, made if it is missing"),
    read: |value| canonical(path(value).unwrap_or_else(|| Path::new("."))),
    show: |data| Some(Value::Path(data.clone())),
};

pub(crate) static KEYRING: Setting<Option<PathBuf>> = Setting {
    about: About::path("keyring", "FILE")
        .unset("a file per data directory under $XDG_CONFIG_HOME/bonded")
        .doc(
            "The file of the root keys, which must not be in the data directory. Whoever loses it \
             loses the data",
        ),
    read: canonical_path,
    show: show_path,
};

pub(crate) static LISTEN: Setting<SocketAddr> = Setting {
    about: About::text("listen", "ADDRESS:PORT")
        .default("127.0.0.1:5000")
        .doc(
            "The address and port to listen on, TLS and plain HTTP alike; port 0 takes a free one",
        ),
    read: |value| required(value, listen),
    show: |address| text(address),
};

pub(super) static DATABASE: Setting<Database> = Setting {
    about: About::text("database", "sqlite|URL")
        .default("sqlite")
        .secret()
        .doc(
            "Where the rows are: 'sqlite' (in the data directory) or a postgres:// URL, better not \
             given as a flag because other users see flags",
        ),
    read: |value| required(value, database),
    show: |database| match database {
        Database::Sqlite => text(&"sqlite"),
        Database::Postgres(url) => text(&without_password(url.expose())),
    },
};

pub(super) static TLS_CERTIFICATE: Setting<Option<PathBuf>> = Setting {
    about: About::path("tls.certificate", "FILE")
        .unset("one by an authority of our own, in the data directory")
        .live()
        .doc("A PEM file with the server's certificate and those that lead to its authority"),
    read: |value| Ok(path(value).map(Path::to_owned)),
    show: show_path,
};

pub(super) static TLS_KEY: Setting<Option<PathBuf>> = Setting {
    about: About::path("tls.key", "FILE")
        .live()
        .doc("A PEM file with the key of that certificate"),
    read: |value| Ok(path(value).map(Path::to_owned)),
    show: show_path,
};

pub(super) static LOG_LEVEL: Setting<String> = Setting {
    about: About::text("log.level", "LEVEL").default("info").live().doc(
        "The least severe lines to write: error, warn, info, debug, trace or off; or directives \
         such as 'info,bonded=debug'",
    ),
    read: |value| required(value, log_level),
    show: |level| text(level),
};

pub(super) static LOG_FORMAT: Setting<LogFormat> = Setting {
    about: About::text("log.format", "FORMAT")
        .default("text")
        .doc("The form of a line: text or json"),
    read: |value| {
        required(value, |text| match text {
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            other => Err(format!(
                "'{}' is neither 'text' nor 'json'",
                other.escape_debug()
            )),
        })
    },
    show: |format| match format {
        LogFormat::Text => text(&"text"),
        LogFormat::Json => text(&"json"),
    },
};

fn canonical_path(value: Option<&Value>) -> Result<Option<PathBuf>, String> {
    path(value).map(canonical).transpose()
}

fn show_path(path: &Option<PathBuf>) -> Option<Value> {
    path.clone().map(Value::Path)
}

/// Where to listen.
fn listen(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        let text = text.escape_debug();
        format!("'{text}' is not an address and a port, such as '127.0.0.1:5000' or '[::]:443'")
    })
}

/// Where rows are.
fn database(text: &str) -> Result<Database, String> {
    if text == "sqlite" {
        return Ok(Database::Sqlite);
    }
    if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        return Ok(Database::Postgres(Secret::new(text.to_owned())));
    }
    // The value may hold a password.
    Err("neither 'sqlite' nor a URL that begins with 'postgres://'".to_owned())
}

/// The operator's certificate, of which both files or none are given.
pub(super) fn tls_files(settings: &mut Reading) -> Result<Option<TlsFiles>, ConfigError> {
    let certificate = settings.get(&TLS_CERTIFICATE)?;
    let key = settings.get(&TLS_KEY)?;
    let (certificate_key, key_key) = (TLS_CERTIFICATE.about.key, TLS_KEY.about.key);
    let both = |key, other| Err(invalid(key, format!("'{other}' must be set too")));
    match (certificate, key) {
        (None, None) => Ok(None),
        (Some(certificate), Some(key)) => Ok(Some(TlsFiles { certificate, key })),
        (Some(_), None) => both(certificate_key, key_key),
        (None, Some(_)) => both(key_key, certificate_key),
    }
}

/// Which log lines are written.
fn log_level(level: &str) -> Result<String, String> {
    // As a directive, a misspelt level would be the name of a module, and all others be silent.
    let mut words = level
        .split(',')
        .filter(|directive| !directive.contains('='));
    let known = words.all(|word| !word.is_empty() && word.trim().parse::<LevelFilter>().is_ok());
    if known && level.parse::<EnvFilter>().is_ok() {
        return Ok(level.to_owned());
    }
    Err(format!(
        "'{}' is not a level: error, warn, info, debug, trace or off is expected",
        level.escape_debug()
    ))
}

/// The absolute path without symbolic links, of which the end may not exist yet.
pub(super) fn canonical(path: &Path) -> Result<PathBuf, String> {
    let unusable = |error: std::io::Error| {
        let next = match error.kind() {
            std::io::ErrorKind::PermissionDenied => {
                "; run this as the user that owns it, or name another"
            }
            _ => "",
        };
        format!("cannot use '{}': {error}{next}", path.display())
    };
    let absolute = std::path::absolute(path).map_err(unusable)?;
    let mut existing = absolute.as_path();
    let mut missing = Vec::new();
    loop {
        match existing.canonicalize() {
            Ok(mut found) => {
                found.extend(missing.iter().rev());
                return Ok(found);
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let (Some(name), Some(parent)) = (existing.file_name(), existing.parent()) else {
                    return Err(unusable(error));
                };
                missing.push(name);
                existing = parent;
            }
            Err(error) => return Err(unusable(error)),
        }
    }
}

/// The URL with what stands between the first `:` of its authority and the last `@` hidden, and
/// without its parameters.
fn without_password(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else {
        return HIDDEN.to_owned();
    };
    match rest.rsplit_once('@') {
        None => url.to_owned(),
        Some((user, place)) => match user.split_once(':') {
            None => url.to_owned(),
            Some((user, _)) => format!("{scheme}://{user}:{HIDDEN}@{place}"),
        },
    }
}
