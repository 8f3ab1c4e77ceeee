use serde_json::json;

use super::*;
use crate::fixtures::{AWAY, HOME, ROLE, on_repository, own, policy, pull, request, session, user};
use crate::{Level, NamedPolicy, Outcome, Policies, evaluate};

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

#[test]
fn a_layer_that_does_not_allow_has_its_sentence() {
    let (all, none) = (own("Allow", "*"), own("Allow", "s3:*"));
    let base = Policies {
        identity: vec![&all],
        ..Policies::default()
    };
    let mut bounded = base.clone();
    bounded.boundary = Some(&none);
    let mut in_session = base.clone();
    in_session.session = Some(vec![&none]);
    let mut in_organization = base.clone();
    in_organization.service_control = level(&none);
    for (caller, policies, expected) in [
        (HOME, &Policies::default(), "identity-based policy"),
        (HOME, &bounded, "permissions boundary"),
        (HOME, &in_session, "session policy"),
        (HOME, &in_organization, "service control policy"),
        (AWAY, &base, "resource-based policy"),
    ] {
        let expected = format!("because no {expected} allows the ecr:BatchGetImage action");
        assert_eq!(told(&pull(user(caller)), policies), expected);
    }
}

#[test]
fn a_layer_that_denies_has_its_sentence() {
    let (all, deny) = (own("Allow", "*"), own("Deny", "*"));
    let open = on_repository("Allow", &json!("*"));
    let shut = on_repository("Deny", &json!("*"));
    let control = resource_control();
    let base = Policies {
        identity: vec![&all],
        ..Policies::default()
    };
    let mut by_identity = base.clone();
    by_identity.identity.push(&deny);
    let mut by_boundary = base.clone();
    by_boundary.boundary = Some(&deny);
    let mut by_session = base.clone();
    by_session.session = Some(vec![&deny]);
    let mut by_service_control = base.clone();
    by_service_control.service_control = level(&deny);
    let mut by_resource_control = base.clone();
    by_resource_control.resource_control = level(&control);
    let mut by_resource = base.clone();
    by_resource.resource = vec![&open, &shut];
    for (caller, policies, expected) in [
        (HOME, &by_identity, "an identity-based policy"),
        (HOME, &by_boundary, "a permissions boundary"),
        (HOME, &by_session, "a session policy"),
        (HOME, &by_service_control, "a service control policy"),
        (HOME, &by_resource_control, "a resource control policy"),
        (AWAY, &by_resource, "a resource-based policy"),
    ] {
        let expected = format!("with an explicit deny in {expected}");
        assert_eq!(told(&pull(user(caller)), policies), expected);
    }
}

fn level(policy: &NamedPolicy) -> Vec<Level<'_>> {
    vec![Level {
        name: "root",
        policies: vec![policy],
    }]
}

/// Denies everyone everything.
fn resource_control() -> NamedPolicy {
    policy(&json!({"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}))
}
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
    let control = resource_control();
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
            resource_control: level(&control),
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
