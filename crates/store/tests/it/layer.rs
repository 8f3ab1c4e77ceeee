//! Layers: reading ranges, damage, linking.

use std::ops::Range;
use std::time::Duration;

use bonded_model::Digest;
use bonded_store::{DeleteLayer, Layer, Store, StoreError};
use futures_util::StreamExt;
use proptest::prelude::*;
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use crate::site::{NOW, change, manifest_text, on_each_store, push, repository};

const FRAME: usize = 65_536;
const HEADER: usize = 108;
const SEALED: usize = FRAME + 28;

/// Bytes of which no two frames are alike.
pub(crate) fn bytes(length: usize) -> Vec<u8> {
    (0..length)
        .map(|i| (i ^ (i >> 8) ^ (i >> 16)) as u8)
        .collect()
}

/// All pieces, or the first error.
pub(crate) async fn read(
    store: &Store,
    layer: &Layer,
    range: Range<u64>,
) -> Result<Vec<u8>, StoreError> {
    let mut stream = store.read_layer(layer, range).await?;
    let remaining = stream.remaining();
    let mut out = Vec::new();
    while let Some(piece) = stream.next().await {
        out.extend(piece.map_err(|e| StoreError::Corrupt(e.to_string()))?);
    }
    assert_eq!(out.len() as u64, remaining);
    Ok(out)
}

#[test]
fn a_layer_is_read_back_whatever_its_length() {
    on_each_store(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        for length in [
            0,
            1,
            FRAME - 1,
            FRAME,
            FRAME + 1,
            2 * FRAME,
            9 * FRAME,
            9 * FRAME + 5,
        ] {
            let bytes = bytes(length);
            let layer = push(&store, &app.id, &bytes).await;
            assert_eq!(layer.size, length as u64);
            assert!(
                read(&store, &layer, 0..layer.size).await.unwrap() == bytes,
                "{length}"
            );
            let found = store.find_layer(&app.id, &layer.digest).await.unwrap();
            assert_eq!(found, Some(layer));
        }
        let missing = store.find_layer(&app.id, &Digest::sha256(b"missing")).await;
        assert_eq!(missing.unwrap(), None);
    });
}

#[test]
fn any_range_is_the_same_range_of_the_bytes() {
    on_each_store(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        let bytes = bytes(7 * FRAME + 1234);
        let layer = push(&store, &app.id, &bytes).await;
        let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
            cases: 64,
            failure_persistence: None,
            ..ProptestConfig::default()
        });
        let length = bytes.len() as u64;
        let near_frames =
            (0..9_u64, 0..5_u64).prop_map(|(f, d)| (f * FRAME as u64 + d).saturating_sub(2));
        let position = prop_oneof![near_frames, 0..length + 10];
        let result = runner.run(&(position.clone(), position), |(a, b)| {
            let (start, end) = (a.min(b), a.max(b));
            let expected = &bytes[start.min(length) as usize..end.min(length) as usize];
            let read = read(&store, &layer, start..end);
            let read = block_in_place(|| Handle::current().block_on(read));
            prop_assert!(read.unwrap() == expected);
            Ok(())
        });
        result.unwrap();
    });
}

#[test]
fn a_damaged_object_gives_an_error_before_wrong_bytes() {
    on_each_store(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        let plain = bytes(6 * FRAME + 100);
        let layer = push(&store, &app.id, &plain).await;
        let name = site.objects().await.pop().unwrap();
        let good = site.object(&name).await;
        let frame = |i: usize| HEADER + i * SEALED..HEADER + (i + 1) * SEALED;
        let swapped = |a: usize, b: usize| {
            let mut bad = good.clone();
            let (first, second) = (good[frame(a)].to_vec(), good[frame(b)].to_vec());
            bad[frame(a)].copy_from_slice(&second);
            bad[frame(b)].copy_from_slice(&first);
            bad
        };
        let flipped = |at: usize| {
            let mut bad = good.clone();
            bad[at] ^= 1;
            bad
        };
        let without_last_frame = good[..frame(5).end].to_vec();
        let mut copies: Vec<(&str, Vec<u8>, bool)> = vec![
            ("cut by a byte", good[..good.len() - 1].to_vec(), true),
            ("cut by a frame", without_last_frame.clone(), true),
            ("empty", Vec::new(), true),
            ("longer", [&good[..], b"x"].concat(), true),
            ("magic", flipped(0), true),
            ("frame size", flipped(12), true),
            ("object id", flipped(20), true),
            ("key version", flipped(40), true),
            ("wrapped key", flipped(70), true),
            ("first nonce", flipped(HEADER), true),
            ("first frame", flipped(HEADER + 1000), true),
            ("first frames swapped", swapped(0, 1), true),
            ("later frames swapped", swapped(4, 5), false),
            ("a later frame", flipped(frame(5).start + 77), false),
            ("the last tag", flipped(good.len() - 1), false),
        ];
        for (what, bad, at_once) in copies.drain(..) {
            site.set_object(&name, Some(&bad)).await;
            let opened = store.read_layer(&layer, 0..layer.size).await;
            assert_eq!(opened.is_err(), at_once, "{what}");
            if let Ok(mut stream) = opened {
                let mut out = Vec::new();
                let mut failed = false;
                while let Some(piece) = stream.next().await {
                    match piece {
                        Ok(piece) => out.extend(piece),
                        Err(_) => failed = true,
                    }
                }
                assert!(failed, "{what}");
                assert!(out.len() < plain.len() && plain.starts_with(&out), "{what}");
            }
        }
        // A shorter object whose last frame was not written as the last one.
        site.set_object(&name, Some(&without_last_frame)).await;
        let short = Layer {
            size: 6 * FRAME as u64,
            ..layer.clone()
        };
        assert!(read(&store, &short, 0..short.size).await.is_err());
        site.set_object(&name, Some(&good)).await;
        assert!(read(&store, &layer, 0..layer.size).await.unwrap() == plain);
        site.set_object(&name, None).await;
        assert!(matches!(
            read(&store, &layer, 0..1).await,
            Err(StoreError::Corrupt(_))
        ));
    });
}

#[test]
fn a_frame_of_another_object_does_not_open() {
    on_each_store(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        let one = push(&store, &app.id, &bytes(2 * FRAME)).await;
        let first = site.objects().await.pop().unwrap();
        let theirs = site.object(&first).await;
        let mut other = bytes(2 * FRAME);
        other[0] ^= 1;
        let two = push(&store, &app.id, &other).await;
        let second = site
            .objects()
            .await
            .into_iter()
            .find(|p| *p != first)
            .unwrap();
        site.set_object(&second, Some(&theirs)).await;
        assert!(read(&store, &two, 0..two.size).await.is_err());
        assert!(read(&store, &one, 0..one.size).await.is_ok());
    });
}

#[test]
fn a_layer_is_kept_longer_at_most_twice_a_day() {
    on_each_store(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        let layer = push(&store, &app.id, b"layer").await;
        for (hours, kept) in [(11, 0), (12, 12), (5, 12)] {
            let until = NOW.after(Duration::from_secs(hours * 3600));
            let known = store
                .find_layer(&app.id, &layer.digest)
                .await
                .unwrap()
                .unwrap();
            assert!(store.keep_layer(&app.id, &known, until).await.unwrap());
            let known = store
                .find_layer(&app.id, &layer.digest)
                .await
                .unwrap()
                .unwrap();
            assert_eq!(
                known.keep_until,
                NOW.after(Duration::from_secs(kept * 3600))
            );
        }
        let gone = Layer {
            digest: Digest::sha256(b"gone"),
            ..layer
        };
        let later = NOW.after(Duration::from_secs(1 << 20));
        assert!(!store.keep_layer(&app.id, &gone, later).await.unwrap());
    });
}

#[test]
fn a_mount_links_without_a_copy_and_only_within_the_registry() {
    on_each_store(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        let other = repository(&store, "other").await;
        let mut new = crate::site::new_repository("far", bonded_model::TagMutability::Mutable);
        new.arn.region = "eu-west-1".parse().unwrap();
        let far = store.create_repository(&new, &change("far")).await.unwrap();
        let layer = push(&store, &app.id, b"layer").await;
        let mount = |to: &bonded_store::RepositoryId, digest: &Digest, n: &'static str| {
            let (store, from, to, digest) =
                (store.clone(), app.id.clone(), to.clone(), digest.clone());
            async move {
                store
                    .mount_layer(&from, &to, &digest, NOW, &change(n))
                    .await
                    .unwrap()
            }
        };
        assert_eq!(mount(&far.id, &layer.digest, "1").await, None);
        assert_eq!(mount(&other.id, &Digest::sha256(b"none"), "2").await, None);
        let mounted = mount(&other.id, &layer.digest, "3").await.unwrap();
        assert_eq!(mounted.object, layer.object);
        let found = store
            .find_layer(&other.id, &layer.digest)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(read(&store, &found, 0..found.size).await.unwrap(), b"layer");
        assert_eq!(site.objects().await.len(), 1);
    });
}

#[test]
fn a_layer_goes_when_no_image_of_its_repository_refers_to_it() {
    on_each_store(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        let other = repository(&store, "other").await;
        let (used, free) = (
            push(&store, &app.id, b"used").await.digest,
            push(&store, &app.id, b"free").await.digest,
        );
        push(&store, &other.id, b"used").await;
        let text = manifest_text(std::slice::from_ref(&used), "");
        crate::image::put(&store, &app, &text, &[], "image")
            .await
            .unwrap();
        for (repository, digest, n, outcome) in [
            (&app, &used, "1", DeleteLayer::Referenced),
            (&other, &used, "2", DeleteLayer::Deleted),
            (&app, &free, "3", DeleteLayer::Deleted),
            (&app, &free, "4", DeleteLayer::NotFound),
        ] {
            let deleted = store.delete_layer(&repository.id, digest, &change(n)).await;
            assert_eq!(deleted.unwrap(), outcome, "{n}");
            let recorded = store.find_change(n).await.unwrap().is_some();
            assert_eq!(recorded, outcome == DeleteLayer::Deleted, "{n}");
        }
        assert_eq!(store.find_layer(&app.id, &free).await.unwrap(), None);
        let kept = store.find_layer(&app.id, &used).await.unwrap().unwrap();
        assert_eq!(read(&store, &kept, 0..4).await.unwrap(), b"used");
    });
}

#[test]
fn the_repositories_of_a_registry_that_have_a_layer_are_found_by_either_digest() {
    on_each_store(|site| async move {
        let store = site.open().await;
        let account = &crate::site::ACCOUNT.parse().unwrap();
        let region = &"us-east-1".parse().unwrap();
        let mut new = crate::site::new_repository("far", bonded_model::TagMutability::Mutable);
        new.arn.region = "eu-west-1".parse().unwrap();
        let far = store.create_repository(&new, &change("far")).await.unwrap();
        let sha512 = Digest::of(bonded_model::Algorithm::Sha512, b"layer");
        let sha256 = push(&store, &far.id, b"layer").await.digest;
        let mut since = NOW;
        for name in ["first", "second", "third"] {
            let repository = repository(&store, name).await;
            for digest in [&sha256, &sha512] {
                let id = store
                    .start_upload(&repository.id, "AIDAX", 10, NOW)
                    .await
                    .unwrap()
                    .unwrap();
                let writer = store.open_upload(&repository.id, &id, NOW).await.unwrap();
                let mut writer = writer.unwrap();
                writer.write(b"layer").unwrap();
                let change = change(&format!("{name}-{digest}"));
                store
                    .finish_upload(writer, digest, since, NOW, &change)
                    .await
                    .unwrap()
                    .unwrap();
            }
            since = since.after(Duration::from_secs(1));
        }
        for digest in [&sha256, &sha512] {
            let found = store
                .repositories_with_layer(account, region, digest, 2)
                .await;
            let names: Vec<String> = found.unwrap().iter().map(|r| r.name.to_string()).collect();
            assert_eq!(names, ["third", "second"]);
        }
        let none = Digest::sha256(b"none");
        let found = store
            .repositories_with_layer(account, region, &none, 2)
            .await;
        assert!(found.unwrap().is_empty());
    });
}

#[test]
fn an_older_database_learns_the_sha512_digests_it_has() {
    on_each_store(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        let digest = Digest::of(bonded_model::Algorithm::Sha512, b"layer");
        let id = store
            .start_upload(&app.id, "AIDAX", 10, NOW)
            .await
            .unwrap()
            .unwrap();
        let writer = store.open_upload(&app.id, &id, NOW).await.unwrap();
        let mut writer = writer.unwrap();
        writer.write(b"layer").unwrap();
        let change = change("1");
        let finished = store.finish_upload(writer, &digest, NOW, NOW, &change);
        finished.await.unwrap().unwrap();
        push(&store, &app.id, b"another").await;
        store.close().await;
        site.sql(
            "DROP INDEX objects_by_sha512; DROP INDEX images_by_subject; \
             DROP INDEX images_by_subject_and_type; ALTER TABLE objects DROP COLUMN sha512; \
             DELETE FROM schema_migrations WHERE name = '0002_subjects_and_mounts'",
        )
        .await;
        let store = site.reopen().await;
        let (account, region) = (app.arn.account, app.arn.region);
        let found = store.repositories_with_layer(&account, &region, &digest, 2);
        assert_eq!(found.await.unwrap()[0].name, app.arn.name);
    });
}
