//! The table `advisory_updates`: where the server itself gets new advisories.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bonded_model::Digest;

use super::process::canonical;
use super::setting::{About, Reading, Setting, Value, each, optional, path, required, text, texts};
use super::uploads::{duration, shown_duration};
use super::{ConfigError, invalid};

/// The settings of this file, in the order of the help.
pub(super) static TABLE: [&About; 6] = [
    &SOURCES.about,
    &INTERVAL.about,
    &MIRRORS.about,
    &ECOSYSTEMS.about,
    &ACCEPT_LICENSE.about,
    &DOCKER_CONFIG.about,
];

/// What stands before the name of an artifact.
pub(crate) const ARTIFACT_SCHEME: &str = "oci://";

/// From where new advisories come, how often, and what is needed for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AdvisoryUpdates {
    /// All of them together make a file; none for no updates.
    pub(crate) sources: Vec<AdvisorySource>,
    /// How long after one that succeeded the next one is made.
    pub(crate) interval: Duration,
    /// The directory in which copies of mirrors are kept.
    pub(crate) mirrors: PathBuf,
    /// The ecosystems that are taken from mirrors; none for all.
    pub(crate) ecosystems: Vec<String>,
    /// Whether the terms of Chainguard are accepted.
    pub(crate) accepts_chainguard: bool,
    /// The file with the credentials for artifacts, in the form of docker's.
    pub(crate) docker_config: Option<PathBuf>,
}

/// Something that advisories come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AdvisorySource {
    /// A mirror of OSV's bucket, by its URL.
    Mirror(String),
    /// What `bonded advisories push` has pushed: `HOST/REPOSITORY:TAG`.
    Artifact(String),
    /// A directory or file, as `bonded advisories import` takes it.
    Files(PathBuf),
}

impl fmt::Display for AdvisorySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mirror(url) => f.write_str(url),
            Self::Artifact(name) => write!(f, "{ARTIFACT_SCHEME}{name}"),
            Self::Files(path) => path.display().fmt(f),
        }
    }
}

impl AdvisoryUpdates {
    /// The directory of the copy of the mirror at `url`: each has its own.
    pub(crate) fn mirror(&self, url: &str) -> PathBuf {
        let host = url.split('/').nth(2).unwrap_or_default();
        let host = host.replace(|c: char| !c.is_ascii_alphanumeric() && c != '.', "-");
        let id = Digest::sha256(url.as_bytes());
        let id = &id.as_str()["sha256:".len()..][..8];
        self.mirrors.join(format!("{host}-{id}"))
    }
}

static SOURCES: Setting<Vec<AdvisorySource>> = Setting {
    about: About::list("advisory_updates.sources", "SOURCE,…")
        .unset("none, and 'bonded advisories load' is how new ones come")
        .live()
        .doc(
            "Where the server gets new advisories by itself: URLs of mirrors of OSV's bucket, and \
             directories and files as 'bonded advisories import' takes them, which together make a \
             file of advisories; or one artifact alone, 'oci://HOST/REPOSITORY:TAG', that 'bonded \
             advisories push' has pushed",
        ),
    read: sources,
    show: |sources| texts(sources),
};

static INTERVAL: Setting<Duration> = Setting {
    about: About::text("advisory_updates.interval", "TIME")
        .default("24h")
        .live()
        .doc(
            "How long after advisories were renewed they are renewed again, such as '6h'; after a \
             failure sooner, at first a minute",
        ),
    read: |value| required(value, duration),
    show: |interval| text(&shown_duration(*interval)),
};

static MIRRORS: Setting<Option<PathBuf>> = Setting {
    about: About::path("advisory_updates.mirrors", "DIRECTORY")
        .unset("'advisory-mirrors' in the data directory")
        .live()
        .doc(
            "Where copies of mirrors are kept, so that only what is newer is fetched; each has a \
             directory in it, which may go at any time",
        ),
    read: |value| path(value).map(canonical).transpose(),
    show: |directory| directory.clone().map(Value::Path),
};

static ECOSYSTEMS: Setting<Vec<String>> = Setting {
    about: About::list("advisory_updates.ecosystems", "NAME,…")
        .unset("all that a mirror lists and we know")
        .live()
        .doc(
            "Of mirrors only these ecosystems, by the names of their directories, such as 'Debian'",
        ),
    read: |value| each(value, |name| Ok(name.to_owned())),
    show: |names| texts(names),
};

static ACCEPT_LICENSE: Setting<bool> = Setting {
    about: About::text("advisory_updates.accept_license", "OF")
        .unset("they are left out")
        .live()
        .doc(
            "'chainguard' to take in advisories of Wolfi and Chainguard, whose terms (CC BY-NC-ND, \
             and a licence of Chainguard's for commercial scanners) you accept",
        ),
    read: |value| Ok(optional(value, accepted)?.is_some()),
    show: |accepted| accepted.then(|| text(&"chainguard")).flatten(),
};

static DOCKER_CONFIG: Setting<Option<PathBuf>> = Setting {
    about: About::path("advisory_updates.docker_config", "FILE")
        .unset("none: registries are asked without credentials")
        .live()
        .doc(
            "A file in the form of docker's 'config.json' with the credentials by which artifacts \
             are pulled; it is read each time",
        ),
    read: |value| path(value).map(canonical).transpose(),
    show: |file| file.clone().map(Value::Path),
};

/// What the table means; `data` is the data directory.
pub(super) fn advisory_updates(
    settings: &mut Reading,
    data: &Path,
) -> Result<AdvisoryUpdates, ConfigError> {
    let sources = settings.get(&SOURCES)?;
    let is_artifact = |source: &AdvisorySource| matches!(source, AdvisorySource::Artifact(_));
    if sources.len() > 1 && sources.iter().any(is_artifact) {
        let problem = "an artifact is a whole file of advisories, and stands alone";
        return Err(invalid(SOURCES.about.key, problem.to_owned()));
    }
    let mirrors = settings.get(&MIRRORS)?;
    let mirrors = mirrors.unwrap_or_else(|| data.join("advisory-mirrors"));
    settings.show(&MIRRORS, &Some(mirrors.clone()));
    Ok(AdvisoryUpdates {
        sources,
        interval: settings.get(&INTERVAL)?,
        mirrors,
        ecosystems: settings.get(&ECOSYSTEMS)?,
        accepts_chainguard: settings.get(&ACCEPT_LICENSE)?,
        docker_config: settings.get(&DOCKER_CONFIG)?,
    })
}

fn sources(value: Option<&Value>) -> Result<Vec<AdvisorySource>, String> {
    each(value, |text| {
        if let Some(name) = text.strip_prefix(ARTIFACT_SCHEME) {
            return Ok(AdvisorySource::Artifact(name.to_owned()));
        }
        if text.starts_with("https://") || text.starts_with("http://") {
            return match text.contains('@') {
                true => Err("the URL of a mirror has no user name and password".to_owned()),
                false => Ok(AdvisorySource::Mirror(
                    text.trim_end_matches('/').to_owned(),
                )),
            };
        }
        match text.is_empty() || text.contains("://") {
            true => {
                let text = text.escape_debug();
                Err(format!(
                    "'{text}' is neither the URL of a mirror ('https://mirror.example.org/osv'), nor an artifact \
                     ('oci://registry.example.org/advisories:daily'), nor a directory or file"
                ))
            }
            false => canonical(Path::new(text)).map(AdvisorySource::Files),
        }
    })
}

fn accepted(of: &str) -> Result<(), String> {
    match of {
        "chainguard" => Ok(()),
        other => Err(format!("'{}' is not 'chainguard'", other.escape_debug())),
    }
}
