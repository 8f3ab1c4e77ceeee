//! The parts of an upload, and whether an image needs a layer.

use bonded_model::Digest;
use bonded_store::LayerParts;

use crate::image::put;
use crate::site::{NOW, manifest_text, on_each_store, push, repository};

#[test]
fn the_first_short_part_is_remembered() {
    on_each_store(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        let other = repository(&store, "other").await;
        let id = store
            .start_upload(&app.id, "AIDA", 10, NOW)
            .await
            .unwrap()
            .unwrap();
        for (short_end, count, expected) in [
            (None, 1, None),
            (Some(7), 2, Some(7)),
            (Some(9), 3, Some(7)),
        ] {
            store.record_part(&app.id, &id, short_end).await.unwrap();
            store.record_part(&other.id, &id, Some(1)).await.unwrap();
            let parts = LayerParts {
                count,
                short_part_end: expected,
                offset: 0,
            };
            let found = store.find_parts(&app.id, &id).await.unwrap();
            assert_eq!(found, Some(parts));
        }
        assert_eq!(store.find_parts(&other.id, &id).await.unwrap(), None);
        let mut writer = store.open_upload(&app.id, &id, NOW).await.unwrap().unwrap();
        writer.write(b"bytes").unwrap();
        assert_eq!(writer.sha256(), Digest::sha256(b"bytes"));
        store.suspend_upload(writer, NOW).await.unwrap();
        let parts = store.find_parts(&app.id, &id).await.unwrap().unwrap();
        assert_eq!(parts.offset, 5);
    });
}

#[test]
fn a_layer_is_referenced_by_images_of_its_repository_alone() {
    on_each_store(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        let other = repository(&store, "other").await;
        let layer = push(&store, &app.id, b"config").await.digest;
        push(&store, &other.id, b"config").await;
        let referenced = |repository: &bonded_store::Repository| {
            let (store, id, layer) = (store.clone(), repository.id.clone(), layer.clone());
            async move { store.is_referenced(&id, &layer).await.unwrap() }
        };
        assert!(!referenced(&app).await);
        let text = manifest_text(std::slice::from_ref(&layer), "");
        put(&store, &app, &text, &[], "1").await.unwrap();
        assert!(referenced(&app).await && !referenced(&other).await);
    });
}
