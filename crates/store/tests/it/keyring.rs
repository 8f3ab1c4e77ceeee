//! The key ring as the store sees it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use bonded_model::{Reference, Secret};
use bonded_store::{PutImage, Store, StoreError, StoreSettings};

use crate::layer::read;
use crate::principal::user;
use crate::site::{ACCOUNT, NOW, change, manifest_text, on_each_store, parse, push, repository};

async fn refused(settings: &StoreSettings) -> String {
    match Store::open(settings, NOW).await {
        Err(StoreError::KeyRing(reason)) => reason,
        Err(e) => panic!("{e}"),
        Ok(_) => panic!("the store opened"),
    }
}

/// The entries of a ring file.
fn roots(ring: &Path) -> Vec<serde_json::Value> {
    let ring: serde_json::Value = serde_json::from_slice(&fs::read(ring).unwrap()).unwrap();
    ring["roots"].as_array().unwrap().clone()
}

fn write_ring(path: &Path, roots: &[serde_json::Value]) {
    let text = serde_json::json!({ "version": 1, "roots": roots }).to_string();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

/// A ring made by another, empty store.
async fn other_ring() -> serde_json::Value {
    let directory = tempfile::tempdir().unwrap();
    let settings = StoreSettings {
        data: directory.path().join("data"),
        database: bonded_store::Database::Sqlite,
        objects: bonded_store::Objects::Disk,
        keyring: directory.path().join("keyring"),
    };
    let opened = Store::open(&settings, NOW).await.unwrap();
    assert!(opened.keyring_created);
    roots(&settings.keyring).remove(0)
}

#[test]
fn only_the_ring_the_data_was_sealed_with_opens_it() {
    on_each_store(|site| async move {
        let settings = site.settings();
        drop(site.open().await);
        let ours = roots(&settings.keyring);
        assert!(!Store::open(&settings, NOW).await.unwrap().keyring_created);

        write_ring(&settings.keyring, &[other_ring().await]);
        assert!(refused(&settings).await.contains("restore the right ring"));
        fs::remove_file(&settings.keyring).unwrap();
        assert!(refused(&settings).await.contains("restore it"));
        assert!(!settings.keyring.exists());
        write_ring(&settings.keyring, &ours);
        fs::set_permissions(&settings.keyring, Permissions::from_mode(0o644)).unwrap();
        assert!(refused(&settings).await.contains("chmod 600"));
        let inside = StoreSettings {
            keyring: settings.data.join("keyring"),
            ..settings.clone()
        };
        assert!(refused(&inside).await.contains("under the data directory"));
        fs::set_permissions(&settings.keyring, Permissions::from_mode(0o600)).unwrap();
        assert!(Store::open(&settings, NOW).await.is_ok());
    });
}

#[test]
fn a_key_version_that_was_changed_is_refused() {
    on_each_store(|site| async move {
        drop(site.open().await);
        site.sql("UPDATE key_versions SET purpose = 'secrets', number = 2 WHERE purpose = 'rows'")
            .await;
        assert!(refused(&site.settings()).await.contains("does not open"));
    });
}

#[test]
fn after_a_rotation_the_old_root_key_is_not_needed() {
    on_each_store(|site| async move {
        let settings = site.settings();
        let store = site.open().await;
        let account = ACCOUNT.parse().unwrap();
        let app = repository(&store, "app").await;
        let layer = push(&store, &app.id, b"layer").await;
        let text = manifest_text(std::slice::from_ref(&layer.digest), "");
        let image = PutImage {
            repository: &app,
            manifest: &parse(&text),
            bytes: text.as_bytes(),
            digest: &bonded_model::Digest::sha256(text.as_bytes()),
            tags: &["v1".parse().unwrap()],
            sparse: false,
            now: NOW,
        };
        store
            .put_image(image, &change("put"))
            .await
            .unwrap()
            .unwrap();
        store
            .create_user(&user("AIDA1", "alice", "/"), &change("u"))
            .await
            .unwrap();
        let secret = Secret::new("s".to_owned());
        store
            .create_access_key(&account, "AIDA1", "AKIA1", &secret, NOW, 2, &change("k"))
            .await
            .unwrap()
            .unwrap();
        let token = store.token_keys().await.unwrap().remove(0);
        store.close().await;
        drop(store);

        let (old, new) = (roots(&settings.keyring).remove(0), other_ring().await);
        write_ring(&settings.keyring, &[new.clone(), old.clone()]);
        drop(site.reopen().await);
        write_ring(&settings.keyring, &[old]);
        assert!(refused(&settings).await.contains("restore the right ring"));
        write_ring(&settings.keyring, &[new]);
        let store = site.reopen().await;
        assert_eq!(read(&store, &layer, 0..5).await.unwrap(), b"layer");
        let reference = Reference::Tag("v1".parse().unwrap());
        let manifest = store
            .find_manifest(&app.id, &reference)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(manifest.bytes, text.as_bytes());
        assert!(
            store
                .find_credential("AKIA1")
                .await
                .unwrap()
                .unwrap()
                .secret
                == secret
        );
        assert_eq!(
            store.token_keys().await.unwrap()[0].expose(),
            token.expose()
        );
    });
}
