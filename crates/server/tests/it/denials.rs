//! Who is denied, and what the denial says.

use bonded_registry::Error;
use serde_json::json;

use crate::app::{ACCOUNT, App, EVERYTHING, OTHER, denial};

const PULL: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:DescribeRepositories","Resource":"*"}}"#;

fn named(registry: &str, name: &str) -> serde_json::Value {
    json!({ "registryId": registry, "repositoryNames": [name] })
}

#[tokio::test]
async fn another_account_needs_both_sides() {
    let app = App::new().await;
    let administrator = app.administrator().await;
    let other = app.other_administrator().await;
    for name in ["team/shared", "team/private"] {
        app.call(
            &administrator,
            "CreateRepository",
            json!({ "repositoryName": name }),
        )
        .await
        .unwrap();
    }
    let policy = json!({ "Version": "2012-10-17", "Statement": { "Effect": "Allow",
        "Principal": { "AWS": format!("arn:aws:iam::{OTHER}:root") }, "Action": "ecr:DescribeRepositories" } });
    let input = json!({ "repositoryName": "team/shared", "policyText": policy.to_string() });
    app.call(&administrator, "SetRepositoryPolicy", input)
        .await
        .unwrap();

    app.call(
        &other,
        "DescribeRepositories",
        named(ACCOUNT, "team/shared"),
    )
    .await
    .unwrap();
    let private = app
        .call(
            &other,
            "DescribeRepositories",
            named(ACCOUNT, "team/private"),
        )
        .await
        .unwrap_err();
    let absent = app
        .call(
            &other,
            "DescribeRepositories",
            named(ACCOUNT, "team/absent"),
        )
        .await
        .unwrap_err();
    assert_eq!(denial(private).replace("private", "absent"), denial(absent));
    let nobody = app.user(&other, "nobody", None).await;
    let nobody = app.caller(&nobody).await.unwrap();
    let sentence = denial(
        app.call(
            &nobody,
            "DescribeRepositories",
            named(ACCOUNT, "team/shared"),
        )
        .await
        .unwrap_err(),
    );
    assert!(
        sentence.ends_with(
            "because no identity-based policy allows the ecr:DescribeRepositories action"
        ),
        "{sentence}"
    );
}

#[tokio::test]
async fn a_hidden_deny_reads_like_an_absent_repository() {
    let app = App::new().await;
    let administrator = app.administrator().await;
    let key = app.user(&administrator, "nobody", None).await;
    let nobody = app.caller(&key).await.unwrap();
    app.call(
        &administrator,
        "CreateRepository",
        json!({ "repositoryName": "team/guarded" }),
    )
    .await
    .unwrap();
    let policy = json!({ "Version": "2012-10-17", "Statement": { "Sid": "Guard", "Effect": "Deny",
        "Principal": { "AWS": format!("arn:aws:iam::{ACCOUNT}:user/nobody") }, "Action": "ecr:*" } });
    let input = json!({ "repositoryName": "team/guarded", "policyText": policy.to_string() });
    app.call(&administrator, "SetRepositoryPolicy", input)
        .await
        .unwrap();
    let guarded = app
        .call(
            &nobody,
            "DescribeRepositories",
            named(ACCOUNT, "team/guarded"),
        )
        .await
        .unwrap_err();
    let absent = app
        .call(
            &nobody,
            "DescribeRepositories",
            named(ACCOUNT, "team/absent"),
        )
        .await
        .unwrap_err();
    assert_eq!(denial(guarded).replace("guarded", "absent"), denial(absent));
}

#[tokio::test]
async fn who_may_learn_that_a_repository_is_absent_learns_it() {
    let app = App::new().await;
    let administrator = app.administrator().await;
    let key = app.user(&administrator, "reader", Some(PULL)).await;
    let reader = app.caller(&key).await.unwrap();
    let absent = app
        .call(
            &reader,
            "DescribeRepositories",
            named(ACCOUNT, "team/absent"),
        )
        .await;
    assert!(matches!(absent, Err(Error::RepositoryNotFound(_))));
}

#[tokio::test]
async fn a_changed_policy_and_a_disabled_key_hold_from_the_next_request() {
    let app = App::new().await;
    let administrator = app.administrator().await;
    let key = app.user(&administrator, "reader", Some(PULL)).await;
    let list = json!({});
    let reader = app.caller(&key).await.unwrap();
    app.call(&reader, "DescribeRepositories", list.clone())
        .await
        .unwrap();

    let input = json!({ "UserName": "reader", "PolicyName": "p" });
    app.call(&administrator, "DeleteUserPolicy", input)
        .await
        .unwrap();
    let reader = app.caller(&key).await.unwrap();
    denial(
        app.call(&reader, "DescribeRepositories", list.clone())
            .await
            .unwrap_err(),
    );

    let input = json!({ "UserName": "reader", "AccessKeyId": key.id, "Status": "Inactive" });
    app.call(&administrator, "UpdateAccessKey", input)
        .await
        .unwrap();
    assert!(matches!(
        app.caller(&key).await,
        Err(Error::Unauthenticated(_))
    ));
}

#[tokio::test]
async fn a_role_is_assumed_by_whom_it_trusts_and_no_more_than_its_policies() {
    let app = App::new().await;
    let administrator = app.administrator().await;
    let key = app.user(&administrator, "builder", Some(EVERYTHING)).await;
    let builder = app.caller(&key).await.unwrap();
    let role = |name: &str, principal: &str| {
        let trust = json!({ "Version": "2012-10-17", "Statement": { "Effect": "Allow",
            "Principal": { "AWS": principal }, "Action": "sts:AssumeRole" } });
        json!({ "RoleName": name, "AssumeRolePolicyDocument": trust.to_string() })
    };
    let administrator_arn = format!("arn:aws:iam::{ACCOUNT}:user/administrator");
    app.call(&administrator, "CreateRole", role("ci", ACCOUNT))
        .await
        .unwrap();
    app.call(
        &administrator,
        "CreateRole",
        role("admins", &administrator_arn),
    )
    .await
    .unwrap();
    for name in ["admins", "absent"] {
        let refused = app.assume(&builder, name, json!({})).await.err().unwrap();
        assert!(denial(refused).contains("sts:AssumeRole"), "{name}");
    }
    let input = json!({ "RoleName": "ci", "PolicyName": "p", "PolicyDocument": EVERYTHING });
    app.call(&administrator, "PutRolePolicy", input)
        .await
        .unwrap();
    let session = app
        .assume(&builder, "ci", json!({ "Policy": PULL }))
        .await
        .unwrap();
    let caller = app.caller(&session).await.unwrap();
    app.call(&caller, "DescribeRepositories", json!({}))
        .await
        .unwrap();
    let input = json!({ "repositoryName": "team/app" });
    let sentence = denial(
        app.call(&caller, "CreateRepository", input)
            .await
            .unwrap_err(),
    );
    assert!(
        sentence.ends_with("because no session policy allows the ecr:CreateRepository action"),
        "{sentence}"
    );

    let mut stolen = session.clone();
    stolen.token = None;
    assert!(
        app.caller(&stolen).await.is_err(),
        "a session's key without its token"
    );
    app.clock
        .set(app.clock.now().after(std::time::Duration::from_secs(3600)));
    assert!(
        app.caller(&session).await.is_err(),
        "a session that has ended"
    );
}
