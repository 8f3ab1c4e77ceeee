//! `bonded advisories load`: advisories for the server on this machine, while it serves.

use std::path::{Path, PathBuf};

use clap::Args;
use tempfile::{Builder, NamedTempFile};

use super::super::print::Output;
use super::super::progress::ProgressArgs;
use super::super::{DataDirectory, Failure, ask_server_for_long};
use super::artifact::{self, Reference};
use crate::config::ARTIFACT_SCHEME;
use crate::operator::LoadAdvisories;

/// Have the server on this machine judge images by the advisories in a file
///
/// The server copies the file, and judges every image again by it. Advisories of which more than a
/// tenth is missing in an ecosystem are refused, as a broken import would look like safety.
#[derive(Args)]
pub(super) struct Load {
    /// What 'bonded advisories import' has made, or what was pushed of it: oci://HOST/REPOSITORY:TAG,
    /// or oci://HOST/REPOSITORY@sha256:… for exactly those
    #[arg(value_name = "FILE|oci://ARTIFACT")]
    file: PathBuf,

    /// Take them although an ecosystem has lost more than a tenth of its advisories
    #[arg(long)]
    force: bool,

    /// Ask the registry by plain HTTP
    #[arg(long)]
    plain_http: bool,

    #[command(flatten)]
    output: Output,

    #[command(flatten)]
    progress: ProgressArgs,

    #[command(flatten)]
    data: DataDirectory,
}

impl Load {
    pub(super) fn run(self) -> Result<(), Failure> {
        let data = self.data.path()?;
        // The server reads it while this holds it.
        let pulled = self.pull(&data)?;
        let file = pulled.as_ref().map_or(&*self.file, NamedTempFile::path);
        let file = std::path::absolute(file)
            .map_err(|e| Failure::usage(format!("cannot use '{}': {e}", file.display())))?;
        let request = LoadAdvisories {
            file,
            force: self.force,
        };
        let progress = self.progress.begin(self.output.is_quiet());
        let report = ask_server_for_long(&data, &request, &progress)?;
        self.output.print(
            &report,
            |report| {
                let total: u64 = report.ecosystems.values().sum();
                vec![format!(
                    "{total} advisories for {} ecosystems as of {}; every image is judged again",
                    report.ecosystems.len(),
                    report.as_of
                )]
            },
            |report| vec![report.digest.to_string()],
        )
    }

    /// The artifact, if one is named, as a file beside the server's: it goes with the value.
    fn pull(&self, data: &Path) -> Result<Option<NamedTempFile>, Failure> {
        let text = self
            .file
            .to_str()
            .filter(|text| text.starts_with(ARTIFACT_SCHEME));
        let Some(text) = text else {
            return Ok(None);
        };
        let from = Reference::parse(text)?;
        let file = Builder::new().prefix(".advisories-").tempfile_in(data);
        let mut file = file
            .map_err(|e| Failure::failed(format!("cannot write to '{}': {e}", data.display())))?;
        let watcher = self.progress.begin(self.output.is_quiet()).watcher();
        let remote = from.open(self.plain_http)?;
        artifact::pull(&remote, &from, file.as_file_mut(), &watcher)?;
        Ok(Some(file))
    }
}
