//! Objects in a bucket: uploads across nodes, leases, parts, and buckets that cannot be used.

use std::io::Read as _;

use bonded_model::{Digest, Secret, Timestamp};
use bonded_store::{
    Database, Layer, Mode, Objects, RepositoryId, Store, StoreError, StoreSettings, UploadId,
    UploadWriter,
};

use crate::layer::{bytes, read};
use crate::site::{NOW, Site, change, on_each_bucket, repository, test_bucket};

const MIB: usize = 1024 * 1024;

/// When a lease that was taken at [`NOW`] has ended.
const LATER: Timestamp = Timestamp::from_millis(NOW.as_millis() + 31_000);

async fn start(store: &Store, repository: &RepositoryId) -> UploadId {
    let started = store.start_upload(repository, "AIDAX", 10, NOW).await;
    started.unwrap().unwrap()
}

async fn open_at(
    store: &Store,
    repository: &RepositoryId,
    id: &UploadId,
    now: Timestamp,
) -> UploadWriter {
    let writer = store.open_upload(repository, id, now).await.unwrap();
    writer.unwrap()
}

async fn append(store: &Store, repository: &RepositoryId, id: &UploadId, bytes: &[u8]) {
    let mut writer = open_at(store, repository, id, NOW).await;
    writer.write(bytes).unwrap();
    store.suspend_upload(writer, NOW).await.unwrap();
}

async fn finish(store: &Store, writer: UploadWriter, bytes: &[u8]) -> Result<Layer, StoreError> {
    let digest = Digest::sha256(bytes);
    let change = change(&format!("finish-{digest}"));
    let finished = store.finish_upload(writer, &digest, NOW, NOW, &change);
    finished.await.map(Result::unwrap)
}

#[test]
fn an_upload_goes_from_node_to_node_in_pieces_of_any_length() {
    on_each_bucket(|site| async move {
        let nodes = [site.open().await, site.reopen().await];
        let app = repository(&nodes[0], "app").await;
        for lengths in [
            vec![100, 3 * MIB, 1, 9 * MIB + 5, 2 * MIB, 17 * MIB],
            vec![8 * MIB, 5 * MIB, 5 * MIB, 3],
            vec![70_000, 5],
        ] {
            let whole = bytes(lengths.iter().sum());
            let id = start(&nodes[0], &app.id).await;
            let mut sent = 0;
            for (n, length) in lengths.iter().enumerate() {
                let node = &nodes[n % 2];
                append(node, &app.id, &id, &whole[sent..sent + length]).await;
                sent += length;
                let offset = nodes[1 - n % 2].upload_offset(&app.id, &id, NOW).await;
                assert_eq!(offset.unwrap(), Some(sent as u64));
            }
            let writer = open_at(&nodes[0], &app.id, &id, NOW).await;
            let layer = finish(&nodes[0], writer, &whole).await.unwrap();
            for node in &nodes {
                assert!(read(node, &layer, 0..layer.size).await.unwrap() == whole);
                let stream = node.read_layer(&layer, 0..layer.size).await.unwrap();
                let blocking = tokio::task::spawn_blocking(move || {
                    let (mut stream, mut out) = (stream, Vec::new());
                    stream.read_to_end(&mut out).map(|_| out)
                });
                assert!(blocking.await.unwrap().unwrap() == whole);
                let middle = layer.size / 2 - 10..layer.size - 3;
                let plain = &whole[middle.start as usize..middle.end as usize];
                assert!(read(node, &layer, middle).await.unwrap() == plain);
            }
            assert_eq!(nodes[0].abort_stale_multiparts().await.unwrap(), 0);
        }
        assert_eq!(site.objects().await.len(), 3);
    });
}

/// An upload of `site` with 9 MiB of `whole`, open on one node, and taken over by another.
async fn taken_over(
    site: &Site,
    whole: &[u8],
) -> ([Store; 2], RepositoryId, UploadId, [UploadWriter; 2]) {
    let nodes = [site.open().await, site.reopen().await];
    let app = repository(&nodes[0], "app").await.id;
    let id = start(&nodes[0], &app).await;
    append(&nodes[0], &app, &id, &whole[..9 * MIB]).await;
    let lost = open_at(&nodes[0], &app, &id, NOW).await;
    let refused = nodes[1].open_upload(&app, &id, NOW).await;
    assert!(matches!(refused, Err(StoreError::Conflict)));
    let writer = open_at(&nodes[1], &app, &id, LATER).await;
    assert_eq!(writer.offset(), 9 * MIB as u64);
    (nodes, app, id, [lost, writer])
}

#[test]
fn who_takes_over_an_upload_is_not_disturbed_by_what_came_before() {
    on_each_bucket(|site| async move {
        let whole = bytes(20 * MIB);
        let (nodes, _, _, writers) = taken_over(&site, &whole).await;
        let [mut lost, mut writer] = writers;
        lost.write(&vec![1; 10 * MIB]).unwrap();
        let recorded = nodes[0].suspend_upload(lost, LATER).await;
        assert!(matches!(recorded, Err(StoreError::Conflict)));
        // The same part of the same multipart upload again.
        writer.write(&whole[9 * MIB..]).unwrap();
        let layer = finish(&nodes[1], writer, &whole).await.unwrap();
        assert!(read(&nodes[0], &layer, 0..layer.size).await.unwrap() == whole);
    });
}

#[test]
fn who_lost_an_upload_cannot_end_it() {
    on_each_bucket(|site| async move {
        let whole = bytes(20 * MIB);
        let (nodes, app, id, writers) = taken_over(&site, &whole).await;
        let [mut lost, writer] = writers;
        lost.write(&whole[9 * MIB..]).unwrap();
        let ended = finish(&nodes[0], lost, &whole).await;
        assert!(matches!(ended, Err(StoreError::Conflict)));
        let digest = Digest::sha256(&whole);
        assert_eq!(nodes[0].find_layer(&app, &digest).await.unwrap(), None);
        nodes[1].suspend_upload(writer, LATER).await.unwrap();
        let offset = nodes[0].upload_offset(&app, &id, LATER).await.unwrap();
        assert_eq!(offset, Some(9 * MIB as u64));
    });
}

#[test]
fn bytes_that_a_lost_writer_sent_last_never_become_a_layer() {
    on_each_bucket(|site| async move {
        let whole = bytes(20 * MIB);
        let (nodes, app, id, writers) = taken_over(&site, &whole).await;
        let [mut lost, mut writer] = writers;
        writer.write(&whole[9 * MIB..]).unwrap();
        nodes[1].suspend_upload(writer, LATER).await.unwrap();
        lost.write(&vec![1; 10 * MIB]).unwrap();
        let recorded = nodes[0].suspend_upload(lost, LATER).await;
        assert!(matches!(recorded, Err(StoreError::Conflict)));
        let writer = open_at(&nodes[1], &app, &id, LATER).await;
        let ended = finish(&nodes[1], writer, &whole).await;
        assert!(
            matches!(ended, Err(StoreError::Conflict)),
            "{:?}",
            ended.err()
        );
        let digest = Digest::sha256(&whole);
        assert_eq!(nodes[0].find_layer(&app, &digest).await.unwrap(), None);
        // Whoever pushed begins anew.
        let offset = nodes[0].upload_offset(&app, &id, LATER).await.unwrap();
        assert_eq!(offset, None);
        assert!(site.objects().await.is_empty());
    });
}

#[test]
fn a_put_whose_answer_was_lost_may_be_repeated() {
    on_each_bucket(|site| async move {
        let whole = bytes(9 * MIB);
        let store = site.open().await;
        let app = repository(&store, "app").await.id;
        let id = start(&store, &app).await;
        append(&store, &app, &id, &whole).await;
        // The object is made, and then the database does not take the transaction.
        site.sql("ALTER TABLE layers RENAME TO elsewhere").await;
        let writer = open_at(&store, &app, &id, NOW).await;
        assert!(finish(&store, writer, &whole).await.is_err());
        assert_eq!(site.objects().await.len(), 1);
        site.sql("ALTER TABLE elsewhere RENAME TO layers").await;
        let writer = open_at(&store, &app, &id, NOW).await;
        let layer = finish(&store, writer, &whole).await.unwrap();
        assert!(read(&store, &layer, 0..layer.size).await.unwrap() == whole);
        store.abort_stale_multiparts().await.unwrap();
        assert!(read(&store, &layer, 0..layer.size).await.unwrap() == whole);
    });
}

#[test]
fn what_was_sent_for_a_cancelled_upload_leaves_the_bucket() {
    on_each_bucket(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await.id;
        let id = start(&store, &app).await;
        append(&store, &app, &id, &bytes(9 * MIB)).await;
        let mut writer = open_at(&store, &app, &id, NOW).await;
        assert_eq!(store.abort_stale_multiparts().await.unwrap(), 0);
        assert!(store.cancel_upload(&app, &id).await.unwrap());
        // The parts of a writer that does not know yet.
        let written = writer.write(&vec![1; 30 * MIB]);
        assert!(written.is_err() || store.suspend_upload(writer, NOW).await.is_err());
        assert_eq!(store.abort_stale_multiparts().await.unwrap(), 1);
        assert_eq!(store.abort_stale_multiparts().await.unwrap(), 0);
        assert!(site.objects().await.is_empty());
    });
}

#[test]
fn bytes_without_a_row_leave_the_bucket_page_by_page() {
    on_each_bucket(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await.id;
        let id = start(&store, &app).await;
        let mut writer = open_at(&store, &app, &id, NOW).await;
        writer.write(b"kept").unwrap();
        let layer = finish(&store, writer, b"kept").await.unwrap();
        let strays = ["00", "7f", "ff"].map(|s| format!("objects/{s}/{s}{}", "5".repeat(30)));
        for name in &strays {
            site.set_object(name, Some(b"stray")).await;
        }
        // What is not ours stays.
        site.set_object("objects/00/notes", Some(b"x")).await;
        let step = store.collect_strays("", NOW, Mode::Collect).await.unwrap();
        assert_eq!(step.count, 0, "they are of this moment, which is later");
        let ever = Timestamp::from_millis(i64::MAX);
        let step = store.collect_strays("", ever, Mode::DryRun).await.unwrap();
        assert_eq!((step.count, step.next), (3, None));
        let from = &strays[0][strays[0].len() - 32..];
        let step = store
            .collect_strays(from, ever, Mode::Collect)
            .await
            .unwrap();
        assert_eq!((step.count, step.next), (2, None));
        let left = [strays[0].as_str(), "objects/00/notes"];
        for name in site.objects().await {
            let kept = name.ends_with(&layer.object.to_string());
            assert!(kept || left.contains(&name.as_str()), "{name}");
        }
        assert_eq!(read(&store, &layer, 0..4).await.unwrap(), b"kept");
    });
}

#[tokio::test]
async fn a_bucket_that_cannot_be_used_is_refused_with_what_to_correct() {
    let Some(bucket) = test_bucket() else { return };
    let directory = tempfile::tempdir().unwrap();
    let mut absent = bucket.clone();
    absent.name = "no-such-bucket-here".to_owned();
    let mut unreachable = bucket.clone();
    unreachable.endpoint = Some("http://127.0.0.1:1".to_owned());
    unreachable.secret_access_key = Secret::new("hunter2".to_owned());
    for (bucket, said) in [
        (absent, "there is no bucket 'no-such-bucket-here' at"),
        (unreachable, "check that its server runs"),
    ] {
        let settings = StoreSettings {
            data: directory.path().join("data"),
            database: Database::Sqlite,
            objects: Objects::Bucket(bucket),
            keyring: directory.path().join("keyring"),
        };
        match Store::open(&settings, NOW).await {
            Err(StoreError::Bucket(message)) => {
                assert!(message.contains(said), "{message}");
                assert!(
                    !message.contains("hunter2") && !message.contains('\n'),
                    "{message}"
                );
            }
            other => panic!("{:?}", other.err()),
        }
    }
    // A refused start leaves no key ring behind that nothing is sealed with.
    assert!(!directory.path().join("keyring").exists());
}
