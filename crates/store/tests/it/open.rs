//! Opening: migrations, what is refused, connections that are lost.

use std::fs;
use std::os::unix::fs::MetadataExt;

use bonded_model::Secret;
use bonded_store::{Database, Objects, Store, StoreError, StoreSettings};
use futures_util::future::join_all;

use crate::site::{ACCOUNT, NOW, on_each_engine, postgres_url, repository, with_postgres};

#[test]
fn of_four_that_open_an_empty_store_one_makes_each_step_and_all_work() {
    on_each_engine(|site| async move {
        let openers = (0..4).map(|_| {
            let settings = site.settings();
            tokio::spawn(async move { Store::open(&settings, NOW).await })
        });
        let opened: Vec<_> = join_all(openers)
            .await
            .into_iter()
            .map(|opened| opened.unwrap().unwrap_or_else(|e| panic!("{e}")))
            .collect();
        let mut steps: Vec<&String> = opened.iter().flat_map(|o| &o.migrations).collect();
        let made = steps.len();
        steps.sort_unstable();
        steps.dedup();
        assert!(made > 1 && steps.len() == made, "{steps:?} of {made}");
        assert_eq!(opened.iter().filter(|o| o.keyring_created).count(), 1);
        let account = ACCOUNT.parse().unwrap();
        opened[0]
            .store
            .create_account(&account, NOW, None, None)
            .await
            .unwrap();
        for (n, opened) in opened.iter().enumerate() {
            repository(&opened.store, &format!("r{n}")).await;
        }
        let again = Store::open(&site.settings(), NOW).await.unwrap();
        assert!(again.migrations.is_empty() && !again.keyring_created);
        assert_eq!(fs::metadata(site.data()).unwrap().mode() & 0o777, 0o700);
    });
}

#[test]
fn a_newer_or_altered_schema_is_refused() {
    on_each_engine(|site| async move {
        drop(site.open().await);
        for (change, back, reason) in [
            (
                "INSERT INTO schema_migrations VALUES ('9999_future', 'x', 0)",
                "DELETE FROM schema_migrations WHERE name = '9999_future'",
                "9999_future",
            ),
            (
                "UPDATE schema_migrations SET sha256 = 'x' || sha256",
                "UPDATE schema_migrations SET sha256 = substr(sha256, 2)",
                "is not the one of this version",
            ),
        ] {
            site.sql(change).await;
            match Store::open(&site.settings(), NOW).await {
                Err(StoreError::Schema(message)) => assert!(message.contains(reason), "{message}"),
                other => panic!("{:?}", other.err()),
            }
            site.sql(back).await;
            assert!(Store::open(&site.settings(), NOW).await.is_ok());
        }
    });
}

#[test]
fn a_closed_store_writes_nothing_more() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        store.close().await;
        let account = "000000000000".parse().unwrap();
        assert!(
            store
                .create_account(&account, NOW, None, None)
                .await
                .is_err()
        );
        store.close().await;
    });
}

#[test]
fn a_lost_connection_is_an_error_once_and_then_replaced() {
    on_each_engine(|site| async move {
        let Some(client) = site.postgres().await else {
            return;
        };
        let store = site.open().await;
        client
            .batch_execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                 WHERE datname = current_database() AND pid <> pg_backend_pid()",
            )
            .await
            .unwrap();
        let account = ACCOUNT.parse().unwrap();
        // Each connection of the pool may be found dead once.
        let mut errors = 0;
        while let Err(e) = store.epoch(&account).await {
            assert!(matches!(e, StoreError::Unavailable(_)), "{e}");
            errors += 1;
            assert!(errors <= 16);
        }
    });
}

/// Opens a store on the PostgreSQL database at `url`.
async fn open(url: String) -> Result<bonded_store::Opened, StoreError> {
    let directory = tempfile::tempdir().unwrap();
    let settings = StoreSettings {
        data: directory.path().join("data"),
        database: Database::Postgres(Secret::new(url)),
        objects: Objects::Disk,
        keyring: directory.path().join("keyring"),
    };
    Store::open(&settings, NOW).await
}

#[tokio::test]
async fn a_database_in_another_order_is_refused() {
    let Some(server) = postgres_url() else { return };
    let options = "LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C'";
    with_postgres(&server, options, |url| async {
        assert!(matches!(open(url).await, Err(StoreError::Schema(m)) if m.contains("LOCALE 'C'")));
    })
    .await;
}

#[tokio::test]
async fn urls_that_cannot_be_served_are_refused_without_showing_them() {
    for url in [
        "postgres://u:hunter2@localhost/db?sslmode=require",
        "postgres://u:hunter2@localhost:port/db",
        "mysql://u:hunter2@localhost/db",
    ] {
        match open(url.to_owned()).await {
            Err(StoreError::Schema(message)) => assert!(!message.contains("hunter2")),
            other => panic!("{:?}", other.err()),
        }
    }
    let nobody = open("postgres://u:hunter2@127.0.0.1:1/db".to_owned()).await;
    assert!(matches!(nobody, Err(StoreError::Unavailable(m)) if !m.contains("hunter2")));
}
