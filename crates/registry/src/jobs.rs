//! Working on jobs: taking them, holding their leases, and what becomes of those that fail.
//!
//! Any node may work on any job. A node takes as many as it has workers, prolongs their leases
//! while it works, and gives them back when it stops. What a job does is in `layer_index` and
//! `image_scan`; it closes the job in the transaction that writes its result.

use std::future::Future;
use std::time::Duration;

use bonded_store::{ClaimedJob, Job, StoreError};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::Registry;
use crate::error::{Error, Result};

/// How long a job is ours without another word.
const LEASE: Duration = Duration::from_mins(1);

/// How often a lease is prolonged.
const RENEWAL: Duration = Duration::from_secs(20);

/// How long after an attempt that failed the next one is made.
const RETRY: Duration = Duration::from_secs(15);

/// How often the queue is looked at for what other nodes enqueued and what has become due.
const POLL: Duration = Duration::from_secs(2);

/// What to log of a job that was not done.
#[derive(Debug)]
pub enum JobProblem {
    /// An attempt failed; the job is tried again.
    Retried(String, Error),
    /// It is not tried again.
    GivenUp(String, Error),
    /// The queue cannot be used; looked at again soon.
    Queue(Error),
}

impl Registry {
    /// Works on jobs, at most `workers` at once, until `stop`; then gives back what is not done.
    /// `report` gets what went wrong.
    pub async fn work(
        &self,
        workers: usize,
        stop: impl Future<Output = ()>,
        report: impl Fn(JobProblem) + Clone + Send + 'static,
    ) {
        let (stopping, stopped) = watch::channel(false);
        let mut running = JoinSet::new();
        let mut stop = std::pin::pin!(stop);
        loop {
            while running.len() < workers {
                match self.next_job().await {
                    Ok(Some(claimed)) => {
                        let registry = self.clone();
                        let (stopped, report) = (stopped.clone(), report.clone());
                        running.spawn(async move {
                            if let Some(problem) = registry.attempt(&claimed, stopped).await {
                                report(problem);
                            }
                        });
                    }
                    Ok(None) => break,
                    Err(error) => {
                        report(JobProblem::Queue(error));
                        break;
                    }
                }
            }
            tokio::select! {
                () = &mut stop => break,
                Some(_) = running.join_next() => {}
                () = self.store().job_enqueued(), if running.len() < workers => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
        // Its receivers may all be gone.
        let _ = stopping.send(true);
        while running.join_next().await.is_some() {}
    }

    /// The job whose turn it is; if there is none, images that were judged by older advisories, and
    /// those that were scanned before they got bills of materials.
    async fn next_job(&self) -> Result<Option<ClaimedJob>> {
        let now = self.clock().now();
        let claimed = self.store().claim_job(now, LEASE).await?;
        if claimed.is_some() || !(self.rematch(now).await? || self.attach_missing(now).await?) {
            return Ok(claimed);
        }
        Ok(self.store().claim_job(now, LEASE).await?)
    }

    /// One attempt at a job, given back if the node stops before it is done.
    async fn attempt(
        &self,
        claimed: &ClaimedJob,
        mut stopped: watch::Receiver<bool>,
    ) -> Option<JobProblem> {
        let done = tokio::select! {
            done = self.run_job(claimed) => done,
            lost = self.hold(claimed) => Err(lost),
            // An error is a sender that is gone.
            () = async { drop(stopped.wait_for(|stopped| *stopped).await) } => {
                let now = self.clock().now();
                self.store().release_job(claimed, now).await.map_err(Error::from)
            }
        };
        let error = match done {
            // Another worker has it: nothing of ours was written.
            Ok(()) | Err(Error::Store(StoreError::Conflict)) => return None,
            Err(error) => error,
        };
        let name = claimed.job.to_string();
        let ended = if claimed.is_last() {
            let reason = error.in_full();
            self.give_up(claimed, &reason).await.map(|()| true)
        } else {
            let retry_at = self.clock().now().after(RETRY);
            let reason = error.in_full();
            let failed = self.store().fail_job(claimed, &reason, retry_at);
            failed.await.map_err(Error::from)
        };
        match ended {
            Ok(true) => Some(JobProblem::GivenUp(name, error)),
            Ok(false) => Some(JobProblem::Retried(name, error)),
            Err(Error::Store(StoreError::Conflict)) => None,
            // The lease ends, and the job is taken again.
            Err(error) => Some(JobProblem::Queue(error)),
        }
    }

    async fn run_job(&self, claimed: &ClaimedJob) -> Result<()> {
        if claimed.exhausted {
            let reason = "none of the attempts at it has ended";
            return self.give_up(claimed, reason).await;
        }
        match &claimed.job {
            Job::IndexLayer(object) => self.index_layer(claimed, *object).await,
            Job::ScanImage(repository, image) => self.scan_image(claimed, repository, image).await,
            Job::AttachSboms(repository, image) => {
                self.attach_sboms(claimed, repository, image).await
            }
        }
    }

    /// Ends a job that cannot be done, so that whoever asks for what it makes learns that.
    async fn give_up(&self, claimed: &ClaimedJob, reason: &str) -> Result<()> {
        match &claimed.job {
            Job::IndexLayer(object) => self.give_up_layer(claimed, *object, reason).await,
            Job::ScanImage(repository, image) => {
                self.give_up_scan(claimed, repository, image, reason).await
            }
            // Nobody waits for them, and the job that has failed is seen.
            Job::AttachSboms(..) => {
                let now = self.clock().now();
                self.store().fail_job(claimed, reason, now).await?;
                Ok(())
            }
        }
    }

    /// Prolongs the lease of a job until that fails.
    async fn hold(&self, claimed: &ClaimedJob) -> Error {
        loop {
            tokio::time::sleep(RENEWAL).await;
            let until = self.clock().now().after(LEASE);
            if let Err(error) = self.store().renew_job(claimed, until).await {
                return error.into();
            }
        }
    }
}
