use serde_json::json;

use super::*;
use crate::fixtures::{AWAY, HOME, ROLE, on_repository, own, policy, pull, request, session, user};
use crate::{Level, Outcome, Policies, evaluate};

fn told(request: &Request, policies: &Policies<'_>) -> String {
    let decision = evaluate(request, policies);
    let text = sentence(request, &decision);
    let prefix = format!(
        "User: {} is not authorized to perform: {} on resource: {} ",
        request.principal.name(),
        request.action,
        request.resource
    );
    match text.strip_prefix(&prefix) {
        Some(rest) => rest.to_owned(),
        None => text,
    }
}

EACH
#[test]
fn limits_of_credentials_have_awss_words() {
    let all = own("Allow", "*");
    let policies = Policies {
        identity: vec![&all],
        ..Policies::default()
    };
    let root = Principal::Root {
        arn: format!("arn:aws:iam::{HOME}:root"),
        account: HOME.to_owned(),
    };
    let web = Principal::FederatedIdentity {
        provider: format!("arn:aws:iam::{HOME}:oidc-provider/idp"),
        account: HOME.to_owned(),
    };
    for (principal, action, expected) in [
        (
            session(HOME),
            "sts:GetSessionToken",
            "Cannot call GetSessionToken with session credentials",
        ),
        (
            session(HOME),
            "sts:GetFederationToken",
            "Cannot call GetFederationToken with session credentials",
        ),
        (
            root,
            "sts:AssumeRole",
            "Roles may not be assumed by root accounts.",
        ),
        (
            web,
            "sts:AssumeRoleWithWebIdentity",
            "Not authorized to perform sts:AssumeRoleWithWebIdentity",
        ),
    ] {
        let request = request(principal, action, ROLE);
        assert_eq!(told(&request, &policies), expected);
    }
}

/// The rule of security.md, "Existence: status": a policy on the resource's side is named only to
/// those it also grants something, or who have the permission by their own side.
#[test]
fn a_denial_by_the_other_side_does_not_reveal_the_resource() {
    let all = own("Allow", "*");
    let shut = on_repository("Deny", &json!("*"));
    let away = on_repository("Allow", &json!({"AWS": AWAY}));
    let control =
        policy(&json!({"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}));
    let none = own("Allow", "s3:*");
    let hidden: [(Principal, Policies<'_>); 6] = [
        (user(HOME), Policies::default()),
        (
            session(HOME),
            Policies {
                session: Some(vec![&none]),
                identity: vec![&all],
                ..Policies::default()
            },
        ),
        (
            user(HOME),
            Policies {
                boundary: Some(&none),
                identity: vec![&all],
                ..Policies::default()
            },
        ),
        (user(AWAY), Policies::default()),
        (
            user(AWAY),
            Policies {
                identity: vec![&all],
                ..Policies::default()
            },
        ),
        (
            Principal::Service {
                service: "ecr.amazonaws.com".to_owned(),
            },
            Policies::default(),
        ),
    ];
    for (principal, policies) in hidden {
        let request = pull(principal);
        let absent = told(&request, &policies);
        let denied = Policies {
            resource: vec![&shut],
            ..policies.clone()
        };
        let controlled = Policies {
            resource_control: vec![Level {
                name: "root",
                policies: vec![&control],
            }],
            ..policies
        };
        for policies in [denied, controlled] {
            assert_eq!(evaluate(&request, &policies).outcome, Outcome::ExplicitDeny);
            assert_eq!(told(&request, &policies), absent);
        }
    }
    let named = "with an explicit deny in a resource-based policy";
    let own_side = Policies {
        identity: vec![&all],
        resource: vec![&shut],
        ..Policies::default()
    };
    assert_eq!(told(&pull(user(HOME)), &own_side), named);
    let granted = Policies {
        resource: vec![&away, &shut],
        ..Policies::default()
    };
    assert_eq!(told(&pull(user(AWAY)), &granted), named);
}
