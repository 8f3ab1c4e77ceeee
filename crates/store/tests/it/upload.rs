//! Uploads: resuming, leases, digests, ends.

use std::fs::{self, OpenOptions};

use bonded_model::{Algorithm, Digest, Timestamp};
use bonded_store::{Amount, Mode, RepositoryId, Store, StoreError, UploadId, UploadWriter};

use crate::layer::{bytes, read};
use crate::site::{NOW, Site, change, on_each_engine, on_each_store, push, repository};

const FRAME: usize = 65_536;

async fn start(store: &Store, repository: &RepositoryId) -> UploadId {
    let started = store.start_upload(repository, "AIDAX", 10, NOW).await;
    started.unwrap().unwrap()
}

async fn open(store: &Store, repository: &RepositoryId, id: &UploadId) -> UploadWriter {
    let writer = store.open_upload(repository, id, NOW).await.unwrap();
    writer.unwrap()
}

/// One PATCH.
async fn append(store: &Store, repository: &RepositoryId, id: &UploadId, bytes: &[u8]) -> u64 {
    let mut writer = open(store, repository, id).await;
    writer.write(bytes).unwrap();
    store.suspend_upload(writer, NOW).await.unwrap()
}

#[test]
fn an_upload_goes_on_across_requests_of_any_length() {
    on_each_store(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        for step in [1_usize, 1000, FRAME - 1, FRAME, FRAME + 1, 5 * FRAME + 7] {
            let bytes = bytes(if step == 1 { 9 } else { step * 3 });
            let id = start(&store, &app.id).await;
            let mut sent = 0;
            for piece in bytes.chunks(step) {
                sent += piece.len() as u64;
                assert_eq!(append(&store, &app.id, &id, piece).await, sent);
                let known = store.find_upload(&app.id, &id).await.unwrap().unwrap();
                assert_eq!(known.offset, sent);
            }
            let writer = open(&store, &app.id, &id).await;
            assert_eq!(writer.offset(), sent);
            let digest = Digest::sha256(&bytes);
            let change = change(&id.to_string());
            let layer = store
                .finish_upload(writer, &digest, NOW, NOW, &change)
                .await;
            let layer = layer.unwrap().unwrap();
            assert!(
                read(&store, &layer, 0..layer.size).await.unwrap() == bytes,
                "{step}"
            );
            assert_eq!(store.find_upload(&app.id, &id).await.unwrap(), None);
        }
    });
}

#[test]
fn what_a_dropped_request_wrote_is_forgotten() {
    on_each_store(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        let bytes = bytes(8 * FRAME);
        let id = start(&store, &app.id).await;
        append(&store, &app.id, &id, &bytes[..100_000]).await;
        let mut writer = open(&store, &app.id, &id).await;
        writer.write(&vec![1; 6 * FRAME]).unwrap();
        drop(writer);
        let mut writer = open(&store, &app.id, &id).await;
        assert_eq!(writer.offset(), 100_000);
        writer.write(&bytes[100_000..]).unwrap();
        let digest = Digest::sha256(&bytes);
        let layer = store
            .finish_upload(writer, &digest, NOW, NOW, &change("1"))
            .await;
        let layer = layer.unwrap().unwrap();
        assert!(read(&store, &layer, 0..layer.size).await.unwrap() == bytes);
    });
}

/// Suspends an upload of `bytes`, lets the process end, damages what is on the disk, goes on.
async fn after_a_crash(site: &Site, bytes: &[u8], damage: impl Fn(&fs::File), left: u64) {
    let store = site.open().await;
    let app = repository(&store, "app").await;
    let id = start(&store, &app.id).await;
    append(&store, &app.id, &id, bytes).await;
    store.close().await;
    drop(store);
    let path = site.data().join(site.objects().await.pop().unwrap());
    damage(&OpenOptions::new().write(true).open(path).unwrap());
    let store = site.reopen().await;
    let mut writer = open(&store, &app.id, &id).await;
    assert_eq!(writer.offset(), left);
    writer.write(&bytes[left as usize..]).unwrap();
    let digest = Digest::sha256(bytes);
    let layer = store
        .finish_upload(writer, &digest, NOW, NOW, &change("1"))
        .await;
    let layer = layer.unwrap().unwrap();
    assert!(read(&store, &layer, 0..layer.size).await.unwrap() == bytes);
}

#[test]
fn after_a_restart_an_upload_goes_on_from_what_authenticates() {
    use std::os::unix::fs::FileExt;
    let (frame, header, sealed) = (FRAME as u64, 108_u64, FRAME as u64 + 28);
    on_each_engine(|site| async move {
        after_a_crash(&site, &bytes(5 * FRAME + 10), |_| (), 5 * frame).await;
    });
    on_each_engine(|site| async move {
        let cut = |file: &fs::File| file.set_len(header + 2 * sealed + 5).unwrap();
        after_a_crash(&site, &bytes(5 * FRAME), cut, 2 * frame).await;
    });
    on_each_engine(|site| async move {
        let zero = |file: &fs::File| file.write_all_at(&[0; 500], header + 3 * sealed).unwrap();
        after_a_crash(&site, &bytes(5 * FRAME), zero, 3 * frame).await;
    });
    on_each_engine(|site| async move {
        let empty = |file: &fs::File| file.set_len(0).unwrap();
        after_a_crash(&site, &bytes(5 * FRAME), empty, 0).await;
    });
    on_each_engine(|site| async move {
        after_a_crash(&site, &bytes(10), |_| (), 0).await;
    });
}

#[test]
fn a_recovered_upload_may_end_at_its_last_frame() {
    on_each_engine(|site| async move {
        let bytes = bytes(3 * FRAME);
        let store = site.open().await;
        let app = repository(&store, "app").await;
        let id = start(&store, &app.id).await;
        append(&store, &app.id, &id, &bytes).await;
        append(&store, &app.id, &id, b"x").await;
        drop(store);
        let store = site.reopen().await;
        let writer = open(&store, &app.id, &id).await;
        assert_eq!(writer.offset(), bytes.len() as u64);
        let digest = Digest::sha256(&bytes);
        let layer = store
            .finish_upload(writer, &digest, NOW, NOW, &change("1"))
            .await;
        let layer = layer.unwrap().unwrap();
        assert!(read(&store, &layer, 0..layer.size).await.unwrap() == bytes);
    });
}

#[test]
fn a_second_writer_is_refused_until_the_first_is_gone() {
    on_each_store(|site| async move {
        let store = site.open().await;
        let second = site.reopen().await;
        let app = repository(&store, "app").await;
        let id = start(&store, &app.id).await;
        let writer = open(&store, &app.id, &id).await;
        for store in [&store, &second] {
            let refused = store.open_upload(&app.id, &id, NOW).await;
            assert!(matches!(refused, Err(StoreError::Conflict)));
        }
        drop(writer);
        // The lease of a bucket's upload was not given back: this process needs no other, the
        // next waits for its end.
        drop(open(&store, &app.id, &id).await);
        let lease = std::time::Duration::from_secs(if site.is_bucket() { 31 } else { 0 });
        let opened = second.open_upload(&app.id, &id, NOW.after(lease)).await;
        assert!(opened.unwrap().is_some());
    });
}

#[test]
fn an_upload_belongs_to_its_repository() {
    on_each_store(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        let other = repository(&store, "other").await;
        let id = start(&store, &app.id).await;
        assert_eq!(store.find_upload(&other.id, &id).await.unwrap(), None);
        assert!(
            store
                .open_upload(&other.id, &id, NOW)
                .await
                .unwrap()
                .is_none()
        );
        assert!(!store.cancel_upload(&other.id, &id).await.unwrap());
        append(&store, &app.id, &id, b"x").await;
        // What is less than a part of a bucket is in the row.
        let staged = usize::from(!site.is_bucket());
        assert_eq!(site.objects().await.len(), staged);
        assert!(store.cancel_upload(&app.id, &id).await.unwrap());
        assert!(!store.cancel_upload(&app.id, &id).await.unwrap());
        assert!(site.objects().await.is_empty());
        assert!(
            store
                .open_upload(&app.id, &id, NOW)
                .await
                .unwrap()
                .is_none()
        );
        assert!(site.objects().await.is_empty());
    });
}

#[test]
fn a_cancelled_upload_cannot_be_ended_by_its_writer() {
    on_each_store(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        for end in [true, false] {
            let id = start(&store, &app.id).await;
            let mut writer = open(&store, &app.id, &id).await;
            writer.write(b"x").unwrap();
            assert!(store.cancel_upload(&app.id, &id).await.unwrap());
            let digest = Digest::sha256(b"x");
            let ended = if end {
                let done = store
                    .finish_upload(writer, &digest, NOW, NOW, &change("1"))
                    .await;
                done.map(|_| ())
            } else {
                store.suspend_upload(writer, NOW).await.map(|_| ())
            };
            assert!(matches!(ended, Err(StoreError::Conflict)));
            assert_eq!(store.find_layer(&app.id, &digest).await.unwrap(), None);
        }
    });
}

#[test]
fn wrong_bytes_are_gone_and_never_readable() {
    on_each_store(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            let id = start(&store, &app.id).await;
            let mut writer = open(&store, &app.id, &id).await;
            writer.write(b"wrong").unwrap();
            let expected = Digest::of(algorithm, b"right");
            let ended = store
                .finish_upload(writer, &expected, NOW, NOW, &change("1"))
                .await;
            assert_eq!(
                ended.unwrap().unwrap_err().calculated,
                Digest::of(algorithm, b"wrong")
            );
            assert_eq!(store.find_upload(&app.id, &id).await.unwrap(), None);
            for digest in [expected, Digest::of(algorithm, b"wrong")] {
                assert_eq!(store.find_layer(&app.id, &digest).await.unwrap(), None);
            }
            assert!(site.objects().await.is_empty());
            assert!(store.find_change("1").await.unwrap().is_none());
        }
    });
}

#[test]
fn equal_bytes_are_stored_once_in_a_registry_under_any_digest() {
    on_each_store(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        let other = repository(&store, "other").await;
        let first = push(&store, &app.id, b"same").await;
        let second = push(&store, &other.id, b"same").await;
        assert_eq!(first.object, second.object);
        assert_eq!(site.objects().await.len(), 1);
        let id = start(&store, &app.id).await;
        let mut writer = open(&store, &app.id, &id).await;
        writer.write(b"same").unwrap();
        let digest = Digest::of(Algorithm::Sha512, b"same");
        let third = store
            .finish_upload(writer, &digest, NOW, NOW, &change("3"))
            .await;
        let third = third.unwrap().unwrap();
        assert_eq!((third.object, &third.digest), (first.object, &digest));
        assert_eq!(site.objects().await.len(), 1);
        let found = store.find_layer(&app.id, &digest).await.unwrap().unwrap();
        assert_eq!(read(&store, &found, 0..4).await.unwrap(), b"same");
    });
}

#[test]
fn equal_pushes_at_the_same_time_all_succeed() {
    on_each_store(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        let pushes = (0..8).map(|_| {
            let (store, id) = (store.clone(), app.id.clone());
            tokio::spawn(async move { push(&store, &id, b"same").await.object })
        });
        let objects = futures_util::future::join_all(pushes).await;
        let first = *objects[0].as_ref().unwrap();
        assert!(
            objects
                .iter()
                .all(|object| *object.as_ref().unwrap() == first)
        );
        assert_eq!(site.objects().await.len(), 1);
    });
}

#[test]
fn opening_an_upload_while_it_ends_does_not_touch_the_object() {
    on_each_store(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        for n in 0..40_u8 {
            let bytes = vec![n; 100_000];
            let id = start(&store, &app.id).await;
            let mut writer = open(&store, &app.id, &id).await;
            writer.write(&bytes).unwrap();
            let intruders = (0..3).map(|_| {
                let (store, repository, id) = (store.clone(), app.id.clone(), id.clone());
                tokio::spawn(async move {
                    // Refused while the writer has it, then gone.
                    while store.open_upload(&repository, &id, NOW).await.is_err() {
                        tokio::task::yield_now().await;
                    }
                })
            });
            let intruders: Vec<_> = intruders.collect();
            let (digest, change) = (Digest::sha256(&bytes), change(&id.to_string()));
            let ended = store
                .finish_upload(writer, &digest, NOW, NOW, &change)
                .await;
            let layer = ended.unwrap().unwrap();
            for intruder in intruders {
                intruder.await.unwrap();
            }
            assert!(read(&store, &layer, 0..layer.size).await.unwrap() == bytes);
        }
    });
}

#[test]
fn uploads_that_rest_are_given_up() {
    on_each_store(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        let resting = start(&store, &app.id).await;
        append(&store, &app.id, &resting, b"some").await;
        assert_eq!(
            store.collect_uploads(NOW, Mode::Collect).await.unwrap(),
            Amount::default(),
            "not before its time"
        );
        let later = Timestamp::from_millis(NOW.as_millis() + 1);
        let started = store.start_upload(&app.id, "AIDAX", 2, later).await;
        let fresh = started.unwrap().unwrap();
        let third = store.start_upload(&app.id, "AIDAX", 2, later).await;
        assert!(third.unwrap().is_err(), "two is the limit here");
        for mode in [Mode::DryRun, Mode::Collect] {
            let one = Amount { count: 1, bytes: 4 };
            assert_eq!(store.collect_uploads(later, mode).await.unwrap(), one);
        }
        assert_eq!(store.find_upload(&app.id, &resting).await.unwrap(), None);
        assert!(store.find_upload(&app.id, &fresh).await.unwrap().is_some());
    });
}
