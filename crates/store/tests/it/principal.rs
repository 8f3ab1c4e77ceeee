//! Users, roles and their policies.

use bonded_model::AccountId;
use bonded_store::{InUse, PolicyVersion, Role, StoreError, User};

use crate::site::{ACCOUNT, NOW, change, on_each_engine};

pub(crate) fn user(id: &str, name: &str, path: &str) -> User {
    User {
        id: id.to_owned(),
        account: ACCOUNT.parse().unwrap(),
        name: name.to_owned(),
        path: path.to_owned(),
        created_at: NOW,
        tags: [("team".to_owned(), "a".to_owned())].into(),
        boundary: None,
    }
}

pub(crate) fn role(id: &str, name: &str) -> Role {
    Role {
        id: id.to_owned(),
        account: ACCOUNT.parse().unwrap(),
        name: name.to_owned(),
        path: "/ci/".to_owned(),
        created_at: NOW,
        description: None,
        max_session_seconds: 3600,
        trust: PolicyVersion {
            id: String::new(),
            text: r#"{"trust":1}"#.to_owned(),
        },
        tags: [].into(),
        boundary: None,
        last_used: None,
    }
}

#[test]
fn names_are_unique_without_regard_to_case() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let account: AccountId = ACCOUNT.parse().unwrap();
        let alice = user("AIDA1", "Alice", "/");
        store.create_user(&alice, &change("u1")).await.unwrap();
        let twin = store
            .create_user(&user("AIDA2", "aLICE", "/"), &change("u2"))
            .await;
        assert!(matches!(twin, Err(StoreError::Conflict)));
        assert_eq!(
            store.find_user(&account, "ALICE").await.unwrap(),
            Some(alice.clone())
        );
        assert_eq!(store.find_user_by_id("AIDA1").await.unwrap(), Some(alice));
        let deploy = store
            .create_role(&role("AROA1", "Deploy"), &change("r1"))
            .await
            .unwrap();
        let twin = store
            .create_role(&role("AROA2", "deploy"), &change("r2"))
            .await;
        assert!(matches!(twin, Err(StoreError::Conflict)));
        assert_eq!(
            store.find_role(&account, "DEPLOY").await.unwrap(),
            Some(deploy.clone())
        );
        assert_eq!(store.find_role_by_id("AROA1").await.unwrap(), Some(deploy));
        let stranger = User {
            account: "999999999999".parse().unwrap(),
            ..user("AIDA3", "x", "/")
        };
        let made = store.create_user(&stranger, &change("u3")).await;
        assert!(matches!(made, Err(StoreError::Conflict)));
    });
}

#[test]
fn users_and_roles_are_listed_by_path_and_name() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let account: AccountId = ACCOUNT.parse().unwrap();
        let people = [
            ("b", "/x/"),
            ("A", "/x/y/"),
            ("c", "/"),
            ("d", "/x_/"),
            ("E", "/X/"),
        ];
        for (n, (name, path)) in people.into_iter().enumerate() {
            let user = user(&format!("AIDA{n}"), name, path);
            store
                .create_user(&user, &change(&format!("u{n}")))
                .await
                .unwrap();
        }
        for (prefix, after, limit, names) in [
            ("/", None, 100, "AbcdE"),
            ("/", None, 2, "Ab"),
            ("/", Some("b"), 2, "cd"),
            ("/x/", None, 100, "Ab"),
            ("/x/", Some("a"), 100, "b"),
            ("/x%", None, 100, ""),
        ] {
            let page = store
                .list_users(&account, prefix, after, limit)
                .await
                .unwrap();
            let found: String = page.into_iter().map(|user| user.name).collect();
            assert_eq!(found, names, "{prefix} {after:?}");
        }
        store
            .create_role(&role("AROA1", "r"), &change("r"))
            .await
            .unwrap();
        assert_eq!(
            store
                .list_roles(&account, "/ci/", None, 9)
                .await
                .unwrap()
                .len(),
            1
        );
        assert_eq!(
            store
                .list_roles(&account, "/ci/x", None, 9)
                .await
                .unwrap()
                .len(),
            0
        );
    });
}

#[test]
fn a_principal_that_has_policies_is_not_deleted() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        store
            .create_user(&user("AIDA1", "alice", "/"), &change("1"))
            .await
            .unwrap();
        store
            .create_role(&role("AROA1", "deploy"), &change("2"))
            .await
            .unwrap();
        for (n, id) in ["AIDA1", "AROA1"].into_iter().enumerate() {
            let c = |step: &str| change(&format!("{n}-{step}"));
            for text in ["{}", "{ }"] {
                store
                    .put_principal_policy(id, ("p", text), |_| true, &c(text))
                    .await
                    .unwrap()
                    .unwrap();
            }
            let one = |texts: &[String]| texts.len() < 2;
            let second = store
                .put_principal_policy(id, ("q", "{}"), one, &c("q"))
                .await;
            assert!(second.unwrap().is_err(), "it is judged with those there");
            let found = store.find_principal_policy(id, "p").await.unwrap().unwrap();
            assert_eq!(found.text, "{ }");
            assert_eq!(store.list_principal_policies(id).await.unwrap(), ["p"]);
            let refused = match id {
                "AIDA1" => store.delete_user(id, &c("d1")).await,
                _ => store.delete_role(id, &c("d1")).await,
            };
            assert_eq!(refused.unwrap(), Err(InUse::InlinePolicies));
            let delete = |step| store.delete_principal_policy(id, "p", step);
            let (first, second) = (c("x1"), c("x2"));
            assert!(delete(&first).await.unwrap());
            assert!(!delete(&second).await.unwrap());
            for gone in [true, false] {
                let step = c(&format!("d-{gone}"));
                let deleted = match id {
                    "AIDA1" => store.delete_user(id, &step).await,
                    _ => store.delete_role(id, &step).await,
                };
                assert_eq!(deleted.unwrap(), Ok(gone));
            }
            let orphan = store
                .put_principal_policy(id, ("p", "{}"), |_| true, &c("orphan"))
                .await;
            assert!(matches!(orphan, Err(StoreError::Conflict)));
        }
    });
}

#[test]
fn a_new_trust_policy_is_a_new_version() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let account: AccountId = ACCOUNT.parse().unwrap();
        let made = store
            .create_role(&role("AROA1", "deploy"), &change("1"))
            .await
            .unwrap();
        let epoch = store.epoch(&account).await.unwrap();
        store
            .set_role_trust("AROA1", &account, "{}", &change("2"))
            .await
            .unwrap();
        let found = store.find_role_by_id("AROA1").await.unwrap().unwrap();
        assert_eq!(found.trust.text, "{}");
        assert_ne!(found.trust.id, made.trust.id);
        assert_eq!(store.epoch(&account).await.unwrap(), epoch + 1);
        let missing = store
            .set_role_trust("AROA2", &account, "{}", &change("3"))
            .await;
        assert!(matches!(missing, Err(StoreError::Conflict)));
    });
}
