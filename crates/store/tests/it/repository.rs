//! Repositories, their policies and tags.

use bonded_model::{RepositoryName, ResourceTags, TagMutability};
use bonded_store::{DeleteRepository, Mode, NewRepository, StoreError, TagUpdate};
use futures_util::future::join_all;

use crate::site::{ACCOUNT, NOW, arn, change, manifest_text, new_repository, on_each_engine};
use crate::site::{parse, push, repository};

#[test]
fn a_repository_is_found_as_it_was_created() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let filters = vec!["dev-*".to_owned()];
        let new = NewRepository {
            tag_mutability: TagMutability::ImmutableWithExclusion(filters),
            scan_on_push: true,
            tags: [("team".to_owned(), "ä".to_owned())].into(),
            ..new_repository("team/app", TagMutability::Mutable)
        };
        let made = store.create_repository(&new, &change("c1")).await.unwrap();
        let found = store.find_repository(&new.arn).await.unwrap().unwrap();
        assert_eq!(found.id, made.id);
        assert_eq!(found.arn, new.arn);
        assert_eq!(found.created_at, NOW);
        assert_eq!(found.tag_mutability, new.tag_mutability);
        assert!(found.scan_on_push);
        assert_eq!(found.tags, new.tags);
        assert_eq!(found.policy, None);
        let recorded = store.find_change("c1").await.unwrap();
        assert_eq!(recorded, Some(change("c1")));
        assert!(
            store
                .find_repository(&arn("team/app2"))
                .await
                .unwrap()
                .is_none()
        );
    });
}

#[test]
fn one_failed_body_of_a_group_undoes_nothing_of_the_others() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let racers = (0..60).map(|n| {
            let store = store.clone();
            // Every third name is the same one.
            let name = if n % 3 == 0 {
                "same".to_owned()
            } else {
                format!("r{n}")
            };
            tokio::spawn(async move {
                let new = new_repository(&name, TagMutability::Mutable);
                let change = change(&format!("c{n}"));
                (n, store.create_repository(&new, &change).await)
            })
        });
        let mut same = 0;
        for racer in join_all(racers).await {
            let (n, made) = racer.unwrap();
            let recorded = store.find_change(&format!("c{n}")).await.unwrap();
            assert_eq!(recorded.is_some(), made.is_ok());
            match made {
                Ok(made) if n % 3 == 0 => {
                    same += 1;
                    assert_eq!(made.arn, arn("same"));
                }
                Ok(_) => {}
                Err(StoreError::Conflict) => assert_eq!(n % 3, 0),
                Err(e) => panic!("{e}"),
            }
        }
        assert_eq!(same, 1);
        let (account, region) = (ACCOUNT.parse().unwrap(), "us-east-1".parse().unwrap());
        let all = store.list_repositories(&account, &region, None, 1000).await;
        assert_eq!(all.unwrap().len(), 41);
    });
}

#[test]
fn repositories_are_listed_in_byte_order_page_by_page() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let names = ["a-b", "a/b", "a0", "a_b", "ab", "bb"];
        for name in ["bb", "ab", "a_b", "a0", "a/b", "a-b"] {
            repository(&store, name).await;
        }
        let (account, region) = (ACCOUNT.parse().unwrap(), "us-east-1".parse().unwrap());
        let mut listed = Vec::new();
        let mut after: Option<RepositoryName> = None;
        loop {
            let page = store
                .list_repositories(&account, &region, after.as_ref(), 4)
                .await
                .unwrap();
            assert!(page.len() <= 4);
            let Some(last) = page.last() else { break };
            after = Some(last.arn.name.clone());
            listed.extend(page.into_iter().map(|r| r.arn.name.to_string()));
        }
        assert_eq!(listed, names);
        let wanted: Vec<RepositoryName> = ["bb", "none", "a0"].map(|n| n.parse().unwrap()).into();
        let found = store
            .find_repositories(&account, &region, &wanted)
            .await
            .unwrap();
        let names = found
            .iter()
            .map(|found| found.as_ref().map(|r| r.arn.name.as_str()));
        assert_eq!(names.collect::<Vec<_>>(), [Some("bb"), None, Some("a0")]);
        for (after, expected) in [
            ("", &["a-b", "a/b"][..]),
            ("a/", &["a/b", "a0"]),
            ("c", &[]),
        ] {
            let near = store.list_repository_names(&account, &region, after, 2);
            let near = near.await.unwrap();
            assert_eq!(
                near.iter().map(RepositoryName::as_str).collect::<Vec<_>>(),
                expected
            );
        }
        let elsewhere = "eu-west-1".parse().unwrap();
        assert!(
            store
                .list_repositories(&account, &elsewhere, None, 9)
                .await
                .unwrap()
                .is_empty()
        );
    });
}

#[test]
fn each_policy_is_a_new_version_and_a_new_epoch() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let account = ACCOUNT.parse().unwrap();
        let made = repository(&store, "app").await;
        let mut seen = Vec::new();
        for (n, text) in [Some("{}"), Some("{}"), None].into_iter().enumerate() {
            let epoch = store.epoch(&account).await.unwrap();
            let change = change(&format!("p{n}"));
            store
                .set_repository_policy(&made.id, text, &change)
                .await
                .unwrap();
            assert_eq!(store.epoch(&account).await.unwrap(), epoch + 1);
            let policy = store
                .find_repository(&made.arn)
                .await
                .unwrap()
                .unwrap()
                .policy;
            assert_eq!(policy.as_ref().map(|p| p.text.as_str()), text);
            seen.extend(policy.map(|p| p.id));
        }
        assert_ne!(seen[0], seen[1]);
        let old = store.find_policy_version(&seen[0]).await.unwrap();
        assert_eq!(old.unwrap().text, "{}");
    });
}

#[test]
fn tags_are_merged_and_removed_up_to_their_limit() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let made = repository(&store, "app").await;
        let tags = |range: std::ops::Range<i32>| -> ResourceTags {
            range.map(|n| (format!("k{n}"), "v".to_owned())).collect()
        };
        let set = |n: &'static str, update| {
            let (store, id) = (store.clone(), made.id.clone());
            async move {
                store
                    .set_repository_tags(&id, update, &change(n))
                    .await
                    .unwrap()
            }
        };
        assert!(set("t1", TagUpdate::Merge(tags(0..49))).await.is_ok());
        assert!(set("t2", TagUpdate::Merge(tags(48..50))).await.is_ok());
        assert!(set("t3", TagUpdate::Merge(tags(50..51))).await.is_err());
        assert!(store.find_change("t3").await.unwrap().is_none());
        let keys = vec!["k0".to_owned(), "none".to_owned()];
        assert!(set("t4", TagUpdate::Remove(keys)).await.is_ok());
        let found = store.find_repository(&made.arn).await.unwrap().unwrap();
        assert_eq!(found.tags, tags(1..50));
    });
}

#[test]
fn a_repository_with_images_is_deleted_only_by_force_and_comes_back_empty() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let made = repository(&store, "app").await;
        let layer = push(&store, &made.id, b"layer").await;
        let upload = store
            .start_upload(&made.id, "AIDAX", 10, NOW)
            .await
            .unwrap()
            .unwrap();
        let mut writer = store
            .open_upload(&made.id, &upload, NOW)
            .await
            .unwrap()
            .unwrap();
        writer.write(b"half").unwrap();
        store.suspend_upload(writer, NOW).await.unwrap();
        let text = manifest_text(std::slice::from_ref(&layer.digest), "");
        let image = bonded_store::PutImage {
            repository: &made,
            manifest: &parse(&text),
            bytes: text.as_bytes(),
            digest: &bonded_model::Digest::sha256(text.as_bytes()),
            tags: &["v1".parse().unwrap()],
            sparse: false,
            document: None,
            now: NOW,
        };
        store
            .put_image(image, &change("put"))
            .await
            .unwrap()
            .unwrap();

        let delete = |force, n| {
            let (store, id) = (store.clone(), made.id.clone());
            async move {
                store
                    .delete_repository(&id, force, &change(n))
                    .await
                    .unwrap()
            }
        };
        assert_eq!(delete(false, "d1").await, DeleteRepository::NotEmpty);
        assert_eq!(delete(true, "d2").await, DeleteRepository::Deleted);
        assert_eq!(delete(true, "d3").await, DeleteRepository::NotFound);
        assert!(store.find_change("d1").await.unwrap().is_none());
        assert!(store.find_repository(&made.arn).await.unwrap().is_none());
        assert!(
            store
                .find_layer(&made.id, &layer.digest)
                .await
                .unwrap()
                .is_none()
        );
        assert!(
            store
                .find_upload(&made.id, &upload)
                .await
                .unwrap()
                .is_none()
        );
        // The finished object stays for the collector, the unfinished one goes.
        assert_eq!(site.objects().await.len(), 1);
        let again = store.start_upload(&made.id, "AIDAX", 10, NOW).await;
        assert!(matches!(again, Err(StoreError::Conflict)));

        let new = new_repository("app", TagMutability::Mutable);
        let second = store.create_repository(&new, &change("c2")).await.unwrap();
        assert_ne!(second.id, made.id);
        assert!(
            store
                .list_tags(&second.id, None, 9)
                .await
                .unwrap()
                .is_empty()
        );
        assert_eq!(
            delete_empty(&store, &second.id).await,
            DeleteRepository::Deleted
        );
        let left = store.collect_deleted_repositories(Mode::DryRun).await;
        assert_eq!(left.unwrap(), 0);
    });
}

async fn delete_empty(
    store: &bonded_store::Store,
    id: &bonded_store::RepositoryId,
) -> DeleteRepository {
    store
        .delete_repository(id, false, &change("d4"))
        .await
        .unwrap()
}
