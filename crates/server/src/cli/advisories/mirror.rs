//! A mirror of OSV's bucket over HTTP, kept as a directory like it: each ecosystem's `all.zip` once,
//! then the records alone that its `modified_id.csv` says are newer.
//!
//! The directory can be imported at any moment: each file is replaced as a whole, the list of what
//! is there is written last, and an import takes the newer of two records with one id.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bonded_scan::{Ecosystem, RecordTimes, modified_list, record_time, record_times};
use bonded_store::{Unit, Watched, Watcher};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::cli::{Failure, Status};
use crate::egress::{Egress, EgressError, Limits, Reachable};
use crate::files;

/// What stays as it is in a part of a path.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b':');

/// The names of the files of an ecosystem.
const ARCHIVE: &str = "all.zip";
const LIST: &str = "modified_id.csv";

/// Ecosystems whose advisories are taken in by the operator's consent only.
const LICENSED: [&str; 2] = ["Chainguard", "Wolfi"];

/// How often something is asked for, and how long after the first failure again; then twice as long.
const ATTEMPTS: u32 = 4;
const PAUSE: Duration = Duration::from_secs(1);

/// How many records are asked for at once.
const AT_ONCE: usize = 8;

/// From how many newer records on the whole archive is fetched, if they are also a tenth of all.
const MANY: usize = 1000;

/// The longest list, record and archive.
const LIST_LIMITS: Limits = limits(256 << 20, 600);
const RECORD_LIMITS: Limits = limits(32 << 20, 60);
const ARCHIVE_LIMITS: Limits = limits(16 << 30, 4 * 3600);

const fn limits(bytes: u64, seconds: u64) -> Limits {
    Limits {
        bytes,
        time: Duration::from_secs(seconds),
    }
}

/// A mirror, and the directory that is kept like it.
pub(in crate::cli) struct Mirror {
    url: String,
    directory: PathBuf,
    egress: Egress,
    /// Held as long as the directory is written to.
    _lock: File,
}

impl Mirror {
    /// The mirror at `url`, which is the operator's own word: its host may be at any address.
    pub(in crate::cli) fn open(
        url: &str,
        directory: &Path,
        authorities: Option<&Path>,
    ) -> Result<Self, Failure> {
        let url = url.trim_end_matches('/').to_owned();
        let origin: String = url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
        let host = origin.strip_prefix("https://").unwrap_or(&origin);
        let host = match host.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => host,
        };
        let allowed = Reachable::parse(match url.starts_with("http://") {
            true => &origin,
            false => host,
        });
        let egress = Egress::new(allowed.into_iter().collect(), authorities);
        fs::create_dir_all(directory).map_err(|error| unwritable(directory, &error))?;
        let path = directory.join(".lock");
        let lock = OpenOptions::new().create(true).append(true).open(&path);
        let lock = lock.map_err(|error| unwritable(&path, &error))?;
        lock.try_lock().map_err(|error| {
            Failure::failed(format!(
                "'{}' is being written to by another import: {error}",
                directory.display()
            ))
        })?;
        Ok(Self {
            url,
            directory: directory.to_owned(),
            egress: egress.map_err(Failure::failed)?,
            _lock: lock,
        })
    }

    /// Makes the directory like the mirror, and gives the directories of `ecosystems`; if none are
    /// named, of all whose versions we order. Those with a licence of their own are `licensed`.
    pub(in crate::cli) async fn fetch(
        &self,
        ecosystems: &[String],
        licensed: bool,
        watcher: &Watcher,
    ) -> Result<Vec<PathBuf>, Failure> {
        let ecosystems = match ecosystems {
            [] => self.ecosystems(licensed).await?,
            named => named.iter().cloned().collect(),
        };
        let mut directories = Vec::new();
        for ecosystem in ecosystems {
            if !is_directory(&ecosystem) {
                return Err(Failure::usage(format!(
                    "'{}' is not a name of an ecosystem, such as 'Debian' or 'PyPI'",
                    ecosystem.escape_debug()
                )));
            }
            directories.push(self.ecosystem(&ecosystem, watcher).await?);
        }
        Ok(directories)
    }

    /// The ecosystems that the mirror lists, as far as they can be used.
    async fn ecosystems(&self, licensed: bool) -> Result<BTreeSet<String>, Failure> {
        let list = self.text("ecosystems.txt").await?;
        let names = list.lines().map(str::trim);
        let names: BTreeSet<String> = names
            .filter(|name| is_directory(name) && name.parse::<Ecosystem>().is_ok())
            .filter(|name| licensed || !LICENSED.contains(name))
            .map(str::to_owned)
            .collect();
        match names.is_empty() {
            true => Err(self.wrong("ecosystems.txt", "names no ecosystem that we know")),
            false => Ok(names),
        }
    }

    async fn ecosystem(&self, name: &str, watcher: &Watcher) -> Result<PathBuf, Failure> {
        let directory = self.directory.join(name);
        fs::create_dir_all(&directory).map_err(|error| unwritable(&directory, &error))?;
        let part = utf8_percent_encode(name, UNRESERVED).to_string();
        let list_path = format!("{part}/{LIST}");
        let csv = self.text(&list_path).await?;
        let there = modified_list(&csv).map_err(|error| self.wrong(&list_path, &error))?;
        let mut here = kept(&directory);
        if let Some(known) = &here {
            let count = newer(&there, known).count();
            let vanished = known.keys().any(|id| !there.contains_key(id));
            if vanished || count > MANY && count * 10 > there.len() {
                here = None;
            }
        }
        let here = match here {
            Some(here) => here,
            None => self.archive(&part, &directory, name, watcher).await?,
        };
        let newer: Vec<_> = newer(&there, &here).collect();
        let mut step = watcher.begin(name.to_owned(), Some(newer.len() as u64), Unit::Count);
        let mut records = stream::iter(newer.into_iter().map(|(id, modified)| {
            let path = format!("{part}/{}.json", utf8_percent_encode(id, UNRESERVED));
            async move {
                let json = self.bytes(&path, RECORD_LIMITS).await?;
                match record_time(&json) {
                    Some((found, time)) if found == *id && time >= *modified => Ok((id, json)),
                    Some((found, time)) if found == *id => {
                        let older = format!("is of {time}, but {LIST} says {modified}");
                        Err(self.wrong(&path, &older))
                    }
                    _ => Err(self.wrong(&path, "is not the record of that id")),
                }
            }
        }))
        .buffer_unordered(AT_ONCE);
        while let Some((id, json)) = records.try_next().await? {
            let file = directory.join(format!("{id}.json"));
            let written = files::write(&file, &json, files::PUBLIC);
            written.map_err(|error| unwritable(&file, &error))?;
            step.add(1);
        }
        Watched::end(step);
        let list = directory.join(LIST);
        let written = files::write(&list, csv.as_bytes(), files::PUBLIC);
        written.map_err(|error| unwritable(&list, &error))?;
        Ok(directory)
    }

    /// Fetches all records in one archive, in whose place the single ones are no more; what is in it.
    async fn archive(
        &self,
        part: &str,
        directory: &Path,
        name: &str,
        watcher: &Watcher,
    ) -> Result<RecordTimes, Failure> {
        let path = format!("{part}/{ARCHIVE}");
        let new = directory.join(".all.zip.new");
        let mut step = watcher.begin(format!("{name} {ARCHIVE}"), None, Unit::Bytes);
        self.download(&path, &new, |bytes| step.add(bytes)).await?;
        Watched::end(step);
        let unreadable = |error: &dyn std::fmt::Display| self.wrong(&path, &error.to_string());
        let file = File::open(&new).map_err(|error| unreadable(&error))?;
        let records = record_times(BufReader::new(file)).map_err(|error| unreadable(&error))?;
        if records.is_empty() {
            return Err(self.wrong(&path, "has no records"));
        }
        let replace = || {
            // Without its list the directory is fetched anew, should this be the end.
            remove(&directory.join(LIST))?;
            fs::rename(&new, directory.join(ARCHIVE))?;
            for entry in fs::read_dir(directory)? {
                let path = entry?.path();
                if path.extension().is_some_and(|ending| ending == "json") {
                    fs::remove_file(path)?;
                }
            }
            Ok(())
        };
        let replaced: std::io::Result<()> = replace();
        replaced.map_err(|error| unwritable(directory, &error))?;
        Ok(records)
    }

    /// Writes what is at `path` to a file; where it breaks off it is gone on with.
    async fn download(
        &self,
        path: &str,
        file: &Path,
        mut tell: impl FnMut(u64),
    ) -> Result<(), Failure> {
        let url = format!("{}/{path}", self.url);
        let mut out = File::create(file).map_err(|error| unwritable(file, &error))?;
        let (mut written, mut etag) = (0, None::<String>);
        let mut attempt = 1;
        loop {
            let from = etag.as_deref().filter(|_| written > 0);
            let asked =
                self.egress
                    .get_from(&url, from.map(|etag| (written, etag)), ARCHIVE_LIMITS);
            let failed = match asked.await {
                Err(error) => error,
                Ok(mut body) => {
                    if body.begins_at() != written {
                        out = File::create(file).map_err(|error| unwritable(file, &error))?;
                        written = 0;
                    }
                    let strong = body.header("etag").filter(|etag| etag.starts_with('"'));
                    etag = strong.map(str::to_owned);
                    loop {
                        match body.next().await {
                            Ok(None) => {
                                return out.sync_all().map_err(|error| unwritable(file, &error));
                            }
                            Err(error) => break error,
                            Ok(Some(piece)) => {
                                let done = out.write_all(&piece);
                                done.map_err(|error| unwritable(file, &error))?;
                                written += piece.len() as u64;
                                tell(piece.len() as u64);
                                if written > ARCHIVE_LIMITS.bytes {
                                    return Err(self.wrong(path, "is longer than 16 GiB"));
                                }
                            }
                        }
                    }
                }
            };
            self.pause(failed, &mut attempt).await?;
        }
    }

    async fn text(&self, path: &str) -> Result<String, Failure> {
        let bytes = self.bytes(path, LIST_LIMITS).await?;
        String::from_utf8(bytes).map_err(|_| self.wrong(path, "is no text"))
    }

    async fn bytes(&self, path: &str, limits: Limits) -> Result<Vec<u8>, Failure> {
        let url = format!("{}/{path}", self.url);
        let mut attempt = 1;
        loop {
            let read = async { self.egress.get(&url, limits).await?.read().await };
            match read.await {
                Ok(bytes) => return Ok(bytes),
                Err(error) => self.pause(error, &mut attempt).await?,
            }
        }
    }

    /// Waits before the next attempt, if there is to be one.
    async fn pause(&self, error: EgressError, attempt: &mut u32) -> Result<(), Failure> {
        let may_pass = match &error {
            EgressError::Unreachable { .. }
            | EgressError::Talk { .. }
            | EgressError::TooSlow { .. } => true,
            EgressError::Status { status, .. } => {
                status.is_server_error() || *status == http::StatusCode::TOO_MANY_REQUESTS
            }
            _ => false,
        };
        if !may_pass || *attempt >= ATTEMPTS {
            let status = match &error {
                EgressError::Status { status, .. } if *status == http::StatusCode::NOT_FOUND => {
                    Status::NotFound
                }
                _ => Status::Failed,
            };
            return Err(Failure::new(
                status,
                format!("{error}; what is in '{}' stays", self.directory.display()),
            ));
        }
        tokio::time::sleep(PAUSE * 2_u32.pow(*attempt - 1)).await;
        *attempt += 1;
        Ok(())
    }

    /// The mirror is not what it should be.
    fn wrong(&self, path: &str, problem: &str) -> Failure {
        Failure::failed(format!(
            "the mirror cannot be used: '{}/{path}' {problem}",
            self.url
        ))
    }
}

/// The records that are kept; `None` if that is not known, and so all are to be fetched.
fn kept(directory: &Path) -> Option<RecordTimes> {
    if !directory.join(ARCHIVE).is_file() {
        return None;
    }
    let file = File::open(directory.join(LIST)).ok()?;
    let mut csv = String::new();
    file.take(LIST_LIMITS.bytes).read_to_string(&mut csv).ok()?;
    modified_list(&csv).ok()
}

/// The records that are newer there than here.
fn newer<'t>(
    there: &'t RecordTimes,
    here: &'t RecordTimes,
) -> impl Iterator<Item = (&'t String, &'t bonded_model::Timestamp)> {
    there
        .iter()
        .filter(|(id, time)| here.get(*id).is_none_or(|known| known < *time))
}

/// Whether a name may be that of a directory of the mirror: `crates.io`, `Rocky Linux`.
fn is_directory(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b" -_.".contains(&byte);
    !name.is_empty() && name.len() <= 64 && !name.starts_with(['.', ' ']) && name.bytes().all(plain)
}

fn remove(path: &Path) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn unwritable(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::failed(format!("cannot write '{}': {error}", path.display()))
}
