//! Authorization tokens name a credential and end with it.

use std::time::Duration;

use base64::Engine as _;
use bonded_model::Secret;
use bonded_registry::{Caller, Error, Unauthenticated};
use serde_json::{Value, json};

use crate::app::{App, facts};

async fn token(app: &App, caller: &Caller) -> Secret {
    let answer = app
        .call(caller, "GetAuthorizationToken", json!({}))
        .await
        .unwrap();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let encoded = answer["authorizationData"][0]["authorizationToken"]
        .as_str()
        .unwrap();
    let text = base64::engine::general_purpose::STANDARD
        .decode(encoded)
        .unwrap();
    let text = String::from_utf8(text).unwrap();
    Secret::new(text.strip_prefix("AWS:").unwrap().to_owned())
}

#[tokio::test]
async fn a_token_is_its_credential_for_twelve_hours() {
    let app = App::new().await;
    let administrator = app.administrator().await;
    let token = token(&app, &administrator).await;
    assert!(
        !token.expose().contains(':'),
        "clients split the password at a colon"
    );
    let caller = app
        .registry
        .authenticate_token(&token, facts())
        .await
        .unwrap();
    assert_eq!(caller.arn(), administrator.arn());
    app.clock
        .set(app.clock.now().after(Duration::from_secs(12 * 3600)));
    let ended = app
        .registry
        .authenticate_token(&token, facts())
        .await
        .err()
        .unwrap();
    assert!(matches!(
        ended,
        Error::Unauthenticated(Unauthenticated::TokenExpired(_))
    ));
}

#[tokio::test]
async fn a_changed_token_is_refused() {
    let app = App::new().await;
    let administrator = app.administrator().await;
    let token = token(&app, &administrator).await;
    let text = token.expose();
    for at in 0..text.len() {
        let mut changed: Vec<char> = text.chars().collect();
        changed[at] = if changed[at] == 'A' { 'B' } else { 'A' };
        let changed = Secret::new(changed.into_iter().collect());
        // The last character of base 64 holds bits that belong to no byte; decoding checks them.
        assert!(
            app.registry
                .authenticate_token(&changed, facts())
                .await
                .is_err(),
            "at {at}"
        );
    }
    for text in ["", ".", "1....", "1.a.b.1.c", &"1.".repeat(1000)] {
        assert!(
            app.registry
                .authenticate_token(&Secret::new(text.to_owned()), facts())
                .await
                .is_err()
        );
    }
}

#[tokio::test]
async fn a_token_ends_with_its_key() {
    let app = App::new().await;
    let administrator = app.administrator().await;
    let policy = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:GetAuthorizationToken","Resource":"*"}}"#;
    let key = app.user(&administrator, "puller", Some(policy)).await;
    let token = token(&app, &app.caller(&key).await.unwrap()).await;
    app.registry
        .authenticate_token(&token, facts())
        .await
        .unwrap();
    let input = json!({ "UserName": "puller", "AccessKeyId": key.id });
    app.call(&administrator, "DeleteAccessKey", input)
        .await
        .unwrap();
    assert!(
        app.registry
            .authenticate_token(&token, facts())
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_token_outlives_one_rotation_of_its_key() {
    let app = App::new().await;
    app.clock
        .set(app.clock.now().after(Duration::from_secs(24 * 3600)));
    let token = token(&app, &app.administrator().await).await;
    let made = app.clock.now();
    app.clock.set(made.after(Duration::from_secs(1)));
    // A second round finds the key that the first has made.
    app.registry.reconcile().await.unwrap();
    app.registry.reconcile().await.unwrap();
    app.registry
        .authenticate_token(&token, facts())
        .await
        .unwrap();
    app.clock.set(made.after(Duration::from_secs(12 * 3600)));
    assert!(
        app.registry
            .authenticate_token(&token, facts())
            .await
            .is_err()
    );
}
