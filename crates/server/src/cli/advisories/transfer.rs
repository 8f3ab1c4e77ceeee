//! `bonded advisories push` and `pull`: advisories into a registry, and out of it.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use tempfile::NamedTempFile;

use super::artifact::{self, Artifact, Reference};
use super::import::compare;
use crate::cli::Failure;
use crate::cli::print::Output;
use crate::cli::progress::ProgressArgs;
use crate::files;

/// Push a file of advisories to a registry, as an artifact of OCI
///
/// Any registry will do, and any tool may copy it from there. The same file has the same digest
/// everywhere. Credentials are those of 'bonded login', or as docker's configuration has them.
#[derive(Args)]
pub(super) struct Push {
    /// What 'bonded advisories import' has made
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Where to: HOST/REPOSITORY:TAG
    #[arg(value_name = "ARTIFACT")]
    to: String,

    /// Ask the registry by plain HTTP
    #[arg(long)]
    plain_http: bool,

    #[command(flatten)]
    output: Output,

    #[command(flatten)]
    progress: ProgressArgs,
}

/// Pull advisories that 'bonded advisories push' has pushed
///
/// Every byte is verified by its digest. Credentials are those of 'bonded login', or as docker's
/// configuration has them.
#[derive(Args)]
#[command(mut_arg("form", |form| form.short(None).long("format").help("The form of what is said about it")))]
pub(super) struct Pull {
    /// Which: HOST/REPOSITORY:TAG, or HOST/REPOSITORY@sha256:… for exactly those
    #[arg(value_name = "ARTIFACT")]
    from: String,

    /// The file to write, or to replace as a whole
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,

    /// Replace the file even if an ecosystem has over 10 % fewer advisories than it has there
    #[arg(long)]
    force: bool,

    /// Ask the registry by plain HTTP
    #[arg(long)]
    plain_http: bool,

    #[command(flatten)]
    form: Output,

    #[command(flatten)]
    progress: ProgressArgs,
}

impl Push {
    pub(super) fn run(self) -> Result<(), Failure> {
        let to = Reference::parse(&self.to)?;
        let watcher = self.progress.begin(self.output.is_quiet()).watcher();
        let pushed = artifact::push(&self.file, &to, self.plain_http, &watcher)?;
        tell(&pushed, &self.file, "pushed to", self.output)
    }
}

impl Pull {
    pub(super) fn run(self) -> Result<(), Failure> {
        let from = Reference::parse(&self.from)?;
        let watcher = self.progress.begin(self.form.is_quiet()).watcher();
        let unwritable = |error: std::io::Error| {
            Failure::failed(format!("cannot write '{}': {error}", self.output.display()))
        };
        let parent = self.output.parent();
        let directory = parent.filter(|directory| !directory.as_os_str().is_empty());
        let directory = directory.unwrap_or(Path::new("."));
        let mut file = NamedTempFile::new_in(directory).map_err(unwritable)?;
        let pulled = artifact::pull(
            &from.open(self.plain_http)?,
            &from,
            file.as_file_mut(),
            &watcher,
        )?;
        if !self.force {
            compare(&self.output, &pulled.advisories)?;
        }
        files::persist(file, &self.output, files::PUBLIC).map_err(unwritable)?;
        tell(&pulled, &self.output, "pulled from", self.form)
    }
}

/// Says what came of it.
fn tell(artifact: &Artifact, file: &Path, done: &str, output: Output) -> Result<(), Failure> {
    let advisories = &artifact.advisories;
    let total: u64 = advisories
        .ecosystems()
        .map(|of| u64::from(of.advisories))
        .sum();
    let answer = json!({
        "artifact": artifact.pinned,
        "file": file,
        "digest": advisories.digest(),
        "asOf": advisories.as_of().to_string(),
    });
    output.print(
        &answer,
        |_| {
            vec![format!(
                "{total} advisories as of {}, {done} {}",
                advisories.as_of(),
                artifact.pinned
            )]
        },
        |_| vec![artifact.pinned.clone()],
    )
}
