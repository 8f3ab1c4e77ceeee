//! What a node does beside answering: it works on jobs, which scan among other things.

use std::path::Path;

use bonded_registry::{AdvisoriesRefused, Error, JobProblem, Registry};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::cli::{Failure, with_sources};

/// The workers of this node, which scan among other things.
pub(super) struct Jobs {
    stop: oneshot::Sender<()>,
    working: JoinHandle<()>,
}

impl Jobs {
    /// At most `workers` at once, each of which may keep a processor busy.
    pub(super) fn start(registry: Registry, workers: usize) -> Self {
        if workers == 0 {
            tracing::info!("this node scans nothing ('scan.workers' is 0): another one has to");
        }
        let (stop, stopped) = oneshot::channel();
        let working = tokio::spawn(async move {
            let stopped = async { drop(stopped.await) };
            registry.work(workers, stopped, report).await;
        });
        Self { stop, working }
    }

    /// Gives back what is not done, for this node's next run or another node.
    pub(super) async fn stop(self) {
        drop(self.stop);
        if let Err(error) = self.working.await {
            tracing::error!(%error, "the workers ended by themselves");
        }
    }
}

fn report(problem: JobProblem) {
    match problem {
        JobProblem::Retried(job, error) => {
            tracing::warn!(job, error = %with_sources(&error), "a job failed and is tried again");
        }
        JobProblem::GivenUp(job, error) => {
            tracing::error!(job, error = %with_sources(&error), "a job failed and is given up");
        }
        JobProblem::Queue(error) => {
            tracing::error!(error = %with_sources(&error), "the queue of jobs cannot be used");
        }
    }
}

/// Loads the advisories that the server begins with. Those that have shrunk must not keep it from
/// starting, as only a running one can be told to take them.
pub(super) async fn load_advisories(
    registry: &Registry,
    file: Option<&Path>,
) -> Result<(), Failure> {
    let loaded = match registry.begin_with_advisories(file).await {
        Err(Error::AdvisoriesRefused(shrunk @ AdvisoriesRefused::Shrunk { .. })) => {
            tracing::error!(error = %shrunk, "the advisories are not loaded");
            registry.begin_with_advisories(None).await
        }
        loaded => loaded,
    };
    let loaded = loaded.map_err(|error| {
        Failure::failed(format!(
            "cannot load the advisories: {}",
            with_sources(&error)
        ))
    })?;
    match loaded {
        Some(report) => tracing::info!(
            digest = %report.digest,
            as_of = %report.as_of,
            "images are judged by advisories"
        ),
        None => tracing::info!("no advisories are loaded: no image can be judged"),
    }
    Ok(())
}
