//! Renewing the advisories: one node at a time, later each time it fails; and where nodes share them.

use std::fs;
use std::io::Read as _;
use std::time::Duration;

use bonded_model::{Digest, Timestamp};
use bonded_store::{AdvisoryUpdate, ClaimedUpdate, Database, Store, StoreError, UpdateEnd};

use crate::layer::bytes;
use crate::site::{NOW, on_each_bucket, on_each_engine};

const LEASE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn later(seconds: u64) -> Timestamp {
    NOW.after(Duration::from_secs(seconds))
}

async fn last(store: &Store) -> Option<AdvisoryUpdate> {
    store.advisory_update().await.unwrap()
}

async fn claim(
    store: &Store,
    seen: Option<&AdvisoryUpdate>,
    now: Timestamp,
) -> Option<ClaimedUpdate> {
    let claimed = store.claim_advisory_update(seen, "from here", now, LEASE);
    claimed.await.unwrap()
}

async fn end(store: &Store, claimed: &ClaimedUpdate, end: UpdateEnd, now: Timestamp) {
    store.end_advisory_update(claimed, &end, now).await.unwrap();
}

#[test]
fn one_node_at_a_time_and_after_a_failure_later_each_time() {
    on_each_engine(|site| async move {
        let (store, other) = (site.open().await, site.reopen().await);
        let due =
            |last: &Option<AdvisoryUpdate>, interval| AdvisoryUpdate::due(last.as_ref(), interval);
        assert!(due(&last(&store).await, DAY) < NOW);
        let mut at = 0;
        for pause in [
            60, 120, 240, 480, 960, 1920, 3840, 7680, 15360, 21600, 21600,
        ] {
            let seen = last(&store).await;
            let claimed = claim(&store, seen.as_ref(), later(at)).await.unwrap();
            let held = last(&other).await.unwrap();
            assert!(held.is_running(later(at + 59)) && !held.is_running(later(at + 60)));
            // Whatever another has seen, before or since.
            for seen in [seen.as_ref(), Some(&held)] {
                assert!(claim(&other, seen, later(at + 1)).await.is_none());
            }
            let failed = UpdateEnd::Failed("why".to_owned());
            end(&store, &claimed, failed, later(at + 1)).await;
            let failed = last(&other).await;
            assert_eq!(due(&failed, DAY), later(at + pause));
            assert_eq!(due(&failed, HOUR), later(at + pause.min(3600)));
            assert_eq!(failed.unwrap().error.as_deref(), Some("why"));
            at += pause;
        }
        let seen = last(&store).await;
        let claimed = claim(&store, seen.as_ref(), later(at)).await.unwrap();
        end(&store, &claimed, UpdateEnd::Stopped, later(at)).await;
        // As if it had not begun, but that whoever looked before looks again.
        assert!(claim(&store, seen.as_ref(), later(at)).await.is_none());
        let stopped = last(&store).await;
        let failures = |of: &Option<AdvisoryUpdate>| of.as_ref().unwrap().failures;
        assert_eq!((failures(&stopped), failures(&seen)), (11, 11));
        let claimed = claim(&store, stopped.as_ref(), later(at)).await.unwrap();
        end(&store, &claimed, UpdateEnd::Done, later(at)).await;
        let done = last(&store).await;
        assert_eq!(due(&done, DAY), later(at).after(DAY));
        let done = done.unwrap();
        assert_eq!((done.failures, done.error), (0, None));
    });
}

#[test]
fn a_lease_that_ended_is_another_nodes_and_its_first_holder_says_nothing_more() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let first = claim(&store, None, NOW).await.unwrap();
        store
            .renew_advisory_update(&first, later(90))
            .await
            .unwrap();
        let seen = last(&store).await;
        assert_eq!(AdvisoryUpdate::due(seen.as_ref(), DAY), later(90));
        let second = claim(&store, seen.as_ref(), later(90)).await.unwrap();
        let late = [
            store.renew_advisory_update(&first, later(500)).await,
            store
                .end_advisory_update(&first, &UpdateEnd::Done, later(91))
                .await,
        ];
        assert!(
            late.iter()
                .all(|late| matches!(late, Err(StoreError::Conflict)))
        );
        // A process that ends without a word has failed: it is not begun for ever.
        drop(store);
        let store = site.reopen().await;
        let seen = last(&store).await.unwrap();
        assert_eq!(seen.failures, 2);
        let sqlite = matches!(site.settings().database, Database::Sqlite);
        assert_eq!(seen.is_running(later(91)), !sqlite);
        end(&store, &second, UpdateEnd::Done, later(92)).await;
    });
}

#[test]
fn what_a_node_shares_another_fetches_whole() {
    on_each_bucket(|site| async move {
        let store = site.open().await;
        let mut kept = Vec::new();
        // As they come from now on; less than a piece, a piece, and more than two.
        for length in [0, 5, 8 << 20, (17 << 20) + 3] {
            let content = bytes(length);
            let (file, digest) = (site.path().join("new"), Digest::sha256(&content));
            fs::write(&file, &content).unwrap();
            let copy = store.copy_advisories(&file).await.unwrap();
            store.keep_advisories(copy, &digest, None).await.unwrap();
            store
                .share_advisories(&digest, kept.last(), NOW)
                .await
                .unwrap();
            let fetched = store.fetch_advisories(&digest).await.unwrap().unwrap();
            let mut found = Vec::new();
            let mut file = fs::File::open(fetched.path()).unwrap();
            file.read_to_end(&mut found).unwrap();
            assert!(found == content, "{length}");
            kept.push(digest);
        }
        // What is young stays, as another node may be about to use it; then all but two go.
        let all = |store: Store, kept: Vec<Digest>| async move {
            let mut there = Vec::new();
            for digest in &kept {
                there.push(store.fetch_advisories(digest).await.unwrap().is_some());
            }
            there
        };
        assert_eq!(all(store.clone(), kept.clone()).await, [true; 4]);
        let later = Timestamp::from_millis(i64::MAX / 2);
        store
            .share_advisories(&kept[3], Some(&kept[2]), later)
            .await
            .unwrap();
        assert_eq!(all(store, kept).await, [false, false, true, true]);
    });
}
