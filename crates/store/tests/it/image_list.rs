//! Lists of images, page by page, and what is known of each.

use bonded_model::{Digest, Tag};
use bonded_store::{ImageDetail, ImageKey, Repository, Store, TagStatus};

use crate::image::{index, put, tag};
use crate::site::{NOW, manifest_text, on_each_engine, push, repository};

const ALL: [TagStatus; 3] = [TagStatus::Any, TagStatus::Tagged, TagStatus::Untagged];

/// A repository with 12 images: the first with four tags, every third without one.
async fn library(store: &Store) -> (Repository, Vec<Digest>) {
    let app = repository(store, "app").await;
    let layer = push(store, &app.id, b"config").await.digest;
    let mut digests = Vec::new();
    for n in 0..12 {
        let text = manifest_text(std::slice::from_ref(&layer), &n.to_string());
        let own = format!("v{n}");
        let tags: &[&str] = match n {
            0 => &["a", "b", "c", "d"],
            n if n % 3 == 2 => &[],
            _ => &[&own],
        };
        put(store, &app, &text, tags, &own).await.unwrap();
        digests.push(Digest::sha256(text.as_bytes()));
    }
    (app, digests)
}

async fn keys(store: &Store, app: &Repository, status: TagStatus, limit: u32) -> Vec<ImageKey> {
    let mut listed = Vec::new();
    let mut after = None;
    loop {
        let page = store
            .list_image_keys(&app.id, after.as_ref(), status, limit)
            .await
            .unwrap();
        assert!(page.items.len() <= limit as usize);
        listed.extend(page.items);
        after = page.next;
        if after.is_none() {
            return listed;
        }
    }
}

async fn images(
    store: &Store,
    app: &Repository,
    status: TagStatus,
    limit: u32,
) -> Vec<ImageDetail> {
    let mut listed = Vec::new();
    let mut after = None;
    loop {
        let page = store
            .describe_images(&app.id, after.as_ref(), status, limit)
            .await
            .unwrap();
        assert!(page.items.len() <= limit as usize);
        listed.extend(page.items);
        after = page.next;
        if after.is_none() {
            return listed;
        }
    }
}

#[test]
fn pages_of_any_length_show_each_image_once_and_in_order() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let (app, digests) = library(&store).await;
        for status in ALL {
            let whole = keys(&store, &app, status, 1000).await;
            let order = |key: &ImageKey| (key.digest.clone(), key.tag.clone());
            assert!(whole.is_sorted_by_key(order));
            let described = images(&store, &app, status, 1000).await;
            let (tagged, untagged) = (4 + 7, 4);
            let (listed, images_of) = match status {
                TagStatus::Any => (tagged + untagged, digests.len()),
                TagStatus::Tagged => (tagged, 8),
                TagStatus::Untagged => (untagged, 4),
            };
            assert_eq!((whole.len(), described.len()), (listed, images_of));
            for limit in 1..=6 {
                assert_eq!(keys(&store, &app, status, limit).await, whole, "{status:?}");
                assert_eq!(images(&store, &app, status, limit).await, described);
            }
        }
    });
}

#[test]
fn an_image_is_known_by_its_blobs_its_tags_and_its_largest_child() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let app = repository(&store, "app").await;
        let small = push(&store, &app.id, b"small").await.digest;
        let large = push(&store, &app.id, &[0; 100_000]).await.digest;
        let text = manifest_text(&[small, large], "");
        put(&store, &app, &text, &["v2", "v1"], "1").await.unwrap();
        let image = Digest::sha256(text.as_bytes());
        let parent = index(&image);
        put(&store, &app, &parent, &[], "2").await.unwrap();
        let parent = Digest::sha256(parent.as_bytes());
        let absent = Digest::sha256(b"absent");
        let asked = [parent.clone(), absent, image.clone(), image.clone()];
        let found = store.find_image_details(&app.id, &asked).await.unwrap();
        let [Some(of_index), None, Some(of_image), Some(again)] = &found[..] else {
            panic!("{found:?}");
        };
        assert_eq!(of_image, again);
        assert_eq!(of_image.tags, [tag("v1"), tag("v2")] as [Tag; 2]);
        assert_eq!((of_image.size, of_image.pushed_at), (100_005, NOW));
        assert_eq!((of_index.size, &of_index.digest), (100_005, &parent));
        assert!(of_index.tags.is_empty());
        let other = repository(&store, "other").await;
        let elsewhere = store.find_image_details(&other.id, &asked).await.unwrap();
        assert!(elsewhere.iter().all(Option::is_none));
        assert!(images(&store, &other, TagStatus::Any, 10).await.is_empty());
    });
}
