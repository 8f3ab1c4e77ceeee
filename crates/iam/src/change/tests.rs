use super::*;
use crate::explain;
use crate::fixtures::{
    AWAY, HOME, REPOSITORY, ROLE, on_repository, own, policy, pull, request, session, user,
};

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
fn what_denies_is_to_be_taken_out_in_every_layer() {
    let (all, deny) = (own("Allow", "*"), own("Deny", "*"));
    let both = policy(&json!([
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Sid": "No", "Effect": "Deny", "Action": "ecr:Batch*", "Resource": "*"},
        {"Effect": "Deny", "Action": "ecr:Put*", "Resource": "*"}
    ]));
    let shut = on_repository("Deny", &json!("*"));
    let level = |policy| {
        vec![Level {
            name: "root",
            policies: vec![policy],
        }]
    };
    let base = Policies {
        identity: vec![&all],
        ..Policies::default()
    };
    let change_of = |policies: &Policies<'_>| {
        let explanation = explain(&pull(session(HOME)), policies);
        let places = explanation.removals.into_iter();
        let places: Vec<_> = places.map(|r| (r.layer, r.number, r.sid)).collect();
        (places, explanation.additions.len())
    };
    let no = || Some("No".to_owned());
    let mut denied = vec![base.clone(); 6];
    denied[0].identity = vec![&both];
    denied[1].boundary = Some(&deny);
    denied[2].session = Some(vec![&both]);
    denied[3].service_control = level(&both);
    denied[4].resource_control = level(&shut);
    denied[5].resource = vec![&shut];
    let expected = [
        (Layer::Identity, 2, no(), 0),
        // A boundary without a statement allows nothing.
        (Layer::Boundary, 1, None, 1),
        (Layer::Session, 2, no(), 0),
        (Layer::ServiceControl, 2, no(), 0),
        (Layer::ResourceControl, 1, None, 0),
        (Layer::Resource, 1, None, 0),
    ];
    for (policies, (layer, number, sid, additions)) in denied.iter().zip(expected) {
        let change = (vec![(layer, number, sid)], additions);
        assert_eq!(change_of(policies), change);
    }
    let twice = Policies {
        identity: vec![&both, &deny],
        ..Policies::default()
    };
    assert_eq!(change_of(&twice).0.len(), 2);
    // In a trust policy too, and then the role must still be granted.
    let trust = Policies {
        identity: vec![&all],
        resource: vec![&shut],
        ..Policies::default()
    };
    let explanation = explain(&request(user(HOME), "sts:AssumeRole", ROLE), &trust);
    assert_eq!(explanation.removals.len(), 1);
    assert_eq!(explanation.additions[0].kind, PolicyKind::Trust);
}

#[test]
fn nothing_is_suggested_where_nothing_helps() {
    for (request, policies) in [
        (pull(Principal::Anonymous), Policies::default()),
        (
            request(session(HOME), "sts:GetSessionToken", "*"),
            Policies::default(),
        ),
    ] {
        let explanation = explain(&request, &policies);
        assert_eq!(
            (explanation.removals, explanation.additions),
            (vec![], vec![])
        );
    }
    let trust = explain(
        &request(user(AWAY), "sts:AssumeRole", ROLE),
        &Policies::default(),
    );
    let kinds: Vec<_> = trust.additions.iter().map(|a| a.kind).collect();
    assert_eq!(kinds, [PolicyKind::Identity, PolicyKind::Trust]);
}
