//! Nothing that was stored is found in clear on the disk or in the database.

use std::fs;

use bonded_model::Secret;

use crate::image::put;
use crate::principal::user;
use crate::site::{ACCOUNT, NOW, change, files, manifest_text, on_each_store, push, repository};

const MARKS: [&str; 6] = [
    "mark-of-the-layer-7d1b",
    "mark-of-the-config-7d1b",
    "mark-of-the-annotation-7d1b",
    "mark-of-the-upload-7d1b",
    "mark-of-the-tail-7d1b",
    "mark-of-the-secret-7d1b",
];

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle)
}

#[test]
fn marks_in_layers_manifests_uploads_and_secrets_are_not_found() {
    on_each_store(|site| async move {
        let [layer, config, annotation, upload, tail, secret] = MARKS;
        let store = site.open().await;
        let app = repository(&store, "app").await;
        let layer = push(&store, &app.id, layer.repeat(5000).as_bytes())
            .await
            .digest;
        let config = push(&store, &app.id, config.as_bytes()).await.digest;
        let text = manifest_text(&[config, layer], annotation);
        put(&store, &app, &text, &[], "put").await.unwrap();
        let id = store
            .start_upload(&app.id, "AIDAX", 10, NOW)
            .await
            .unwrap()
            .unwrap();
        let mut writer = store.open_upload(&app.id, &id, NOW).await.unwrap().unwrap();
        writer.write(upload.repeat(5000).as_bytes()).unwrap();
        writer.write(tail.as_bytes()).unwrap();
        store.suspend_upload(writer, NOW).await.unwrap();
        store
            .create_user(&user("AIDA1", "alice", "/"), &change("u"))
            .await
            .unwrap();
        let (account, secret) = (ACCOUNT.parse().unwrap(), Secret::new(secret.to_owned()));
        store
            .create_access_key(&account, "AIDA1", "AKIA1", &secret, NOW, 2, &change("k"))
            .await
            .unwrap()
            .unwrap();

        let mut everything: Vec<(String, Vec<u8>)> = Vec::new();
        if let Some(client) = site.postgres().await {
            for table in [
                "images",
                "uploads",
                "access_keys",
                "key_versions",
                "objects",
                "layers",
                "multiparts",
            ] {
                let select = format!("SELECT t::text FROM {table} t");
                let rows = client.simple_query(&select).await.unwrap();
                everything.push((table.to_owned(), format!("{rows:?}").into_bytes()));
            }
        }
        for path in files(&site.data()) {
            everything.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
        let objects = site.objects().await;
        // The unfinished upload is a file on the disk, and a part of its row with a bucket.
        assert_eq!(objects.len(), if site.is_bucket() { 2 } else { 3 });
        for name in objects {
            let bytes = site.object(&name).await;
            everything.push((name, bytes));
        }
        // The search itself works: a name that is not secret is found.
        assert!(
            everything
                .iter()
                .any(|(_, bytes)| contains(bytes, b"AKIA1"))
        );
        for mark in MARKS {
            for form in [mark.to_owned(), hex::encode(mark)] {
                for (name, bytes) in &everything {
                    assert!(!contains(bytes, form.as_bytes()), "'{form}' is in {name}");
                }
            }
        }
    });
}
