//! The queue of jobs: who may take one, who may close it, and what becomes of one that fails.

use std::time::Duration;

use bonded_model::Timestamp;
use bonded_store::{ATTEMPTS, ClaimedJob, Database, Job, Store, StoreError};

use crate::site::{NOW, on_each_engine, push, repository};

const LEASE: Duration = Duration::from_secs(60);

fn later(seconds: u64) -> Timestamp {
    NOW.after(Duration::from_secs(seconds))
}

async fn claim(store: &Store, now: Timestamp) -> Option<ClaimedJob> {
    store.claim_job(now, LEASE).await.unwrap()
}

/// A store with the index job of one blob.
async fn with_job(store: &Store) -> Job {
    let app = repository(store, "app").await;
    Job::IndexLayer(push(store, &app.id, b"layer").await.object)
}

#[test]
fn a_finished_blob_is_indexed_once_for_its_object() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let job = with_job(&store).await;
        let other = repository(&store, "other").await;
        push(&store, &other.id, b"layer").await;
        let claimed = claim(&store, NOW).await.unwrap();
        assert_eq!((&claimed.job, claimed.exhausted), (&job, false));
        assert!(claim(&store, NOW).await.is_none());
        store.close_job(&claimed).await.unwrap();
        // The object is there: nothing of it is new.
        push(&store, &other.id, b"layer").await;
        assert!(claim(&store, later(3600)).await.is_none());
    });
}

#[test]
fn a_job_whose_lease_ended_is_taken_again_and_the_first_taker_cannot_close_it() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        with_job(&store).await;
        let first = claim(&store, NOW).await.unwrap();
        assert!(claim(&store, later(59)).await.is_none());
        store.renew_job(&first, later(90)).await.unwrap();
        assert!(claim(&store, later(89)).await.is_none());
        let second = claim(&store, later(90)).await.unwrap();
        let refused = [
            store.close_job(&first).await,
            store.renew_job(&first, later(500)).await,
            store.release_job(&first, NOW).await,
            store.fail_job(&first, "late", NOW).await.map(|_| ()),
        ];
        assert!(
            refused
                .iter()
                .all(|r| matches!(r, Err(StoreError::Conflict)))
        );
        store.close_job(&second).await.unwrap();
        assert!(claim(&store, later(9000)).await.is_none());
    });
}

#[test]
fn what_a_process_before_worked_on_is_taken_at_once_where_there_can_be_no_other() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        with_job(&store).await;
        let first = claim(&store, NOW).await.unwrap();
        drop(store);
        let store = site.reopen().await;
        let again = claim(&store, NOW).await;
        match site.settings().database {
            Database::Sqlite => assert_eq!(again.unwrap().job, first.job),
            Database::Postgres(_) => assert!(again.is_none()),
        }
    });
}

#[test]
fn a_job_is_tried_five_times_then_it_has_failed_and_is_seen() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let job = with_job(&store).await;
        for attempt in 1..=ATTEMPTS {
            let claimed = claim(&store, NOW).await.unwrap();
            assert!(!claimed.exhausted);
            let failed = store.fail_job(&claimed, "no\0 luck", NOW).await.unwrap();
            assert_eq!(failed, attempt == ATTEMPTS);
        }
        assert!(claim(&store, later(9000)).await.is_none());
        let failed = store.failed_jobs(10).await.unwrap();
        assert_eq!(failed.len(), 1);
        assert_eq!(failed[0].job, job.to_string());
        assert_eq!(
            (failed[0].error.as_str(), failed[0].enqueued_at),
            ("no  luck", NOW)
        );
    });
}

#[test]
fn a_job_that_never_ends_is_given_up_after_its_attempts() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        with_job(&store).await;
        let mut seconds = 0;
        for _ in 0..ATTEMPTS {
            assert!(!claim(&store, later(seconds)).await.unwrap().exhausted);
            seconds += 60;
        }
        assert!(claim(&store, later(seconds)).await.unwrap().exhausted);
    });
}

#[test]
fn a_job_that_was_given_back_has_not_used_an_attempt() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        with_job(&store).await;
        for _ in 0..=2 * ATTEMPTS {
            let claimed = claim(&store, NOW).await.unwrap();
            assert!(!claimed.exhausted);
            store.release_job(&claimed, NOW).await.unwrap();
        }
        let claimed = claim(&store, NOW).await.unwrap();
        store.release_job(&claimed, later(10)).await.unwrap();
        assert!(claim(&store, later(9)).await.is_none());
        assert!(claim(&store, later(10)).await.is_some());
    });
}

#[test]
fn two_takers_never_get_the_same_job() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        for mark in 0..20_u8 {
            push(&store, &app.id, &[mark]).await;
        }
        let take = || {
            let store = store.clone();
            tokio::spawn(async move {
                let mut taken = Vec::new();
                let mut empty = 0;
                // Nothing at once may mean that others took the first ones.
                while empty < 20 {
                    match claim(&store, NOW).await {
                        Some(claimed) => taken.push(claimed.job.to_string()),
                        None => empty += 1,
                    }
                }
                taken
            })
        };
        let takers = [take(), take(), take()];
        let mut all = Vec::new();
        for taker in takers {
            all.extend(taker.await.unwrap());
        }
        assert_eq!(all.len(), 20);
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 20);
    });
}
