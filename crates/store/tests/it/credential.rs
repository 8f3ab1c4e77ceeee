//! Access keys, sessions, token keys.

use std::time::Duration;

use bonded_model::{AccountId, Secret, Timestamp};
use bonded_store::{Holder, InUse, LastUsed, Session, SessionKind, StoreError};
use futures_util::future::join_all;

use crate::principal::{role, user};
use crate::site::{ACCOUNT, NOW, change, on_each_engine};

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

#[test]
fn a_key_is_found_with_its_holder_until_it_is_deleted() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let account: AccountId = ACCOUNT.parse().unwrap();
        let alice = user("AIDA1", "alice", "/");
        store.create_user(&alice, &change("1")).await.unwrap();
        let key = store
            .create_access_key(
                &account,
                "AIDA1",
                "AKIA1",
                &secret("s"),
                NOW,
                2,
                &change("2"),
            )
            .await
            .unwrap()
            .unwrap();
        assert!(key.active);
        let found = store.find_credential("AKIA1").await.unwrap().unwrap();
        assert!(found.secret == secret("s") && found.active);
        assert!(matches!(found.holder, Holder::User(user) if user == alice));
        assert_eq!(found.epoch, store.epoch(&account).await.unwrap());
        let set = |id, n| {
            let store = store.clone();
            async move {
                store
                    .set_access_key_active("AIDA1", id, false, &change(n))
                    .await
            }
        };
        assert!(set("AKIA1", "3").await.unwrap());
        assert!(!set("AKIA2", "4").await.unwrap());
        let disabled = store.find_credential("AKIA1").await.unwrap().unwrap();
        assert!(!disabled.active);
        assert_eq!(disabled.epoch, found.epoch + 1);
        let refused = store.delete_user("AIDA1", &change("5")).await;
        assert_eq!(refused.unwrap(), Err(InUse::AccessKeys));
        let other = store
            .delete_access_key("AIDA2", "AKIA1", &change("6"))
            .await;
        assert!(!other.unwrap());
        assert!(
            store
                .delete_access_key("AIDA1", "AKIA1", &change("7"))
                .await
                .unwrap()
        );
        assert!(store.find_credential("AKIA1").await.unwrap().is_none());
        let deleted = store.delete_user("AIDA1", &change("8")).await;
        assert_eq!(deleted.unwrap(), Ok(true));
    });
}

#[test]
fn a_user_never_has_more_keys_than_the_limit() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        store
            .create_user(&user("AIDA1", "alice", "/"), &change("u"))
            .await
            .unwrap();
        let racers = (0..6).map(|n| {
            let store = store.clone();
            tokio::spawn(async move {
                let (id, change) = (format!("AKIA{n}"), change(&format!("k{n}")));
                let account = ACCOUNT.parse().unwrap();
                let made = store
                    .create_access_key(&account, "AIDA1", &id, &secret("s"), NOW, 2, &change)
                    .await;
                made.unwrap().is_ok()
            })
        });
        let made = join_all(racers).await;
        assert_eq!(
            made.into_iter()
                .filter(|made| *made.as_ref().unwrap())
                .count(),
            2
        );
        assert_eq!(store.list_access_keys("AIDA1").await.unwrap().len(), 2);
    });
}

#[test]
fn a_session_is_found_with_its_role_and_dies_with_it() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let account: AccountId = ACCOUNT.parse().unwrap();
        let session = Session {
            id: "ASIA1".to_owned(),
            account: account.clone(),
            principal: "AROA1".to_owned(),
            kind: SessionKind::Role,
            name: "build".to_owned(),
            issued_at: NOW,
            expires_at: NOW.after(Duration::from_secs(3600)),
            policies: vec!["{}".to_owned()],
            tags: [("branch".to_owned(), "main".to_owned())].into(),
            transitive_keys: vec!["branch".to_owned()],
            source_identity: Some("alice".to_owned()),
            context: [("aws:FederatedProvider".to_owned(), "p".to_owned())].into(),
        };
        let create = |n| {
            let (store, session) = (store.clone(), session.clone());
            async move {
                let secret = secret("s");
                store
                    .create_session(&session, &secret, &[7; 32], &change(n))
                    .await
            }
        };
        assert!(matches!(create("1").await, Err(StoreError::Conflict)));
        let role = store
            .create_role(&role("AROA1", "deploy"), &change("2"))
            .await
            .unwrap();
        let epoch = store.epoch(&account).await.unwrap();
        create("3").await.unwrap();
        let found = store.find_credential("ASIA1").await.unwrap().unwrap();
        assert!(found.secret == secret("s"));
        assert_eq!(found.epoch, epoch);
        let Holder::Session {
            session: read,
            role: of,
            token_sha256,
        } = found.holder
        else {
            panic!("a session is expected");
        };
        assert_eq!((read, of, token_sha256), (session.clone(), role, [7; 32]));

        assert_eq!(store.collect_sessions(session.expires_at).await.unwrap(), 0);
        let deleted = store.delete_role("AROA1", &change("4")).await;
        assert_eq!(deleted.unwrap(), Ok(true));
        assert!(store.find_credential("ASIA1").await.unwrap().is_none());
        let after = session.expires_at.after(Duration::from_secs(1));
        assert_eq!(store.collect_sessions(after).await.unwrap(), 1);
    });
}

#[test]
fn a_secret_copied_to_another_row_does_not_open() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let account: AccountId = ACCOUNT.parse().unwrap();
        store
            .create_user(&user("AIDA1", "alice", "/"), &change("u"))
            .await
            .unwrap();
        for (id, text) in [("AKIA1", "one"), ("AKIA2", "two")] {
            store
                .create_access_key(&account, "AIDA1", id, &secret(text), NOW, 2, &change(id))
                .await
                .unwrap()
                .unwrap();
        }
        site.sql(
            "UPDATE access_keys SET sealed_secret = \
             (SELECT k.sealed_secret FROM access_keys k WHERE k.id = 'AKIA1') WHERE id = 'AKIA2'",
        )
        .await;
        assert!(store.find_credential("AKIA1").await.is_ok());
        assert!(matches!(
            store.find_credential("AKIA2").await,
            Err(StoreError::Corrupt(_))
        ));
    });
}

#[test]
fn two_token_keys_are_valid_at_a_time() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let later = |by: i64| Timestamp::from_millis(NOW.as_millis() + by);
        let keys = || async {
            let keys = store.token_keys().await.unwrap();
            keys.into_iter()
                .map(|k| (k.id.clone(), *k.expose()))
                .collect::<Vec<_>>()
        };
        let first = keys().await;
        assert_eq!(first.len(), 1);
        assert!(
            !store.rotate_token_key(NOW, NOW).await.unwrap(),
            "it is new"
        );
        assert_eq!(keys().await, first);
        assert!(store.rotate_token_key(later(1), later(1)).await.unwrap());
        let second = keys().await;
        assert_eq!(second.len(), 2);
        assert_eq!(second[1], first[0]);
        assert!(!store.rotate_token_key(later(1), later(2)).await.unwrap());
        assert!(store.rotate_token_key(later(2), later(2)).await.unwrap());
        let third = keys().await;
        assert_eq!(third.len(), 2);
        assert_eq!(third[1], second[0]);
        assert_ne!(third[0].1, third[1].1);
    });
}

#[test]
fn a_session_of_a_user_is_found_with_its_user_and_dies_with_it() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let alice = user("AIDA1", "alice", "/");
        store.create_user(&alice, &change("1")).await.unwrap();
        let session = Session {
            id: "ASIA1".to_owned(),
            account: alice.account.clone(),
            principal: alice.id.clone(),
            kind: SessionKind::Federated,
            name: "guest".to_owned(),
            issued_at: NOW,
            expires_at: NOW.after(Duration::from_secs(3600)),
            policies: vec![],
            tags: [].into(),
            transitive_keys: vec![],
            source_identity: None,
            context: [].into(),
        };
        store
            .create_session(&session, &secret("s"), &[7; 32], &change("2"))
            .await
            .unwrap();
        let found = store.find_credential("ASIA1").await.unwrap().unwrap();
        let Holder::UserSession {
            session: read,
            user: of,
            ..
        } = found.holder
        else {
            panic!("a session of a user is expected");
        };
        assert_eq!((read, of), (session, alice));
        let deleted = store.delete_user("AIDA1", &change("3")).await;
        assert_eq!(deleted.unwrap(), Ok(true));
        assert!(store.find_credential("ASIA1").await.unwrap().is_none());
    });
}

#[test]
fn the_use_of_a_key_is_noted_once_in_a_while() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let alice = user("AIDA1", "alice", "/");
        store.create_user(&alice, &change("1")).await.unwrap();
        store
            .create_access_key(
                &alice.account,
                "AIDA1",
                "AKIA1",
                &secret("s"),
                NOW,
                2,
                &change("2"),
            )
            .await
            .unwrap()
            .unwrap();
        let last_used = |seconds| LastUsed {
            at: NOW.after(Duration::from_secs(seconds)),
            region: "on-prem".to_owned(),
            service: Some("ecr".to_owned()),
        };
        for (seconds, noted) in [(0, 0), (59, 0), (61, 61)] {
            let not_since = NOW.after(Duration::from_secs(seconds)).as_millis() - 60_000;
            store
                .note_access_key_use(
                    "AKIA1",
                    &last_used(seconds),
                    Timestamp::from_millis(not_since),
                )
                .await
                .unwrap();
            let (key, user) = store
                .find_access_key_holder("AKIA1")
                .await
                .unwrap()
                .unwrap();
            assert_eq!(key.last_used, Some(last_used(noted)), "{seconds}");
            assert_eq!(user, alice);
        }
    });
}

#[test]
fn the_credentials_of_a_closed_account_are_not_found() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let alice = user("AIDA1", "alice", "/");
        store.create_user(&alice, &change("1")).await.unwrap();
        store
            .create_access_key(
                &alice.account,
                "AIDA1",
                "AKIA1",
                &secret("s"),
                NOW,
                2,
                &change("2"),
            )
            .await
            .unwrap()
            .unwrap();
        assert!(store.close_account(&change("3")).await.unwrap());
        assert!(!store.close_account(&change("4")).await.unwrap());
        assert!(store.find_credential("AKIA1").await.unwrap().is_none());
        let closed = store.find_account(&alice.account).await.unwrap().unwrap();
        assert_eq!(closed.closed_at, Some(NOW));
    });
}
