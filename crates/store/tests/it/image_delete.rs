//! Deleting images and tags.

use bonded_model::{Digest, Reference, Tag};
use bonded_store::{
    DeleteImageRefused, DeletedImage, ImageToDelete, Repository, Store, StoreError,
};

use crate::image::{index, put, tag};
use crate::site::{change, manifest_text, on_each_engine, push, repository};

/// An image with these tags; its digest.
async fn image(store: &Store, app: &Repository, mark: &str, tags: &[&str]) -> Digest {
    let layer = push(store, &app.id, b"config").await.digest;
    let text = manifest_text(&[layer], mark);
    put(store, app, &text, tags, mark).await.unwrap();
    Digest::sha256(text.as_bytes())
}

async fn tags(store: &Store, app: &Repository) -> Vec<String> {
    let tags = store.list_tags(&app.id, None, 100).await.unwrap();
    tags.iter().map(Tag::to_string).collect()
}

async fn exists(store: &Store, app: &Repository, digest: &Digest) -> bool {
    let reference = Reference::Digest(digest.clone());
    let found = store.find_manifest(&app.id, &reference).await;
    found.unwrap().is_some()
}

fn gone(digest: &Digest, tags: &[&str], image: bool) -> Result<DeletedImage, DeleteImageRefused> {
    Ok(DeletedImage {
        digest: digest.clone(),
        tags: tags.iter().map(|text| tag(text)).collect(),
        image,
    })
}

#[test]
fn an_image_goes_with_its_tags_and_comes_back_when_it_is_pushed_again() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        let old = image(&store, &app, "old", &["v1", "b", "a"]).await;
        let new = image(&store, &app, "new", &["v2"]).await;
        let named = vec![ImageToDelete::Image(old.clone())];
        let deleted = store
            .delete_images(&app.id, named.clone(), &change("d"))
            .await;
        assert_eq!(deleted.unwrap(), [gone(&old, &["a", "b", "v1"], true)]);
        assert!(!exists(&store, &app, &old).await && exists(&store, &app, &new).await);
        assert_eq!(tags(&store, &app).await, ["v2"]);
        assert!(store.find_change("d").await.unwrap().is_some());
        let again = store.delete_images(&app.id, named, &change("d2")).await;
        assert_eq!(again.unwrap(), [Err(DeleteImageRefused::NotFound)]);
        assert!(store.find_change("d2").await.unwrap().is_none());
        let layer = Digest::sha256(b"config");
        let text = manifest_text(&[layer], "old");
        assert!(
            put(&store, &app, &text, &[], "again")
                .await
                .unwrap()
                .created
        );
    });
}

#[test]
fn a_tag_goes_alone_or_takes_the_image_that_it_leaves_without_one() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        let digest = image(&store, &app, "x", &["a", "b", "c"]).await;
        let other = image(&store, &app, "y", &["other"]).await;
        let named = vec![
            ImageToDelete::Tag(tag("other"), digest.clone()),
            ImageToDelete::TagOrLast(tag("absent"), digest.clone()),
            ImageToDelete::TagOrLast(tag("a"), digest.clone()),
            ImageToDelete::Tag(tag("other"), other.clone()),
        ];
        let deleted = store.delete_images(&app.id, named, &change("1")).await;
        let expected = [
            Err(DeleteImageRefused::TagDoesNotMatchDigest),
            Err(DeleteImageRefused::NotFound),
            gone(&digest, &["a"], false),
            gone(&other, &["other"], false),
        ];
        assert_eq!(deleted.unwrap(), expected);
        assert!(exists(&store, &app, &digest).await && exists(&store, &app, &other).await);
        let named = ["b", "c"].map(|name| ImageToDelete::TagOrLast(tag(name), digest.clone()));
        let deleted = store
            .delete_images(&app.id, named.into(), &change("2"))
            .await;
        let expected = [gone(&digest, &["b"], false), gone(&digest, &["c"], true)];
        assert_eq!(deleted.unwrap(), expected);
        assert!(!exists(&store, &app, &digest).await);
        assert!(tags(&store, &app).await.is_empty());
    });
}

#[test]
fn an_image_stays_as_long_as_an_index_refers_to_it() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        let child = image(&store, &app, "child", &["v1"]).await;
        let text = index(&child);
        let parent = Digest::sha256(text.as_bytes());
        put(&store, &app, &text, &["all"], "index").await.unwrap();
        let refused = || Err(DeleteImageRefused::ReferencedBy(vec![parent.clone()]));
        let named = vec![
            ImageToDelete::Image(child.clone()),
            ImageToDelete::TagOrLast(tag("v1"), child.clone()),
        ];
        let deleted = store.delete_images(&app.id, named, &change("1")).await;
        assert_eq!(deleted.unwrap(), [refused(), refused()]);
        assert_eq!(tags(&store, &app).await, ["all", "v1"]);
        let named = vec![
            ImageToDelete::Image(parent.clone()),
            ImageToDelete::Image(child.clone()),
        ];
        let deleted = store.delete_images(&app.id, named, &change("2")).await;
        let expected = [gone(&parent, &["all"], true), gone(&child, &["v1"], true)];
        assert_eq!(deleted.unwrap(), expected);
    });
}

#[test]
fn nothing_is_deleted_in_a_repository_that_is_gone() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        let digest = image(&store, &app, "x", &[]).await;
        let gone = store.delete_repository(&app.id, true, &change("r")).await;
        gone.unwrap();
        let named = vec![ImageToDelete::Image(digest)];
        let late = store.delete_images(&app.id, named, &change("d")).await;
        assert!(matches!(late, Err(StoreError::Conflict)));
    });
}
