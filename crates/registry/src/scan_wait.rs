//! Pulls that wait for a scan: what was pushed a moment ago shall be pullable a moment later.
//!
//! Only where the outcome of a scan that is queued or runs would decide, for a bounded time, and
//! for a bounded number of pulls at once. The scan is moved to the front of its queue.

use std::pin::Pin;
use std::time::Duration;

use bonded_iam::Outcome;
use bonded_model::Digest;
use bonded_store::{JudgedScan, UnknownScan};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Sleep, sleep};

use crate::Registry;
use crate::error::Result;
use crate::image_keys::{SCAN_KEYS, with_unknown};
use crate::judge::{CallerPolicies, Ruling, SeenImage, Verdict};
use crate::target::Target;

/// How many pulls of this node may wait at once.
pub(crate) const WAITERS_LIMIT: usize = 64;

/// How long to wait for news before looking again: another node may have done the scan.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// What one request still waits, beginning with its first wait.
#[derive(Default)]
pub(crate) struct Patience(Option<Waiting>);

struct Waiting {
    /// Whether there was anything to wait for when it began.
    under_way: bool,
    end: Pin<Box<Sleep>>,
    news: watch::Receiver<u64>,
    _permit: OwnedSemaphorePermit,
}

impl Registry {
    /// Waits a little if the denial may turn into a permission by a scan that is under way; `true`
    /// if it is worth to judge again.
    pub(crate) async fn await_scan<T: Target>(
        &self,
        patience: &mut Patience,
        sides: &CallerPolicies,
        verdict: &Verdict<T>,
        denial: &Ruling,
    ) -> Result<bool> {
        let Some((image, pending)) = awaited(sides, verdict, denial).filter(|_| T::AWAITS_SCANS)
        else {
            return Ok(false);
        };
        if let Some(waiting) = &mut patience.0 {
            return Ok(waiting.under_way && waiting.wait().await);
        }
        let Ok(permit) = self.scan_waiters().try_acquire_owned() else {
            return Ok(false);
        };
        let news = self.scans_ended();
        let mut under_way = false;
        for digest in pending {
            under_way |= self.store().hurry_scan(&image.repository, digest).await?;
        }
        patience.0 = Some(Waiting {
            under_way,
            end: Box::pin(sleep(self.pull_wait())),
            news,
            _permit: permit,
        });
        // Once more before the first wait: the scan may have ended just now, and so be under way no
        // more.
        Ok(true)
    }
}

impl Waiting {
    /// Waits for news; `false` if the time is over.
    async fn wait(&mut self) -> bool {
        tokio::select! {
            biased;
            () = &mut self.end => false,
            _ = self.news.changed() => true,
            () = sleep(LOOK_AGAIN) => true,
        }
    }
}

/// The image whose scans are under way, and those scans, if their outcome would decide.
fn awaited<'a, T: Target>(
    sides: &CallerPolicies,
    verdict: &Verdict<T>,
    denial: &'a Ruling,
) -> Option<(&'a SeenImage, &'a [Digest])> {
    let image = denial.image()?;
    let JudgedScan::Unknown(UnknownScan::Pending(pending)) = &image.facts.scan else {
        return None;
    };
    let pulls = denial.request.action == "ecr:BatchGetImage";
    (pulls && would_allow(sides, verdict, denial, &SCAN_KEYS)).then_some((image, pending))
}

/// Whether the denial could be a permission if `keys` had other values.
pub(crate) fn would_allow<T: Target>(
    sides: &CallerPolicies,
    verdict: &Verdict<T>,
    denial: &Ruling,
    keys: &[&str],
) -> bool {
    let mut request = denial.request.clone();
    request.context = with_unknown(&request.context, keys);
    let resource = verdict.resources.get(denial.resource);
    let policies = resource.map_or(&[][..], |resource| &resource.policies);
    let decision = bonded_iam::evaluate_free(&request, &sides.with(policies));
    decision.outcome == Outcome::Allow
}
