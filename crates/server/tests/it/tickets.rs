//! Layer tickets name a credential, a repository and a layer, and end soon.

use std::time::Duration;

use base64::Engine as _;
use bonded_model::{Digest, Secret};
use bonded_registry::{Caller, Error, LAYERS_PATH, LayerRequest, Unauthenticated};
use serde_json::{Value, json};

use crate::app::{App, facts};

/// The ticket of a layer of an image, and the layer's digest.
async fn ticket(app: &App, caller: &Caller) -> (Secret, Digest) {
    let named = json!({ "repositoryName": "team/app" });
    app.call(caller, "CreateRepository", named.clone())
        .await
        .unwrap();
    let begun = app.call(caller, "InitiateLayerUpload", named.clone());
    let begun: Value = serde_json::from_str(&begun.await.unwrap()).unwrap();
    let mut part = named.clone();
    part["uploadId"] = begun["uploadId"].clone();
    let mut all = part.clone();
    part["partFirstByte"] = 0.into();
    part["partLastByte"] = 4.into();
    let blob = base64::engine::general_purpose::STANDARD.encode("layer");
    part["layerPartBlob"] = blob.into();
    app.call(caller, "UploadLayerPart", part).await.unwrap();
    let digest = Digest::sha256(b"layer");
    all["layerDigests"] = json!([digest]);
    app.call(caller, "CompleteLayerUpload", all).await.unwrap();
    let mut image = named.clone();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": 5 },
        "layers": [],
    });
    image["imageManifest"] = manifest.to_string().into();
    app.call(caller, "PutImage", image).await.unwrap();
    let mut layer = named;
    layer["layerDigest"] = json!(digest);
    let answer = app.call(caller, "GetDownloadUrlForLayer", layer);
    let answer: Value = serde_json::from_str(&answer.await.unwrap()).unwrap();
    let url = answer["downloadUrl"].as_str().unwrap();
    let ticket = url
        .strip_prefix(&format!("https://localhost:5000{LAYERS_PATH}"))
        .unwrap();
    (Secret::new(ticket.to_owned()), digest)
}

#[tokio::test]
async fn a_ticket_is_its_credential_for_a_minute() {
    let app = App::new().await;
    let administrator = app.administrator().await;
    let (ticket, layer) = ticket(&app, &administrator).await;
    app.clock
        .set(app.clock.now().after(Duration::from_secs(59)));
    let LayerRequest {
        caller,
        layer: asked,
    } = app
        .registry
        .authenticate_ticket(&ticket, facts())
        .await
        .unwrap();
    assert_eq!(caller.arn(), administrator.arn());
    let name = asked.repository.name.as_str();
    assert_eq!((name, asked.digest), ("team/app", layer));
    app.clock.set(app.clock.now().after(Duration::from_secs(1)));
    let ended = app.registry.authenticate_ticket(&ticket, facts()).await;
    assert!(matches!(
        ended.err().unwrap(),
        Error::Unauthenticated(Unauthenticated::TicketExpired)
    ));
}

#[tokio::test]
async fn a_changed_ticket_is_refused_and_a_ticket_is_no_token() {
    let app = App::new().await;
    let administrator = app.administrator().await;
    let (ticket, _) = ticket(&app, &administrator).await;
    let text = ticket.expose();
    for at in 0..text.len() {
        let mut changed: Vec<char> = text.chars().collect();
        changed[at] = if changed[at] == 'A' { 'B' } else { 'A' };
        let changed = Secret::new(changed.into_iter().collect());
        let refused = app.registry.authenticate_ticket(&changed, facts()).await;
        assert!(refused.is_err(), "at {at}");
    }
    let token = app.registry.authenticate_token(&ticket, facts()).await;
    assert!(token.is_err());
}
