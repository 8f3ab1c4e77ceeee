//! Accounts, bootstrap, epochs.

use bonded_model::{AccountId, Secret};
use bonded_store::{Holder, NewAdministrator, Store, StoreError, User};
use futures_util::future::join_all;

use crate::site::{ACCOUNT, NOW, change, on_each_engine};

fn administrator(account: &AccountId, n: usize) -> NewAdministrator {
    NewAdministrator {
        user: User {
            id: format!("AIDA{n}"),
            account: account.clone(),
            name: "admin".to_owned(),
            path: "/".to_owned(),
            created_at: NOW,
            tags: [].into(),
            boundary: None,
        },
        policy_name: "all".to_owned(),
        policy_text: "{}".to_owned(),
        key_id: format!("AKIA{n}"),
        secret: Secret::new(format!("secret-{n}")),
    }
}

async fn ids(store: &Store) -> Vec<AccountId> {
    let accounts = store.list_accounts().await.unwrap();
    accounts.into_iter().map(|account| account.id).collect()
}

#[test]
fn of_racing_bootstraps_exactly_one_makes_the_administrator() {
    on_each_engine(|site| async move {
        let stores = join_all((0..2).map(|_| site.reopen())).await;
        let racers = (0..8).map(|n| {
            let store = stores[n % 2].clone();
            // Each would make an account of its own: only the first of all may come to be.
            let account: AccountId = format!("{n:012}").parse().unwrap();
            tokio::spawn(async move {
                let administrator = administrator(&account, n);
                let change = change(&format!("bootstrap-{n}"));
                let made = store.bootstrap(&account, NOW, Some(&administrator), Some(&change));
                made.await.unwrap()
            })
        });
        let made: Vec<bool> = join_all(racers)
            .await
            .into_iter()
            .map(Result::unwrap)
            .collect();
        assert_eq!(made.iter().filter(|made| **made).count(), 1, "{made:?}");
        let winner = made.iter().position(|made| *made).unwrap();
        for n in 0..8 {
            let found = stores[0]
                .find_credential(&format!("AKIA{n}"))
                .await
                .unwrap();
            let recorded = stores[0]
                .find_change(&format!("bootstrap-{n}"))
                .await
                .unwrap();
            assert_eq!(found.is_some(), n == winner);
            assert_eq!(recorded.is_some(), n == winner);
            if let Some(credential) = found {
                assert!(credential.secret == Secret::new(format!("secret-{n}")));
                assert!(matches!(&credential.holder, Holder::User(user) if user.name == "admin"));
            }
        }
        let policies = stores[1]
            .principal_policies(&format!("AIDA{winner}"))
            .await
            .unwrap();
        assert_eq!(policies[0].version.text, "{}");
    });
}

#[test]
fn an_account_is_created_once() {
    on_each_engine(|site| async move {
        let store = site.reopen().await;
        let account: AccountId = ACCOUNT.parse().unwrap();
        assert!(store.list_accounts().await.unwrap().is_empty());
        assert!(
            store
                .create_account(&account, NOW, None, None)
                .await
                .unwrap()
        );
        assert!(
            !store
                .create_account(&account, NOW, None, None)
                .await
                .unwrap()
        );
        assert!(!store.bootstrap(&account, NOW, None, None).await.unwrap());
        assert_eq!(ids(&store).await, std::slice::from_ref(&account));
        assert_eq!(store.epoch(&account).await.unwrap(), 1);
        let other: AccountId = "000000000000".parse().unwrap();
        assert_eq!(store.epoch(&other).await.unwrap(), 0);
    });
}

#[test]
fn an_account_without_its_administrator_does_not_come_to_be() {
    on_each_engine(|site| async move {
        let store = site.reopen().await;
        let (first, second): (AccountId, AccountId) =
            (ACCOUNT.parse().unwrap(), "000000000000".parse().unwrap());
        let taken = administrator(&first, 1);
        assert!(
            store
                .create_account(&first, NOW, Some(&taken), None)
                .await
                .unwrap()
        );
        let mut same = administrator(&second, 2);
        same.key_id = taken.key_id;
        let made = store.create_account(&second, NOW, Some(&same), None).await;
        assert!(matches!(made, Err(StoreError::Conflict)));
        assert_eq!(ids(&store).await, [first]);
        assert!(store.find_user_by_id("AIDA2").await.unwrap().is_none());
    });
}
