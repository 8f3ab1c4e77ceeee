//! A backup, as the operator asks for it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bonded_registry::Backup;
use serde::{Deserialize, Serialize};

use super::{Host, Operation};
use crate::cli::with_sources;
use crate::files;

/// A copy of everything but the key ring, made while the server serves.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BackUp {
    /// An absolute path on the server's machine.
    pub(crate) directory: PathBuf,
}

impl Operation for BackUp {
    const NAME: &'static str = "BackUp";
    const TIME_LIMIT: Duration = Duration::from_hours(7 * 24);
    type Output = Backup;

    async fn run(self, host: &Host) -> Result<Backup, String> {
        if !self.directory.is_absolute() {
            return Err("the directory of a backup must be an absolute path".to_owned());
        }
        let made = host.registry.back_up(&self.directory, &host.watcher).await;
        let made = made.map_err(|error| with_sources(&error))?;
        authority(&host.data.join("tls"), &self.directory.join("tls"))
            .map_err(|error| format!("cannot copy the certificates: {error}"))?;
        Ok(made)
    }
}

/// Copies our own authority, which the clients of a restored server trust already.
fn authority(from: &Path, to: &Path) -> std::io::Result<()> {
    if !from.exists() {
        return Ok(());
    }
    files::private_directory(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        if entry.path().is_file() {
            let bytes = zeroize::Zeroizing::new(std::fs::read(entry.path())?);
            files::write(&to.join(entry.file_name()), &bytes, files::PRIVATE)?;
        }
    }
    Ok(())
}
