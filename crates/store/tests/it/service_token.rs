//! Service tokens.

use bonded_model::{AccountId, Timestamp};
use bonded_store::{InUse, LastUsed, ServiceToken, TokenBounds};

use crate::principal::user;
use crate::site::{ACCOUNT, NOW, change, on_each_engine};

fn token(id: &str, user_id: &str) -> ServiceToken {
    ServiceToken {
        id: id.to_owned(),
        user_id: user_id.to_owned(),
        active: true,
        created_at: NOW,
        expires_at: Some(Timestamp::from_millis(NOW.as_millis() + 1000)),
        description: "Argo CD".to_owned(),
        bounds: TokenBounds {
            actions: vec!["ecr:BatchGetImage".to_owned()],
            repositories: vec!["arn:aws:ecr:*:111122223333:repository/team/*".to_owned()],
            networks: Vec::new(),
        },
        last_used: None,
    }
}

#[test]
fn a_token_is_found_with_its_user_as_it_is_now_until_it_is_deleted() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let account: AccountId = ACCOUNT.parse().unwrap();
        let (alice, bob) = (user("AIDA1", "alice", "/"), user("AIDA2", "bob", "/"));
        store.create_user(&alice, &change("1")).await.unwrap();
        store.create_user(&bob, &change("2")).await.unwrap();
        let (one, two) = (token("ACCA1", "AIDA1"), token("ACCA2", "AIDA2"));
        let add = async |token, n, limit| {
            store
                .create_service_token(&account, token, [7; 32], limit, &change(n))
                .await
                .unwrap()
        };
        add(&one, "3", 1).await.unwrap();
        let three = token("ACCA3", "AIDA1");
        assert!(add(&three, "4", 1).await.is_err());
        add(&two, "5", 1).await.unwrap();

        let found = store.find_service_token("ACCA1").await.unwrap().unwrap();
        assert_eq!((&found.token, &found.user), (&one, &alice));
        assert_eq!(found.secret_sha256, [7; 32]);
        assert_eq!(found.epoch, store.epoch(&account).await.unwrap());
        assert!(store.find_service_token("ACCA9").await.unwrap().is_none());
        let listed = async |user_id, after| {
            let page = store.list_service_tokens(&account, user_id, after, 10);
            let page = page.await.unwrap();
            page.into_iter().map(|(name, _)| name).collect::<Vec<_>>()
        };
        assert_eq!(listed(None, "").await, ["alice", "bob"]);
        assert_eq!(listed(None, "ACCA1").await, ["bob"]);
        assert_eq!(listed(Some("AIDA1"), "").await, ["alice"]);

        // Another user's token is not there.
        let off = store
            .set_service_token_active("AIDA2", "ACCA1", false, &change("6"))
            .await;
        assert!(!off.unwrap());
        let off = store
            .set_service_token_active("AIDA1", "ACCA1", false, &change("7"))
            .await;
        assert!(off.unwrap());
        let reset = store
            .reset_service_token("AIDA1", "ACCA1", [8; 32], &change("8"))
            .await;
        assert!(reset.unwrap());
        let used = LastUsed {
            at: NOW,
            region: "us-east-1".to_owned(),
            service: None,
        };
        let noted = store.note_service_token_use("ACCA1", &used, NOW);
        noted.await.unwrap();
        let now = store.find_service_token("ACCA1").await.unwrap().unwrap();
        assert!(!now.token.active && now.secret_sha256 == [8; 32]);
        assert_eq!(now.token.last_used, Some(used));
        assert_eq!(now.epoch, found.epoch + 2, "every change but a use counts");

        let refused = store.delete_user("AIDA1", &change("9")).await;
        assert_eq!(refused.unwrap(), Err(InUse::ServiceTokens));
        let deleted = store
            .delete_service_token("AIDA1", "ACCA1", &change("10"))
            .await;
        assert!(deleted.unwrap());
        let gone = store.delete_user("AIDA1", &change("11")).await;
        assert_eq!(gone.unwrap(), Ok(true));
    });
}
