//! What decides on a caller's side: inline and managed policies, groups, boundaries, service
//! control policies.

use bonded_store::{Bounded, FULL_ACCESS, Group, InUse, LimitExceeded, Store, StoreError};

use crate::managed_policy::managed;
use crate::principal::{role, user};
use crate::site::{ACCOUNT, NOW, change, on_each_engine};

fn group(id: &str, name: &str) -> Group {
    Group {
        id: id.to_owned(),
        account: ACCOUNT.parse().unwrap(),
        name: name.to_owned(),
        path: "/".to_owned(),
        created_at: NOW,
    }
}

/// The identity policies of `AIDA1` as `group/policy`.
async fn names(store: &Store) -> Vec<String> {
    let account = ACCOUNT.parse().unwrap();
    let found = store.caller_policies("AIDA1", &account).await.unwrap();
    let name = |policy: bonded_store::IdentityPolicy| {
        let kind = if policy.managed.is_some() { "m:" } else { "" };
        let group = policy.group.map(|group| format!("{group}/"));
        format!("{}{kind}{}", group.unwrap_or_default(), policy.name)
    };
    found.identity.into_iter().map(name).collect()
}

#[test]
fn a_user_has_its_own_policies_and_those_of_its_groups() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let c = |step: &str| change(step);
        store
            .create_user(&user("AIDA1", "alice", "/"), &c("1"))
            .await
            .unwrap();
        store
            .create_group(&group("AGPA1", "Devs"), &c("2"))
            .await
            .unwrap();
        let twin = store.create_group(&group("AGPA2", "devs"), &c("3")).await;
        assert!(matches!(twin, Err(StoreError::Conflict)));
        let (own, aws) = (managed("ANPA1", "pull"), "ANPALBCD");
        assert_ne!(own.id, aws);
        store
            .create_managed_policy(&own, "{}", &c("4"))
            .await
            .unwrap();
        for (n, principal) in ["AIDA1", "AGPA1"].into_iter().enumerate() {
            let inline = store
                .put_principal_policy(principal, ("inline", "{}"), |_| true, &c(&format!("i{n}")))
                .await;
            inline.unwrap().unwrap();
            let attached = store
                .attach_policy(principal, "ANPA1", 10, &c(&format!("a{n}")))
                .await;
            attached.unwrap().unwrap();
        }
        assert_eq!(names(&store).await, ["inline", "m:pull"]);
        let add = |n: &'static str| {
            let store = store.clone();
            async move { store.add_to_group("AGPA1", "AIDA1", 1, &change(n)).await }
        };
        add("5").await.unwrap().unwrap();
        add("6").await.unwrap().unwrap();
        assert_eq!(
            names(&store).await,
            ["inline", "m:pull", "Devs/inline", "Devs/m:pull"]
        );
        let second = group("AGPA3", "ops");
        store.create_group(&second, &c("7")).await.unwrap();
        let limited = store.add_to_group("AGPA3", "AIDA1", 1, &c("8")).await;
        assert_eq!(limited.unwrap(), Err(LimitExceeded(1)));
        let users = store.list_group_users("AGPA1", None, 9).await.unwrap();
        assert_eq!(users.len(), 1);
        let groups = store.list_user_groups("AIDA1", None, 9).await.unwrap();
        assert_eq!(groups, [group("AGPA1", "Devs")]);

        let used = store.delete_group("AGPA1", &c("9")).await;
        assert_eq!(used.unwrap(), Err(InUse::InlinePolicies));
        let removed = store.remove_from_group("AGPA1", "AIDA1", &c("10")).await;
        assert!(removed.unwrap());
        let again = store.remove_from_group("AGPA1", "AIDA1", &c("11")).await;
        assert!(!again.unwrap());
        assert_eq!(names(&store).await, ["inline", "m:pull"]);
        let deleted = store.delete_group("AGPA3", &c("12")).await;
        assert_eq!(deleted.unwrap(), Ok(true));
    });
}

#[test]
fn a_boundary_is_read_with_the_policies_and_holds_its_policy() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let account = ACCOUNT.parse().unwrap();
        let made = store
            .create_role(&role("AROA1", "deploy"), &change("1"))
            .await;
        made.unwrap();
        let policy = managed("ANPA1", "limit");
        store
            .create_managed_policy(&policy, r#"{"v":1}"#, &change("2"))
            .await
            .unwrap();
        let set = |boundary, n: &'static str| {
            let store = store.clone();
            async move {
                let set = store
                    .set_boundary(Bounded::Role, "AROA1", boundary, &change(n))
                    .await;
                set.unwrap()
            }
        };
        let absent = managed("ANPA2", "absent").arn;
        assert!(!set(Some(&absent), "3").await);
        assert!(set(Some(&policy.arn), "4").await);
        let found = store.caller_policies("AROA1", &account).await.unwrap();
        let (arn, version) = found.boundary.unwrap();
        assert_eq!((&arn, version.text.as_str()), (&policy.arn, r#"{"v":1}"#));
        let used = store.delete_managed_policy("ANPA1", &change("5")).await;
        assert_eq!(used.unwrap(), Err(InUse::Attachments));
        let entities = store.list_policy_entities(&arn, &account, true, None, 9);
        assert_eq!(entities.await.unwrap()[0].0.name, "deploy");
        assert!(set(None, "6").await);
        let deleted = store.delete_managed_policy("ANPA1", &change("7")).await;
        assert_eq!(deleted.unwrap(), Ok(true));
    });
}

#[test]
fn an_account_has_at_least_one_service_control_policy() {
    on_each_engine(|site| async move {
        let store = site.open().await;
        let account = ACCOUNT.parse().unwrap();
        let names = || async {
            let found = store.service_control_policies(&account).await.unwrap();
            let names: Vec<String> = found.into_iter().map(|policy| policy.name).collect();
            names
        };
        assert_eq!(names().await, [FULL_ACCESS]);
        let detach = |name, n| {
            let store = &store;
            async move {
                let detached = store.detach_service_control_policy(name, &change(n)).await;
                detached.unwrap()
            }
        };
        assert!(!detach(FULL_ACCESS, "1").await);
        for (n, limit, attached) in [("2", 1, false), ("3", 2, true), ("4", 2, true)] {
            let done = store
                .attach_service_control_policy("only-ecr", "{}", limit, &change(n))
                .await;
            assert_eq!(done.unwrap().is_ok(), attached, "{n}");
        }
        assert!(detach(FULL_ACCESS, "5").await);
        assert_eq!(names().await, ["only-ecr"]);
        let back = store
            .attach_service_control_policy(FULL_ACCESS, "ignored", 5, &change("6"))
            .await;
        back.unwrap().unwrap();
        let found = store.caller_policies("AIDA1", &account).await.unwrap();
        assert_eq!(found.service_control.len(), 2);
        assert!(found.service_control[0].version.text.contains("Allow"));
    });
}
