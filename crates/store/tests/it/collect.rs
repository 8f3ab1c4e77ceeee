//! Collection: what goes, what stays, and what happens when others act at the same time.

use std::time::Duration;

use bonded_model::{Algorithm, Digest, Timestamp};
use bonded_store::{
    Amount, DeleteRepository, ImageToDelete, Layer, Mode, Progress, PutImageRefused, Repository,
    RepositoryId, Store, Walk,
};

use crate::layer::read;
use crate::site::{
    NOW, Site, change, manifest_text, on_each_engine, on_each_store, push, repository,
};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Every layer that is unused at `now`.
async fn collect_layers(store: &Store, now: Timestamp, mode: Mode) -> Amount {
    let mut found = Amount::default();
    let mut position = Some(String::new());
    while let Some(from) = position {
        let step = store.collect_layers(&from, now, mode).await.unwrap();
        found += step.amount;
        position = step.next;
    }
    found
}

/// Every object without a layer.
async fn mark_objects(store: &Store, now: Timestamp, mode: Mode) -> Amount {
    let mut found = Amount::default();
    let mut position = Some(String::new());
    while let Some(from) = position {
        let step = store.mark_objects(&from, now, now, mode).await.unwrap();
        found += step.amount;
        position = step.next;
    }
    found
}

async fn collect_objects(store: &Store, before: Timestamp) -> Amount {
    store.collect_objects(before, Mode::Collect).await.unwrap()
}

fn amount(count: u64, bytes: u64) -> Amount {
    Amount { count, bytes }
}

async fn image(store: &Store, repository: &Repository, layers: &[Digest], mark: &str) -> Digest {
    let text = manifest_text(layers, mark);
    crate::image::put(store, repository, &text, &[], mark)
        .await
        .unwrap();
    Digest::sha256(text.as_bytes())
}

async fn delete_image(store: &Store, repository: &Repository, digest: Digest, id: &str) {
    let images = vec![ImageToDelete::Image(digest)];
    let deleted = store
        .delete_images(&repository.id, images, &change(id))
        .await
        .unwrap();
    assert!(deleted.iter().all(Result::is_ok));
}

async fn has(store: &Store, repository: &RepositoryId, digest: &Digest) -> bool {
    let found = store.find_layer(repository, digest).await.unwrap();
    found.is_some()
}

#[test]
fn a_layer_goes_when_its_time_has_passed_and_no_image_refers_to_it() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        let used = push(&store, &app.id, b"used").await;
        let unused = push(&store, &app.id, b"unused").await;
        let asked = push(&store, &app.id, b"asked for").await;
        let pushed = image(&store, &app, std::slice::from_ref(&used.digest), "1").await;
        let day = NOW.after(24 * HOUR);
        assert!(store.keep_layer(&app.id, &asked, day).await.unwrap());
        let early = Timestamp::from_millis(NOW.as_millis() - 1);
        assert_eq!(
            collect_layers(&store, early, Mode::Collect).await,
            amount(0, 0)
        );
        for mode in [Mode::DryRun, Mode::Collect] {
            assert_eq!(collect_layers(&store, NOW, mode).await, amount(1, 6));
        }
        assert!(!has(&store, &app.id, &unused.digest).await);
        assert!(has(&store, &app.id, &used.digest).await);
        assert!(has(&store, &app.id, &asked.digest).await);
        assert_eq!(
            collect_layers(&store, day, Mode::Collect).await,
            amount(1, 9)
        );
        delete_image(&store, &app, pushed, "2").await;
        assert_eq!(
            collect_layers(&store, NOW, Mode::Collect).await,
            amount(1, 4)
        );
        assert_eq!(site.objects().await.len(), 3, "bytes go later");
    });
}

#[test]
fn bytes_go_an_hour_after_their_last_layer() {
    on_each_store(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        let other = repository(&store, "other").await;
        let layer = push(&store, &app.id, b"shared").await;
        let mounted = store
            .mount_layer(
                &app.id,
                &other.id,
                &layer.digest,
                NOW.after(HOUR),
                &change("m"),
            )
            .await;
        assert_eq!(mounted.unwrap().unwrap().object, layer.object);
        assert_eq!(
            collect_layers(&store, NOW, Mode::Collect).await,
            amount(1, 6)
        );
        assert_eq!(mark_objects(&store, NOW, Mode::Collect).await, amount(0, 0));
        let later = NOW.after(HOUR);
        // A dry run sees through to what the layers' going would leave.
        assert_eq!(
            mark_objects(&store, later, Mode::DryRun).await,
            amount(1, 6)
        );
        assert_eq!(
            collect_layers(&store, later, Mode::Collect).await,
            amount(1, 6)
        );
        for (at, marked) in [(later, amount(1, 6)), (later.after(HOUR), amount(0, 0))] {
            assert_eq!(mark_objects(&store, at, Mode::Collect).await, marked);
        }
        let early = later.before(Duration::from_millis(1));
        assert_eq!(collect_objects(&store, early).await, amount(0, 0));
        assert_eq!(read(&store, &layer, 0..6).await.unwrap(), b"shared");
        let counted = store.collect_objects(later, Mode::DryRun).await;
        assert_eq!(counted.unwrap(), amount(1, 6));
        assert_eq!(site.objects().await.len(), 1);
        assert_eq!(collect_objects(&store, later).await, amount(1, 6));
        assert!(site.objects().await.is_empty());
        assert!(read(&store, &layer, 0..6).await.is_err());
    });
}

#[test]
fn an_equal_push_takes_the_mark_of_an_object_and_its_hour_begins_anew() {
    on_each_store(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        let first = push(&store, &app.id, b"equal").await;
        collect_layers(&store, NOW, Mode::Collect).await;
        assert_eq!(mark_objects(&store, NOW, Mode::Collect).await, amount(1, 5));
        let again = push(&store, &app.id, b"equal").await;
        assert_eq!(again.object, first.object);
        assert_eq!(
            collect_objects(&store, NOW.after(9 * HOUR)).await,
            amount(0, 0)
        );
        assert_eq!(read(&store, &again, 0..5).await.unwrap(), b"equal");
        let later = NOW.after(2 * HOUR);
        collect_layers(&store, later, Mode::Collect).await;
        assert_eq!(
            mark_objects(&store, later, Mode::Collect).await,
            amount(1, 5)
        );
        assert_eq!(collect_objects(&store, NOW.after(HOUR)).await, amount(0, 0));
        assert_eq!(collect_objects(&store, later).await, amount(1, 5));
        // The next one is an object of its own: ids are never used again.
        let third = push(&store, &app.id, b"equal").await;
        assert_ne!(third.object, first.object);
        assert_eq!(read(&store, &third, 0..5).await.unwrap(), b"equal");
    });
}

#[test]
fn a_push_that_meets_the_collector_is_stored_whole_or_told_what_is_missing() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        let mut stored = 0;
        for n in 0..60_u32 {
            let layers = [
                push(&store, &app.id, format!("config {n}").as_bytes()).await,
                push(&store, &app.id, format!("layer {n}").as_bytes()).await,
            ];
            let digests = layers.each_ref().map(|layer| layer.digest.clone());
            let text = manifest_text(&digests, &n.to_string());
            let id = n.to_string();
            let put = async {
                // Later and later, so that either may be first.
                for _ in 0..n % 6 {
                    tokio::task::yield_now().await;
                }
                crate::image::put(&store, &app, &text, &[], &id).await
            };
            let (put, _) = tokio::join!(put, collect_layers(&store, NOW, Mode::Collect));
            match put {
                Ok(_) => {
                    stored += 1;
                    for layer in &layers {
                        assert!(has(&store, &app.id, &layer.digest).await, "{n}");
                    }
                }
                Err(PutImageRefused::LayersNotFound(missing)) => assert!(!missing.is_empty()),
                Err(refused) => panic!("{refused:?}"),
            }
        }
        // What was stored keeps its layers, what was not leaves none.
        collect_layers(&store, NOW, Mode::Collect).await;
        let left = mark_objects(&store, NOW, Mode::DryRun).await;
        assert_eq!(left.count, 2 * (60 - stored));
    });
}

#[test]
fn a_push_of_bytes_that_are_being_deleted_is_readable() {
    on_each_store(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        for n in 0..40_u8 {
            let bytes = vec![n; 3000];
            push(&store, &app.id, &bytes).await;
            collect_layers(&store, NOW, Mode::Collect).await;
            mark_objects(&store, NOW, Mode::Collect).await;
            let again = async {
                for _ in 0..n % 8 {
                    tokio::task::yield_now().await;
                }
                push(&store, &app.id, &bytes).await
            };
            let (layer, _): (Layer, Amount) = tokio::join!(again, collect_objects(&store, NOW));
            assert!(
                read(&store, &layer, 0..layer.size).await.unwrap() == bytes,
                "{n}"
            );
            let day = NOW.after(24 * HOUR);
            assert!(store.keep_layer(&app.id, &layer, day).await.unwrap());
        }
        assert_eq!(site.objects().await.len(), 40);
    });
}

#[test]
fn collectors_that_meet_do_what_one_would() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let second = site.reopen().await;
        let app = repository(&store, "app").await;
        for n in 0..30_u8 {
            push(&store, &app.id, &[n]).await;
        }
        let both = tokio::join!(
            collect_layers(&store, NOW, Mode::Collect),
            collect_layers(&second, NOW, Mode::Collect)
        );
        assert_eq!(both.0.count + both.1.count, 30);
        let both = tokio::join!(
            mark_objects(&store, NOW, Mode::Collect),
            mark_objects(&second, NOW, Mode::Collect)
        );
        assert_eq!(both.0.count + both.1.count, 30);
        let both = tokio::join!(collect_objects(&store, NOW), collect_objects(&second, NOW));
        assert_eq!(both.0.count + both.1.count, 30);
        assert!(site.objects().await.is_empty());
    });
}

/// As many layers and objects as rows alone can be, without bytes.
async fn many(site: &Site, repository: &RepositoryId, count: u32) {
    let id = site_id(repository);
    let mut sql = String::new();
    for n in 0..count {
        let hex = format!("{n:064x}");
        let object = format!("{n:032x}");
        sql += &format!(
            "INSERT INTO objects (id, account, region, encryption, sha256, size, created_at) \
             VALUES ('{object}', '111122223333', 'us-east-1', 'AES256', 'sha256:{hex}', 2, 0); \
             INSERT INTO layers (repository, digest, object, keep_until) \
             VALUES ('{id}', 'sha256:{hex}', '{object}', 0); "
        );
    }
    site.sql(&format!("BEGIN; {sql} COMMIT")).await;
}

/// The id as rows have it.
fn site_id(repository: &RepositoryId) -> String {
    let text = format!("{repository:?}");
    text.split('"').nth(1).unwrap().to_owned()
}

#[test]
fn a_walk_goes_by_bounded_steps_and_past_what_stays() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        many(&site, &app.id, 2500).await;
        let last = Digest::sha256(b"x");
        let last = format!("{}{:064x}", &last.as_str()[..7], 2499);
        let text = manifest_text(&[last.parse().unwrap()], "");
        crate::image::put(&store, &app, &text, &[], "1")
            .await
            .unwrap();
        let mut counts = Vec::new();
        let mut position = Some(String::new());
        while let Some(from) = position {
            let step = store.collect_layers(&from, NOW, Mode::Collect).await;
            let step = step.unwrap();
            counts.push(step.amount.count);
            position = step.next;
        }
        assert_eq!(counts, [1000, 1000, 499]);
        assert_eq!(
            mark_objects(&store, NOW, Mode::DryRun).await,
            amount(2499, 4998)
        );
        assert_eq!(
            mark_objects(&store, NOW, Mode::Collect).await,
            amount(2499, 4998)
        );
        assert_eq!(collect_objects(&store, NOW).await, amount(100, 200));
        let counted = store.collect_objects(NOW, Mode::DryRun).await.unwrap();
        assert_eq!(counted, amount(2399, 4798));
    });
}

#[test]
fn what_an_interrupted_deletion_of_a_repository_left_goes() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        push(&store, &app.id, b"layer").await;
        let upload = store.start_upload(&app.id, "AIDAX", 10, NOW).await;
        let upload = upload.unwrap().unwrap();
        // As if the process had ended after the first transaction.
        let id = site_id(&app.id);
        site.sql(&format!(
            "DELETE FROM repositories WHERE id = '{id}'; \
             INSERT INTO deleted_repositories (id) VALUES ('{id}')"
        ))
        .await;
        for (mode, found) in [(Mode::DryRun, 1), (Mode::Collect, 1), (Mode::Collect, 0)] {
            let left = store.collect_deleted_repositories(mode).await.unwrap();
            assert_eq!(left, found);
        }
        let layer = store.find_layer(&app.id, &Digest::sha256(b"layer")).await;
        assert_eq!(layer.unwrap(), None);
        assert_eq!(store.find_upload(&app.id, &upload).await.unwrap(), None);
        let gone = store.delete_repository(&app.id, true, &change("d")).await;
        assert_eq!(gone.unwrap(), DeleteRepository::NotFound);
        assert_eq!(mark_objects(&store, NOW, Mode::Collect).await, amount(1, 5));
    });
}

#[test]
fn a_layer_under_a_sha512_digest_shares_the_object_and_its_fate() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        push(&store, &app.id, b"layer").await;
        let id = store.start_upload(&app.id, "AIDAX", 10, NOW).await;
        let id = id.unwrap().unwrap();
        let writer = store.open_upload(&app.id, &id, NOW).await.unwrap();
        let mut writer = writer.unwrap();
        writer.write(b"layer").unwrap();
        let sha512 = Digest::of(Algorithm::Sha512, b"layer");
        let change_f = change("f");
        let finished = store.finish_upload(writer, &sha512, NOW, NOW, &change_f);
        finished.await.unwrap().unwrap();
        let pushed = image(&store, &app, &[sha512], "1").await;
        assert_eq!(
            collect_layers(&store, NOW, Mode::Collect).await,
            amount(1, 5)
        );
        assert_eq!(mark_objects(&store, NOW, Mode::Collect).await, amount(0, 0));
        delete_image(&store, &app, pushed, "2").await;
        assert_eq!(
            collect_layers(&store, NOW, Mode::Collect).await,
            amount(1, 5)
        );
        assert_eq!(mark_objects(&store, NOW, Mode::Collect).await, amount(1, 5));
    });
}

#[test]
fn bytes_without_a_row_go_when_they_are_old_enough() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        let layer = push(&store, &app.id, b"layer").await;
        let upload = store.start_upload(&app.id, "AIDAX", 10, NOW).await;
        let upload = upload.unwrap().unwrap();
        drop(store.open_upload(&app.id, &upload, NOW).await.unwrap());
        let lost = store.start_upload(&app.id, "AIDAX", 10, NOW).await;
        let lost = lost.unwrap().unwrap();
        drop(store.open_upload(&app.id, &lost, NOW).await.unwrap());
        // As if the machine had gone down before the row was durable.
        site.sql(&format!("DELETE FROM uploads WHERE id = '{lost}'"))
            .await;
        assert_eq!(site.objects().await.len(), 3);
        let ages = site.objects().await.into_iter().map(|name| {
            let path = site.data().join(name);
            let modified = path.metadata().unwrap().modified().unwrap();
            modified.duration_since(std::time::UNIX_EPOCH).unwrap()
        });
        let newest = Timestamp::from_millis(ages.max().unwrap().as_millis() as i64);
        let oldest = Timestamp::from_millis(0);
        for (before, mode, count, left) in [
            (oldest, Mode::Collect, 0, 3),
            (newest, Mode::DryRun, 1, 3),
            (newest, Mode::Collect, 1, 2),
            (newest, Mode::Collect, 0, 2),
        ] {
            let step = store.collect_strays("", before, mode).await.unwrap();
            assert_eq!((step.count, step.next), (count, None));
            assert_eq!(site.objects().await.len(), left);
        }
        assert_eq!(read(&store, &layer, 0..5).await.unwrap(), b"layer");
        let resumed = store.open_upload(&app.id, &upload, NOW).await.unwrap();
        assert!(resumed.is_some());
    });
}

#[test]
fn what_was_known_of_an_object_goes_with_it() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        let layer = push(&store, &app.id, b"layer").await;
        site.sql(&format!(
            "DELETE FROM jobs; INSERT INTO layer_inventories VALUES ('{0}', 'a', '', 0); \
             INSERT INTO jobs (kind, subject, priority, state, due_at, attempt, last_attempt, \
             enqueued_at) VALUES ('index_layer', '{0}', 0, 'queued', 0, 0, 0, 0)",
            layer.object
        ))
        .await;
        assert!(store.is_indexed(layer.object, "a").await.unwrap());
        collect_layers(&store, NOW, Mode::Collect).await;
        mark_objects(&store, NOW, Mode::Collect).await;
        assert_eq!(collect_objects(&store, NOW).await, amount(1, 5));
        assert!(!store.is_indexed(layer.object, "a").await.unwrap());
        let job = store.claim_job(NOW, HOUR).await.unwrap();
        assert!(job.is_none());
    });
}

#[test]
fn walks_go_on_where_the_last_step_of_any_node_ended() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let second = site.reopen().await;
        for walk in [Walk::Layers, Walk::Objects, Walk::Strays] {
            assert_eq!(store.walk_progress(walk).await.unwrap(), None);
            for position in ["x y", ""] {
                let progress = Progress {
                    position: position.to_owned(),
                    begun_at: NOW,
                };
                store.record_progress(walk, &progress).await.unwrap();
                let known = second.walk_progress(walk).await.unwrap();
                assert_eq!(known, Some(progress));
            }
        }
    });
}

#[test]
fn an_upload_that_is_written_to_is_not_idle() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        let mut uploads = Vec::new();
        for _ in 0..3 {
            let id = store.start_upload(&app.id, "AIDAX", 10, NOW).await;
            let id = id.unwrap().unwrap();
            let writer = store.open_upload(&app.id, &id, NOW).await.unwrap();
            let mut writer = writer.unwrap();
            writer.write(b"four").unwrap();
            store.suspend_upload(writer, NOW).await.unwrap();
            uploads.push(id);
        }
        let mut writer = store
            .open_upload(&app.id, &uploads[1], NOW)
            .await
            .unwrap()
            .unwrap();
        let step = store.collect_idle_uploads("", NOW, Mode::DryRun).await;
        assert_eq!(step.unwrap().amount, amount(3, 12));
        let step = store.collect_idle_uploads("", NOW, Mode::Collect).await;
        assert_eq!(step.unwrap().amount, amount(2, 8));
        writer.write(b" bytes").unwrap();
        let digest = Digest::sha256(b"four bytes");
        let finished = store
            .finish_upload(writer, &digest, NOW, NOW, &change("f"))
            .await;
        let layer = finished.unwrap().unwrap();
        assert_eq!(read(&store, &layer, 0..10).await.unwrap(), b"four bytes");
        assert_eq!(site.objects().await.len(), 1);
    });
}
