//! Advisories that renew themselves: by the settings `advisory_updates.…`, from mirrors and files as
//! `bonded advisories import` makes a file of them, or from an artifact as `load oci://…` does.
//!
//! Each node looks from time to time whether it is time, and whether another one has loaded others.
//! The work is done on a thread of its own with a low priority. Nothing of it needs to be ended: a
//! process may go in the middle of it, as copies of mirrors are whole at any moment, and a file of
//! advisories is used when it is complete.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::{fs, thread};

use bonded_registry::{AdvisoryUpdate, Registry, UpdateOutcome};
use bonded_scan::ImportReport;
use bonded_store::Watcher;
use tempfile::{Builder, NamedTempFile};
use tokio::sync::{oneshot, watch};

use crate::cli::advisories::{Mirror, Reference, made_of, pull};
use crate::cli::remote::Login;
use crate::cli::{Failure, block_on, with_sources};
use crate::config::{AdvisorySource, AdvisoryUpdates, Config};
use crate::egress::Reachable;

/// How often it is looked whether it is time.
const POLL: Duration = Duration::from_secs(5);

/// How many looks later what cannot be taken up of another node is tried again: it may be large.
const LOOKS_LEFT_OUT: u32 = 60;

/// How much less urgent than answers the work is, as `nice` counts.
const NICE: i32 = 10;

/// What the names of files begin with that are being made.
const NEW: &str = ".advisories-update-";

/// What is needed to renew advisories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UpdateSettings {
    /// Where they come from, and how often.
    pub(crate) updates: AdvisoryUpdates,
    data: PathBuf,
    allow: Vec<Reachable>,
    authorities: Option<PathBuf>,
}

impl UpdateSettings {
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            updates: config.advisory_updates.clone(),
            data: config.data.clone(),
            allow: config.egress_allow.clone(),
            authorities: config.egress_authorities.clone(),
        }
    }

    /// The sources, as they are written down.
    fn sources(&self) -> String {
        let sources = self.updates.sources.iter().map(ToString::to_string);
        sources.collect::<Vec<_>>().join(" ")
    }
}

/// What became of taking up what other nodes have loaded.
#[derive(Default)]
struct Following {
    /// What was said to keep it from that.
    told: Option<String>,
    /// How many looks are left out.
    leave_out: u32,
}

/// What renews the advisories of a registry.
#[derive(Clone)]
pub(crate) struct Updates {
    registry: Registry,
    settings: watch::Receiver<Arc<UpdateSettings>>,
    stopped: watch::Receiver<bool>,
}

impl Updates {
    pub(super) fn new(
        registry: Registry,
        settings: watch::Receiver<Arc<UpdateSettings>>,
        stopped: watch::Receiver<bool>,
    ) -> Self {
        Self {
            registry,
            settings,
            stopped,
        }
    }

    /// The settings in force.
    pub(crate) fn settings(&self) -> Arc<UpdateSettings> {
        Arc::clone(&self.settings.borrow())
    }

    /// Renews the advisories, whether it is time or not; `force` takes them although an ecosystem
    /// has shrunk.
    ///
    /// # Errors
    /// No sources are set; the database cannot be used.
    pub(crate) async fn now(
        &self,
        force: bool,
        watcher: &Watcher,
    ) -> Result<UpdateOutcome, String> {
        let settings = self.settings();
        if settings.updates.sources.is_empty() {
            return Err(
                "the server has no sources of advisories: set 'advisory_updates.sources', or load a \
                 file with 'bonded advisories load FILE'"
                    .to_owned(),
            );
        }
        let seen = self.registry.advisory_update().await;
        let seen = seen.map_err(|error| with_sources(&error))?;
        self.renew(settings, seen.as_ref(), force, watcher).await
    }

    /// Renews them when it is time, and follows other nodes, until it is stopped.
    pub(super) async fn run(self) {
        let mut settings = self.settings.clone();
        // Whether the sources may be others than those of the last attempt.
        let mut are_new = true;
        let mut following = Following::default();
        while !*self.stopped.borrow() {
            self.follow(&mut following).await;
            match self.renew_if_due(&mut are_new).await {
                Ok(()) => {}
                Err(error) => tracing::error!(error, "advisories cannot be renewed"),
            }
            tokio::select! {
                () = self.stop() => break,
                Ok(()) = settings.changed() => are_new = true,
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    async fn stop(&self) {
        let mut stopped = self.stopped.clone();
        // An error is a sender that is gone.
        let _ = stopped.wait_for(|stopped| *stopped).await;
    }

    /// Takes up what another node has loaded. What keeps it from that is told once.
    async fn follow(&self, following: &mut Following) {
        if following.leave_out > 0 {
            following.leave_out -= 1;
            return;
        }
        match self.registry.follow_advisories().await {
            Ok(followed) => {
                following.told = None;
                if let Some(report) = followed {
                    let (digest, as_of) = (&report.digest, &report.as_of);
                    tracing::info!(%digest, %as_of, "images are judged by what another node has loaded");
                }
            }
            Err(error) => {
                let error = with_sources(&error);
                following.leave_out = LOOKS_LEFT_OUT;
                if following.told.as_ref() != Some(&error) {
                    tracing::warn!(error, "advisories of another node are not taken up");
                    following.told = Some(error);
                }
            }
        }
    }

    async fn renew_if_due(&self, are_new: &mut bool) -> Result<(), String> {
        let settings = self.settings();
        let last = self.registry.advisory_update().await;
        let last = last.map_err(|error| with_sources(&error))?;
        if settings.updates.sources.is_empty() {
            return Ok(());
        }
        let now = self.registry.clock().now();
        let differ =
            |last: &AdvisoryUpdate| last.sources != settings.sources() && !last.is_running(now);
        let differ = *are_new && last.as_ref().is_some_and(differ);
        if !differ && AdvisoryUpdate::due(last.as_ref(), settings.updates.interval) > now {
            return Ok(());
        }
        *are_new = false;
        let nobody = Watcher::nobody();
        self.renew(settings, last.as_ref(), false, &nobody)
            .await
            .map(drop)
    }

    async fn renew(
        &self,
        settings: Arc<UpdateSettings>,
        seen: Option<&AdvisoryUpdate>,
        force: bool,
        watcher: &Watcher,
    ) -> Result<UpdateOutcome, String> {
        let sources = settings.sources();
        let make = on_a_thread(settings, watcher.clone());
        let stop = self.stop();
        let outcome = self
            .registry
            .update_advisories(seen, &sources, force, watcher, make, stop)
            .await
            .map_err(|error| with_sources(&error))?;
        match &outcome {
            UpdateOutcome::Loaded(report) => tracing::info!(
                sources,
                digest = %report.digest,
                as_of = %report.as_of,
                "images are judged by new advisories"
            ),
            UpdateOutcome::Unchanged(report) => tracing::info!(
                sources,
                digest = %report.digest,
                as_of = %report.as_of,
                "the advisories are as new as their sources"
            ),
            UpdateOutcome::Failed(error) => tracing::warn!(
                sources,
                error,
                "the advisories stay as they were, and are to be renewed later"
            ),
            UpdateOutcome::Stopped => tracing::info!("renewing the advisories was given up"),
            UpdateOutcome::Elsewhere => {}
        }
        Ok(outcome)
    }

    /// What renews nothing.
    #[cfg(test)]
    pub(crate) fn none(registry: Registry) -> Self {
        let settings = UpdateSettings {
            updates: AdvisoryUpdates {
                sources: Vec::new(),
                interval: POLL,
                mirrors: PathBuf::new(),
                ecosystems: Vec::new(),
                accepts_chainguard: false,
                docker_config: None,
            },
            data: PathBuf::new(),
            allow: Vec::new(),
            authorities: None,
        };
        let settings = watch::channel(Arc::new(settings)).1;
        Self::new(registry, settings, watch::channel(false).1)
    }
}

/// Makes a file of advisories from their sources, on a thread that is not waited for if this is
/// dropped.
async fn on_a_thread(
    settings: Arc<UpdateSettings>,
    watcher: Watcher,
) -> Result<NamedTempFile, String> {
    let (sender, made) = oneshot::channel();
    let body = move || {
        if let Err(error) = rustix::process::nice(NICE) {
            tracing::debug!(%error, "advisories are renewed with the priority of everything else");
        }
        let made = catch_unwind(AssertUnwindSafe(|| make(&settings, &watcher)));
        // Nobody may wait any more.
        let _ = sender.send(made);
    };
    let thread = thread::Builder::new().name("advisories".to_owned());
    thread
        .spawn(body)
        .map_err(|error| format!("cannot start a thread: {error}"))?;
    match made.await {
        Ok(Ok(made)) => made.map_err(|failure| failure.message.unwrap_or_default()),
        _ => Err("making a file of advisories broke off; please report this".to_owned()),
    }
}

fn make(settings: &UpdateSettings, watcher: &Watcher) -> Result<NamedTempFile, Failure> {
    let unwritable = |error: std::io::Error| {
        let data = settings.data.display();
        Failure::failed(format!("cannot write to '{data}': {error}"))
    };
    remove_what_was_left(settings).map_err(unwritable)?;
    let file = Builder::new().prefix(NEW).tempfile_in(&settings.data);
    let mut file = file.map_err(unwritable)?;
    if let [AdvisorySource::Artifact(name)] = &*settings.updates.sources {
        let from = Reference::parse(name)?;
        let login = Login::of_server(
            from.host(),
            settings.is_plain(from.host()),
            settings.authorities.as_deref(),
            settings.updates.docker_config.as_deref(),
        )?;
        let remote = from.open_by(login)?;
        let pulled = pull(&remote, &from, file.as_file_mut(), watcher)?;
        tracing::debug!(artifact = pulled.pinned, "pulled advisories");
        return Ok(file);
    }
    let updates = &settings.updates;
    let mut sources = Vec::new();
    for source in &updates.sources {
        match source {
            AdvisorySource::Mirror(url) => {
                let authorities = settings.authorities.as_deref();
                let mirror = Mirror::open(url, &updates.mirror(url), authorities)?;
                let licensed = updates.accepts_chainguard;
                let fetched = mirror.fetch(&updates.ecosystems, licensed, watcher);
                sources.extend(block_on(fetched)?);
            }
            AdvisorySource::Files(path) => sources.push(path.clone()),
            // The settings have it alone.
            AdvisorySource::Artifact(name) => {
                return Err(Failure::usage(format!(
                    "the artifact '{name}' stands alone"
                )));
            }
        }
    }
    let (bytes, report) = made_of(&sources, updates.accepts_chainguard, watcher)?;
    tell_what_was_left_out(&report);
    std::io::Write::write_all(&mut file, &bytes).map_err(unwritable)?;
    Ok(file)
}

impl UpdateSettings {
    /// Whether a registry is asked by plain HTTP, as `egress.allow` has it.
    fn is_plain(&self, host: &str) -> bool {
        let plain = Reachable::parse(&format!("http://{host}"));
        plain.is_some_and(|plain| self.allow.contains(&plain))
    }
}

/// Removes what a process before this one was making when it ended.
fn remove_what_was_left(settings: &UpdateSettings) -> std::io::Result<()> {
    for entry in fs::read_dir(&settings.data)? {
        let entry = entry?;
        let name = entry.file_name();
        if name.as_encoded_bytes().starts_with(NEW.as_bytes()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn tell_what_was_left_out(report: &ImportReport) {
    let first = report.refused_first.first();
    if let Some(first) = first.filter(|_| report.refused > 0) {
        let count = report.refused;
        tracing::warn!(
            count,
            first,
            "left out of the advisories: they are no records"
        );
    }
    let first = report.not_understood_first.first();
    if let Some(first) = first.filter(|_| report.not_understood > 0) {
        let count = report.not_understood;
        tracing::warn!(
            count,
            first,
            "left out of the advisories: they are not understood"
        );
    }
}
