//! Layers whose bytes are lost or damaged, and how they heal.

use bonded_model::{Algorithm, Digest};
use bonded_store::{Layer, Store, StoreError};

use crate::layer::{bytes, read};
use crate::site::{NOW, change, on_each_store, push, repository};

async fn find(store: &Store, repository: &bonded_store::RepositoryId, digest: &Digest) -> Layer {
    let found = store.find_layer(repository, digest).await.unwrap();
    found.unwrap()
}

#[test]
fn a_lost_layer_is_said_to_be_absent_and_heals_everywhere_when_it_is_pushed_again() {
    on_each_store(|site| async move {
        let store = site.open().await;
        let plain = bytes(200_000);
        let app = repository(&store, "app").await.id;
        let other = repository(&store, "other").await.id;
        let lost = push(&store, &app, &plain).await;
        let keep_until = NOW;
        store
            .mount_layer(&app, &other, &lost.digest, keep_until, &change("mount"))
            .await
            .unwrap()
            .unwrap();
        assert!(store.has_bytes(&lost).await.unwrap());
        let name = site.objects().await.pop().unwrap();
        site.set_object(&name, None).await;
        assert!(!store.has_bytes(&lost).await.unwrap());
        assert!(matches!(
            store.read_layer(&lost, 0..10).await,
            Err(StoreError::Corrupt(_))
        ));
        assert!(find(&store, &app, &lost.digest).await.damaged);

        let healed = push(&store, &app, &plain).await;
        assert_ne!(healed.object, lost.object);
        for repository in [&app, &other] {
            let layer = find(&store, repository, &lost.digest).await;
            assert_eq!((layer.object, layer.damaged), (healed.object, false));
            assert!(store.has_bytes(&layer).await.unwrap());
            assert!(read(&store, &layer, 0..layer.size).await.unwrap() == plain);
        }
        assert_eq!(site.objects().await.len(), 1);
        assert_eq!(store.relink_replaced().await.unwrap(), 0, "it is done");
    });
}

#[test]
fn damage_in_the_middle_of_a_layer_is_remembered_when_it_is_read() {
    on_each_store(|site| async move {
        let store = site.open().await;
        let plain = bytes(5_000_000);
        let app = repository(&store, "app").await.id;
        let layer = push(&store, &app, &plain).await;
        let name = site.objects().await.pop().unwrap();
        let mut bad = site.object(&name).await;
        let last = bad.len() - 1;
        bad[last] ^= 1;
        site.set_object(&name, Some(&bad)).await;
        assert!(store.has_bytes(&layer).await.unwrap(), "nobody has read it");
        assert!(read(&store, &layer, 0..layer.size).await.is_err());
        while !find(&store, &app, &layer.digest).await.damaged {
            tokio::task::yield_now().await;
        }
        let known = find(&store, &app, &layer.digest).await;
        assert!(!store.has_bytes(&known).await.unwrap());
        let healed = push(&store, &app, &plain).await;
        assert!(read(&store, &healed, 0..healed.size).await.unwrap() == plain);
        let known = find(&store, &app, &layer.digest).await;
        assert_eq!((known.object, known.damaged), (healed.object, false));
    });
}

#[test]
fn a_layer_that_came_back_from_a_backup_is_kept() {
    on_each_store(|site| async move {
        let store = site.open().await;
        let plain = bytes(100_000);
        let app = repository(&store, "app").await.id;
        let layer = push(&store, &app, &plain).await;
        let name = site.objects().await.pop().unwrap();
        let good = site.object(&name).await;
        site.set_object(&name, None).await;
        assert!(read(&store, &layer, 0..1).await.is_err());
        assert!(find(&store, &app, &layer.digest).await.damaged);
        site.set_object(&name, Some(&good)).await;
        let again = push(&store, &app, &plain).await;
        assert_eq!(again.object, layer.object);
        assert!(!find(&store, &app, &layer.digest).await.damaged);
        assert_eq!(site.objects().await, [name]);
    });
}

#[test]
fn a_replaced_object_hands_its_sha512_digest_on() {
    on_each_store(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        let digest = Digest::of(Algorithm::Sha512, b"layer");
        for n in ["1", "2"] {
            let id = store.start_upload(&app.id, "AIDAX", 10, NOW).await;
            let id = id.unwrap().unwrap();
            let writer = store.open_upload(&app.id, &id, NOW).await.unwrap();
            let mut writer = writer.unwrap();
            writer.write(b"layer").unwrap();
            let finished = store
                .finish_upload(writer, &digest, NOW, NOW, &change(n))
                .await;
            let layer = finished.unwrap().unwrap();
            assert_eq!(read(&store, &layer, 0..5).await.unwrap(), b"layer");
            if n == "1" {
                let name = site.objects().await.pop().unwrap();
                site.set_object(&name, Some(b"no object")).await;
            }
        }
        push(&store, &app.id, b"layer").await;
        let (account, region) = (&app.arn.account, &app.arn.region);
        let found = store.repositories_with_layer(account, region, &digest, 2);
        assert_eq!(found.await.unwrap()[0].name, app.arn.name);
    });
}
