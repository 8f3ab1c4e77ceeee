use super::*;
use crate::explain;
use crate::fixtures::{AWAY, HOME, REPOSITORY, ROLE, own, pull, request, session, user};

#[test]
fn additions_allow_the_request_layer_by_layer() {
    let none = own("Allow", "s3:*");
    let all = own("Allow", "*");
    let policies = Policies {
        boundary: Some(&none),
        service_control: vec![
            Level {
                name: "root",
                policies: vec![&all],
            },
            Level {
                name: "account",
                policies: vec![&none],
            },
        ],
        ..Policies::default()
    };
    let explanation = explain(&pull(session(AWAY)), &policies);
    let own = json!({"Effect": "Allow", "Action": "ecr:BatchGetImage", "Resource": REPOSITORY});
    let found: Vec<_> = explanation
        .additions
        .iter()
        .map(|a| (a.kind, a.organization_level.as_deref(), a.statement.clone()))
        .collect();
    let resource = json!({
        "Effect": "Allow",
        "Principal": {"AWS": format!("arn:aws:iam::{AWAY}:role/ci")},
        "Action": "ecr:BatchGetImage"
    });
    assert_eq!(
        found,
        [
            (PolicyKind::ServiceControl, Some("account"), own.clone()),
            (PolicyKind::Identity, None, own.clone()),
            (PolicyKind::Boundary, None, own),
            (PolicyKind::Repository, None, resource),
        ]
    );
}

#[test]
fn nothing_is_suggested_where_nothing_helps() {
    let deny = own("Deny", "*");
    let denied = Policies {
        identity: vec![&deny],
        ..Policies::default()
    };
    for (request, policies) in [
        (pull(user(HOME)), denied),
        (pull(Principal::Anonymous), Policies::default()),
        (
            request(session(HOME), "sts:GetSessionToken", "*"),
            Policies::default(),
        ),
    ] {
        assert_eq!(explain(&request, &policies).additions, []);
    }
    let trust = explain(
        &request(user(AWAY), "sts:AssumeRole", ROLE),
        &Policies::default(),
    );
    let kinds: Vec<_> = trust.additions.iter().map(|a| a.kind).collect();
    assert_eq!(kinds, [PolicyKind::Identity, PolicyKind::Trust]);
}
