//! Scans of images, their findings, and what they wait for.

use std::time::Duration;

use bonded_model::{
    Digest, Reference, RegistryScanning, ScanFrequency, ScanStatus, Severity, Timestamp,
};
use bonded_store::{
    ClaimedJob, ImageToDelete, Job, JobEnd, JudgedBy, JudgedScan, LayerToScan, Repository,
    ScanCounts, ScanEvent, ScanGeneration, ScanResult, ScanState, StartScan, Store, StoreError,
    UnknownScan,
};

use crate::image::put;
use crate::site::{ACCOUNT, NOW, change, manifest_text, on_each_engine, push, repository};

const LEASE: Duration = Duration::from_secs(60);
const ANALYZERS: &str = "dpkg-1";

fn judged_by(generation: u64) -> JudgedBy {
    JudgedBy {
        generation,
        analyzers: ANALYZERS.to_owned(),
        advisories_sha256: Some("ab".repeat(32)),
        advisories_at: Some(NOW),
    }
}

fn counts() -> ScanCounts {
    ScanCounts {
        max_severity: Some(Severity::High),
        critical: 0,
        high: 2,
        fixable_critical: 0,
        unrated: 0,
        fixable_unrated: 0,
        matched_at: NOW,
        advisories_at: NOW,
    }
}

/// What conditions know of the scan of an image.
async fn judged(store: &Store, app: &Repository, image: &Digest) -> JudgedScan {
    let named = [Reference::Digest(image.clone())];
    let facts = store.image_facts(&app.id, &named).await.unwrap();
    facts.into_iter().next().unwrap().unwrap().scan
}

fn pending(image: &Digest) -> JudgedScan {
    JudgedScan::Unknown(UnknownScan::Pending(vec![image.clone()]))
}

fn result(generation: u64, parts: &[&[u8]]) -> ScanResult {
    ScanResult {
        status: ScanStatus::Complete,
        description: None,
        facts: ScanState::Complete(counts()),
        judged_by: judged_by(generation),
        severity_counts: [("HIGH".to_owned(), 2)].into(),
        findings: 2,
        parts: parts.iter().map(|part| part.to_vec()).collect(),
        packages: None,
        events: Vec::new(),
        documents: None,
    }
}

async fn claim(store: &Store, now: Timestamp) -> Option<ClaimedJob> {
    store.claim_job(now, LEASE).await.unwrap()
}

/// An image of one layer that nobody has scanned; its digest.
async fn image(store: &Store, app: &Repository) -> Digest {
    let image = pushed(store, app).await;
    assert!(claim(store, NOW).await.is_none());
    image
}

/// An image of one layer, whose blobs need no indexing any more; its digest.
async fn pushed(store: &Store, app: &Repository) -> Digest {
    let config = push(store, &app.id, b"config").await.digest;
    let layer = push(store, &app.id, b"layer").await.digest;
    while let Some(claimed) = claim(store, NOW).await {
        store.close_job(&claimed).await.unwrap();
    }
    let text = manifest_text(&[config, layer], "");
    let id = format!("put-{}", app.arn.name);
    put(store, app, &text, &["v1"], &id).await.unwrap();
    Digest::sha256(text.as_bytes())
}

async fn start(store: &Store, app: &Repository, image: &Digest, id: &str) -> StartScan {
    let started = store
        .start_scan(&app.id, image, &judged_by(1), NOW, &change(id))
        .await;
    started.unwrap()
}

async fn finish(store: &Store, app: &Repository, image: &Digest, result: ScanResult) {
    let claimed = claim(store, NOW).await.unwrap();
    assert_eq!(claimed.job, Job::ScanImage(app.id.clone(), image.clone()));
    let finished = store
        .finish_scan(&claimed, &app.id, image, result, JobEnd::Done, NOW)
        .await;
    finished.unwrap();
}

#[test]
fn a_scan_is_started_finished_and_only_done_again_for_something_new() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        let image = image(&store, &app).await;
        assert_eq!(store.find_image_scan(&app.id, &image).await.unwrap(), None);
        assert_eq!(start(&store, &app, &image, "1").await, StartScan::Started);
        let scan = store
            .find_image_scan(&app.id, &image)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            (scan.status, scan.completed_at),
            (ScanStatus::InProgress, None)
        );
        assert_eq!(judged(&store, &app, &image).await, pending(&image));
        finish(&store, &app, &image, result(1, &[b"[1]", b"[2]"])).await;
        let scan = store
            .find_image_scan(&app.id, &image)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            (scan.status, scan.completed_at),
            (ScanStatus::Complete, Some(NOW))
        );
        assert_eq!((scan.judged_by, scan.findings), (judged_by(1), 2));
        assert_eq!(scan.severity_counts["HIGH"], 2);
        for (part, want) in [(0, Some(&b"[1]"[..])), (1, Some(b"[2]")), (2, None)] {
            let found = store.find_findings(&app.id, &image, part).await.unwrap();
            assert_eq!(found.as_deref(), want);
        }
        assert_eq!(
            start(&store, &app, &image, "2").await,
            StartScan::NothingNew
        );
        assert!(store.find_change("2").await.unwrap().is_none());
        let newer = store
            .start_scan(&app.id, &image, &judged_by(2), NOW, &change("3"))
            .await;
        assert_eq!(newer.unwrap(), StartScan::Started);
        // The earlier result stands until the next one.
        let complete = JudgedScan::Complete(vec![counts()]);
        assert_eq!(judged(&store, &app, &image).await, complete);
        let scan = store
            .find_image_scan(&app.id, &image)
            .await
            .unwrap()
            .unwrap();
        assert_eq!((scan.status, scan.findings), (ScanStatus::InProgress, 2));
        finish(&store, &app, &image, result(2, &[b"[3]"])).await;
        let part = store.find_findings(&app.id, &image, 0).await.unwrap();
        assert_eq!(part.as_deref(), Some(&b"[3]"[..]));
        assert!(
            store
                .find_findings(&app.id, &image, 1)
                .await
                .unwrap()
                .is_none()
        );
    });
}

#[test]
fn what_is_known_of_an_image_goes_with_it() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        let image = image(&store, &app).await;
        start(&store, &app, &image, "1").await;
        finish(&store, &app, &image, result(1, &[b"[1]"])).await;
        start(&store, &app, &image, "2").await;
        let again = store
            .start_scan(&app.id, &image, &judged_by(2), NOW, &change("3"))
            .await;
        assert_eq!(again.unwrap(), StartScan::Started);
        let named = vec![ImageToDelete::Image(image.clone())];
        store
            .delete_images(&app.id, named, &change("d"))
            .await
            .unwrap();
        assert_eq!(store.find_image_scan(&app.id, &image).await.unwrap(), None);
        assert_eq!(
            start(&store, &app, &image, "4").await,
            StartScan::ImageNotFound
        );
        // The scan that was under way comes to nothing.
        finish(&store, &app, &image, result(2, &[b"[1]"])).await;
        assert_eq!(store.find_image_scan(&app.id, &image).await.unwrap(), None);
        assert!(
            store
                .find_findings(&app.id, &image, 0)
                .await
                .unwrap()
                .is_none()
        );
        assert!(claim(&store, NOW).await.is_none());
    });
}

#[test]
fn a_repository_that_is_deleted_takes_scans_and_findings_along() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        let image = image(&store, &app).await;
        start(&store, &app, &image, "1").await;
        finish(&store, &app, &image, result(1, &[b"[1]"])).await;
        let change = change("d");
        store
            .delete_repository(&app.id, true, &change)
            .await
            .unwrap();
        assert_eq!(store.find_image_scan(&app.id, &image).await.unwrap(), None);
        assert!(
            store
                .find_findings(&app.id, &image, 0)
                .await
                .unwrap()
                .is_none()
        );
    });
}

#[test]
fn a_scan_waits_for_its_layers_and_is_woken_by_the_last_inventory() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        let image = image(&store, &app).await;
        let layer = Digest::sha256(b"layer");
        let hour = NOW.after(Duration::from_secs(3600));
        start(&store, &app, &image, "1").await;
        let scan = claim(&store, NOW).await.unwrap();
        let absent = Digest::sha256(b"absent");
        let to_scan = |digest: Digest| {
            let (store, id) = (store.clone(), app.id.clone());
            async move { store.layer_to_scan(&id, &digest, ANALYZERS).await.unwrap() }
        };
        assert_eq!(to_scan(absent).await, LayerToScan::Missing);
        let LayerToScan::NotIndexed(object) = to_scan(layer.clone()).await else {
            panic!("indexed")
        };
        store
            .await_layers(&scan, &[object], hour, NOW)
            .await
            .unwrap();
        let index = claim(&store, NOW).await.unwrap();
        assert_eq!(index.job, Job::IndexLayer(object));
        assert!(claim(&store, NOW).await.is_none());
        assert!(!store.is_indexed(object, ANALYZERS).await.unwrap());
        let put = |claimed: ClaimedJob| {
            let store = store.clone();
            async move {
                let inventory = b"inventory";
                store
                    .put_inventory(&claimed, object, ANALYZERS, inventory, JobEnd::Done, NOW)
                    .await
            }
        };
        put(index.clone()).await.unwrap();
        assert!(matches!(put(index).await, Err(StoreError::Conflict)));
        assert!(store.is_indexed(object, ANALYZERS).await.unwrap());
        assert_eq!(
            to_scan(layer).await,
            LayerToScan::Indexed(b"inventory".to_vec())
        );
        // What other analyzers have found is not what these would find.
        let id = app.id.clone();
        let digest = Digest::sha256(b"layer");
        let later = store.layer_to_scan(&id, &digest, "inventory-of-a-later-version");
        assert_eq!(later.await.unwrap(), LayerToScan::NotIndexed(object));
        let woken = claim(&store, NOW).await.unwrap();
        assert_eq!(woken.job, scan.job);
        // Waiting is no failure.
        assert!(!woken.exhausted);
    });
}

#[test]
fn what_somebody_waits_for_comes_first() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        let image = image(&store, &app).await;
        assert!(!store.hurry_scan(&app.id, &image).await.unwrap());
        for mark in [b"a", b"b"] {
            push(&store, &app.id, mark).await;
        }
        let start_later = change("1");
        let start_later = bonded_store::Change {
            at: NOW.after(Duration::from_secs(5)),
            ..start_later
        };
        store
            .start_scan(&app.id, &image, &judged_by(1), NOW, &start_later)
            .await
            .unwrap();
        assert!(store.hurry_scan(&app.id, &image).await.unwrap());
        let claimed = claim(&store, NOW.after(Duration::from_secs(9)))
            .await
            .unwrap();
        assert_eq!(claimed.job, Job::ScanImage(app.id.clone(), image));
    });
}

#[test]
fn images_of_an_older_generation_are_judged_again_after_everything_else() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        let image = image(&store, &app).await;
        start(&store, &app, &image, "1").await;
        assert_eq!(store.judge_again(2, 10, NOW).await.unwrap(), 0);
        finish(&store, &app, &image, result(1, &[])).await;
        assert_eq!(store.judge_again(1, 10, NOW).await.unwrap(), 0);
        assert_eq!(store.judge_again(2, 10, NOW).await.unwrap(), 1);
        push(&store, &app.id, b"fresh").await;
        let first = claim(&store, NOW).await.unwrap();
        assert!(matches!(first.job, Job::IndexLayer(_)));
        // The image is not shown as unknown meanwhile.
        let scan = store
            .find_image_scan(&app.id, &image)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(scan.status, ScanStatus::Complete);
        finish(&store, &app, &image, result(2, &[])).await;
        assert_eq!(store.judge_again(2, 10, NOW).await.unwrap(), 0);
    });
}

#[test]
fn a_generation_is_entered_once_unless_it_is_loaded_again() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let generation = |sha256: &str| ScanGeneration {
            generation: 0,
            analyzers: ANALYZERS.to_owned(),
            advisories_sha256: sha256.to_owned(),
            advisories_at: NOW,
            counts: [("PyPI".to_owned(), 7)].into(),
        };
        assert_eq!(store.last_generation().await.unwrap(), None);
        for (sha256, again, want) in [
            ("a", false, 1),
            ("a", true, 1),
            ("b", false, 2),
            // A node that starts with what is out of use stays behind.
            ("a", false, 1),
            // The operator wants it back.
            ("a", true, 3),
            ("a", false, 3),
        ] {
            let entered = store
                .enter_generation(&generation(sha256), again, NOW)
                .await;
            assert_eq!(entered.unwrap(), want, "{sha256} {again}");
        }
        let last = store.last_generation().await.unwrap().unwrap();
        assert_eq!((last.generation, last.counts["PyPI"]), (3, 7));
    });
}

#[test]
fn a_registry_scans_as_it_was_set() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let (account, region) = (ACCOUNT.parse().unwrap(), "us-east-1".parse().unwrap());
        let found = store.registry_scanning(&account, &region).await.unwrap();
        assert_eq!(found, RegistryScanning::default());
        let text = r#"{"rules":[{"scanFrequency":"SCAN_ON_PUSH","repositoryFilters":[]}]}"#;
        let mut scanning: RegistryScanning = serde_json::from_str(text).unwrap();
        for id in ["1", "2"] {
            store
                .set_registry_scanning(&account, &region, &scanning, &change(id))
                .await
                .unwrap();
            let found = store.registry_scanning(&account, &region).await.unwrap();
            assert_eq!(found, scanning);
            scanning.rules[0].scan_frequency = ScanFrequency::Manual;
        }
    });
}

#[test]
fn an_image_is_scanned_when_it_is_pushed_if_its_repository_or_registry_says_so() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let (account, region) = (ACCOUNT.parse().unwrap(), "us-east-1".parse().unwrap());
        let text = r#"{"rules":[{"scanFrequency":"SCAN_ON_PUSH","repositoryFilters":
            [{"filter":"ruled","filterType":"WILDCARD"}]}]}"#;
        let rules: RegistryScanning = serde_json::from_str(text).unwrap();
        for (name, own, rules, scanned) in [
            ("plain", false, None, false),
            ("own", true, None, true),
            ("ruled", false, Some(&rules), true),
            ("other", true, Some(&rules), false),
        ] {
            let app = repository(&store, name).await;
            let id = change(&format!("own-{name}"));
            store.set_scan_on_push(&app.id, own, &id).await.unwrap();
            if let Some(rules) = rules {
                let id = change(&format!("rules-{name}"));
                let set = store.set_registry_scanning(&account, &region, rules, &id);
                set.await.unwrap();
            }
            let image = pushed(&store, &app).await;
            let scan = store.find_image_scan(&app.id, &image).await.unwrap();
            let status = scan.map(|scan| scan.status);
            assert_eq!(status, scanned.then_some(ScanStatus::InProgress), "{name}");
            let claimed = claim(&store, NOW).await.map(|claimed| claimed.job);
            let job = Job::ScanImage(app.id.clone(), image.clone());
            assert_eq!(claimed, scanned.then_some(job), "{name}");
        }
    });
}

#[test]
fn a_push_of_an_image_that_was_scanned_does_not_scan_it_again() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        let image = image(&store, &app).await;
        let config = Digest::sha256(b"config");
        let text = manifest_text(&[config, Digest::sha256(b"layer")], "");
        let scan_on_push = change("on");
        store
            .set_scan_on_push(&app.id, true, &scan_on_push)
            .await
            .unwrap();
        // It was pushed before, and is scanned now that it is pushed again.
        put(&store, &app, &text, &["v2"], "2").await.unwrap();
        finish(&store, &app, &image, result(1, &[])).await;
        put(&store, &app, &text, &["v3"], "3").await.unwrap();
        assert!(claim(&store, NOW).await.is_none());
    });
}

#[test]
fn a_scan_that_is_given_up_has_failed_and_so_has_its_job() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        let image = image(&store, &app).await;
        start(&store, &app, &image, "1").await;
        let claimed = claim(&store, NOW).await.unwrap();
        let failed = ScanResult {
            status: ScanStatus::Failed,
            description: Some("no luck".to_owned()),
            facts: ScanState::Failed,
            ..result(1, &[])
        };
        let end = JobEnd::Failed("no luck".to_owned());
        let finished = store.finish_scan(&claimed, &app.id, &image, failed, end, NOW);
        finished.await.unwrap();
        assert_eq!(store.failed_jobs(10).await.unwrap()[0].error, "no luck");
        let failed = JudgedScan::Unknown(UnknownScan::Failed);
        assert_eq!(judged(&store, &app, &image).await, failed);
        // Whoever asks again gets another scan, with all attempts.
        assert_eq!(start(&store, &app, &image, "2").await, StartScan::Started);
        assert!(!claim(&store, NOW).await.unwrap().is_last());
        assert_eq!(judged(&store, &app, &image).await, pending(&image));
    });
}

#[test]
fn a_result_that_other_advisories_do_not_change_is_noted_to_be_theirs() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        let image = image(&store, &app).await;
        start(&store, &app, &image, "1").await;
        let judged_result = ScanResult {
            packages: Some(b"packages".to_vec()),
            events: vec![ScanEvent {
                id: "event-1".to_owned(),
                at: NOW,
                account: app.arn.account.clone(),
                body: b"{}".to_vec(),
            }],
            ..result(1, &[b"[1]"])
        };
        finish(&store, &app, &image, judged_result).await;
        assert!(store.was_judged(&app.id, &image).await.unwrap());
        assert_eq!(store.oldest_results(1).await.unwrap(), None);
        let oldest = store.oldest_results(2).await.unwrap().unwrap();
        assert_eq!(oldest.generation, 1);
        assert_eq!(oldest.advisories_sha256, judged_by(1).advisories_sha256);
        let older = store.results_of(1, None, 10).await.unwrap();
        assert_eq!(older[0].packages.as_deref(), Some(&b"packages"[..]));
        let behind = (app.id.clone(), image.clone());
        assert!(
            store
                .results_of(1, Some(&behind), 10)
                .await
                .unwrap()
                .is_empty()
        );
        // Another generation than the one that was looked at is left alone.
        let later = NOW.after(Duration::from_secs(60));
        for from in [7, 1] {
            let same = older.clone();
            store
                .rematched(from, &judged_by(2), same, Vec::new(), later)
                .await
                .unwrap();
            let scan = store.find_image_scan(&app.id, &image).await.unwrap();
            let (generation, at) = if from == 1 { (2, later) } else { (1, NOW) };
            let scan = scan.unwrap();
            assert_eq!(
                (scan.judged_by.generation, scan.completed_at),
                (generation, Some(at))
            );
        }
        let fresh = ScanCounts {
            matched_at: later,
            ..counts()
        };
        assert_eq!(
            judged(&store, &app, &image).await,
            JudgedScan::Complete(vec![fresh])
        );
        let found = store.find_findings(&app.id, &image, 0).await.unwrap();
        assert_eq!(found.as_deref(), Some(&b"[1]"[..]));
        assert!(claim(&store, NOW).await.is_none());
        let other = store.results_of(2, None, 10).await.unwrap();
        store
            .rematched(2, &judged_by(3), Vec::new(), other, later)
            .await
            .unwrap();
        let claimed = claim(&store, later).await.unwrap();
        assert_eq!(claimed.job, Job::ScanImage(app.id.clone(), image.clone()));

        let events = store.scan_events(None, 10).await.unwrap();
        assert_eq!(events.len(), 1);
        assert_eq!(store.scan_event_time("event-1").await.unwrap(), Some(NOW));
        assert!(
            store
                .scan_events(Some((NOW, "event-1")), 10)
                .await
                .unwrap()
                .is_empty()
        );
        let (arn, tags) = store.scanned_image(&app.id, &image).await.unwrap().unwrap();
        assert_eq!((arn, tags), (app.arn.clone(), vec!["v1".to_owned()]));
    });
}
