//! `bonded backup` and `bonded restore`.

use std::fs;
use std::path::{Path, PathBuf};

use bonded_model::Timestamp;
use bonded_registry::Clock;
use bonded_store::{Store, StoreSettings, Unit, Verified, Watched, Watcher};
use clap::Args;
use serde_json::json;

use super::config::ConfigArgs;
use super::print::{self, Output, clean};
use super::progress::ProgressArgs;
use super::{DataDirectory, Failure, ask_server_for_long, block_on, with_sources};
use crate::files;
use crate::operator::BackUp;

/// Copy everything but the key ring into a directory, while the server on this machine serves
///
/// The copy is of one moment. Into an earlier backup only what is new is copied, and that stays
/// whole until the new one is. The key ring is never in it: keep a copy of that elsewhere.
#[derive(Args)]
pub(super) struct BackupCommand {
    /// A directory that does not exist, is empty, or is an earlier backup; the server writes it
    #[arg(value_name = "DIRECTORY")]
    directory: PathBuf,

    #[command(flatten)]
    output: Output,

    #[command(flatten)]
    progress: ProgressArgs,

    #[command(flatten)]
    data: DataDirectory,
}

/// Make a data directory of a backup, and read every blob of it once
///
/// The server must not run on it. The key ring must be the one of the server that was backed up.
#[derive(Args)]
pub(super) struct RestoreCommand {
    /// The backup
    #[arg(value_name = "BACKUP")]
    backup: PathBuf,

    /// Do not read the blobs
    #[arg(long)]
    no_verify: bool,

    #[command(flatten)]
    output: Output,

    #[command(flatten)]
    progress: ProgressArgs,

    #[command(flatten)]
    config: ConfigArgs,
}

impl BackupCommand {
    pub(super) fn run(self) -> Result<(), Failure> {
        let data = self.data.path()?;
        let directory = std::path::absolute(&self.directory).map_err(Failure::usage)?;
        let backup = BackUp {
            directory: directory.clone(),
        };
        let progress = self.progress.begin(self.output.is_quiet());
        let made = ask_server_for_long(&data, &backup, &progress)?;
        let answer = json!({
            "directory": directory,
            "takenAt": Timestamp::from_millis(made.taken_at).to_string(),
            "objects": made.objects,
            "bytes": made.bytes,
            "copied": made.copied,
            "lost": made.lost,
            "removed": made.removed,
        });
        let sentence = format!(
            "'{}' has {} blobs with {} bytes: {} copied now, {} removed",
            directory.display(),
            made.objects,
            made.bytes,
            made.copied,
            made.removed
        );
        self.output.done(&answer, sentence)?;
        match made.lost {
            0 => Ok(()),
            lost => Err(Failure::failed(format!(
                "{lost} of the blobs are missing or cut on the server and so not in the backup; push their layers again"
            ))),
        }
    }
}

impl RestoreCommand {
    pub(super) fn run(self) -> Result<(), Failure> {
        let config = self.config.resolve()?;
        if !self.backup.join("backup.json").exists() {
            let problem = match self.backup.exists() {
                true => "it has no 'backup.json'",
                false => "it does not exist",
            };
            return Err(Failure::usage(format!(
                "'{}' is not a backup: {problem}; name a directory that 'bonded backup' has made",
                self.backup.display()
            )));
        }
        if !config.keyring.exists() {
            return Err(Failure::usage(format!(
                "the key ring '{}' is missing; put a copy of the one of the server that was backed up there, or name it with --keyring",
                config.keyring.display()
            )));
        }
        let empty = fs::read_dir(&config.data).map_or(Ok(true), |mut entries| {
            entries.next().transpose().map(|entry| entry.is_none())
        });
        if !empty.map_err(Failure::failed)? {
            return Err(Failure::usage(format!(
                "'{}' is not empty; name a new data directory with --data",
                config.data.display()
            )));
        }
        let watcher = self.progress.begin(self.output.is_quiet()).watcher();
        let copied = tree_bytes(&self.backup).and_then(|bytes| {
            let mut step = watcher.begin("copy", Some(bytes), Unit::Bytes);
            copy_tree(&self.backup, &config.data, &mut step)?;
            step.end();
            Ok(())
        });
        copied.map_err(|error| {
            let data = config.data.display();
            Failure::failed(format!("cannot copy into '{data}': {error}"))
        })?;
        let settings = StoreSettings {
            data: config.data.clone(),
            database: config.database.clone(),
            objects: config.objects.clone(),
            keyring: config.keyring.clone(),
        };
        let verified = block_on(async { verify(&settings, self.no_verify, &watcher).await })?;
        let data = config.data.display();
        let Some(verified) = verified else {
            let answer = json!({ "data": config.data, "verified": false });
            let sentence = format!("restored to '{data}'; the blobs were not read");
            return self.output.done(&answer, sentence);
        };
        for digest in &verified.damaged {
            print::error(format!("damaged or missing: {}", clean(digest)));
        }
        let answer = json!({
            "data": config.data,
            "verified": true,
            "objects": verified.objects,
            "bytes": verified.bytes,
            "damaged": verified.damaged,
        });
        let sentence = format!(
            "restored to '{data}': {} blobs with {} bytes are whole, {} are not",
            verified.objects,
            verified.bytes,
            verified.damaged.len()
        );
        self.output.done(&answer, sentence)?;
        match verified.damaged.is_empty() {
            true => Ok(()),
            false => Err(Failure::failed("the backup is damaged")),
        }
    }
}

/// Opens what was restored with its key ring, and reads it.
async fn verify(
    settings: &StoreSettings,
    no_verify: bool,
    watcher: &Watcher,
) -> Result<Option<Verified>, Failure> {
    let failed = |error: bonded_store::StoreError| Failure::failed(with_sources(&error));
    let opened = Store::open(settings, Clock::system().now()).await;
    let store = opened.map_err(failed)?.store;
    let verified = match no_verify {
        true => None,
        false => Some(store.verify_objects(watcher).await.map_err(failed)?),
    };
    store.close().await;
    Ok(verified)
}

/// The bytes of the files in a directory and those below it.
fn tree_bytes(from: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        bytes += match entry.file_type()?.is_dir() {
            true => tree_bytes(&entry.path())?,
            false => entry.metadata()?.len(),
        };
    }
    Ok(bytes)
}

fn copy_tree(from: &Path, to: &Path, step: &mut Watched<'_>) -> std::io::Result<()> {
    files::private_directory(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy_tree(&source, &target, step)?;
        } else if entry.file_name() != "backup.json" {
            step.add(fs::copy(&source, &target)?);
            fs::File::open(&target)?.sync_all()?;
        }
    }
    fs::File::open(to)?.sync_all()
}
