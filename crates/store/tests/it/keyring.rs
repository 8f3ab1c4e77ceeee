//! The key ring as the store sees it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use bonded_model::{Reference, Secret};
use bonded_store::{PutImage, Store, StoreError, StoreSettings, Watcher};

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
            document: None,
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

/// Root key ids with their states and what they wrap.
async fn listed(store: &Store) -> Vec<(String, &'static str, u64)> {
    let ring = store.key_ring().await.unwrap();
    let state = |root: &bonded_store::RootKey| match (root.current, root.next) {
        (true, false) => "current",
        (false, true) => "next",
        (false, false) => "old",
        (true, true) => panic!("both"),
    };
    let roots = ring.roots.iter();
    roots
        .map(|root| (root.id.clone(), state(root), root.wraps))
        .collect()
}

#[test]
fn a_root_key_is_replaced_while_two_nodes_serve_and_retired_when_it_wraps_nothing() {
    on_each_store(|site| async move {
        let settings = site.settings();
        let (one, two) = (site.open().await, site.reopen().await);
        let app = repository(&one, "app").await;
        let layer = push(&one, &app.id, b"layer").await;
        let before = listed(&one).await;
        let [(old, "current", wraps)] = &before[..] else {
            panic!("{before:?}")
        };
        let refused = one.retire_root_key(old).await.unwrap_err().to_string();
        assert!(refused.contains("rotate first"), "{refused}");

        one.rotate_key_ring(false, &Watcher::nobody())
            .await
            .unwrap();
        let after = listed(&one).await;
        let [(new, "current", rewrapped), (still, "old", 0)] = &after[..] else {
            panic!("{after:?}")
        };
        assert_eq!((still, rewrapped), (old, wraps));
        assert_ne!(new, old);
        // A node that has not looked at the file meets what the other wrapped.
        one.rotate_token_key(NOW.after(std::time::Duration::from_secs(1)), NOW)
            .await
            .unwrap();
        assert_eq!(two.token_keys().await.unwrap().len(), 2);
        assert_eq!(read(&two, &layer, 0..5).await.unwrap(), b"layer");
        let unknown = one.retire_root_key("0000000000000000").await;
        assert!(unknown.unwrap_err().to_string().contains("does not hold"));
        one.retire_root_key(old).await.unwrap();
        assert_eq!(listed(&two).await.len(), 1);
        assert_eq!(
            fs::metadata(&settings.keyring)
                .unwrap()
                .permissions()
                .mode()
                & 0o777,
            0o600
        );
        let around = fs::read_dir(settings.keyring.parent().unwrap()).unwrap();
        assert_eq!(around.count(), 1, "nothing staged is left");
        for store in [one, two] {
            store.close().await;
        }
        let store = site.reopen().await;
        assert_eq!(read(&store, &layer, 0..5).await.unwrap(), b"layer");
        push(&store, &app.id, b"another").await;
    });
}

#[test]
fn a_prepared_root_key_reaches_every_node_before_it_is_used() {
    on_each_store(|site| async move {
        let settings = site.settings();
        let one = site.open().await;
        let app = repository(&one, "app").await;
        let layer = push(&one, &app.id, b"layer").await;
        one.rotate_key_ring(true, &Watcher::nobody()).await.unwrap();
        let prepared = listed(&one).await;
        assert_eq!((prepared[1].1, prepared[1].2), ("next", 0));
        let again = one
            .rotate_key_ring(true, &Watcher::nobody())
            .await
            .unwrap_err()
            .to_string();
        assert!(again.contains("rotate to it"), "{again}");
        // A node with a copy of its own.
        let copied = StoreSettings {
            keyring: site.path().join("copy/keyring"),
            ..settings.clone()
        };
        fs::create_dir(site.path().join("copy")).unwrap();
        bonded_store::export_key_ring(&settings.keyring, &copied.keyring).unwrap();
        assert!(bonded_store::export_key_ring(&settings.keyring, &copied.keyring).is_err());
        one.rotate_key_ring(false, &Watcher::nobody())
            .await
            .unwrap();
        let rotated = listed(&one).await;
        assert_eq!((&rotated[0].0, rotated[0].1), (&prepared[1].0, "current"));
        // It does not take the rotation back.
        let two = Store::open(&copied, NOW).await.unwrap().store;
        assert_eq!(read(&two, &layer, 0..5).await.unwrap(), b"layer");
        assert_eq!(listed(&one).await, rotated);
        assert_eq!(listed(&two).await[0].1, "current");
    });
}

#[test]
fn a_rotation_that_was_cut_off_is_ended_by_the_next_start() {
    on_each_store(|site| async move {
        let settings = site.settings();
        let store = site.open().await;
        let app = repository(&store, "app").await;
        let layer = push(&store, &app.id, b"layer").await;
        // The file is changed and no row can be.
        store.close().await;
        assert!(
            store
                .rotate_key_ring(false, &Watcher::nobody())
                .await
                .is_err()
        );
        assert_eq!(roots(&settings.keyring).len(), 2);
        let store = site.reopen().await;
        let after = listed(&store).await;
        assert_eq!((after[0].1, after[1].2), ("current", 0));
        assert_eq!(read(&store, &layer, 0..5).await.unwrap(), b"layer");
    });
}
