//! The images about another image.

use bonded_model::{Digest, MediaType};

use crate::image::put;
use crate::site::{on_each_engine, push, repository};

/// The text of an artifact of this type about `subject`.
pub(crate) fn artifact(config: &Digest, subject: &Digest, kind: &str, note: &str) -> String {
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{0}","artifactType":"{kind}","config":{{"mediaType":"application/vnd.oci.empty.v1+json","digest":"{config}","size":2}},"layers":[],"subject":{{"mediaType":"{0}","digest":"{subject}","size":2}},"annotations":{{"note":"{note}"}}}}"#,
        MediaType::OCI_MANIFEST
    )
}

#[test]
fn referrers_come_in_pages_by_digest_of_all_types_or_some() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        let config = push(&store, &app.id, b"{}").await.digest;
        let subject = Digest::sha256(b"absent");
        let mut all = Vec::new();
        for n in 0..9 {
            let kind = format!("application/kind-{}", n % 3);
            let text = artifact(&config, &subject, &kind, &n.to_string());
            put(&store, &app, &text, &[], &text).await.unwrap();
            all.push((Digest::sha256(text.as_bytes()), kind));
        }
        let elsewhere = artifact(&config, &Digest::sha256(b"other"), "application/kind-0", "");
        put(&store, &app, &elsewhere, &[], "elsewhere")
            .await
            .unwrap();
        all.sort();
        for types in [
            vec![],
            vec!["application/kind-1"],
            vec![
                "application/kind-0",
                "application/kind-2",
                "application/none",
            ],
        ] {
            let types: Vec<String> = types.into_iter().map(str::to_owned).collect();
            let mut found = Vec::new();
            let mut after = None;
            loop {
                let page = store.referrers(&app.id, &subject, &types, after.as_ref(), 2);
                let page = page.await.unwrap();
                assert!(page.referrers.len() <= 2);
                after = page
                    .referrers
                    .last()
                    .map(|referrer| referrer.digest.clone());
                for referrer in page.referrers {
                    assert_eq!(Digest::sha256(&referrer.bytes), referrer.digest);
                    assert_eq!(referrer.media_type, MediaType::OCI_MANIFEST);
                    found.push((referrer.digest, referrer.artifact_type.unwrap()));
                }
                if !page.more {
                    break;
                }
            }
            let mut expected = all.clone();
            expected.retain(|(_, kind)| types.is_empty() || types.contains(kind));
            assert_eq!(found, expected, "{types:?}");
        }
    });
}

#[test]
fn a_page_ends_where_its_manifests_get_large() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        let config = push(&store, &app.id, b"{}").await.digest;
        let subject = Digest::sha256(b"absent");
        for n in 0..3 {
            let note = format!("{n}{}", "x".repeat(2_500_000));
            let text = artifact(&config, &subject, "application/kind", &note);
            put(&store, &app, &text, &[], &n.to_string()).await.unwrap();
        }
        let mut after = None;
        for more in [true, true, false] {
            let page = store.referrers(&app.id, &subject, &[], after.as_ref(), 100);
            let page = page.await.unwrap();
            assert_eq!((page.referrers.len(), page.more), (1, more));
            after = page
                .referrers
                .last()
                .map(|referrer| referrer.digest.clone());
        }
    });
}
