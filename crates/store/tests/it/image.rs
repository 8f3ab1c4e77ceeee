//! Pushing and reading images.

use bonded_model::{Digest, MediaType, Reference, Tag, TagMutability};
use bonded_store::{PutImage, PutImageOutcome, PutImageRefused, Repository, Store, StoreError};
use futures_util::future::join_all;

use crate::site::{
    NOW, change, manifest_text, new_repository, on_each_engine, parse, push, repository,
};

type Put = Result<PutImageOutcome, PutImageRefused>;

pub(crate) async fn put(
    store: &Store,
    repository: &Repository,
    text: &str,
    tags: &[&str],
    id: &str,
) -> Put {
    let tags: Vec<Tag> = tags.iter().map(|tag| tag.parse().unwrap()).collect();
    let image = PutImage {
        repository,
        manifest: &parse(text),
        bytes: text.as_bytes(),
        digest: &Digest::sha256(text.as_bytes()),
        tags: &tags,
        sparse: false,
        document: None,
        now: NOW,
    };
    store.put_image(image, &change(id)).await.unwrap()
}

/// The text of an index of one manifest.
pub(crate) fn index(child: &Digest) -> String {
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{{"mediaType":"{}","digest":"{child}","size":2}}]}}"#,
        MediaType::OCI_INDEX,
        MediaType::OCI_MANIFEST
    )
}

pub(crate) fn tag(text: &str) -> Tag {
    text.parse().unwrap()
}

#[test]
fn an_image_is_found_by_tag_and_by_digest_byte_for_byte() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        let layer = push(&store, &app.id, b"config").await;
        let text = manifest_text(&[layer.digest], "ä\\n  ");
        let digest = Digest::sha256(text.as_bytes());
        let outcome = put(&store, &app, &text, &["v1", "latest", "v1"], "1")
            .await
            .unwrap();
        assert!(outcome.created);
        assert_eq!(outcome.moved.len(), 2);
        assert!(outcome.moved.iter().all(|moved| moved.from.is_none()));
        for reference in [Reference::Tag(tag("v1")), Reference::Digest(digest.clone())] {
            let found = store
                .find_manifest(&app.id, &reference)
                .await
                .unwrap()
                .unwrap();
            assert_eq!(found.bytes, text.as_bytes());
            assert_eq!(found.digest, digest);
            assert_eq!(found.media_type, MediaType::OCI_MANIFEST);
            assert_eq!(found.pushed_at, NOW);
        }
        assert_eq!(
            store.resolve_tag(&app.id, &tag("latest")).await.unwrap(),
            Some(digest)
        );
        assert_eq!(store.resolve_tag(&app.id, &tag("v2")).await.unwrap(), None);
        let missing = store
            .find_manifest(&app.id, &Reference::Tag(tag("v2")))
            .await;
        assert_eq!(missing.unwrap(), None);
        let again = put(&store, &app, &text, &["v1"], "2").await.unwrap();
        assert!(!again.created && again.moved.is_empty());
        let other = repository(&store, "other").await;
        assert_eq!(
            store.resolve_tag(&other.id, &tag("v1")).await.unwrap(),
            None
        );
    });
}

#[test]
fn what_an_image_refers_to_must_be_in_the_same_repository() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        let other = repository(&store, "other").await;
        let here = push(&store, &app.id, b"here").await.digest;
        let there = push(&store, &other.id, b"there").await.digest;
        let text = manifest_text(&[here.clone(), there.clone()], "");
        let refused = put(&store, &app, &text, &["v1"], "1").await;
        assert_eq!(
            refused,
            Err(PutImageRefused::LayersNotFound(vec![there.clone()]))
        );
        assert_eq!(store.resolve_tag(&app.id, &tag("v1")).await.unwrap(), None);
        assert!(store.find_change("1").await.unwrap().is_none());

        // A layer that clients must not push is not asked for.
        let foreign = text.replacen(
            &format!(r#""application/vnd.oci.image.layer.v1.tar","digest":"{there}""#),
            &format!(
                r#""application/vnd.docker.image.rootfs.foreign.diff.tar.gzip","digest":"{there}""#
            ),
            1,
        );
        assert!(put(&store, &app, &foreign, &[], "2").await.unwrap().created);

        let image = Digest::sha256(foreign.as_bytes());
        assert!(
            put(&store, &app, &index(&image), &["all"], "3")
                .await
                .is_ok()
        );
        let refused = put(&store, &other, &index(&image), &[], "4").await;
        assert_eq!(
            refused,
            Err(PutImageRefused::ReferencedImagesNotFound(vec![image]))
        );
    });
}

#[test]
fn a_sparse_image_is_taken_without_what_it_refers_to_and_links_nothing() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        let other = repository(&store, "other").await;
        let there = push(&store, &other.id, b"there").await.digest;
        for (n, text) in [
            manifest_text(std::slice::from_ref(&there), ""),
            index(&Digest::sha256(b"absent")),
        ]
        .iter()
        .enumerate()
        {
            let image = PutImage {
                repository: &app,
                manifest: &parse(text),
                bytes: text.as_bytes(),
                digest: &Digest::sha256(text.as_bytes()),
                tags: &[tag("v1")],
                sparse: true,
                document: None,
                now: NOW,
            };
            let put = store.put_image(image, &change(&n.to_string())).await;
            assert!(put.unwrap().unwrap().created);
        }
        assert_eq!(store.find_layer(&app.id, &there).await.unwrap(), None);
    });
}

#[test]
fn of_racing_pushes_to_an_immutable_tag_one_wins() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let new = new_repository("app", TagMutability::Immutable);
        let app = store.create_repository(&new, &change("c")).await.unwrap();
        let layer = push(&store, &app.id, b"config").await;
        let racers = (0..12).map(|n| {
            let (store, app, layer) = (store.clone(), app.clone(), layer.digest.clone());
            tokio::spawn(async move {
                let text = manifest_text(&[layer], &n.to_string());
                let result = put(&store, &app, &text, &["v1"], &format!("p{n}")).await;
                (Digest::sha256(text.as_bytes()), result)
            })
        });
        let results: Vec<_> = join_all(racers)
            .await
            .into_iter()
            .map(Result::unwrap)
            .collect();
        let winners: Vec<_> = results.iter().filter(|(_, r)| r.is_ok()).collect();
        assert_eq!(winners.len(), 1);
        let winner = &winners[0].0;
        assert_eq!(
            store
                .resolve_tag(&app.id, &tag("v1"))
                .await
                .unwrap()
                .as_ref(),
            Some(winner)
        );
        for (digest, result) in &results {
            let stored = store
                .find_manifest(&app.id, &Reference::Digest(digest.clone()))
                .await;
            assert_eq!(stored.unwrap().is_some(), result.is_ok());
            if let Err(refused) = result {
                let (tag, digest) = (tag("v1"), winner.clone());
                assert_eq!(*refused, PutImageRefused::TagImmutable { tag, digest });
            }
        }
    });
}

#[test]
fn a_mutable_tag_moves_and_the_push_says_from_where() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        let layer = push(&store, &app.id, b"config").await.digest;
        let texts = ["a", "b"].map(|mark| manifest_text(std::slice::from_ref(&layer), mark));
        put(&store, &app, &texts[0], &["v1"], "1").await.unwrap();
        let moved = put(&store, &app, &texts[1], &["v1"], "2")
            .await
            .unwrap()
            .moved;
        assert_eq!(moved[0].from, Some(Digest::sha256(texts[0].as_bytes())));
        let old = Reference::Digest(Digest::sha256(texts[0].as_bytes()));
        assert!(store.find_manifest(&app.id, &old).await.unwrap().is_some());
        store
            .delete_repository(&app.id, true, &change("3"))
            .await
            .unwrap();
        let late = put(&store, &app, &texts[0], &["v1"], "4").await;
        assert_eq!(late, Err(PutImageRefused::RepositoryNotFound));
    });
}

#[test]
fn tags_are_listed_in_byte_order_page_by_page() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        let layer = push(&store, &app.id, b"config").await.digest;
        let text = manifest_text(&[layer], "");
        put(
            &store,
            &app,
            &text,
            &["b", "a", "B", "_", "a-1", "a.1", "1"],
            "1",
        )
        .await
        .unwrap();
        let mut listed = Vec::new();
        let mut after = None;
        loop {
            let page = store.list_tags(&app.id, after.as_ref(), 3).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some(last.clone());
            listed.extend(page);
        }
        let listed: Vec<&str> = listed.iter().map(Tag::as_str).collect();
        assert_eq!(listed, ["1", "B", "_", "a", "a-1", "a.1", "b"]);
    });
}

#[test]
fn a_manifest_copied_to_another_row_does_not_open() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        let layer = push(&store, &app.id, b"config").await.digest;
        for (mark, name) in [("a", "v1"), ("b", "v2")] {
            let text = manifest_text(std::slice::from_ref(&layer), mark);
            put(&store, &app, &text, &[name], mark).await.unwrap();
        }
        site.sql(
            "UPDATE images SET sealed_bytes = (SELECT i.sealed_bytes FROM images i \
             JOIN tags t ON t.digest = i.digest WHERE t.tag = 'v1')",
        )
        .await;
        let find = |name| {
            let (store, id) = (store.clone(), app.id.clone());
            async move { store.find_manifest(&id, &Reference::Tag(tag(name))).await }
        };
        assert!(find("v1").await.unwrap().is_some());
        assert!(matches!(find("v2").await, Err(StoreError::Corrupt(_))));
    });
}
