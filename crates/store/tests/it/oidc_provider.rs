//! OpenID Connect providers.

use bonded_store::{OidcProvider, StoreError};

use crate::site::{ACCOUNT, NOW, change, on_each_engine};

fn provider() -> OidcProvider {
    OidcProvider {
        account: ACCOUNT.parse().unwrap(),
        url: "issuer.example.org/a".to_owned(),
        client_ids: vec!["us".to_owned()],
        thumbprints: Vec::new(),
        jwks: None,
        created_at: NOW,
        tags: [].into(),
    }
}

#[test]
fn keys_are_given_and_taken_away() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let (made, arn) = (provider(), provider().arn());
        store
            .create_oidc_provider(&made, &change("c1"))
            .await
            .unwrap();
        let twin = store.create_oidc_provider(&made, &change("c2")).await;
        assert!(matches!(twin, Err(StoreError::Conflict)));
        assert_eq!(
            store.find_oidc_provider(&arn).await.unwrap(),
            Some(made.clone())
        );
        for jwks in [Some(r#"{"keys":[]}"#), None] {
            let id = jwks.unwrap_or("none");
            let set = store.set_oidc_provider_jwks(&arn, jwks, &change(id)).await;
            assert!(set.unwrap());
            let found = store.find_trusted_oidc_provider(&arn).await.unwrap();
            assert_eq!(found.unwrap().jwks.as_deref(), jwks);
        }
        let change = change("c3");
        let absent = store.set_oidc_provider_jwks("arn:x", None, &change);
        assert!(!absent.await.unwrap());
        assert!(
            store.find_change("c3").await.unwrap().is_none(),
            "nothing was changed"
        );
    });
}

#[test]
fn a_closed_account_trusts_nobody() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let (made, arn) = (provider(), provider().arn());
        store
            .create_oidc_provider(&made, &change("c1"))
            .await
            .unwrap();
        assert!(
            store
                .find_trusted_oidc_provider(&arn)
                .await
                .unwrap()
                .is_some()
        );
        assert!(store.close_account(&change("c2")).await.unwrap());
        assert!(
            store
                .find_trusted_oidc_provider(&arn)
                .await
                .unwrap()
                .is_none()
        );
        assert!(store.find_oidc_provider(&arn).await.unwrap().is_some());
    });
}
