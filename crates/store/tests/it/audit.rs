//! The audit log.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use bonded_store::LINE_LIMIT;
use futures_util::future::join_all;

use crate::site::{NOW, on_each_engine};

fn line(id: usize) -> String {
    format!(r#"{{"id":"d{id}","action":"ecr:BatchGetImage"}}"#)
}

#[test]
fn every_record_is_found_by_id_on_its_day() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let tomorrow = NOW.after(Duration::from_secs(24 * 3600));
        let writers = (0..8).map(|w| {
            let store = store.clone();
            tokio::spawn(async move {
                for n in (w * 1000)..(w * 1000 + 1000) {
                    let at = if n % 2 == 0 { NOW } else { tomorrow };
                    store.audit().record(at, line(n)).await.unwrap();
                }
            })
        });
        for writer in join_all(writers).await {
            writer.unwrap();
        }
        for (n, at, other) in [(0, NOW, tomorrow), (7999, tomorrow, NOW)] {
            let id = format!("d{n}");
            let found = store.audit().find(&id, at).await.unwrap();
            assert_eq!(found, Some(line(n)));
            assert_eq!(store.audit().find(&id, other).await.unwrap(), None);
        }
        assert_eq!(store.audit().find("d", NOW).await.unwrap(), None);
        store.close().await;
        assert!(store.audit().record(NOW, line(1)).await.is_err());
        let mut lines = 0;
        for path in crate::site::files(&site.data().join("audit")) {
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
            lines += fs::read_to_string(path).unwrap().lines().count();
        }
        assert_eq!(lines, 8000);
    });
}

#[test]
fn a_log_is_added_to_after_a_restart() {
    on_each_engine(|site| async move {
        for n in 0..2 {
            let store = site.open().await;
            store.audit().record(NOW, line(n)).await.unwrap();
            store.close().await;
        }
        let store = site.open().await;
        for n in 0..2 {
            let found = store.audit().find(&format!("d{n}"), NOW).await.unwrap();
            assert_eq!(found, Some(line(n)));
        }
    });
}

#[test]
fn a_record_that_is_not_one_short_line_is_refused() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        for bad in ["{\n}".to_owned(), "x".repeat(LINE_LIMIT + 1)] {
            assert!(store.audit().record(NOW, bad).await.is_err());
        }
        let long = format!(r#"{{"id":"long","x":"{}"}}"#, "x".repeat(LINE_LIMIT - 100));
        store.audit().record(NOW, long.clone()).await.unwrap();
        assert_eq!(store.audit().find("long", NOW).await.unwrap(), Some(long));
    });
}
