//! Managed policies, their versions and who uses them.

use bonded_model::PolicyArn;
use bonded_store::{
    DeleteVersion, InUse, LimitExceeded, ManagedPolicy, PolicyFilter, StoreError, TagUpdate,
    Tagged, Usage,
};

use crate::principal::user;
use crate::site::{ACCOUNT, NOW, change, on_each_engine};

pub(crate) fn managed(id: &str, name: &str) -> ManagedPolicy {
    ManagedPolicy {
        id: id.to_owned(),
        arn: PolicyArn {
            owner: Some(ACCOUNT.parse().unwrap()),
            path: "/ci/".to_owned(),
            name: name.to_owned(),
        },
        description: None,
        created_at: NOW,
        updated_at: NOW,
        default_version: 1,
        tags: [].into(),
        attachments: 0,
        boundaries: 0,
    }
}

#[test]
fn versions_are_numbered_and_one_holds() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let policy = managed("ANPA1", "Pull");
        store
            .create_managed_policy(&policy, "{}", &change("1"))
            .await
            .unwrap();
        let twin = store
            .create_managed_policy(&managed("ANPA2", "pull"), "{}", &change("2"))
            .await;
        assert!(matches!(twin, Err(StoreError::Conflict)));
        let add = |text: &'static str, default, n| {
            let store = store.clone();
            async move {
                store
                    .create_policy_version("ANPA1", text, default, 3, &change(n))
                    .await
                    .unwrap()
            }
        };
        assert_eq!(add("{2}", false, "3").await, Ok(2));
        assert_eq!(add("{3}", true, "4").await, Ok(3));
        assert_eq!(add("{4}", true, "5").await, Err(LimitExceeded(3)));
        let viewer = ACCOUNT.parse().unwrap();
        let found = store.find_managed_policy(&policy.arn, &viewer).await;
        assert_eq!(found.unwrap().unwrap().default_version, 3);
        let delete = |number, n| {
            let store = store.clone();
            async move {
                let change = change(n);
                let done = store.delete_policy_version("ANPA1", number, &change);
                done.await.unwrap()
            }
        };
        assert_eq!(delete(3, "6").await, DeleteVersion::IsDefault);
        assert_eq!(delete(9, "7").await, DeleteVersion::NotFound);
        assert_eq!(delete(1, "8").await, DeleteVersion::Deleted);
        let versions = store.list_managed_policy_versions("ANPA1").await.unwrap();
        let shown: Vec<_> = versions.iter().map(|v| (v.number, v.is_default)).collect();
        assert_eq!(shown, [(3, true), (2, false)]);
        let set = |number, n| {
            let store = store.clone();
            async move {
                let change = change(n);
                let done = store.set_default_policy_version("ANPA1", number, &change);
                done.await.unwrap()
            }
        };
        assert!(!set(1, "9").await, "a deleted version does not come back");
        assert!(set(2, "10").await);
        assert_eq!(
            add("{5}", false, "11").await,
            Ok(4),
            "numbers are not used again"
        );
        let held = store.delete_managed_policy("ANPA1", &change("12")).await;
        assert_eq!(held.unwrap(), Err(InUse::Versions));
    });
}

#[test]
fn policies_are_listed_by_owner_use_and_path() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let viewer = ACCOUNT.parse().unwrap();
        // Of the same name as one of AWS's.
        for (n, name) in ["AdministratorAccess", "zoo"].into_iter().enumerate() {
            let policy = managed(&format!("ANPA{n}"), name);
            let made = store
                .create_managed_policy(&policy, "{}", &change(name))
                .await;
            made.unwrap();
        }
        store
            .create_user(&user("AIDA1", "alice", "/"), &change("u"))
            .await
            .unwrap();
        let attached = store.attach_policy("AIDA1", "ANPA1", 1, &change("a")).await;
        attached.unwrap().unwrap();
        let limited = store.attach_policy("AIDA1", "ANPA0", 1, &change("b")).await;
        assert_eq!(limited.unwrap(), Err(LimitExceeded(1)));
        let all = PolicyFilter {
            own: true,
            aws: true,
            used: None,
            path_prefix: "/",
        };
        let list = |filter: PolicyFilter<'static>, after: Option<(&'static str, bool)>, limit| {
            let (store, viewer) = (store.clone(), &viewer);
            async move {
                let page = store.list_managed_policies(viewer, filter, after, limit);
                page.await.unwrap()
            }
        };
        let whole = list(all, None, 1000).await;
        let mut paged = Vec::new();
        while let [policy] = &list(
            all,
            paged.last().map(|last: &ManagedPolicy| {
                let name: &'static str = Box::leak(last.arn.name.clone().into_boxed_str());
                (name, last.arn.owner.is_some())
            }),
            1,
        )
        .await[..]
        {
            paged.push(policy.clone());
        }
        assert_eq!(paged, whole);
        assert_eq!(whole.len(), 11);
        let own = PolicyFilter { aws: false, ..all };
        assert_eq!(list(own, None, 1000).await.len(), 2);
        let under = PolicyFilter {
            path_prefix: "/aws-service-role/",
            ..all
        };
        assert_eq!(list(under, None, 1000).await.len(), 3);
        for usage in [Usage::Any, Usage::Attached, Usage::Boundary] {
            let used = PolicyFilter {
                used: Some(usage),
                ..all
            };
            let expected: &[&str] = match usage {
                Usage::Boundary => &[],
                Usage::Any | Usage::Attached => &["zoo"],
            };
            let found = list(used, None, 1000).await;
            let names: Vec<&str> = found.iter().map(|p| p.arn.name.as_str()).collect();
            assert_eq!(names, expected, "{usage:?}");
        }
        let zoo = store
            .find_managed_policy(&managed("", "zoo").arn, &viewer)
            .await;
        assert_eq!(zoo.unwrap().unwrap().attachments, 1);
        let detached = store.detach_policy("AIDA1", "ANPA1", &change("c")).await;
        assert!(detached.unwrap());
        let again = store.detach_policy("AIDA1", "ANPA1", &change("d")).await;
        assert!(!again.unwrap());
    });
}

#[test]
fn tags_are_the_same_without_regard_to_case() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let alice = user("AIDA1", "alice", "/");
        store.create_user(&alice, &change("1")).await.unwrap();
        let update = |update, n| {
            let store = store.clone();
            async move {
                let change = change(n);
                let set = store.set_identity_tags(Tagged::User, "AIDA1", update, &change);
                set.await.unwrap()
            }
        };
        let tag = |key: &str, value: &str| [(key.to_owned(), value.to_owned())].into();
        update(TagUpdate::Merge(tag("TEAM", "b")), "2")
            .await
            .unwrap();
        let found = store.find_user_by_id("AIDA1").await.unwrap().unwrap();
        assert_eq!(found.tags, tag("TEAM", "b"));
        let remove = TagUpdate::Remove(vec!["team".to_owned(), "absent".to_owned()]);
        update(remove, "3").await.unwrap();
        let found = store.find_user_by_id("AIDA1").await.unwrap().unwrap();
        assert!(found.tags.is_empty());
        let many = (0..51).map(|n| (n.to_string(), String::new())).collect();
        assert!(update(TagUpdate::Merge(many), "4").await.is_err());
    });
}
